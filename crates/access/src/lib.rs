//! The access plane: namespaces, users, roles, permissions, tokens. A replicated state machine.
//!
//! # The problem
//!
//! Everybody who knows the port of a registry can otherwise take over the fleet: the attacks on servers of this kind
//! were default passwords, default token secrets, permissions decided from a request's path, and tokens that a
//! careless check accepts. So there is no default secret here, permission is decided from a typed `Resource` where
//! the request is handled, and one algorithm is accepted in a token, without parameters.
//!
//! # Two entrances
//!
//! `step` checks the form of a change, stamps the time and proposes it; `apply` decides (uniqueness, limits, the last
//! administrator) as a pure function of state and command. Whatever changes becomes one new immutable `View`, which is
//! to be swapped in before the outcome is reported; sessions decide from it without asking this plane:
//!
//! ```text
//!   session ── view.authenticate(token) ── Principal ── view.allows(principal, action, resource)
//!           └─ Attempt ─► Proceed ─► bcrypt (outside) ─► Attempted ─► view.issue(user) ── token
//!   change  ── step ─► Propose ─► log ─► apply ─► Publish(view), rows
//! ```
//!
//! Failed logins are counted on this node alone, by `now.instant`, and never enter the log: an attacker must not be
//! able to make every node write. Attempts under way are not counted, so a burst gets as many tries as the node
//! hashes passwords at once; each one that fails counts, and the delay that follows is the longer.
//!
//! # State
//!
//! | table | key | value (version byte, postcard) |
//! |---|---|---|
//! | 0 | `revision`, `token_key` | the number, the key |
//! | 1 | user | (user, `User`) |
//! | 2 | user, role | the same |
//! | 3 | role, pattern, action | (role, `Permission`) |
//! | 4 | namespace id | (id, `Namespace`) |
//!
//! # Invariants
//!
//! * `view.revision` is the index of the last command whose outcome was `Changed`; no other outcome has rows.
//! * who has a role is a user: `roles.keys() ⊆ users.keys()`, and no set in `roles` or `permissions` is empty.
//! * once there is an administrator, there is one for ever.
//! * the token key, once set, does not change.
//! * nothing that `Debug` prints contains a password hash or a key.
//!
//! # Decisions
//!
//! * `Principal::Open` may do everything, as with Nacos when its auth is off: whoever runs `--auth off` has said so.
//! * A right exists only for a role that somebody has, as in Nacos; it stays when the last one loses the role, and goes
//!   when the role is taken from all (`Revoke` without a user), so that a role of the same name later starts empty.
//! * A removed user's tokens end at once, because a token is good only for a user that exists. A changed password does
//!   not end tokens: they carry no more than a name and an end, as Nacos's do.
//!
//! # Left out
//!
//! Rotation of the token key, LDAP and OIDC.
#![forbid(unsafe_code)]

mod access;
mod allow;
mod apply;
mod change;
mod check;
mod edit;
mod failures;
mod model;
mod pattern;
mod request;
mod surface;
#[cfg(test)]
mod tests;
mod token;

pub use access::{Access, Settings};
pub use allow::Denied;
pub use apply::{NAMESPACES_MAX, PERMISSIONS_MAX, ROLES_MAX, USERS_MAX};
pub use check::TOKEN_KEY_BYTES;
pub use failures::{DELAY_MAX, FAILURES_MAX, SOURCES_MAX, WINDOW};
pub use model::{
    ADMINISTRATOR, ADMINISTRATOR_ROLE, Action, Namespace, PUBLIC_NAMESPACE, Permission, Principal,
    Resource, Secret, User, View,
};
pub use request::{Change, Command, Outcome, Reply, Request};
pub use surface::{Applied, Input, Output};
pub use token::{CLOCK_SKEW_MAX, TOKEN_BYTES_MAX, TOKEN_TTL, TokenError};
