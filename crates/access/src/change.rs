//! How a change is printed: with what it is about, without what must stay secret.

use crate::{Change, User};
use std::fmt;

struct Hidden;

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { password_hash: _ } = self;
        f.debug_struct("User").field("password_hash", &Hidden).finish()
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initialize { token_key: _, password_hash } => f
                .debug_struct("Initialize")
                .field("token_key", &Hidden)
                .field("password_hash", &password_hash.as_ref().map(|_| Hidden))
                .finish(),
            Self::CreateAdministrator { password_hash: _ } => {
                f.debug_struct("CreateAdministrator").field("password_hash", &Hidden).finish()
            }
            Self::CreateUser { name, password_hash: _ } => credential(f, "CreateUser", name),
            Self::SetPassword { name, password_hash: _ } => credential(f, "SetPassword", name),
            Self::RemoveUser { name } => f.debug_struct("RemoveUser").field("name", name).finish(),
            Self::Grant { user, role } => {
                f.debug_struct("Grant").field("user", user).field("role", role).finish()
            }
            Self::Revoke { user, role } => {
                f.debug_struct("Revoke").field("user", user).field("role", role).finish()
            }
            Self::Permit { role, permission } => f
                .debug_struct("Permit")
                .field("role", role)
                .field("permission", permission)
                .finish(),
            Self::Forbid { role, permission } => f
                .debug_struct("Forbid")
                .field("role", role)
                .field("permission", permission)
                .finish(),
            Self::CreateNamespace { id, namespace } => f
                .debug_struct("CreateNamespace")
                .field("id", id)
                .field("namespace", namespace)
                .finish(),
            Self::UpdateNamespace { id, namespace } => f
                .debug_struct("UpdateNamespace")
                .field("id", id)
                .field("namespace", namespace)
                .finish(),
            Self::RemoveNamespace { id } => {
                f.debug_struct("RemoveNamespace").field("id", id).finish()
            }
        }
    }
}

fn credential(f: &mut fmt::Formatter<'_>, what: &str, name: &str) -> fmt::Result {
    f.debug_struct(what).field("name", &name).field("password_hash", &Hidden).finish()
}

impl Change {
    /// What it is about, for the journal.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::Initialize { .. } | Self::CreateAdministrator { .. } => crate::ADMINISTRATOR,
            Self::CreateUser { name, .. }
            | Self::SetPassword { name, .. }
            | Self::RemoveUser { name }
            | Self::Grant { user: name, .. }
            | Self::Revoke { user: Some(name), .. } => name,
            Self::Revoke { user: None, role }
            | Self::Permit { role, .. }
            | Self::Forbid { role, .. } => role,
            Self::CreateNamespace { id, .. }
            | Self::UpdateNamespace { id, .. }
            | Self::RemoveNamespace { id } => id,
        }
    }
}
