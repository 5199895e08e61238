//! Users, roles and permissions: `/v1/auth/users`, `/v1/auth/roles`, `/v1/auth/permissions`.

use super::{administrator::new_password, change::outcome};
use crate::{
    Answer, Ask, Password,
    fault::Fault,
    filter::Filter,
    form::Form,
    operation::{Context, Event, Need, Next, Operate, Operation},
    reply::Rendered,
};
use access::{Change, Outcome, Permission, Resource};
use base::Consistency;
use serde::Serialize;
use std::sync::Arc;

/// A change, with the text that Nacos answers it with.
#[derive(Debug)]
pub(crate) struct ChangeAccount {
    change: Planned,
    done: &'static str,
}

#[derive(Debug)]
enum Planned {
    /// Ready to be asked for.
    Now(Change),
    /// Of a user whose password must be hashed first.
    Create {
        name: Arc<str>,
        password: Password,
    },
    SetPassword {
        name: Arc<str>,
        password: Password,
    },
}

fn required(form: &Form, name: &str) -> Result<Arc<str>, Fault> {
    form.some(name).map(Arc::from).ok_or_else(|| Fault::missing(name))
}

fn permission(form: &Form) -> Result<(Arc<str>, Permission), Fault> {
    let (role, resource) = (required(form, "role")?, required(form, "resource")?);
    let action = required(form, "action")?;
    if !["r", "w", "rw"].contains(&&*action) {
        return Err(Fault::caused("invalid action: r, w or rw are taken"));
    }
    Ok((role, Permission { resource, action }))
}

impl ChangeAccount {
    fn planned(change: Change, done: &'static str) -> Result<Operation, Fault> {
        Ok(Self { change: Planned::Now(change), done }.into())
    }

    pub(crate) fn create_user(form: &Form) -> Result<Operation, Fault> {
        let name = required(form, "username")?;
        let password = new_password(form.get("password").unwrap_or_default())?;
        let change = Planned::Create { name, password };
        Ok(Self { change, done: "create user ok!" }.into())
    }

    pub(crate) fn set_password(form: &Form) -> Result<Operation, Fault> {
        let name = required(form, "username")?;
        let password = new_password(form.get("newPassword").unwrap_or_default())?;
        let change = Planned::SetPassword { name, password };
        Ok(Self { change, done: "update user ok!" }.into())
    }

    pub(crate) fn remove_user(form: &Form) -> Result<Operation, Fault> {
        Self::planned(Change::RemoveUser { name: required(form, "username")? }, "delete user ok!")
    }

    pub(crate) fn grant(form: &Form) -> Result<Operation, Fault> {
        let (user, role) = (required(form, "username")?, required(form, "role")?);
        Self::planned(Change::Grant { user, role }, "add role ok!")
    }

    pub(crate) fn revoke(form: &Form) -> Result<Operation, Fault> {
        let role = required(form, "role")?;
        match form.some("username") {
            Some(user) => {
                let done = "delete role of user ok!";
                Self::planned(Change::Revoke { user: Some(user.into()), role }, done)
            }
            None => Self::planned(Change::Revoke { user: None, role }, "delete role ok!"),
        }
    }

    pub(crate) fn permit(form: &Form) -> Result<Operation, Fault> {
        let (role, permission) = permission(form)?;
        Self::planned(Change::Permit { role, permission }, "add permission ok!")
    }

    pub(crate) fn forbid(form: &Form) -> Result<Operation, Fault> {
        let (role, permission) = permission(form)?;
        Self::planned(Change::Forbid { role, permission }, "delete permission ok!")
    }
}

impl Operate for ChangeAccount {
    fn need(&self) -> Need {
        Need::write(match &self.change {
            Planned::SetPassword { name, .. } => Resource::Password(name.clone()),
            Planned::Now(_) | Planned::Create { .. } => Resource::Accounts,
        })
    }

