//! DELETE /v1/namespaces/{id}: forget a namespace. What is in it stays.

use super::{namespace_put, no_namespace};
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::Written,
};
use access::{Action, Change, Outcome, Resource};
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let id = names::namespace(asked.segment(0))?;
    namespace_put::refuse_public(&id)?;
    Ok(Plan::new(Right::To(Action::Write, Resource::Namespaces), NamespaceDelete { id }))
}

#[derive(Debug)]
struct NamespaceDelete {
    id: Arc<str>,
}

impl Operation for NamespaceDelete {
    fn go(&mut self, _cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let change = Change::RemoveNamespace { id: Arc::clone(&self.id) };
            return Ok(Next::Ask(Ask::Access(access::Request::Change(change))));
        }
        match namespace_put::outcome(answer)? {
            Outcome::Changed => Ok(Reply::json(&Written { revision: None, changed: true })),
            Outcome::Unchanged | Outcome::Unknown(_) => Err(no_namespace(&self.id)),
            other @ (Outcome::Exists(_) | Outcome::LastAdministrator | Outcome::Full { .. }) => {
                mismatch(&Some(Answer::Access(access::Reply::Outcome(other))))
            }
        }
    }
}
