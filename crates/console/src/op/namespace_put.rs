//! PUT /v1/namespaces/{id}: create a namespace, or change its name and description.

use super::no_namespace;
use crate::{
    Answer, Ask, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right, mismatch},
    problem::Problem,
    shape::{NamespaceText, Written},
};
use access::{Action, Change, Namespace, Outcome, PUBLIC_NAMESPACE, Resource};
use base::Consistency;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let id = names::namespace(asked.segment(0))?;
    refuse_public(&id)?;
    let given = if asked.body.is_empty() { NamespaceText::default() } else { asked.json()? };
    let name = given.name.unwrap_or_else(|| Arc::clone(&id));
    let namespace = Namespace { name, description: given.description };
    let right = Right::To(Action::Write, Resource::Namespaces);
    // Whether it is to be created or changed is read from the view, so the view must be of now.
    Ok(Plan::new(right, NamespacePut { id, namespace }).fresh(Consistency::Linearizable))
}

/// The default namespace is not in the tables.
pub(super) fn refuse_public(id: &str) -> Result<(), Problem> {
    if id != PUBLIC_NAMESPACE {
        return Ok(());
    }
    Err(Problem::conflict(
        "nothing was changed",
        "the namespace `public` always exists as it is",
        "use another id",
    ))
}

#[derive(Debug)]
struct NamespacePut {
    id: Arc<str>,
    namespace: Namespace,
}

impl Operation for NamespacePut {
    fn go(&mut self, cx: &Context<'_>, answer: Option<Answer>) -> Result<Next, Problem> {
        if answer.is_none() {
            let (id, namespace) = (Arc::clone(&self.id), self.namespace.clone());
            let change = if cx.views.access().namespaces.contains_key(&id) {
                Change::UpdateNamespace { id, namespace }
            } else {
                Change::CreateNamespace { id, namespace }
            };
            return Ok(Next::Ask(Ask::Access(access::Request::Change(change))));
        }
        match outcome(answer)? {
            Outcome::Changed => Ok(Reply::json(&Written { revision: None, changed: true })),
            Outcome::Unchanged => Ok(Reply::json(&Written { revision: None, changed: false })),
            Outcome::Exists(_) => Err(Problem::conflict(
                "nothing was changed",
                "someone else created this namespace at the same moment",
                "read it, and put it again if it is not as you want it",
            )),
            Outcome::Unknown(_) => Err(no_namespace(&self.id)),
            Outcome::Full { what, limit } => Err(Problem::limit(
                "nothing was changed",
                format!("there are {limit} {what} already"),
                "remove namespaces that are no longer used",
            )),
            other @ Outcome::LastAdministrator => {
                mismatch(&Some(Answer::Access(access::Reply::Outcome(other))))
            }
        }
    }
}

/// What the log made of a change.
pub(super) fn outcome(answer: Option<Answer>) -> Result<Outcome, Problem> {
    match answer {
        Some(Answer::Access(access::Reply::Outcome(outcome))) => Ok(outcome),
        Some(Answer::Access(access::Reply::Refused(why))) => {
            Err(Problem::invalid("nothing was changed", why, "correct it"))
        }
        other => mismatch(&other),
    }
}
