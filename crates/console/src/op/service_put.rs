//! PUT /v1/services/{name}: an empty service, if there is none of that name.

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
    if !asked.body.is_empty() {
        return Err(Problem::invalid(
            "the body is not empty",
            "a service has nothing to set yet",
            "send no body",
        ));
    }
    Ok(Plan::new(service_right(Action::Write, &key), ServicePut { key }))
}

#[derive(Debug)]
struct ServicePut {
    key: ServiceKey,
}

impl Operation for ServicePut {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        let Some(answer) = answer else {
            let service = self.key.clone();
            return Ok(Next::Ask(Ask::Naming(naming::Request::CreateService {
                service,
                metadata: naming::ServiceMetadata::default(),
            })));
        };
        if matches!(
            answer,
            Answer::Naming(
                naming::Reply::Refused(naming::Refusal::ServiceExists(_))
                    | naming::Reply::Outcome(naming::Outcome::Refused(
                        naming::Refusal::ServiceExists(_)
                    ))
            )
        ) {
            return Ok(Reply::json(&Written { revision: None, changed: false }));
        }
        match naming_reply(Some(answer))? {
            naming::Reply::Done => Ok(Reply::json(&Written { revision: None, changed: true })),
            other => mismatch(&Some(Answer::Naming(other))),
        }
    }
}
