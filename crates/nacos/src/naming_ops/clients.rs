//! Clients, as operators look at them: `GET /v2/ns/client/list`, `/v2/ns/client`, `/v2/ns/client/publish/list`,
//! `/v2/ns/client/subscribe/list`.
//!
//! A client is named by its connection, or by `ip:port#true` (it lives by its beats), or `ip:port#false` (persistent). What
//! they offer is in all namespaces, so only administrators may ask.

use crate::{
    Answer, Ask,
    fault::{Fault, Shape},
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
};
use access::Resource;
use http::StatusCode;
use naming::{ClientName, Place, Refusal, Reply, Request, ServiceKey, Subscriber};
use serde::Serialize;

/// Clients of one answer; the rest is left out.
pub(crate) const CLIENTS_MAX: usize = 100_000;

/// A client's name as it is shown.
pub(crate) fn client_text(client: &ClientName) -> String {
    match client {
        ClientName::Connection(id) => id.to_string(),
        ClientName::Address { ip, port } => format!("{ip}:{port}#true"),
        ClientName::Persistent { ip, port } => format!("{ip}:{port}#false"),
    }
}

/// What `client_text` wrote; `None` of anything else.
fn read(text: &str) -> Option<ClientName> {
    let Some((address, ephemeral)) = text.rsplit_once('#') else {
        return text.parse().ok().map(ClientName::Connection);
    };
    let (ip, port) = address.rsplit_once(':')?;
    let (ip, port) = (ip.into(), port.parse().ok()?);
    match ephemeral {
        "true" => Some(ClientName::Address { ip, port }),
        "false" => Some(ClientName::Persistent { ip, port }),
        _ => None,
    }
}

#[derive(Debug)]
pub(crate) struct ListClients {
    told: Vec<String>,
}

impl ListClients {
    pub(crate) fn from_http(_: &Form) -> Result<Operation, Fault> {
        Ok(Self { told: Vec::new() }.into())
    }
}

impl Operate for ListClients {
    fn need(&self) -> Need {
        Need::write(Resource::Server)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Naming(Request::Clients { after: None }))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Naming(Reply::Clients { mut clients, more })) => {
                let room = CLIENTS_MAX - self.told.len();
                self.told.extend(clients.iter().take(room).map(client_text));
                match clients.pop().filter(|_| more && self.told.len() < CLIENTS_MAX) {
                    Some(last) => Next::Ask(Ask::Naming(Request::Clients { after: Some(last) })),
                    None => Next::Reply(Rendered::json(&self.told)),
                }
            }
            event => failed(event),
        }
    }
}

/// What of one client is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    Itself,
    Published,
    Subscribed,
}

#[derive(Debug)]
pub(crate) struct ShowClient {
    /// As given.
    text: String,
    page: Page,
    offers: Vec<(ServiceKey, Place)>,
}

impl ShowClient {
    pub(crate) fn itself(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, Page::Itself)
    }

    pub(crate) fn published(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, Page::Published)
    }

    pub(crate) fn subscribed(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, Page::Subscribed)
    }

    fn of(form: &Form, page: Page) -> Result<Operation, Fault> {
        let text = form.some("clientId").ok_or_else(|| Fault::missing("clientId"))?.to_owned();
        Ok(Self { text, page, offers: Vec::new() }.into())
    }

    fn ask(&self, after: Option<ServiceKey>) -> Next {
        let Some(client) = read(&self.text) else { return self.missing() };
        Next::Ask(Ask::Naming(match self.page {
            Page::Published => Request::PublishedBy { client, after },
            Page::Itself | Page::Subscribed => Request::SubscribedBy { client },
        }))
    }

    fn missing(&self) -> Next {
        let text = format!("clientId [ {} ] not exist", self.text);
        Next::Fault(Fault::new(Shape::Plain, StatusCode::NOT_FOUND, 404, text))
    }

    /// What a connection says of itself is known from its subscriptions.
    fn itself_shown(&self, subscriber: Option<&Subscriber>) -> Rendered {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown<'a> {
            client_id: &'a str,
            ephemeral: bool,
            client_type: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            app_name: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            version: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_ip: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_port: Option<u16>,
        }
        let (address, client_type) = match self.text.rsplit_once('#') {
            Some((address, _)) => (Some(address), "ipPort"),
            None => (subscriber.map(|subscriber| &*subscriber.address), "connection"),
        };
        let address = address.and_then(|address| address.rsplit_once(':'));
        Rendered::json(&Shown {
            client_id: &self.text,
            ephemeral: !self.text.ends_with("#false"),
            client_type,
            app_name: subscriber.map(|subscriber| &*subscriber.application),
            version: subscriber.map(|subscriber| &*subscriber.agent),
            client_ip: address.map(|(ip, _)| ip),
            client_port: address.and_then(|(_, port)| port.parse().ok()),
        })
    }
}

fn published_shown(offers: &[(ServiceKey, Place)]) -> Rendered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown<'a> {
        namespace: &'a str,
        group: &'a str,
        service_name: &'a str,
        registered_instance: Registered<'a>,
    }
    #[derive(Serialize)]
    struct Registered<'a> {
        ip: &'a str,
        port: u16,
        cluster: &'a str,
    }
    let shown = offers.iter().map(|(service, place)| Shown {
        namespace: &service.namespace,
        group: &service.group,
        service_name: &service.name,
        registered_instance: Registered {
            ip: &place.ip,
            port: place.port,
            cluster: &place.cluster_name,
        },
    });
    Rendered::json(&shown.collect::<Vec<_>>())
}

fn subscribed_shown(subscriptions: &[(ServiceKey, Subscriber)]) -> Rendered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Shown<'a> {
        namespace: &'a str,
        group: &'a str,
        service_name: &'a str,
        subscriber_info: Info<'a>,
    }
    #[derive(Serialize)]
    struct Info<'a> {
        app: &'a str,
        agent: &'a str,
        addr: &'a str,
    }
    let shown = subscriptions.iter().map(|(service, subscriber)| Shown {
        namespace: &service.namespace,
        group: &service.group,
        service_name: &service.name,
        subscriber_info: Info {
            app: &subscriber.application,
            agent: &subscriber.agent,
            addr: &subscriber.address,
        },
    });
    Rendered::json(&shown.collect::<Vec<_>>())
}

impl Operate for ShowClient {
    fn need(&self) -> Need {
        Need::write(Resource::Server)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        self.ask(None)
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Naming(Reply::Published { offers, last })) => {
                self.offers.extend(offers);
                match last {
                    Some(last) => self.ask(Some(last)),
                    None => Next::Reply(published_shown(&self.offers)),
                }
            }
            Event::Answer(Answer::Naming(Reply::SubscribedBy(all))) => {
                Next::Reply(match self.page {
                    Page::Itself => self.itself_shown(all.first().map(|(_, one)| one)),
                    Page::Published | Page::Subscribed => subscribed_shown(&all),
                })
            }
            Event::Answer(Answer::Naming(Reply::Refused(Refusal::NoSuchClient))) => self.missing(),
            event => failed(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_reads_back_from_its_text() {
        for text in ["10.0.0.1:80#true", "10.0.0.1:80#false", "::1:80#true", "1-a0-7"] {
            assert_eq!(client_text(&read(text).expect(text)), text);
        }
        for text in ["", "nope", "10.0.0.1:80", "10.0.0.1#true", "10.0.0.1:80#maybe", "a:b#true"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
