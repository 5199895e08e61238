//! DELETE /v1/cluster/members/{node}: take a node out of the cluster for good.

use super::cluster_reply;
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::Written,
};
use access::{Action, Resource};
use base::NodeId;
use cluster::Outcome;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let node = names::node(asked.segment(0))?;
    Ok(Plan::new(Right::To(Action::Write, Resource::Server), MemberDelete { node }))
}

#[derive(Debug)]
struct MemberDelete {
    node: NodeId,
}

impl Operation for MemberDelete {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            return Ok(Next::Ask(Ask::Cluster(cluster::Request::Remove(self.node))));
        }
        match cluster_reply(answer)? {
            cluster::Reply::Outcome(Outcome::Done) => {
                Ok(Reply::json(&Written { revision: None, changed: true }))
            }
            cluster::Reply::Outcome(Outcome::TooManyRemoved) => Err(Problem::limit(
                "the member was not removed",
                "too many nodes were removed from this cluster already",
                "found a new cluster, and move to it",
            )),
            other => mismatch(&Some(Answer::Cluster(other))),
        }
    }
}
