//! What several operations read of services and instances: the fields of gRPC requests, the parameters of HTTP.

use super::{Deregister, Register};
use crate::{
    Answer, check,
    fault::{ErrorCode, Fault, Shape},
    form::{self, Form},
    grpc, json,
    operation::{Event, Operation, failure},
    reply::{Door, Rendered},
    service_info::cluster_or_default,
};
use access::Resource;
use http::StatusCode;
use naming::{Instance, Outcome, Refusal, Reply, ServiceKey, ServiceKind};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// The fields that name a service in a gRPC request.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceFields {
    pub(crate) namespace: Option<String>,
    pub(crate) service_name: Option<String>,
    pub(crate) group_name: Option<String>,
}

/// A gRPC request that names a service, and has fields of its own. Not by serde's `flatten`: that reads all of a request,
/// ten thousand instances if there are as many, into a tree before it looks at any of it.
macro_rules! request_of_service {
    ($(#[$about:meta])* struct $name:ident { $($(#[$how:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Default, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct $name {
            #[serde(deserialize_with = "crate::json::text")]
            namespace: Option<String>,
            #[serde(deserialize_with = "crate::json::text")]
            service_name: Option<String>,
            #[serde(deserialize_with = "crate::json::text")]
            group_name: Option<String>,
            $($(#[$how])* $field: $kind,)*
        }

        impl $name {
            /// Taken out of it.
            fn service(&mut self) -> $crate::naming_ops::instance::ServiceFields {
                $crate::naming_ops::instance::ServiceFields {
                    namespace: self.namespace.take(),
                    service_name: self.service_name.take(),
                    group_name: self.group_name.take(),
                }
            }
        }
    };
}
pub(crate) use request_of_service;

impl ServiceFields {
    /// The parameter filter.
    pub(crate) fn filter(&self) -> Result<(), Fault> {
        let (group, name) = self.split();
        check::namespace(self.namespace.as_deref().unwrap_or_default().trim())?;
        check::group(group)?;
        check::service(name)
    }

    fn split(&self) -> (&str, &str) {
        let whole = self.service_name.as_deref().unwrap_or_default().trim();
        let (of_name, name) = form::split_grouped(whole);
        let given = self.group_name.as_deref().map(str::trim);
        let group = of_name.or(given).filter(|group| !group.is_empty());
        (group.unwrap_or(form::DEFAULT_GROUP), name)
    }

    pub(crate) fn namespace(&self) -> Arc<str> {
        form::canonical(self.namespace.as_deref())
    }

    pub(crate) fn group(&self) -> Arc<str> {
        self.split().0.into()
    }

    pub(crate) fn key(&self) -> Result<ServiceKey, Fault> {
        let (group, name) = self.split();
        if name.is_empty() {
            let text = "Param 'serviceName' is illegal, serviceName is blank";
            let shape = Shape::Error { result: 500 };
            return Err(Fault::new(shape, StatusCode::BAD_REQUEST, 500, text));
        }
        Ok(ServiceKey { namespace: self.namespace(), group: group.into(), name: name.into() })
    }
}

/// An instance in a gRPC request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct InstanceFields {
    #[serde(deserialize_with = "json::text")]
    instance_id: Option<String>,
    #[serde(deserialize_with = "json::text")]
    ip: Option<String>,
    #[serde(deserialize_with = "json::number")]
    port: Option<f64>,
    #[serde(deserialize_with = "json::number")]
    weight: Option<f64>,
    healthy: Option<bool>,
    enabled: Option<bool>,
    ephemeral: Option<bool>,
    #[serde(deserialize_with = "json::text")]
    cluster_name: Option<String>,
    #[serde(deserialize_with = "json::texts")]
    metadata: BTreeMap<Arc<str>, Arc<str>>,
}

impl InstanceFields {
    /// The parameter filter, and the instance if it passes.
    pub(crate) fn read(self) -> Result<Instance, Fault> {
        let ip = self.ip.as_deref().unwrap_or_default().trim();
        let cluster_name = cluster_or_default(self.cluster_name.as_deref());
        check::cluster(&cluster_name)?;
        check::ip(ip)?;
        let port = self.port.unwrap_or_default();
        let port = check::port((port.fract() == 0.0).then_some(port as i64))?;
        check::metadata(&self.metadata)?;
        Ok(Instance {
            ip: ip.into(),
            port,
            cluster_name,
            weight: check::weight(self.weight.unwrap_or(1.0))?,
            healthy: self.healthy.unwrap_or(true),
            enabled: self.enabled.unwrap_or(true),
            ephemeral: self.ephemeral.unwrap_or(true),
            metadata: self.metadata,
            instance_id: id_given(self.instance_id),
        })
    }
}

fn id_given(id: Option<String>) -> Option<Arc<str>> {
    id.filter(|id| !id.trim().is_empty()).map(Arc::from)
}

request_of_service! {
    struct InstanceRequest {
        #[serde(deserialize_with = "json::text")]
        r#type: Option<String>,
        instance: Option<InstanceFields>,
    }
}

/// `InstanceRequest` is two operations under one name. It means an ephemeral instance whatever it says itself: so does
/// Nacos, and the same client takes it back without saying.
pub(crate) fn instance_request(body: &[u8]) -> Result<Operation, Fault> {
    requested(body, ServiceKind::Ephemeral)
}

/// `PersistentInstanceRequest`, the same two for instances that outlive their connection.
pub(crate) fn persistent_request(body: &[u8]) -> Result<Operation, Fault> {
    requested(body, ServiceKind::Persistent)
}

fn requested(body: &[u8], kind: ServiceKind) -> Result<Operation, Fault> {
    let ephemeral = kind == ServiceKind::Ephemeral;
    let mut request: InstanceRequest = grpc::read(body)?;
    let fields = request.service();
    fields.filter()?;
    let instance = request.instance.map(InstanceFields::read).transpose()?;
    let service = fields.key()?;
    let refuse = |text: String| {
        Err(Fault::new(Shape::Error { result: 400 }, StatusCode::BAD_REQUEST, 400, text))
    };
    let Some(instance) = instance else {
        return refuse("Instance can not be null.".to_owned());
    };
    if instance.ip.is_empty() {
        return Err(Fault::plain("Param 'ip' is required."));
    }
    match request.r#type.as_deref() {
        Some("registerInstance") => {
            Ok(Register { service, instance: Instance { ephemeral, ..instance } }.into())
        }
        Some("deregisterInstance") => Ok(Deregister {
            service,
            ip: instance.ip,
            port: instance.port,
            cluster_name: instance.cluster_name,
            ephemeral,
        }
        .into()),
        Some(other) => refuse(format!("Unsupported request type {other}")),
        None => refuse("Unsupported request type null".to_owned()),
    }
}

