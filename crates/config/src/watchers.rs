//! Who wants to be told which configs there are, by patterns of their names.
//!
//! Only whether a config exists is told, never what it holds. What a pattern takes is looked up by the one who watches, in
//! the views; here is only who must hear of a config that comes or goes. Gray versions make no config exist.

use crate::{ConfigKey, Pattern, Refusal};
use base::ConnectionId;
use std::collections::{BTreeMap, BTreeSet};

/// Patterns of one connection, as many as Nacos has for all together; one more is refused.
pub const WATCHES_MAX: usize = 20;
/// Different patterns of all connections of a node: each is compared with every name that comes or goes.
pub const PATTERNS_MAX: usize = 1_024;

/// Invariant: `by_pattern` is the inverse of `by_connection`, and neither has an empty set.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    by_connection: BTreeMap<ConnectionId, BTreeSet<Pattern>>,
    by_pattern: BTreeMap<Pattern, BTreeSet<ConnectionId>>,
}

impl Watchers {
    pub fn watch(&mut self, connection: ConnectionId, pattern: Pattern) -> Result<(), Refusal> {
        let own = self.by_connection.get(&connection);
        if own.is_some_and(|own| own.contains(&pattern)) {
            return Ok(());
        }
        if own.map_or(0, BTreeSet::len) >= WATCHES_MAX {
            return Err(Refusal::TooManyPatterns { limit: WATCHES_MAX });
        }
        if !self.by_pattern.contains_key(&pattern) && self.by_pattern.len() >= PATTERNS_MAX {
            return Err(Refusal::TooManyPatterns { limit: PATTERNS_MAX });
        }
        self.by_connection.entry(connection).or_default().insert(pattern.clone());
        self.by_pattern.entry(pattern).or_default().insert(connection);
        Ok(())
    }

    pub fn unwatch(&mut self, connection: ConnectionId, pattern: &Pattern) {
        let Some(own) = self.by_connection.get_mut(&connection) else { return };
        if !own.remove(pattern) {
            return;
        }
        if own.is_empty() {
            self.by_connection.remove(&connection);
        }
        self.forget(connection, pattern);
    }

    /// Ends all that a connection watches.
    pub fn close(&mut self, connection: ConnectionId) {
        for pattern in self.by_connection.remove(&connection).unwrap_or_default() {
            self.forget(connection, &pattern);
        }
    }

    /// Who watches a pattern that takes this key; each once.
    pub fn of(&self, key: &ConfigKey) -> BTreeSet<ConnectionId> {
        let takers = self.by_pattern.iter().filter(|(pattern, _)| pattern.takes(key));
        takers.flat_map(|(_, connections)| connections).copied().collect()
    }

    fn forget(&mut self, connection: ConnectionId, pattern: &Pattern) {
        let connections = self.by_pattern.get_mut(pattern).expect("the inverse of by_connection");
        connections.remove(&connection);
        if connections.is_empty() {
            self.by_pattern.remove(pattern);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{HybridTime, NodeId};

    fn connection(counter: u64) -> ConnectionId {
        ConnectionId { node: NodeId(1), boot: HybridTime(0), counter }
    }

    fn pattern(number: usize) -> Pattern {
        Pattern {
            namespace: "public".into(),
            group: "G".into(),
            data_id: format!("{number}*").into(),
        }
    }

    #[test]
    fn one_connection_watches_twenty_patterns_and_a_node_a_thousand_different_ones() {
        let mut watchers = Watchers::default();
        for number in 0..PATTERNS_MAX {
            let who = connection((number / WATCHES_MAX) as u64);
            assert_eq!(watchers.watch(who, pattern(number)), Ok(()), "{number}");
        }
        let refused = |limit| Err(Refusal::TooManyPatterns { limit });
        assert_eq!(watchers.watch(connection(0), pattern(5_000)), refused(WATCHES_MAX));
        assert_eq!(
            watchers.watch(connection(0), pattern(0)),
            Ok(()),
            "a known one is no further one"
        );
        assert_eq!(watchers.watch(connection(900), pattern(5_000)), refused(PATTERNS_MAX));
        assert_eq!(watchers.watch(connection(900), pattern(0)), Ok(()), "one that others have");
        watchers.unwatch(connection(0), &pattern(1));
        assert_eq!(watchers.watch(connection(900), pattern(5_000)), Ok(()), "there is room again");
        for counter in 0..=900 {
            watchers.close(connection(counter));
        }
        assert!(watchers.by_connection.is_empty() && watchers.by_pattern.is_empty());
    }
}
