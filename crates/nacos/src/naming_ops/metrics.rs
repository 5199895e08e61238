//! Whether the registry serves, and what it holds: `GET /v1/ns/operator/metrics`, `/v1/ns/ops/metrics`.

use super::status_text;
use crate::{
    Answer, Ask, NodeState, Views,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
};
use access::Resource;
use base::Consistency;
use naming::{Reply, Request};
use serde::Serialize;

#[derive(Debug)]
pub(crate) struct Metrics {
    only_status: bool,
}

impl Metrics {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        Ok(Self { only_status: form.flag("onlyStatus", true) }.into())
    }
}

/// What an operator says of it, else how it is.
fn status(views: &dyn Views) -> &'static str {
    if let Some(status) = views.switches().status {
        return status_text(status);
    }
    match views.state() {
        NodeState::Starting => "STARTING",
        NodeState::Ready => "UP",
        NodeState::Draining => "DOWN",
    }
}

impl Operate for Metrics {
    fn need(&self) -> Need {
        Need::read(Resource::Server, Consistency::Stale)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        struct Status {
            status: &'static str,
        }
        if self.only_status {
            return Next::Reply(Rendered::json(&Status { status: status(context.views) }));
        }
        Next::Ask(Ask::Naming(Request::Count))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct All {
            status: &'static str,
            service_count: usize,
            instance_count: usize,
            subscribe_count: usize,
            client_count: usize,
            connection_based_client_count: usize,
            ephemeral_ip_port_client_count: usize,
            persistent_ip_port_client_count: usize,
            responsible_client_count: usize,
            responsible_instance_count: usize,
        }
        match event {
            Event::Answer(Answer::Naming(Reply::Counts(counts))) => {
                Next::Reply(Rendered::json(&All {
                    status: status(context.views),
                    service_count: counts.services,
                    instance_count: counts.instances,
                    subscribe_count: counts.subscriptions,
                    client_count: counts.clients,
                    connection_based_client_count: counts.connection_clients,
                    ephemeral_ip_port_client_count: counts.address_clients,
                    persistent_ip_port_client_count: counts.persistent_clients,
                    responsible_client_count: counts.responsible_clients,
                    responsible_instance_count: counts.responsible_instances,
                }))
            }
            event => failed(event),
        }
    }
}
