//! Health, as operators ask about it: `PUT /v1/ns/health`, `/v1/ns/health/instance`, `GET /v1/ns/health/server` and
//! `/v1/ns/health/checkers`.
//!
//! Somebody may say how a persistent instance is where its cluster's health checker is `NONE`; elsewhere that is refused, as
//! in Nacos. Of an instance that is not there Nacos answers `ok`; here that is 404.

use super::{
    cluster::ShownChecker,
    instance::{changed, resource, settled},
};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
    reply::Rendered,
};
use access::Resource;
use base::Consistency;
use naming::{Place, Reply, Request, ServiceKey};
use serde::Serialize;

#[derive(Debug)]
pub(crate) struct SetHealth {
    service: ServiceKey,
    place: Place,
    healthy: bool,
}

impl SetHealth {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        let (ip, port) = form.address()?;
        let given = form.some("healthy").or_else(|| form.some("valid"));
        let healthy = given.ok_or_else(|| Fault::required("healthy"))?;
        let healthy = healthy.eq_ignore_ascii_case("true");
        let place = Place { ip, port, cluster_name: form.cluster_name() };
        Ok(Self { service, place, healthy }.into())
    }
}

impl Operate for SetHealth {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(Ask::Naming(Request::SetHealth {
            service: self.service.clone(),
            place: self.place.clone(),
            healthy: self.healthy,
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match settled(event) {
            Ok(()) => Next::Reply(changed(context.door, "")),
            Err(refused) => Next::Fault(refused),
        }
    }
}

/// What of health is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HealthPage {
    /// A greeting.
    Server,
    /// The checkers that a cluster name may have.
    Checkers,
}

impl HealthPage {
    pub(crate) fn server(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Server.into())
    }

    pub(crate) fn checkers(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::Checkers.into())
    }
}

impl Operate for HealthPage {
    fn need(&self) -> Need {
        Need::read(Resource::Server, Consistency::Stale)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "UPPERCASE")]
        struct Checkers {
            http: ShownChecker<'static>,
            none: ShownChecker<'static>,
            tcp: ShownChecker<'static>,
        }
        match self {
            Self::Server => Next::Ask(Ask::Naming(Request::Count)),
            Self::Checkers => Next::Reply(Rendered::json(&Checkers {
                http: ShownChecker::Http { path: "", headers: "", expected_response_code: 200 },
                none: ShownChecker::None {},
                tcp: ShownChecker::Tcp {},
            })),
        }
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        #[derive(Serialize)]
        struct Greeting {
            msg: String,
        }
        match event {
            Event::Answer(Answer::Naming(Reply::Counts(counts))) => {
                let (services, port) = (counts.services, context.facts.local.port());
                let msg = format!(
                    "Hello! I am Nacos-Naming and healthy! total services: {services}, local port:{port}"
                );
                Next::Reply(Rendered::json(&Greeting { msg }))
            }
            event => failed(event),
        }
    }
}
