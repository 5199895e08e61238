//! GET /v1/cluster/members: who is in the cluster, as this node knows it; with `clients=true`, how many clients each of
//! them serves, as it says itself.

use crate::{
    Answer, Ask,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::Cluster,
};
use access::{Action, Resource};

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let clients = asked.params.take_as("clients", "`true` or `false`")?.unwrap_or(false);
    Ok(Plan::new(Right::To(Action::Read, Resource::Server), MemberList { clients }))
}

#[derive(Debug)]
struct MemberList {
    /// Count the clients, too.
    clients: bool,
}

impl Operation for MemberList {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        let crowds = match answer {
            None if self.clients => return Ok(Next::Ask(Ask::Crowds)),
            None => Vec::new(),
            Some(Answer::Crowds { crowds, .. }) => crowds,
            other => mismatch(&other),
        };
        Ok(Reply::json(&Cluster::of(cx.views.cluster().as_deref()).with_clients(&crowds)))
    }
}
