//! What the log tells of who belongs to the cluster: who got a vote, who was removed, who was replaced.

use cluster::{Role, View};
use std::sync::Arc;

/// Who belonged to it at the last look.
#[derive(Default)]
pub(super) struct Roll(Option<Arc<View>>);

impl Roll {
    pub(super) fn look(&mut self, view: Option<Arc<View>>) {
        let Some(view) = view else { return };
        if let Some(before) = self.0.replace(view.clone())
            && !Arc::ptr_eq(&before, &view)
        {
            tell(&before, &view);
        }
    }
}

/// Only of nodes that were known before: a start learns of many, and nothing happened then.
fn tell(before: &View, now: &View) {
    for was in &before.members {
        let node = was.node;
        let found = now.members.iter().find(|member| member.node == node);
        let votes = found.is_some_and(|member| member.role == Role::Voter);
        if votes && was.role != Role::Voter && !was.is_self {
            tracing::info!(node = node.0, "another node has a vote now");
        }
        if !now.removed.contains(&node) || before.removed.contains(&node) {
            continue;
        }
        let place = was.peer.as_ref();
        let instead =
            now.members.iter().find(|other| place.is_some() && other.peer.as_ref() == place);
        match (instead, place) {
            (Some(instead), Some(address)) => tracing::warn!(
                node = node.0, by = instead.node.0, %address,
                "a node was replaced by another one at its address: it never comes back"
            ),
            _ => tracing::warn!(node = node.0, "a node was removed from the cluster for good"),
        }
    }
}
