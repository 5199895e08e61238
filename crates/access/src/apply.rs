//! The second entrance: what the log decides. Nothing but state and command may be read here.

use crate::{
    ADMINISTRATOR, ADMINISTRATOR_ROLE, Access, Applied, Change, Command, Namespace, Outcome,
    Output, Permission, User, View, edit::Edit,
};
use base::LogIndex;
use std::{collections::BTreeSet, sync::Arc};

/// Users.
pub const USERS_MAX: usize = 10_000;
/// Roles of one user.
pub const ROLES_MAX: usize = 100;
/// Rights of all roles together: a request is matched against those of its user's roles.
pub const PERMISSIONS_MAX: usize = 10_000;
/// Namespaces besides `public`.
pub const NAMESPACES_MAX: usize = 10_000;

/// The edits that a change comes to (none: it was so already), or why it is refused.
type Decision = Result<Vec<Edit>, Outcome>;

impl Access {
    /// Applies an entry of the log. Its outputs are to be polled before the outcome is reported.
    pub fn apply(&mut self, index: LogIndex, command: &Command) -> Applied {
        let mut edits = match decide(&self.view, &command.change) {
            Ok(edits) if edits.is_empty() => return unchanged(Outcome::Unchanged),
            Ok(edits) => edits,
            Err(outcome) => return unchanged(outcome),
        };
        edits.push(Edit::SetRevision(index.into()));
        let rows = edits.iter().map(Edit::row).collect();
        let view = Arc::make_mut(&mut self.view);
        edits.into_iter().for_each(|edit| edit.make(view));
        self.outputs.push_back(Output::Publish(Arc::clone(&self.view)));
        let subject = journal::Subject::Access(command.change.subject().into());
        self.outputs.push_back(Output::Event(journal::Kind::AccessChanged, subject));
        Applied { outcome: Outcome::Changed, rows }
    }
}

fn unchanged(outcome: Outcome) -> Applied {
    Applied { outcome, rows: Vec::new() }
}

fn decide(view: &View, change: &Change) -> Decision {
    match change {
        Change::Initialize { token_key, password_hash } => {
            let mut edits = match password_hash {
                Some(hash) if view.administrators().next().is_none() => first_administrator(hash),
                Some(_) | None => Vec::new(),
            };
            if view.token_key.is_none() {
                edits.push(Edit::SetTokenKey(token_key.clone()));
            }
            Ok(edits)
        }
        Change::CreateAdministrator { password_hash } => {
            if view.administrators().next().is_some() {
                return Err(Outcome::Exists("administrator"));
            }
            Ok(first_administrator(password_hash))
        }
        Change::CreateUser { name, password_hash } => create_user(view, name, password_hash),
        Change::SetPassword { name, password_hash } => set_password(view, name, password_hash),
        Change::RemoveUser { name } => remove_user(view, name),
        Change::Grant { user, role } => grant(view, user, role),
        Change::Revoke { user: Some(user), role } => revoke(view, user, role),
        Change::Revoke { user: None, role } => revoke_from_all(view, role),
        Change::Permit { role, permission } => permit(view, role, permission),
        Change::Forbid { role, permission } => {
            let stored = view.permissions.get(role).is_some_and(|all| all.contains(permission));
            let forbid = || Edit::Forbid(Arc::clone(role), permission.clone());
            Ok(stored.then(forbid).into_iter().collect())
        }
        Change::CreateNamespace { id, namespace } => create_namespace(view, id, namespace),
        Change::UpdateNamespace { id, namespace } => update_namespace(view, id, namespace),
        Change::RemoveNamespace { id } => {
            let drop = view.namespaces.contains_key(id).then(|| Edit::DropNamespace(id.clone()));
            Ok(drop.into_iter().collect())
        }
    }
}

fn first_administrator(password_hash: &Arc<str>) -> Vec<Edit> {
    let name: Arc<str> = ADMINISTRATOR.into();
    let user = User { password_hash: Arc::clone(password_hash) };
    let role = ADMINISTRATOR_ROLE.into();
    vec![Edit::PutUser(Arc::clone(&name), user), Edit::Grant { user: name, role }]
}

fn create_user(view: &View, name: &Arc<str>, password_hash: &Arc<str>) -> Decision {
    if view.users.contains_key(name) {
        return Err(Outcome::Exists("user"));
    }
    room(view.users.len(), "users", USERS_MAX)?;
    let user = User { password_hash: Arc::clone(password_hash) };
    Ok(vec![Edit::PutUser(Arc::clone(name), user)])
}

