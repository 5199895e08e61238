//! What several operations read of configs: the fields of gRPC requests, the parameters of HTTP.

use crate::{
    check,
    fault::{Fault, Shape},
    form::{self, Form},
    operation::Context,
};
use access::{Principal, Resource};
use config::{Author, ConfigKey, Refusal};
use http::StatusCode;
use std::sync::Arc;

/// What Nacos says of a config that is not there.
pub(crate) const NOT_FOUND: &str = "config data not exist";
/// What Nacos says when a compare-and-set found another md5.
pub(crate) const CAS_CONFLICT: &str = "Cas publish fail, server md5 may have changed.";

/// The fields that name a config in a gRPC request.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigFields {
    pub(crate) data_id: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) tenant: Option<String>,
}

/// A gRPC request that names a config, and has fields of its own. Not by serde's `flatten`, as for services.
macro_rules! request_of_config {
    ($(#[$about:meta])* struct $name:ident { $($(#[$how:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Default, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct $name {
            #[serde(deserialize_with = "crate::json::text")]
            data_id: Option<String>,
            #[serde(deserialize_with = "crate::json::text")]
            group: Option<String>,
            #[serde(deserialize_with = "crate::json::text")]
            tenant: Option<String>,
            $($(#[$how])* $field: $kind,)*
        }

        impl $name {
            /// Taken out of it.
            fn config(&mut self) -> $crate::config_ops::fields::ConfigFields {
                $crate::config_ops::fields::ConfigFields {
                    data_id: self.data_id.take(),
                    group: self.group.take(),
                    tenant: self.tenant.take(),
                }
            }
        }
    };
}
pub(crate) use request_of_config;

impl ConfigFields {
    /// The parameter filter.
    pub(crate) fn filter(&self) -> Result<(), Fault> {
        check::data_id(trimmed(&self.data_id))?;
        check::group(trimmed(&self.group))?;
        check::namespace(trimmed(&self.tenant))
    }

    /// The key if it can name a config at all.
    pub(crate) fn key(&self) -> Option<ConfigKey> {
        self.key_or_fault().ok()
    }

    /// The key.
    ///
    /// # Errors
    /// Nacos's text for the part that is blank.
    pub(crate) fn key_or_fault(&self) -> Result<ConfigKey, Fault> {
        key(trimmed(&self.data_id), trimmed(&self.group), self.tenant.as_deref())
    }
}

fn trimmed(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default().trim()
}

fn key(data_id: &str, group: &str, tenant: Option<&str>) -> Result<ConfigKey, Fault> {
    for (name, value) in [("dataId", data_id), ("group", group)] {
        if value.is_empty() {
            return Err(Fault::caused(format!("invalid {name} : {value}")));
        }
    }
    let namespace = form::canonical(tenant);
    Ok(ConfigKey { namespace, group: group.into(), data_id: data_id.into() })
}

/// The key that HTTP parameters name.
pub(crate) fn key_of_form(form: &Form) -> Result<ConfigKey, Fault> {
    let data_id = form.get("dataId").ok_or_else(|| Fault::missing("dataId"))?;
    let group = form.get("group").ok_or_else(|| Fault::missing("group"))?;
    key(data_id.trim(), group.trim(), tenant_of_form(form))
}

/// v1 says `tenant`; some clients say `namespaceId`.
pub(crate) fn tenant_of_form(form: &Form) -> Option<&str> {
    form.get("tenant").or_else(|| form.get("namespaceId"))
}

pub(crate) fn resource(key: &ConfigKey) -> Resource {
    Resource::Config {
        namespace: key.namespace.clone(),
        group: key.group.clone(),
        data_id: key.data_id.clone(),
    }
}

/// Who changes a config: whoever has proven a name, else whom the client names.
pub(crate) fn author(context: &Context<'_>, named: &str) -> Author {
    let user: Arc<str> = match context.principal {
        Principal::User(user) => user.clone(),
        Principal::Anonymous | Principal::Open => named.into(),
    };
    Author { user, address: context.address().into() }
}

/// A refusal of the config center in Nacos's words.
pub(crate) fn refused_by_config_center(refusal: &Refusal) -> Fault {
    let (status, code) = match refusal {
        Refusal::ContentBlank => return Fault::caused("content is blank : "),
        Refusal::ContentTooLarge { .. } | Refusal::ChangesTooLarge { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, 400)
        }
        Refusal::DetailTooLong { .. }
        | Refusal::TooManyTags { .. }
        | Refusal::TagIllegal
        | Refusal::NoChanges
        | Refusal::TooManyChanges { .. }
        | Refusal::ChangedTwice { .. }
        | Refusal::AddressesBlank
        | Refusal::TooManyPatterns { .. }
        | Refusal::TooManyListeners { .. } => (StatusCode::BAD_REQUEST, 400),
        Refusal::Unreadable(_) => (StatusCode::INTERNAL_SERVER_ERROR, 500),
    };
    Fault::new(Shape::Caused, status, code, refusal.to_string())
}
