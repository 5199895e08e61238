//! The clients of a service: `GET /v2/ns/client/service/publisher/list` and `/v2/ns/client/service/subscriber/list`.

use super::{clients::client_text, instance::resource};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
};
use base::Consistency;
use naming::{ClientName, Reply, Request, ServiceKey};
use serde::Serialize;

#[derive(Debug)]
pub(crate) struct ListClientsOf {
    service: ServiceKey,
    publishers: bool,
    /// Only this address.
    ip: Option<String>,
    /// Only this port.
    port: Option<u16>,
}

impl ListClientsOf {
    pub(crate) fn publishers(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, true)
    }

    pub(crate) fn subscribers(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, false)
    }

    fn of(form: &Form, publishers: bool) -> Result<Operation, Fault> {
        let (ip, port) = (form.some("ip").map(str::to_owned), form.some("port"));
        // The parameter filter has seen the port.
        let port = port.and_then(|port| port.parse().ok());
        Ok(Self { service: form.service()?, publishers, ip, port }.into())
    }

    fn wants(&self, ip: &str, port: Option<u16>) -> bool {
        self.ip.as_deref().is_none_or(|wanted| wanted == ip)
            && self.port.is_none_or(|wanted| Some(wanted) == port)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    client_id: String,
    ip: String,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<String>,
}

impl Operate for ListClientsOf {
    fn need(&self) -> Need {
        Need::read(resource(&self.service), Consistency::Stale)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        let service = self.service.clone();
        Next::Ask(Ask::Naming(if self.publishers {
            Request::PublishersOf { service }
        } else {
            Request::SubscribingClients { service }
        }))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        let shown: Vec<Shown> = match event {
            Event::Answer(Answer::Naming(Reply::Publishers(all))) => all
                .into_iter()
                .filter(|(_, place)| self.wants(&place.ip, Some(place.port)))
                .map(|(client, place)| Shown {
                    client_id: client_text(&client),
                    ip: place.ip.to_string(),
                    port: place.port,
                    cluster_name: Some(place.cluster_name.to_string()),
                })
                .collect(),
            Event::Answer(Answer::Naming(Reply::SubscribingClients(all))) => all
                .into_iter()
                .filter_map(|(id, subscriber)| {
                    let (ip, port) = subscriber.address.rsplit_once(':').unwrap_or_default();
                    let port = port.parse().ok();
                    self.wants(ip, port).then(|| Shown {
                        client_id: client_text(&ClientName::Connection(id)),
                        ip: ip.to_owned(),
                        port: port.unwrap_or(0),
                        cluster_name: None,
                    })
                })
                .collect(),
            event => return failed(event),
        };
        Next::Reply(Rendered::json(&shown))
    }
}