fn set_password(view: &View, name: &Arc<str>, password_hash: &Arc<str>) -> Decision {
    let current = view.users.get(name).ok_or(Outcome::Unknown("user"))?;
    if current.password_hash == *password_hash {
        return Ok(Vec::new());
    }
    let user = User { password_hash: Arc::clone(password_hash) };
    Ok(vec![Edit::PutUser(Arc::clone(name), user)])
}

fn remove_user(view: &View, name: &Arc<str>) -> Decision {
    if !view.users.contains_key(name) {
        return Ok(Vec::new());
    }
    if view.is_administrator(name) && view.administrators().count() == 1 {
        return Err(Outcome::LastAdministrator);
    }
    let roles = view.roles.get(name).into_iter().flatten();
    let revoke = |role: &Arc<str>| Edit::Revoke { user: Arc::clone(name), role: Arc::clone(role) };
    Ok(roles.map(revoke).chain([Edit::DropUser(Arc::clone(name))]).collect())
}

fn grant(view: &View, user: &Arc<str>, role: &Arc<str>) -> Decision {
    if !view.users.contains_key(user) {
        return Err(Outcome::Unknown("user"));
    }
    if let Some(roles) = view.roles.get(user) {
        if roles.contains(role) {
            return Ok(Vec::new());
        }
        room(roles.len(), "roles of the user", ROLES_MAX)?;
    }
    Ok(vec![Edit::Grant { user: Arc::clone(user), role: Arc::clone(role) }])
}

fn revoke(view: &View, user: &Arc<str>, role: &Arc<str>) -> Decision {
    if !view.roles.get(user).is_some_and(|roles| roles.contains(role)) {
        return Ok(Vec::new());
    }
    if role.as_ref() == ADMINISTRATOR_ROLE && view.administrators().count() == 1 {
        return Err(Outcome::LastAdministrator);
    }
    Ok(vec![Edit::Revoke { user: Arc::clone(user), role: Arc::clone(role) }])
}

fn revoke_from_all(view: &View, role: &Arc<str>) -> Decision {
    let holders = view.roles.iter().filter(|(_, roles)| roles.contains(role));
    let revoke =
        |(user, _): (&Arc<str>, _)| Edit::Revoke { user: Arc::clone(user), role: Arc::clone(role) };
    let mut edits: Vec<Edit> = holders.map(revoke).collect();
    if role.as_ref() == ADMINISTRATOR_ROLE && !edits.is_empty() {
        return Err(Outcome::LastAdministrator);
    }
    let rights = view.permissions.get(role).into_iter().flatten();
    edits.extend(rights.map(|right| Edit::Forbid(Arc::clone(role), right.clone())));
    Ok(edits)
}

fn permit(view: &View, role: &Arc<str>, permission: &Permission) -> Decision {
    if view.permissions.get(role).is_some_and(|all| all.contains(permission)) {
        return Ok(Vec::new());
    }
    if !view.roles.values().any(|roles| roles.contains(role)) {
        return Err(Outcome::Unknown("role"));
    }
    room(view.permissions.values().map(BTreeSet::len).sum(), "rights", PERMISSIONS_MAX)?;
    Ok(vec![Edit::Permit(Arc::clone(role), permission.clone())])
}

fn create_namespace(view: &View, id: &Arc<str>, namespace: &Namespace) -> Decision {
    if view.namespaces.contains_key(id) {
        return Err(Outcome::Exists("namespace"));
    }
    room(view.namespaces.len(), "namespaces", NAMESPACES_MAX)?;
    Ok(vec![Edit::PutNamespace(Arc::clone(id), namespace.clone())])
}

fn update_namespace(view: &View, id: &Arc<str>, namespace: &Namespace) -> Decision {
    let current = view.namespaces.get(id).ok_or(Outcome::Unknown("namespace"))?;
    let put = || Edit::PutNamespace(Arc::clone(id), namespace.clone());
    Ok((current != namespace).then(put).into_iter().collect())
}

fn room(len: usize, what: &'static str, limit: usize) -> Result<(), Outcome> {
    if len >= limit { Err(Outcome::Full { what, limit }) } else { Ok(()) }
}
