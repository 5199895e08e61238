//! POST /v1/services/{name}/instances: register an instance, which lives by its beats.

use super::{naming_reply, service_right};
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::{Registered, Registration},
};
use access::Action;
use naming::{ClientId, Instance, ServiceKey};
use std::sync::Arc;

/// An instance that does not beat for this long is removed, unless its metadata says otherwise. Milliseconds.
const EXPIRES_AFTER_MS: u64 = 30_000;
const EXPIRES_AFTER_KEY: &str = "preserved.ip.delete.timeout";

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let name = asked.segment(0).to_owned();
    let service = asked.params.service(&name)?;
    let given: Registration = asked.json()?;
    names::metadata(&given.metadata)?;
    let instance = Instance {
        ip: names::ip(&given.ip)?,
        port: given.port,
        cluster_name: names::cluster(given.cluster.as_deref().unwrap_or(names::DEFAULT_CLUSTER))?,
        weight: names::weight(given.weight.unwrap_or(1.0))?,
        healthy: true,
        enabled: given.enabled.unwrap_or(true),
        ephemeral: true,
        metadata: given.metadata,
        instance_id: None,
    };
    Ok(Plan::new(service_right(Action::Write, &service), InstancePut { service, instance }))
}

#[derive(Debug)]
struct InstancePut {
    service: ServiceKey,
    instance: Instance,
}

impl Operation for InstancePut {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let (ip, port) = (Arc::clone(&self.instance.ip), self.instance.port);
            return Ok(Next::Ask(Ask::Naming(naming::Request::Register {
                client: ClientId::Address { ip, port },
                service: self.service.clone(),
                instance: self.instance.clone(),
            })));
        }
        match naming_reply(answer)? {
            naming::Reply::Done => {}
            other => mismatch(&Some(Answer::Naming(other))),
        }
        let own = self.instance.metadata.get(EXPIRES_AFTER_KEY);
        let expires_after_ms = own.and_then(|text| text.parse().ok()).unwrap_or(EXPIRES_AFTER_MS);
        Ok(Reply::json(&Registered { expires_after_ms }))
    }
}
