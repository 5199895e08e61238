//! Who subscribes to a service on this node: `GET /v1/ns/service/subscribers`.

use super::instance::resource;
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
};
use base::Consistency;
use naming::{Reply, Request, ServiceKey, Subscriber};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Debug)]
pub(crate) struct ListSubscribers {
    service: ServiceKey,
    /// From 1.
    page: usize,
    page_size: usize,
}

impl ListSubscribers {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let count = |name, default| match form.some(name) {
            Some(_) => form.count(name),
            None => Ok(default),
        };
        let (page, page_size) = (count("pageNo", 1)?, count("pageSize", 1_000)?);
        Ok(Self { service: form.service()?, page, page_size }.into())
    }

    fn shown(&self, all: &[Subscriber]) -> Rendered {
        #[derive(Serialize)]
        struct Page<'a> {
            subscribers: Vec<Shown<'a>>,
            count: usize,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown<'a> {
            addr_str: &'a str,
            agent: &'a str,
            app: &'a str,
            ip: &'a str,
            port: u16,
            namespace_id: &'a str,
            service_name: &'a str,
            cluster: &'a str,
        }
        let ServiceKey { namespace, .. } = &self.service;
        let grouped = self.service.grouped_name();
        // Connections that look the same from here count once, as in Nacos.
        let distinct: BTreeSet<&Subscriber> = all.iter().collect();
        let offset = (self.page - 1).saturating_mul(self.page_size);
        let shown = distinct.iter().skip(offset).take(self.page_size).map(|subscriber| {
            let Subscriber { address, agent, application } = *subscriber;
            let (ip, port) = address.rsplit_once(':').unwrap_or((address, ""));
            Shown {
                addr_str: address,
                agent,
                app: if application.is_empty() { "unknown" } else { application },
                ip,
                port: port.parse().unwrap_or(0),
                namespace_id: namespace,
                service_name: &grouped,
                cluster: "",
            }
        });
        Rendered::json(&Page { subscribers: shown.collect(), count: distinct.len() })
    }
}

impl Operate for ListSubscribers {
    fn need(&self) -> Need {
        Need::read(resource(&self.service), Consistency::Stale)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Naming(Request::Subscribers { service: self.service.clone() }))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Naming(Reply::Subscribers(all))) => Next::Reply(self.shown(&all)),
            event => failed(event),
        }
    }
}
