//! How many configs a group or a namespace has, in the form of Nacos's quotas: `GET /v1/cs/capacity`.
//!
//! The limits shown are Nacos's defaults, which it does not enforce either; to set others is refused, since nothing here
//! would keep them.

use super::{fields::tenant_of_form, version};
use crate::{
    fault::Fault,
    form::{self, Form},
    operation::{Context, Need, Next, Operate, Operation},
};
use access::Resource;
use base::Consistency;
use serde::Serialize;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) enum ShowCapacity {
    /// Of a group in all namespaces.
    Group(Arc<str>),
    /// Of a namespace.
    Namespace {
        id: Arc<str>,
        /// As the client wrote it.
        tenant: String,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Capacity<'a> {
    id: &'a str,
    quota: u32,
    usage: usize,
    max_size: u32,
    max_aggr_count: u32,
    max_aggr_size: u32,
    gmt_create: Option<&'a str>,
    gmt_modified: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
}

impl ShowCapacity {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let tenant = tenant_of_form(form).filter(|tenant| !tenant.trim().is_empty());
        match (tenant, form.some("group")) {
            (Some(tenant), _) => {
                let (id, tenant) = (form::canonical(Some(tenant)), tenant.to_owned());
                Ok(Self::Namespace { id, tenant }.into())
            }
            (None, Some(group)) => Ok(Self::Group(group.into()).into()),
            (None, None) => Err(Fault::caused("group or tenant is needed")),
        }
    }
}

impl Operate for ShowCapacity {
    /// A group is counted over all namespaces.
    fn need(&self) -> Need {
        let all = || "*".into();
        let (namespace, group) = match self {
            Self::Group(group) => (all(), group.clone()),
            Self::Namespace { id, .. } => (id.clone(), all()),
        };
        let scope = Resource::Config { namespace, group, data_id: all() };
        Need::read(scope, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let (group, tenant, usage) = match self {
            Self::Group(group) => {
                let wanted = |entry: &config::Entry| entry.key.group == *group;
                let usage = context.views.configs(None, &wanted, 0, 0).count;
                (Some(&**group), None, usage)
            }
            Self::Namespace { id, tenant } => {
                (None, Some(&**tenant), context.views.config_count(id))
            }
        };
        Next::Reply(version::told(
            None,
            Capacity {
                id: "0",
                quota: 200,
                usage,
                max_size: 102_400,
                max_aggr_count: 10_000,
                max_aggr_size: 1_024,
                gmt_create: None,
                gmt_modified: None,
                group,
                tenant,
            },
        ))
    }
}
