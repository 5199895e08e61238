//! Who may do what.

use crate::{ADMINISTRATOR_ROLE, Action, Permission, Principal, Resource, View, pattern};
use std::sync::Arc;

/// As Nacos names what its clients lock.
const ALL_LOCKS: &str = "grpc/lock";

/// Why something may not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody is logged in, or the user is gone.
    #[error("not logged in: send a token or a password")]
    NotLoggedIn,
    /// This user may not.
    #[error("no permission: ask an administrator for a role that has it")]
    NotPermitted,
}

impl View {
    /// Decides whether a principal may do this to that.
    ///
    /// # Errors
    /// Why not.
    pub fn allows(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
    ) -> Result<(), Denied> {
        let user = match principal {
            Principal::Open => return Ok(()),
            Principal::Anonymous => return Err(Denied::NotLoggedIn),
            Principal::User(user) if !self.users.contains_key(user) => {
                return Err(Denied::NotLoggedIn);
            }
            Principal::User(user) => user,
        };
        let allowed = self.is_administrator(user)
            || match resource {
                Resource::Service { namespace, group, name } => {
                    self.has_right(user, action, &named(namespace, group, "naming", name))
                }
                Resource::Config { namespace, group, data_id } => {
                    self.has_right(user, action, &named(namespace, group, "config", data_id))
                }
                Resource::Lock(key) => {
                    self.has_right(user, action, ALL_LOCKS)
                        || self.has_right(user, action, &format!("lock/{key}"))
                }
                Resource::Namespaces | Resource::Server => action == Action::Read,
                Resource::Password(of) => of == user,
                Resource::Accounts => false,
            };
        if allowed { Ok(()) } else { Err(Denied::NotPermitted) }
    }

    /// Whether this user may do everything.
    #[must_use]
    pub fn is_administrator(&self, user: &str) -> bool {
        self.users.contains_key(user)
            && self.roles.get(user).is_some_and(|roles| roles.contains(ADMINISTRATOR_ROLE))
    }

    /// The users who may do everything.
    pub fn administrators(&self) -> impl Iterator<Item = &Arc<str>> {
        self.users.keys().filter(|user| self.is_administrator(user))
    }

    /// The bcrypt hash of a user's password.
    #[must_use]
    pub fn password_hash(&self, user: &str) -> Option<&str> {
        self.users.get(user).map(|user| user.password_hash.as_ref())
    }

    fn has_right(&self, user: &str, action: Action, resource: &str) -> bool {
        let roles = self.roles.get(user).into_iter().flatten();
        let mut rights = roles.filter_map(|role| self.permissions.get(role)).flatten();
        rights.any(|right| includes(right, action) && covers(&right.resource, resource))
    }
}

fn named(namespace: &str, group: &str, kind: &str, name: &str) -> String {
    format!("{namespace}:{group}:{kind}/{name}")
}

fn includes(right: &Permission, action: Action) -> bool {
    match action {
        Action::Read => right.action.contains('r'),
        Action::Write => right.action.contains('w'),
    }
}

/// A pattern that begins with `:` is about `public`: Nacos stored its default namespace as an empty text.
fn covers(right: &str, resource: &str) -> bool {
    if right.starts_with(':') {
        let without_namespace = resource.strip_prefix(crate::PUBLIC_NAMESPACE);
        return without_namespace.is_some_and(|rest| pattern::matches(right, rest));
    }
    pattern::matches(right, resource)
}
