//! The access plane: namespaces, users, roles, permissions, tokens. A replicated state machine.
#![forbid(unsafe_code)]

mod model;
mod request;
mod surface;

pub use model::{
    ADMINISTRATOR, ADMINISTRATOR_ROLE, Action, Namespace, PUBLIC_NAMESPACE, Permission, Principal,
    Resource, Secret, User, View,
};
pub use request::{Change, Command, Outcome, Reply, Request};
pub use surface::{Applied, Input, Output};
