//! GET /v1/namespaces: a page of them, or (`watch=true`) all of them each time one changes.

use crate::{
    Answer,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right},
    problem::Problem,
    shape::{List, Namespace},
    stream::Watch,
};
use access::{Action, PUBLIC_NAMESPACE, Resource};
use base::Consistency;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let page = asked.params.page()?;
    let watch = asked.params.take_as("watch", "`true` or `false`")?.unwrap_or(false);
    let wanted = asked.params.consistency(Consistency::Linearizable)?;
    let right = Right::To(Action::Read, Resource::Namespaces);
    if watch {
        return Ok(Plan::new(right, NamespaceWatch).fresh(wanted));
    }
    Ok(Plan::new(right, NamespaceList { page }).fresh(wanted))
}

#[derive(Debug)]
struct NamespaceList {
    page: (usize, usize),
}

#[derive(Debug)]
struct NamespaceWatch;

impl Operation for NamespaceWatch {
    fn go(&mut self, _cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        Ok(Next::Watch(Watch::Namespaces { changed: true, sent: None }))
    }
}

/// All namespaces, the one that always exists first.
pub(crate) fn all(access: &access::View) -> impl Iterator<Item = Namespace> {
    let created = access.namespaces.iter().map(|(id, namespace)| shown(id, namespace));
    std::iter::once(public()).chain(created)
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
        let (offset, limit) = self.page;
        let items = all(&access).skip(offset).take(limit).collect();
        Ok(Reply::json(&List { count: access.namespaces.len() + 1, offset, items }))
    }
}
