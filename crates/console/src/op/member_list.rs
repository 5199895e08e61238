//! GET /v1/cluster/members: who is in the cluster, as this node knows it.

use crate::{
    Answer,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right},
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
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        Ok(Reply::json(&Cluster::of(cx.views.cluster().as_deref())))
    }
}
