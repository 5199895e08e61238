//! DELETE /v1/services/{name}: forget a service that has no instances.

use super::{naming_reply, service_right};
use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, mismatch},
    problem::Problem,
    shape::Written,
};
use access::Action;
use naming::ServiceKey;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let name = asked.segment(0).to_owned();
    let key = asked.params.service(&name)?;
    Ok(Plan::new(service_right(Action::Write, &key), ServiceDelete { key }))
}

#[derive(Debug)]
struct ServiceDelete {
    key: ServiceKey,
}

impl Operation for ServiceDelete {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let service = self.key.clone();
            return Ok(Next::Ask(Ask::Naming(naming::Request::RemoveService { service })));
        }
        match naming_reply(answer)? {
            naming::Reply::Done => Ok(Reply::json(&Written { revision: None, changed: true })),
            other => mismatch(&Some(Answer::Naming(other))),
        }
    }
}
