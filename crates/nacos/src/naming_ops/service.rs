//! A service itself: `POST`, `PUT` and `DELETE /v1/ns/service`. It is shown by `service_detail`.

use super::instance::{changed, resource, settled};
use crate::{
    Ask,
    fault::Fault,
    form::{self, Form},
    json,
    operation::{Context, Event, Need, Next, Operate, Operation},
};
use naming::{Request, Selector, ServiceKey, ServiceKind, ServiceMetadata};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct ServiceItself {
    service: ServiceKey,
    verb: Verb,
}

#[derive(Clone, Debug, PartialEq)]
enum Verb {
    Create(ServiceMetadata),
    Update(ServiceMetadata),
    Remove,
}

impl ServiceItself {
    pub(crate) fn create(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        let mut metadata = described(form, form.some("protectThreshold").unwrap_or("0"))?;
        // Official 2.5.1 makes it a service of persistent instances, whatever is asked for, and so refuses the clients it
        // was created for. Here the first registration decides, unless the request does.
        metadata.kind = form.some("ephemeral").map(|_| match form.flag("ephemeral", true) {
            true => ServiceKind::Ephemeral,
            false => ServiceKind::Persistent,
        });
        Ok(Self { service, verb: Verb::Create(metadata) }.into())
    }

    pub(crate) fn update(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        let threshold = form.some("protectThreshold");
        let threshold = threshold.ok_or_else(|| Fault::required("protectThreshold"))?;
        Ok(Self { service, verb: Verb::Update(described(form, threshold)?) }.into())
    }

    pub(crate) fn remove(form: &Form) -> Result<Operation, Fault> {
        Ok(Self { service: form.service()?, verb: Verb::Remove }.into())
    }
}

/// A selector as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownSelector<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expression: Option<&'a str>,
    context_type: &'static str,
}

impl<'a> ShownSelector<'a> {
    pub(crate) fn of(selector: &'a Selector) -> Self {
        let context_type = if &*selector.kind == NO_SELECTOR { "NONE" } else { "CMDB" };
        Self { r#type: &selector.kind, expression: selector.expression.as_deref(), context_type }
    }
}

const NO_SELECTOR: &str = "none";
const LABEL_SELECTOR: &str = "label";

/// What the parameters say of a service.
fn described(form: &Form, threshold: &str) -> Result<ServiceMetadata, Fault> {
    let threshold = threshold.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    let protect_threshold: f64 = threshold.ok_or_else(|| {
        Fault::plain("Param 'protectThreshold' is illegal, the value should be between 0 and 1.")
    })?;
    Ok(ServiceMetadata {
        // Minus zero would be written as `-0.0`.
        protect_threshold: protect_threshold.abs(),
        metadata: form.some("metadata").map(form::metadata).transpose()?.unwrap_or_default(),
        selector: form.some("selector").map(selector).transpose()?.unwrap_or_default(),
        kind: None,
    })
}

fn selector(text: &str) -> Result<Selector, Fault> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Given {
        #[serde(deserialize_with = "json::text")]
        r#type: Option<String>,
        #[serde(deserialize_with = "json::text")]
        expression: Option<String>,
    }
    let given: Given = json::read(text.as_bytes())
        .map_err(|error| Fault::plain(format!("not match any type of selector! {error}")))?;
    match given.r#type.as_deref() {
        Some(NO_SELECTOR) => Ok(Selector::default()),
        Some(LABEL_SELECTOR) => Ok(Selector {
            kind: LABEL_SELECTOR.into(),
            expression: given.expression.map(Arc::from),
        }),
        Some(_) | None => Err(Fault::plain("not match any type of selector!")),
    }
}

impl Operate for ServiceItself {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        let service = self.service.clone();
        let request = match self.verb.clone() {
            Verb::Create(metadata) => Request::CreateService { service, metadata },
            Verb::Update(metadata) => Request::UpdateService { service, metadata },
            Verb::Remove => Request::RemoveService { service },
        };
        Next::Ask(Ask::Naming(request))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match settled(event) {
            Ok(()) => Next::Reply(changed(context.door, "")),
            Err(refused) => Next::Fault(refused),
        }
    }
}