    fn run(&mut self, _: &mut Context<'_>) -> Next {
        Next::Ask(match &self.change {
            Planned::Now(change) => Ask::Access(access::Request::Change(change.clone())),
            Planned::Create { password, .. } | Planned::SetPassword { password, .. } => {
                Ask::Hash(password.clone())
            }
        })
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        #[derive(Serialize)]
        struct Result {
            code: u16,
            message: Option<&'static str>,
            data: &'static str,
        }
        if let Event::Answer(Answer::Hashed(password_hash)) = event {
            let change = match &self.change {
                Planned::Create { name, .. } => {
                    Change::CreateUser { name: name.clone(), password_hash }
                }
                Planned::SetPassword { name, .. } => {
                    Change::SetPassword { name: name.clone(), password_hash }
                }
                Planned::Now(change) => change.clone(),
            };
            return Next::Ask(Ask::Access(access::Request::Change(change)));
        }
        let removal = matches!(
            &self.change,
            Planned::Now(Change::RemoveUser { .. } | Change::Revoke { .. } | Change::Forbid { .. })
        );
        let done = || Rendered::json(&Result { code: 200, message: None, data: self.done });
        match outcome(event) {
            Ok(Outcome::Changed | Outcome::Unchanged) => Next::Reply(done()),
            Ok(Outcome::Unknown(_)) if removal => Next::Reply(done()),
            Ok(Outcome::Exists(what)) => Next::Fault(super::change::refused(match &self.change {
                Planned::Create { name, .. } => format!("user '{name}' already exist!"),
                Planned::Now(_) | Planned::SetPassword { .. } => format!("{what} already exist!"),
            })),
            Ok(Outcome::Unknown(what)) => {
                Next::Fault(super::change::refused(format!("{what} not exist!")))
            }
            Ok(Outcome::LastAdministrator | Outcome::Full { .. }) => {
                unreachable!("`outcome` turns these into refusals")
            }
            Err(fault) => Next::Fault(fault),
        }
    }
}

/// A page of one of the tables.
#[derive(Debug)]
pub(crate) struct ListAccounts {
    table: Table,
    /// From 1.
    page: usize,
    page_size: usize,
    user: Filter,
    role: Filter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Users,
    Roles,
    Permissions,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    /// Without the hash that Nacos shows here.
    User {
        username: &'a str,
    },
    Role {
        role: &'a str,
        username: &'a str,
    },
    Permission {
        role: &'a str,
        resource: &'a str,
        action: &'a str,
    },
}

impl ListAccounts {
    fn of(form: &Form, table: Table) -> Result<Operation, Fault> {
        let (page, page_size) = (form.count("pageNo")?, form.count("pageSize")?);
        let filter = |name| Filter::blurred(form.some(name).unwrap_or_default());
        let (user, role) = (filter("username"), filter("role"));
        Ok(Self { table, page, page_size, user, role }.into())
    }

    pub(crate) fn users(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, Table::Users)
    }

    pub(crate) fn roles(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, Table::Roles)
    }

    pub(crate) fn permissions(form: &Form) -> Result<Operation, Fault> {
        Self::of(form, Table::Permissions)
    }

    fn rows<'a>(&'a self, view: &'a access::View) -> Vec<Row<'a>> {
        let users = view.users.keys().filter(|name| self.user.takes(name));
        match self.table {
            Table::Users => users.map(|name| Row::User { username: name }).collect(),
            Table::Roles => view
                .roles
                .iter()
                .flat_map(|(user, roles)| roles.iter().map(move |role| (user, role)))
                .filter(|(user, role)| self.user.takes(user) && self.role.takes(role))
                .map(|(username, role)| Row::Role { role, username })
                .collect(),
            Table::Permissions => view
                .permissions
                .iter()
                .filter(|(role, _)| self.role.takes(role))
                .flat_map(|(role, rights)| {
                    rights.iter().map(move |right| Row::Permission {
                        role,
                        resource: &right.resource,
                        action: &right.action,
                    })
                })
                .collect(),
        }
    }
}

impl Operate for ListAccounts {
    fn need(&self) -> Need {
        Need::read(Resource::Accounts, Consistency::Linearizable)
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Page<'a> {
            total_count: usize,
            page_number: usize,
            pages_available: usize,
            page_items: Vec<Row<'a>>,
        }
        let access = context.views.access();
        let rows = self.rows(&access);
        let total_count = rows.len();
        let offset = (self.page - 1).saturating_mul(self.page_size);
        Next::Reply(Rendered::json(&Page {
            total_count,
            page_number: self.page,
            pages_available: total_count.div_ceil(self.page_size),
            page_items: rows.into_iter().skip(offset).take(self.page_size).collect(),
        }))
    }
}
