//! Stands in for the decisions of `access::View` until they are there: nobody may do anything but on open doors.

use access::{Action, Principal, Resource, View};
use base::Duration;
use std::sync::Arc;

pub(crate) trait Decisions {
    fn authenticate(&self, token: &str, now_unix_ms: u64) -> Result<Principal, ()>;
    fn issue(&self, user: &str, now_unix_ms: u64, ttl: Duration) -> Option<String>;
    fn allows(&self, principal: &Principal, action: Action, on: &Resource) -> Result<(), ()>;
    fn password_hash(&self, user: &str) -> Option<Arc<str>>;
    fn is_administrator(&self, user: &str) -> bool;
}

impl Decisions for View {
    fn authenticate(&self, token: &str, _: u64) -> Result<Principal, ()> {
        match token.strip_prefix("token-of-") {
            Some(user) if cfg!(test) && self.users.contains_key(user) => {
                Ok(Principal::User(user.into()))
            }
            _ => Err(()),
        }
    }
    fn issue(&self, user: &str, _: u64, _: Duration) -> Option<String> {
        cfg!(test).then(|| format!("token-of-{user}"))
    }
    fn allows(&self, principal: &Principal, _: Action, _: &Resource) -> Result<(), ()> {
        match principal {
            Principal::Open => Ok(()),
            Principal::User(user) if self.is_administrator(user) => Ok(()),
            Principal::User(_) | Principal::Anonymous => Err(()),
        }
    }
    fn password_hash(&self, user: &str) -> Option<Arc<str>> {
        self.users.get(user).map(|user| user.password_hash.clone())
    }
    fn is_administrator(&self, user: &str) -> bool {
        self.roles.get(user).is_some_and(|roles| roles.contains(access::ADMINISTRATOR_ROLE))
    }
}
