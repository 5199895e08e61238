//! Namespaces: `GET`, `POST`, `PUT` and `DELETE /v1/console/namespaces`.

use super::change::outcome;
use crate::{
    Ask, check,
    fault::Fault,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation},
    reply::Rendered,
};
use access::{Change, Namespace, Outcome, PUBLIC_NAMESPACE, Resource};
use base::Consistency;
use serde::Serialize;
use std::sync::Arc;

/// What Nacos shows as every namespace's quota.
const QUOTA: u32 = 200;

#[derive(Debug)]
pub(crate) struct ListNamespaces {
    /// Only this one, with `show=all`.
    one: Option<Arc<str>>,
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
        if form.some("checkNamespaceIdExist").is_some() {
            return Err(Fault::not_served("not served yet: namespaces?checkNamespaceIdExist="));
        }
        let one = (form.some("show") == Some("all"))
            .then(|| crate::form::canonical(form.get("namespaceId")));
        Ok(Self { one }.into())
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
        let Some(one) = &self.one else {
            return Next::Reply(Rendered::json(&Result { code: 200, message: None, data: all }));
        };
        let id = if &**one == PUBLIC_NAMESPACE { "" } else { &**one };
        match all.into_iter().find(|shown| shown.namespace == id) {
            Some(shown) => Next::Reply(Rendered::json(&shown)),
            None => Next::Fault(super::change::refused(format!("namespaceId [ {id} ] not exist"))),
        }
    }
}

#[derive(Debug)]
pub(crate) struct ChangeNamespace {
    change: Change,
}

impl ChangeNamespace {
    pub(crate) fn create(form: &Form) -> Result<Operation, Fault> {
        let (id, name) = (form.some("customNamespaceId"), form.some("namespaceName"));
        let name = name.ok_or_else(|| Fault::required("namespaceName"))?;
        // Nacos makes one up; ours come from the caller, so that a repeated request is the same request.
        let id = id.ok_or_else(|| Fault::required("customNamespaceId"))?;
        check::namespace(id)?;
        let namespace = described(form, "namespaceDesc", name);
        Ok(Self { change: Change::CreateNamespace { id: id.into(), namespace } }.into())
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
        Next::Ask(Ask::Access(access::Request::Change(self.change.clone())))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        let removal = matches!(self.change, Change::RemoveNamespace { .. });
        match outcome(event) {
            Ok(Outcome::Changed | Outcome::Unchanged) => Next::Reply(Rendered::json(&true)),
            Ok(Outcome::Unknown(_)) if removal => Next::Reply(Rendered::json(&true)),
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
