//! Namespaces: `GET`, `POST`, `PUT` and `DELETE /v1/console/namespaces`, the same on `/v2/console/namespace`.

use super::change::outcome;
use crate::{
    Answer, Ask, check,
    fault::{ErrorCode, Fault},
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation},
    reply::Rendered,
};
use access::{Change, Namespace, Outcome, PUBLIC_NAMESPACE, Resource};
use base::Consistency;
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

/// What Nacos shows as every namespace's quota.
const QUOTA: u32 = 200;

#[derive(Debug)]
pub(crate) enum ListNamespaces {
    All,
    /// Only this one.
    One(Arc<str>),
    /// Whether there is one of this id.
    Exists(Arc<str>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    namespace: &'a str,
    namespace_show_name: &'a str,
    namespace_desc: &'a str,
    quota: u32,
    config_count: usize,
    /// 0 is the default one, 2 a created one.
    r#type: u8,
}

impl ListNamespaces {
    pub(crate) fn from_http(form: &Form) -> Result<Operation, Fault> {
        if form.flag("checkNamespaceIdExist", false) {
            let id = form.some("customNamespaceId");
            let id = id.ok_or_else(|| Fault::required("customNamespaceId"))?;
            return Ok(Self::Exists(id.into()).into());
        }
        if form.some("show") == Some("all") {
            return Ok(Self::One(crate::form::canonical(form.get("namespaceId"))).into());
        }
        Self::all(form)
    }

    pub(crate) fn all(_: &Form) -> Result<Operation, Fault> {
        Ok(Self::All.into())
    }

    pub(crate) fn one(form: &Form) -> Result<Operation, Fault> {
        let id = form.get("namespaceId").ok_or_else(|| Fault::required("namespaceId"))?;
        Ok(Self::One(crate::form::canonical(Some(id))).into())
    }
}

impl Operate for ListNamespaces {
    fn need(&self) -> Need {
        Need::read(Resource::Namespaces, Consistency::Linearizable)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        struct Result<T> {
            code: u16,
            message: Option<&'static str>,
            data: T,
        }
        let access = context.views.access();
        let mut all = vec![Shown {
            namespace: "",
            namespace_show_name: PUBLIC_NAMESPACE,
            namespace_desc: "Default Namespace",
            quota: QUOTA,
            config_count: context.views.config_count(PUBLIC_NAMESPACE),
            r#type: 0,
        }];
        all.extend(access.namespaces.iter().map(|(id, namespace)| Shown {
            namespace: id,
            namespace_show_name: &namespace.name,
            namespace_desc: &namespace.description,
            quota: QUOTA,
            config_count: context.views.config_count(id),
            r#type: 2,
        }));
        let one = match self {
            Self::All if context.door.is_wrapped() => return Next::Reply(Rendered::json(&all)),
            Self::All => {
                let result = Result { code: 200, message: None, data: all };
                return Next::Reply(Rendered::json(&result));
            }
            Self::Exists(id) => {
                let exists = **id == *PUBLIC_NAMESPACE || access.namespaces.contains_key(id);
                return Next::Reply(Rendered::json(&exists));
            }
            Self::One(one) => one,
        };
        let id = if &**one == PUBLIC_NAMESPACE { "" } else { &**one };
        match all.into_iter().find(|shown| shown.namespace == id) {
            Some(shown) => Next::Reply(Rendered::json(&shown)),
            None => {
                let fault = super::change::refused(format!("namespaceId [ {id} ] not exist"));
                let fault = fault.with(ErrorCode::NamespaceUnknown);
                let absent = context.door.is_wrapped();
                let status = if absent { StatusCode::NOT_FOUND } else { fault.status };
                Next::Fault(Fault { status, ..fault })
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct ChangeNamespace {
    /// One that is created without an id is given one before it is asked for.
    change: Change,
}

impl ChangeNamespace {
    pub(crate) fn create(form: &Form) -> Result<Operation, Fault> {
        let (id, name) = (form.some("customNamespaceId"), form.some("namespaceName"));
        let name = name.ok_or_else(|| Fault::required("namespaceName"))?;
        Self::created(form, id, name)
    }

    pub(crate) fn create_v2(form: &Form) -> Result<Operation, Fault> {
        let name = form.some("namespaceName").ok_or_else(|| Fault::required("namespaceName"))?;
        Self::created(form, form.some("namespaceId"), name)
    }

    fn created(form: &Form, id: Option<&str>, name: &str) -> Result<Operation, Fault> {
        let id = id.unwrap_or_default();
        check::namespace(id)?;
        let namespace = described(form, "namespaceDesc", name);
        Ok(Self { change: Change::CreateNamespace { id: id.into(), namespace } }.into())
    }

    pub(crate) fn update_v2(form: &Form) -> Result<Operation, Fault> {
        let id = form.some("namespaceId").ok_or_else(|| Fault::required("namespaceId"))?;
        let name = form.some("namespaceName").ok_or_else(|| Fault::required("namespaceName"))?;
        let namespace = described(form, "namespaceDesc", name);
        Ok(Self { change: Change::UpdateNamespace { id: id.into(), namespace } }.into())
    }

    pub(crate) fn update(form: &Form) -> Result<Operation, Fault> {
        let id = form.some("namespace").ok_or_else(|| Fault::required("namespace"))?;
        let name = form.some("namespaceShowName");
        let name = name.ok_or_else(|| Fault::required("namespaceShowName"))?;
        check::namespace(id)?;
        let namespace = described(form, "namespaceDesc", name);
        Ok(Self { change: Change::UpdateNamespace { id: id.into(), namespace } }.into())
    }

    pub(crate) fn remove(form: &Form) -> Result<Operation, Fault> {
        let id = form.some("namespaceId").ok_or_else(|| Fault::required("namespaceId"))?;
        Ok(Self { change: Change::RemoveNamespace { id: id.into() } }.into())
    }
}

fn described(form: &Form, description: &str, name: &str) -> Namespace {
    let description = form.some(description).unwrap_or_default().into();
    Namespace { name: name.into(), description }
}

impl Operate for ChangeNamespace {
    fn need(&self) -> Need {
        Need::write(Resource::Namespaces)
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        match &self.change {
            Change::CreateNamespace { id, .. } if id.is_empty() => Next::Ask(Ask::NewId),
            change => Next::Ask(Ask::Access(access::Request::Change(change.clone()))),
        }
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        if let Event::Answer(Answer::NewId(new)) = &event {
            if let Change::CreateNamespace { id, .. } = &mut self.change {
                *id = new.clone();
            }
            return Next::Ask(Ask::Access(access::Request::Change(self.change.clone())));
        }
        let removal = matches!(self.change, Change::RemoveNamespace { .. });
        match outcome(event) {
            Ok(Outcome::Changed | Outcome::Unchanged) => Next::Reply(Rendered::json(&true)),
            Ok(Outcome::Unknown(_)) if removal => Next::Reply(Rendered::json(&true)),
            Ok(Outcome::Exists(_)) if context.door.is_wrapped() => {
                let id = match &self.change {
                    Change::CreateNamespace { id, .. } => id,
                    change => unreachable!("only what is created can exist already: {change:?}"),
                };
                let text = format!("the namespaceId is existed, namespaceId: {id}");
                Next::Fault(super::change::refused(text).with(ErrorCode::NamespaceIllegal))
            }
            Ok(
                Outcome::Exists(_)
                | Outcome::Unknown(_)
                | Outcome::LastAdministrator
                | Outcome::Full { .. },
            ) => Next::Reply(Rendered::json(&false)),
            Err(fault) => Next::Fault(fault),
        }
    }
}
