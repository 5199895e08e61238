//! GET /v1/namespaces/{id}.

use super::{namespace_list, no_namespace};
use crate::{
    Answer, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right},
    problem::Problem,
};
use access::{Action, PUBLIC_NAMESPACE, Resource};
use base::Consistency;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let id = names::namespace(asked.segment(0))?;
    let wanted = asked.params.consistency(Consistency::Linearizable)?;
    let right = Right::To(Action::Read, Resource::Namespaces);
    Ok(Plan::new(right, NamespaceGet { id }).fresh(wanted))
}

#[derive(Debug)]
struct NamespaceGet {
    id: Arc<str>,
}

impl Operation for NamespaceGet {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        if &*self.id == PUBLIC_NAMESPACE {
            return Ok(Reply::json(&namespace_list::public()));
        }
        let access = cx.views.access();
        let found = access.namespaces.get(&self.id).ok_or_else(|| no_namespace(&self.id))?;
        Ok(Reply::json(&namespace_list::shown(&self.id, found)))
    }
}
