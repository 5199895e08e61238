//! GET /v1/cluster/members: who is in the cluster, as this node knows it; with `clients=true`, how many clients each of
//! them serves, as it says itself.

use crate::{
    Answer, Ask, Status,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::Cluster,
};
use access::{Action, Resource};

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let clients = asked.params.take_as("clients", "`true` or `false`")?.unwrap_or(false);
    Ok(Plan::new(Right::To(Action::Read, Resource::Server), MemberList { clients, status: None }))
}

#[derive(Debug)]
struct MemberList {
    /// Count the clients, too.
    clients: bool,
    /// How far they are: in no view.
    status: Option<Box<Status>>,
}

impl Operation for MemberList {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        let crowds = match answer {
            None => return Ok(Next::Ask(Ask::Status)),
            Some(Answer::Status(status)) => {
                self.status = Some(status);
                if self.clients {
                    return Ok(Next::Ask(Ask::Crowds));
                }
                Vec::new()
            }
            Some(Answer::Crowds { crowds, .. }) => crowds,
            other => mismatch(&other),
        };
        let mut cluster = Cluster::of(cx.views.cluster().as_deref()).with_clients(&crowds);
        if let Some(status) = &self.status {
            cluster = cluster.with_lags(status);
        }
        Ok(Reply::json(&cluster))
    }
}
