//! DELETE /v1/services/{name}/instances/{ip:port}: take an instance back that lives by beats.

use super::{instance_get::Place, naming_reply, service_right};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::Written,
};
use access::Action;
use naming::ClientId;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let place = Place::parse(asked)?;
    Ok(Plan::new(service_right(Action::Write, &place.service), InstanceDelete { place }))
}

#[derive(Debug)]
struct InstanceDelete {
    place: Place,
}

impl Operation for InstanceDelete {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let listed = self.place.listed(cx.views).ok_or_else(|| self.place.missing())?;
            let place = self.place.clone();
            let (ip, port) = (Arc::clone(&place.ip), place.port);
            if !listed.ephemeral {
                let service = place.service;
                return Ok(Next::Ask(Ask::Naming(naming::Request::DeregisterPersistent {
                    service,
                    ip,
                    port,
                })));
            }
            return Ok(Next::Ask(Ask::Naming(naming::Request::Deregister {
                client: ClientId::Address { ip: Arc::clone(&ip), port },
                service: place.service,
                ip,
                port,
                cluster_name: place.cluster,
            })));
        }
        match naming_reply(answer)? {
            naming::Reply::Done => {}
            other => mismatch(&Some(Answer::Naming(other))),
        }
        // The registry takes a foreign or unknown offer back without a word; "removed" must not be said of those.
        if self.place.listed(cx.views).is_some() {
            return Err(Problem::conflict(
                "the instance was not removed",
                "another client holds it, by a connection that is open",
                "stop that client: the instance leaves with its connection",
            ));
        }
        Ok(Reply::json(&Written { revision: None, changed: true }))
    }
}
