//! Conversations (script in, transcript out), tables and laws.

mod check;
mod conversation;
mod laws;
mod roles;
mod token;

use crate::{
    Access, Applied, Change, Command, Input, Namespace, Output, Permission, Request, Secret, View,
};
use base::{ConnectionId, HybridTime, LogIndex, NodeId, Now, RequestId};
use std::sync::Arc;

/// Not a real hash of anything: apply and check look at the form only.
fn hash(seed: &str) -> Arc<str> {
    format!("$2a$10$HASHED{:.<47}", seed).into()
}

fn key(byte: u8) -> Secret {
    Secret::new(vec![byte; 32])
}

fn permission(resource: &str, action: &str) -> Permission {
    Permission { resource: resource.into(), action: action.into() }
}

fn namespace(name: &str) -> Namespace {
    Namespace { name: name.into(), description: "".into() }
}

fn connection(counter: u64) -> ConnectionId {
    ConnectionId { node: NodeId(1), boot: HybridTime(0), counter }
}

fn request(access: &mut Access, now: Now, request: Request) -> Output {
    access.step(now, Input::Request { from: connection(1), id: RequestId(1), request });
    let output = access.poll().expect("each request is answered");
    assert_eq!(access.poll(), None, "and once");
    output
}

fn apply(access: &mut Access, index: u64, change: Change) -> Applied {
    let applied = access.apply(LogIndex(index), &Command { change, at_ms: 0 });
    while access.poll().is_some() {}
    applied
}

/// Key `7…`, administrator `nacos`, `dev` with the role `devs`, `guest` without any.
fn company() -> Access {
    let mut access = Access::default();
    let changes = [
        Change::Initialize { token_key: key(7), password_hash: Some(hash("nacos")) },
        Change::CreateUser { name: "dev".into(), password_hash: hash("dev") },
        Change::CreateUser { name: "guest".into(), password_hash: hash("guest") },
        Change::Grant { user: "dev".into(), role: "devs".into() },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let applied = apply(&mut access, index as u64 + 1, change);
        assert_eq!(applied.outcome, crate::Outcome::Changed);
    }
    access
}

fn view(access: &Access) -> &View {
    access.view()
}
