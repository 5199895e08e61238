//! The names of a group's services: gRPC `ServiceListRequest`, `GET /v1/ns/service/list`.

use super::instance::request_of_service;
use crate::{
    check,
    fault::Fault,
    form::{self, Form},
    grpc, json,
    operation::{Context, Need, Next, Operate, Operation},
    reply::{Door, Rendered},
};
use access::Resource;
use base::Consistency;
use serde::Serialize;
use std::sync::Arc;

/// Names of one page.
pub(crate) const PAGE_SIZE_MAX: usize = 5_000;

#[derive(Debug)]
pub(crate) struct ListServices {
    namespace: Arc<str>,
    group: Arc<str>,
    /// From 1.
    page: usize,
    page_size: usize,
}

request_of_service! {
    struct Body {
        #[serde(deserialize_with = "json::number")]
        page_no: Option<f64>,
        #[serde(deserialize_with = "json::number")]
        page_size: Option<f64>,
    }
}

impl ListServices {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let mut body: Body = grpc::read(body)?;
        let fields = body.service();
        fields.filter()?;
        // A float to integer cast saturates: anything absurd becomes a page that is empty.
        let page = (body.page_no.unwrap_or(1.0) as usize).max(1);
        let page_size = (body.page_size.unwrap_or(10.0) as usize).min(PAGE_SIZE_MAX);
        let (namespace, group) = (fields.namespace(), fields.group());
        Ok(Self { namespace, group, page, page_size }.into())
    }

    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let (page, page_size) = (form.count("pageNo")?, form.count("pageSize")?);
        let namespace = form::canonical(form.get("namespaceId"));
        check::namespace(&namespace)?;
        let page_size = page_size.min(PAGE_SIZE_MAX);
        Ok(Self { namespace, group: form.group(None), page, page_size }.into())
    }
}

impl ListServices {
    /// As v1, with a page when the client names none.
    pub(crate) fn from_http_v2(form: &Form) -> Result<Operation, Fault> {
        let count = |name, default| form.some(name).map_or(Ok(default), |_| form.count(name));
        let (page, page_size) = (count("pageNo", 1)?, count("pageSize", 20)?.min(PAGE_SIZE_MAX));
        let namespace = form::canonical(form.get("namespaceId"));
        Ok(Self { namespace, group: form.group(None), page, page_size }.into())
    }
}

impl Operate for ListServices {
    fn need(&self) -> Need {
        let (namespace, group) = (self.namespace.clone(), self.group.clone());
        let resource = Resource::Service { namespace, group, name: "*".into() };
        Need::read(resource, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Grpc<'a> {
            count: usize,
            service_names: &'a [Arc<str>],
        }
        #[derive(Serialize)]
        struct Http<'a> {
            count: usize,
            doms: &'a [Arc<str>],
        }
        #[derive(Serialize)]
        struct Wrapped<'a> {
            count: usize,
            services: &'a [Arc<str>],
        }
        let offset = (self.page - 1).saturating_mul(self.page_size);
        let page =
            context.views.service_names(&self.namespace, &self.group, offset, self.page_size);
        let (count, names) = (page.count, page.items.as_slice());
        Next::Reply(match context.door {
            Door::Grpc { .. } => context.door.ok(Grpc { count, service_names: names }),
            door @ Door::Http { .. } if door.is_wrapped() => {
                Rendered::json(&Wrapped { count, services: names })
            }
            Door::Http { .. } => Rendered::json(&Http { count, doms: names }),
        })
    }
}
