//! The smallest changes of the tables. Commands and restored rows take the same path into the view, so what a node
//! restores is what it applied.

use crate::{Namespace, Permission, Secret, User, View};
use base::{Revision, Row, push_part};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeSet, sync::Arc};

const META: u8 = 0;
const USERS: u8 = 1;
const ROLES: u8 = 2;
const PERMISSIONS: u8 = 3;
const NAMESPACES: u8 = 4;

/// Of all values' formats.
const VERSION: u8 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    SetRevision(Revision),
    SetTokenKey(Secret),
    PutUser(Arc<str>, User),
    DropUser(Arc<str>),
    Grant { user: Arc<str>, role: Arc<str> },
    Revoke { user: Arc<str>, role: Arc<str> },
    Permit(Arc<str>, Permission),
    Forbid(Arc<str>, Permission),
    PutNamespace(Arc<str>, Namespace),
    DropNamespace(Arc<str>),
}

impl Edit {
    pub fn make(self, view: &mut View) {
        match self {
            Self::SetRevision(revision) => view.revision = revision,
            Self::SetTokenKey(key) => view.token_key = Some(key),
            Self::PutUser(name, user) => {
                view.users.insert(name, user);
            }
            Self::DropUser(name) => {
                view.users.remove(&name);
            }
            Self::Grant { user, role } => {
                view.roles.entry(user).or_default().insert(role);
            }
            Self::Revoke { user, role } => {
                if view.roles.get_mut(&user).is_some_and(|roles| emptied(roles, &role)) {
                    view.roles.remove(&user);
                }
            }
            Self::Permit(role, permission) => {
                view.permissions.entry(role).or_default().insert(permission);
            }
            Self::Forbid(role, permission) => {
                if view.permissions.get_mut(&role).is_some_and(|all| emptied(all, &permission)) {
                    view.permissions.remove(&role);
                }
            }
            Self::PutNamespace(id, namespace) => {
                view.namespaces.insert(id, namespace);
            }
            Self::DropNamespace(id) => {
                view.namespaces.remove(&id);
            }
        }
    }

    pub fn row(&self) -> Row {
        match self {
            Self::SetRevision(revision) => put(META, &["revision"], &revision),
            Self::SetTokenKey(secret) => put(META, &["token_key"], &secret),
            Self::PutUser(name, user) => put(USERS, &[name], &(name, user)),
            Self::DropUser(name) => delete(USERS, &[name]),
            Self::Grant { user, role } => put(ROLES, &[user, role], &(user, role)),
            Self::Revoke { user, role } => delete(ROLES, &[user, role]),
            Self::Permit(role, permission) => {
                let Permission { resource, action } = permission;
                put(PERMISSIONS, &[role, resource, action], &(role, permission))
            }
            Self::Forbid(role, permission) => {
                let Permission { resource, action } = permission;
                delete(PERMISSIONS, &[role, resource, action])
            }
            Self::PutNamespace(id, namespace) => put(NAMESPACES, &[id], &(id, namespace)),
            Self::DropNamespace(id) => delete(NAMESPACES, &[id]),
        }
    }
}

/// The edit that made a row of a snapshot.
pub(crate) fn read(row: &Row) -> Result<Edit, String> {
    let value = row.value.as_deref().ok_or("a deleted row in a snapshot".to_string());
    let edit = value.and_then(|value| match row.table {
        META if row.key == key(&["revision"]) => decoded(value).map(Edit::SetRevision),
        META => decoded(value).map(Edit::SetTokenKey),
        USERS => decoded(value).map(|(name, user)| Edit::PutUser(name, user)),
        ROLES => decoded(value).map(|(user, role)| Edit::Grant { user, role }),
        PERMISSIONS => decoded(value).map(|(role, right)| Edit::Permit(role, right)),
        NAMESPACES => decoded(value).map(|(id, namespace)| Edit::PutNamespace(id, namespace)),
        table => Err(format!("there is no table {table}: the data is of a newer version")),
    });
    let place = || format!("access table {}, row {}", row.table, row.key.escape_ascii());
    let todo = "restore this node from its peers or a backup";
    match edit {
        Ok(edit) if edit.row() == *row => Ok(edit),
        Ok(_) => Err(format!("{}: its value belongs to another row; {todo}", place())),
        Err(why) => Err(format!("{}: {why}; {todo}", place())),
    }
}

fn emptied<T: Ord>(set: &mut BTreeSet<T>, item: &T) -> bool {
    set.remove(item);
    set.is_empty()
}

fn key(parts: &[&str]) -> Vec<u8> {
    let mut key = Vec::new();
    for part in parts {
        push_part(&mut key, part);
    }
    key
}

fn put(table: u8, parts: &[&str], value: &impl Serialize) -> Row {
    let value = postcard::to_extend(value, vec![VERSION]);
    let value = value.expect("a Vec takes any number of bytes");
    Row { table, key: key(parts), value: Some(value) }
}

fn delete(table: u8, parts: &[&str]) -> Row {
    Row { table, key: key(parts), value: None }
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&VERSION, bytes)) => postcard::from_bytes(bytes).map_err(|error| error.to_string()),
        Some((version, _)) => {
            Err(format!("its format is version {version}, this program reads {VERSION}"))
        }
        None => Err("the value is empty".into()),
    }
}
