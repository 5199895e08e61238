//! A service itself: `POST`, `GET` and `DELETE /v1/ns/service`.

use super::instance::{changed, refused, resource};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, unexpected},
    reply::{Nothing, Rendered},
};
use base::Consistency;
use naming::{Reply, Request, ServiceKey};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Debug)]
pub(crate) struct ServiceItself {
    service: ServiceKey,
    verb: Verb,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Create,
    Show,
    Remove,
}

impl ServiceItself {
    pub(crate) fn create(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        // What the registry would forget is refused: a threshold that is not kept protects nobody.
        let threshold = form.some("protectThreshold").unwrap_or("0");
        match threshold.parse::<f64>() {
            Ok(0.0) => {}
            Ok(number) if (0.0..=1.0).contains(&number) => {
                return Err(Fault::not_served("not served yet: a service's protectThreshold"));
            }
            Ok(_) | Err(_) => {
                return Err(Fault::plain(
                    "Param 'protectThreshold' is illegal, the value should be between 0 and 1.",
                ));
            }
        }
        for parameter in ["metadata", "selector"] {
            let value = form.some(parameter).unwrap_or_default();
            if !value.is_empty() && value != "{}" && !value.contains("\"none\"") {
                return Err(Fault::not_served(format!("not served yet: a service's {parameter}")));
            }
        }
        Ok(Self { service, verb: Verb::Create }.into())
    }

    pub(crate) fn show(form: &Form) -> Result<Operation, Fault> {
        Ok(Self { service: form.service()?, verb: Verb::Show }.into())
    }

    pub(crate) fn remove(form: &Form) -> Result<Operation, Fault> {
        Ok(Self { service: form.service()?, verb: Verb::Remove }.into())
    }

    fn shown(&self, context: &Context<'_>) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Shown<'a> {
            namespace_id: &'a str,
            group_name: &'a str,
            name: &'a str,
            protect_threshold: f64,
            metadata: Nothing,
            selector: Selector,
            clusters: Vec<Cluster<'a>>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Selector {
            r#type: &'static str,
            context_type: &'static str,
        }
        #[derive(Serialize)]
        struct Cluster<'a> {
            name: &'a str,
            metadata: Nothing,
        }
        let ServiceKey { namespace, group, name } = &self.service;
        let Some(view) = context.views.service(&self.service) else {
            let grouped = self.service.grouped_name();
            return Next::Fault(Fault::plain(format!(
                "service not found, namespace: {namespace}, serviceName: {grouped}"
            )));
        };
        let clusters: BTreeSet<&str> =
            view.instances.iter().map(|instance| &*instance.cluster_name).collect();
        Next::Reply(Rendered::json(&Shown {
            namespace_id: namespace,
            group_name: group,
            name,
            protect_threshold: view.protect_threshold,
            metadata: Nothing {},
            selector: Selector { r#type: "none", context_type: "NONE" },
            clusters: clusters
                .into_iter()
                .map(|name| Cluster { name, metadata: Nothing {} })
                .collect(),
        }))
    }
}

impl Operate for ServiceItself {
    fn need(&self) -> Need {
        match self.verb {
            Verb::Show => Need::read(resource(&self.service), Consistency::Stale),
            Verb::Create | Verb::Remove => Need::write(resource(&self.service)),
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let service = self.service.clone();
        match self.verb {
            Verb::Show => self.shown(context),
            Verb::Create => Next::Ask(Ask::Naming(Request::CreateService { service })),
            Verb::Remove => Next::Ask(Ask::Naming(Request::RemoveService { service })),
        }
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Naming(Reply::Done)) => Next::Reply(changed(context.door, "")),
            Event::Answer(Answer::Naming(Reply::Refused(refusal))) => {
                Next::Fault(refused(&refusal))
            }
            event => unexpected(event),
        }
    }
}
