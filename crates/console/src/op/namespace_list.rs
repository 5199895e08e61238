//! GET /v1/namespaces.

use crate::{
    Answer,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right},
    problem::Problem,
    shape::{List, Namespace},
};
use access::{Action, PUBLIC_NAMESPACE, Resource};
use base::Consistency;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let page = asked.params.page()?;
    let wanted = asked.params.consistency(Consistency::Linearizable)?;
    let right = Right::To(Action::Read, Resource::Namespaces);
    Ok(Plan::new(right, NamespaceList { page }).fresh(wanted))
}

#[derive(Debug)]
struct NamespaceList {
    page: (usize, usize),
}

/// The namespace that always exists.
pub(super) fn public() -> Namespace {
    Namespace {
        id: PUBLIC_NAMESPACE.into(),
        name: PUBLIC_NAMESPACE.into(),
        description: "the default namespace; always there".into(),
    }
}

pub(super) fn shown(id: &Arc<str>, namespace: &access::Namespace) -> Namespace {
    Namespace {
        id: Arc::clone(id),
        name: Arc::clone(&namespace.name),
        description: Arc::clone(&namespace.description),
    }
}

impl Operation for NamespaceList {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        let access = cx.views.access();
        let created = access.namespaces.iter().map(|(id, namespace)| shown(id, namespace));
        let (offset, limit) = self.page;
        let items = std::iter::once(public()).chain(created).skip(offset).take(limit).collect();
        Ok(Reply::json(&List { count: access.namespaces.len() + 1, offset, items }))
    }
}
