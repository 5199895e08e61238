//! Watches: who wants to know which services there are, by patterns of their names.
//!
//! Only that a service came into the lists or left them is told, not what it is: whoever watches looks at the views, where
//! it finds the same or something newer. So a change that is told twice, or that was undone meanwhile, does no harm.

use crate::{Naming, Output, Refusal, Reply, ServiceKey};
use base::ConnectionId;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Patterns that one connection may watch, as in Nacos. One more is refused.
pub const PATTERNS_PER_CONNECTION_MAX: usize = 20;
/// Different patterns of all connections of a node: each is compared with every service that comes or goes. One more is
/// refused.
pub const PATTERNS_MAX: usize = 1_024;

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

/// The pieces between stars must be there in their order, the first at the beginning and the last at the end.
fn takes(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

/// Who watches what: the two are each other's inverse, and no set in them is empty.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    by_connection: BTreeMap<ConnectionId, BTreeSet<Pattern>>,
    by_pattern: BTreeMap<Pattern, BTreeSet<ConnectionId>>,
}

impl Watchers {
    fn add(&mut self, connection: ConnectionId, pattern: Pattern) -> Result<(), Refusal> {
        let own = self.by_connection.get(&connection);
        if own.is_some_and(|own| own.contains(&pattern)) {
            return Ok(());
        }
        if own.map_or(0, BTreeSet::len) >= PATTERNS_PER_CONNECTION_MAX {
            return Err(Refusal::TooManyPatterns { limit: PATTERNS_PER_CONNECTION_MAX });
        }
        if !self.by_pattern.contains_key(&pattern) && self.by_pattern.len() >= PATTERNS_MAX {
            return Err(Refusal::TooManyPatterns { limit: PATTERNS_MAX });
        }
        self.by_connection.entry(connection).or_default().insert(pattern.clone());
        self.by_pattern.entry(pattern).or_default().insert(connection);
        Ok(())
    }

    fn remove(&mut self, connection: ConnectionId, pattern: &Pattern) {
        let Some(own) = self.by_connection.get_mut(&connection) else { return };
        if own.remove(pattern) {
            if own.is_empty() {
                self.by_connection.remove(&connection);
            }
            self.forget(connection, pattern);
        }
    }

    /// Ends all that a connection watches.
    pub(crate) fn close(&mut self, connection: ConnectionId) {
        for pattern in self.by_connection.remove(&connection).unwrap_or_default() {
            self.forget(connection, &pattern);
        }
    }

    fn forget(&mut self, connection: ConnectionId, pattern: &Pattern) {
        let Some(watching) = self.by_pattern.get_mut(pattern) else { return };
        watching.remove(&connection);
        if watching.is_empty() {
            self.by_pattern.remove(pattern);
        }
    }

    /// Whoever watches a pattern that takes this service, each once.
    fn of(&self, service: &ServiceKey) -> BTreeSet<ConnectionId> {
        let taking = self.by_pattern.iter().filter(|(pattern, _)| pattern.takes(service));
        taking.flat_map(|(_, connections)| connections).copied().collect()
    }
}

impl Naming {
    pub(crate) fn watch(&mut self, from: ConnectionId, pattern: Pattern) -> Result<Reply, Refusal> {
        if !self.connections.contains_key(&from) {
            return Err(Refusal::UnknownClient);
        }
        self.watchers.add(from, pattern).map(|()| Reply::Done)
    }

    pub(crate) fn unwatch(&mut self, from: ConnectionId, pattern: &Pattern) -> Reply {
        self.watchers.remove(from, pattern);
        Reply::Done
    }

    /// To be called after a service came into the lists or left them.
    pub(crate) fn tell_watchers(&mut self, service: &ServiceKey) {
        for to in self.watchers.of(service) {
            self.outputs.push_back(Output::Watched { to, service: service.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, taken) in [
            ("*", "", true),
            ("*", "a", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("*b*", "abc", true),
            ("*b*", "ac", false),
            ("ab*ba", "aba", false),
            ("a*b*c", "aXbYc", true),
            ("a**c", "abc", true),
        ] {
            assert_eq!(takes(pattern, text), taken, "{pattern} {text}");
        }
    }

    #[test]
    fn a_watch_over_a_limit_changes_nothing() {
        let mut watchers = Watchers::default();
        let node = base::NodeId(1);
        let connection = |counter| ConnectionId { node, boot: base::HybridTime(0), counter };
        let pattern = |n: usize| Pattern {
            namespace: "public".into(),
            group: "*".into(),
            name: format!("s{n}*").into(),
        };
        for n in 0..PATTERNS_MAX {
            let connection = connection((n / PATTERNS_PER_CONNECTION_MAX) as u64);
            watchers.add(connection, pattern(n)).expect("within the limits");
        }
        let own = Err(Refusal::TooManyPatterns { limit: PATTERNS_PER_CONNECTION_MAX });
        assert_eq!(watchers.add(connection(0), pattern(2_000)), own);
        let all = Err(Refusal::TooManyPatterns { limit: PATTERNS_MAX });
        assert_eq!(watchers.add(connection(99), pattern(2_000)), all);
        assert_eq!(watchers.add(connection(0), pattern(0)), Ok(()), "it has that one");
        assert_eq!(watchers.add(connection(99), pattern(0)), Ok(()), "others have that one");
        watchers.remove(connection(0), &pattern(1));
        assert_eq!(watchers.add(connection(0), pattern(2_000)), Ok(()));
        for n in 0..100 {
            watchers.close(connection(n));
        }
        assert!(watchers.by_connection.is_empty() && watchers.by_pattern.is_empty());
    }
}
