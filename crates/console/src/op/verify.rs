//! GET /v1/cluster/verify: where the nodes list something else than this one. POST /v1/cluster/repair: compare everything
//! with one of them, now.

use super::naming_reply;
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    params::Params,
    problem::Problem,
    shape::{Repair, Verification},
};
use access::{Action, Resource};
use base::NodeId;
use naming::{Request, ServiceKey};

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let after = after(&mut asked.params)?;
    // It names services of all namespaces.
    Ok(Plan::new(Right::To(Action::Write, Resource::Server), Verify { after }))
}

pub(crate) fn parse_repair(asked: &mut Asked) -> Result<Plan, Problem> {
    let Repair { node } = asked.json()?;
    let node = names::node(&node)?;
    Ok(Plan::new(Right::To(Action::Write, Resource::Server), RepairWith { node }))
}

/// The service after which a piece begins: all three of its names, or none. They are compared and nothing else.
fn after(params: &mut Params) -> Result<Option<ServiceKey>, Problem> {
    let names =
        [params.take("after_namespace"), params.take("after_group"), params.take("after_service")];
    match names {
        [Some(namespace), Some(group), Some(name)] => {
            let (namespace, group) = (namespace.into(), group.into());
            Ok(Some(ServiceKey { namespace, group, name: name.into() }))
        }
        [None, None, None] => Ok(None),
        _ => Err(Problem::invalid(
            "part of the service to go on after is missing",
            "`after_namespace`, `after_group` and `after_service` belong together",
            "give all three, as in `next` of the answer before, or none",
        )),
    }
}

#[derive(Debug)]
struct Verify {
    after: Option<ServiceKey>,
}

#[derive(Debug)]
struct RepairWith {
    node: NodeId,
}

impl Operation for Verify {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            return Ok(Next::Ask(Ask::Naming(Request::Verify { after: self.after.take() })));
        }
        match naming_reply(answer)? {
            naming::Reply::Verified(found) => Ok(Reply::json(&Verification::from(&*found))),
            other => mismatch(&Some(Answer::Naming(other))),
        }
    }
}

impl Operation for RepairWith {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            return Ok(Next::Ask(Ask::Naming(Request::Repair { peer: self.node })));
        }
        match naming_reply(answer)? {
            naming::Reply::Done => Ok(Reply::json(&Repair { node: self.node.to_string() })),
            other => mismatch(&Some(Answer::Naming(other))),
        }
    }
}
