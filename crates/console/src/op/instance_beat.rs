//! POST /v1/services/{name}/instances/{ip:port}/beat: the instance is alive.

use super::{instance_get::Place, naming_reply, service_right};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::Beat,
};
use access::Action;
use naming::ClientId;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let place = Place::parse(asked)?;
    Ok(Plan::new(service_right(Action::Write, &place.service), InstanceBeat { place }))
}

#[derive(Debug)]
struct InstanceBeat {
    place: Place,
}

impl Operation for InstanceBeat {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let place = self.place.clone();
            let (ip, port) = (Arc::clone(&place.ip), place.port);
            return Ok(Next::Ask(Ask::Naming(naming::Request::Beat {
                client: ClientId::Address { ip: Arc::clone(&ip), port },
                service: place.service,
                full: None,
                ip,
                port,
                cluster_name: place.cluster,
            })));
        }
        match naming_reply(answer)? {
            naming::Reply::Beat { known, interval } => {
                let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
                Ok(Reply::json(&Beat { known, interval_ms }))
            }
            other => mismatch(&Some(Answer::Naming(other))),
        }
    }
}
