//! GET /v1/status: how this node is.

use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape,
};
use access::{Action, Resource};

pub(crate) fn parse(_asked: &mut Asked) -> Result<Plan, Problem> {
    Ok(Plan::new(Right::To(Action::Read, Resource::Server), Status))
}

#[derive(Debug)]
struct Status;

impl Operation for Status {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        match answer {
            None => Ok(Next::Ask(Ask::Status)),
            Some(Answer::Status(status)) => {
                let cluster = cx.views.cluster();
                Ok(Reply::json(&shape::Status::of(&status, cluster.as_deref())))
            }
            other => mismatch(&other),
        }
    }
}
