//! PUT /v1/cluster/leader: let another voter lead.

use super::cluster_reply;
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::Leadership,
};
use access::{Action, Resource};
use base::NodeId;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let Leadership { node } = asked.json()?;
    let node = names::node(&node)?;
    Ok(Plan::new(Right::To(Action::Write, Resource::Server), LeaderPut { node }))
}

#[derive(Debug)]
struct LeaderPut {
    node: NodeId,
}

impl Operation for LeaderPut {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            return Ok(Next::Ask(Ask::Cluster(cluster::Request::TransferLeader(self.node))));
        }
        match cluster_reply(answer)? {
            cluster::Reply::Leads(node) => Ok(Reply::json(&Leadership { node: node.to_string() })),
            other => mismatch(&Some(Answer::Cluster(other))),
        }
    }
}
