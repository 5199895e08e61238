//! GET /v1/cluster/members: who is in the cluster, as this node knows it.

use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::Cluster,
};
use access::{Action, Resource};

pub(crate) fn parse(_asked: &mut Asked) -> Result<Plan, Problem> {
    Ok(Plan::new(Right::To(Action::Read, Resource::Server), MemberList))
}

#[derive(Debug)]
struct MemberList;

impl Operation for MemberList {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        match answer {
            // How far they are is in no view.
            None => Ok(Next::Ask(Ask::Status)),
            Some(Answer::Status(status)) => {
                let cluster = Cluster::of(cx.views.cluster().as_deref());
                Ok(Reply::json(&cluster.with_lags(&status)))
            }
            other => mismatch(&other),
        }
    }
}
