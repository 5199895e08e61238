//! Watches: who wants to know which services there are, by patterns of their names.
//!
//! Only that a service came into the lists or left them is told, not what it is: whoever watches looks at the views, where
//! it finds the same or something newer. So a change that is told twice, or that was undone meanwhile, does no harm.

use crate::{Naming, Output, Refusal, Reply, ServiceKey};
use base::{ConnectionId, takes};
use std::sync::Arc;

/// Names of services: in group and name `*` stands for any characters, at any place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    /// Canonical, and never a pattern.
    pub namespace: Arc<str>,
    /// Of the group.
    pub group: Arc<str>,
    /// Of the name.
    pub name: Arc<str>,
}

impl Pattern {
    /// Whether it takes this service.
    #[must_use]
    pub fn takes(&self, service: &ServiceKey) -> bool {
        self.namespace == service.namespace
            && takes(&self.group, &service.group)
            && takes(&self.name, &service.name)
    }
}

impl Naming {
    pub(crate) fn watch(&mut self, from: ConnectionId, pattern: Pattern) -> Result<Reply, Refusal> {
        if !self.connections.contains_key(&from) {
            return Err(Refusal::UnknownClient);
        }
        let watching = self.watchers.watch(from, pattern);
        watching.map(|()| Reply::Done).map_err(|limit| Refusal::TooManyPatterns { limit })
    }

    pub(crate) fn unwatch(&mut self, from: ConnectionId, pattern: &Pattern) -> Reply {
        self.watchers.unwatch(from, pattern);
        Reply::Done
    }

    /// To be called after a service came into the lists or left them.
    pub(crate) fn tell_watchers(&mut self, service: &ServiceKey) {
        for to in self.watchers.of(|pattern| pattern.takes(service)) {
            self.outputs.push_back(Output::Watched { to, service: service.clone() });
        }
    }
}
