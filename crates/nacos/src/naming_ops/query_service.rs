//! The list of a service: gRPC `ServiceQueryRequest`, `GET /v1/ns/instance/list`.

use super::instance::{request_of_service, resource};
use crate::{
    Format, check,
    fault::Fault,
    form::{self, Form},
    grpc, json,
    operation::{Context, Need, Next, Operate, Operation},
    reply::{self, Door, Rendered},
    service_info::{self, Selection},
    udp::{Receiver, UdpSubscription},
};
use base::Consistency;
use http::StatusCode;
use naming::ServiceKey;

#[derive(Debug)]
pub(crate) struct QueryService {
    service: ServiceKey,
    selection: Selection,
    /// Where the caller wants to hear of changes.
    receiver: Option<Receiver>,
    /// Only the instances, as v3 has it.
    bare: bool,
}

request_of_service! {
    struct Body {
        #[serde(deserialize_with = "json::text")]
        cluster: Option<String>,
        /// The Python SDK writes `healthOnly`.
        #[serde(alias = "healthOnly")]
        healthy_only: Option<bool>,
    }
}

impl QueryService {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let mut body: Body = grpc::read(body)?;
        let fields = body.service();
        fields.filter()?;
        let clusters = form::clusters(body.cluster.as_deref());
        clusters.iter().try_for_each(|name| check::cluster(name))?;
        let healthy_only = body.healthy_only.unwrap_or(false);
        let selection = Selection { clusters, healthy_only };
        Ok(Self { service: fields.key()?, selection, receiver: None, bare: false }.into())
    }

    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let clusters = form::clusters(form.get("clusters"));
        let selection = Selection { clusters, healthy_only: form.flag("healthyOnly", false) };
        let receiver = Receiver::of_form(form);
        Ok(Self { service: form.service()?, selection, receiver, bare: false }.into())
    }

    /// Of v3: the instances alone.
    pub(crate) fn from_http_v3(form: &Form) -> Result<Operation, Fault> {
        let clusters = form::clusters(form.get("clusterName"));
        let selection = Selection { clusters, healthy_only: form.flag("healthyOnly", false) };
        Ok(Self { service: form.service()?, selection, receiver: None, bare: true }.into())
    }
}

impl Operate for QueryService {
    fn need(&self) -> Need {
        Need::read(resource(&self.service), Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if self.bare {
            let view = context.views.service(&self.service);
            return Next::Reply(service_info::hosts(view.as_deref(), &self.selection));
        }
        let list =
            |format| service_info::current(context.views, &self.service, format, &self.selection);
        let address =
            self.receiver.as_ref().and_then(|receiver| receiver.address(context.facts.remote));
        if let (Some(address), Some(receiver)) = (address, &self.receiver) {
            context.client.udp = Some(UdpSubscription {
                address,
                agent: receiver.agent.clone(),
                application: receiver.application.clone(),
                service: self.service.clone(),
                clusters: self.selection.clusters.clone(),
                shown: context.views.service(&self.service).map_or(0, |view| view.version),
            });
        }
        Next::Reply(match context.door {
            Door::Http { .. } => {
                Rendered::Http(reply::http(StatusCode::OK, Some(reply::JSON), list(Format::Http)))
            }
            Door::Grpc { .. } => context.door.service_info(None, &list(Format::Grpc)),
        })
    }
}