/// The instance that HTTP parameters describe.
pub(crate) fn of_form(form: &Form) -> Result<Instance, Fault> {
    let (ip, port) = form.address()?;
    let metadata = form.some("metadata").map(form::metadata).transpose()?.unwrap_or_default();
    let weight = match form.some("weight") {
        Some(text) => text.parse().unwrap_or(f64::NAN),
        None => 1.0,
    };
    Ok(Instance {
        ip,
        port,
        cluster_name: form.cluster_name(),
        weight: check::weight(weight)?,
        healthy: form.flag("healthy", true),
        enabled: form.flag("enabled", form.flag("enable", true)),
        ephemeral: form.flag("ephemeral", true),
        metadata,
        instance_id: form.some("instanceId").map(Arc::from),
    })
}

pub(crate) fn resource(service: &ServiceKey) -> Resource {
    Resource::Service {
        namespace: service.namespace.clone(),
        group: service.group.clone(),
        name: service.name.clone(),
    }
}

/// The answer of a change: `ok`, or the type that the client sent.
pub(crate) fn changed(door: &Door, kind: &'static str) -> Rendered {
    #[derive(serde::Serialize)]
    struct Typed {
        r#type: &'static str,
    }
    match door {
        Door::Http { .. } => Rendered::text("ok"),
        Door::Grpc { .. } => door.ok(Typed { r#type: kind }),
    }
}

/// The end of a change: done, or why not.
pub(crate) fn settled(event: Event) -> Result<(), Fault> {
    match event {
        Event::Answer(Answer::Naming(
            Reply::Done | Reply::Outcome(Outcome::Done | Outcome::Edited(_)),
        )) => Ok(()),
        event => Err(failure(event)),
    }
}

/// A refusal of the registry in Nacos's words.
pub(crate) fn refused_by_registry(refusal: &Refusal) -> Fault {
    let (status, code) = match refusal {
        Refusal::UnknownClient => {
            // The SDK takes 301 as "connect again", which is what helps.
            let shape = Shape::Error { result: 500 };
            return Fault::new(shape, StatusCode::CONFLICT, 301, "Connection is unregistered.");
        }
        Refusal::PersistentService(_) | Refusal::EphemeralService(_) => {
            // As Nacos's exception writes itself, with the blank at its end.
            let text = format!("errCode: 400, errMsg: {refusal} ");
            return Fault::new(Shape::Error { result: 400 }, StatusCode::BAD_REQUEST, 400, text)
                .with(ErrorCode::ServerError);
        }
        Refusal::NoSuchService(ServiceKey { namespace, group, name }) => {
            return Fault::plain(format!(
                "service not found, namespace: {namespace}, service: Service{{namespace='{namespace}', group='{group}', name='{name}', ephemeral=true, revision=0}}"
            ));
        }
        Refusal::TooLong { what: "metadata", limit } => {
            // As the parameter filter says it. The plane has counted it.
            return Fault { limit: None, ..check::metadata_over(*limit) };
        }
        Refusal::Full { .. } => (StatusCode::INSUFFICIENT_STORAGE, 500),
        Refusal::NoSuchClient | Refusal::NoSuchInstance => (StatusCode::NOT_FOUND, 404),
        Refusal::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, 503),
        Refusal::NotEphemeral
        | Refusal::NoLink(_)
        | Refusal::TooLong { .. }
        | Refusal::OutOfRange { .. }
        | Refusal::TooManyEdited { .. }
        | Refusal::TooMany { .. }
        | Refusal::TooManyPatterns { .. }
        | Refusal::HealthIsChecked { .. }
        | Refusal::ServiceNotEmpty(_)
        | Refusal::ServiceExists(_)
        | Refusal::ServiceUnknown(_) => (StatusCode::BAD_REQUEST, 400),
    };
    let fault = Fault::new(Shape::Plain, status, code, refusal.to_string());
    match refusal {
        Refusal::ServiceExists(_) => fault.with(ErrorCode::ServiceExists),
        Refusal::ServiceUnknown(_) => fault.with(ErrorCode::ServiceUnknown),
        Refusal::ServiceNotEmpty(_) => fault.with(ErrorCode::ServiceNotEmpty),
        Refusal::HealthIsChecked { .. } => fault.with(ErrorCode::ServerError),
        Refusal::UnknownClient
        | Refusal::NoSuchClient
        | Refusal::NoSuchInstance
        | Refusal::NoLink(_)
        | Refusal::Busy { .. }
        | Refusal::TooManyPatterns { .. }
        | Refusal::PersistentService(_)
        | Refusal::EphemeralService(_)
        | Refusal::NoSuchService(_)
        | Refusal::Full { .. }
        | Refusal::NotEphemeral
        | Refusal::TooLong { .. }
        | Refusal::OutOfRange { .. }
        | Refusal::TooManyEdited { .. }
        | Refusal::TooMany { .. } => fault,
    }
}
