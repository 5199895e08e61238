//! Who wants to hear of names that come and go, by patterns of those names.

use crate::ConnectionId;
use alloc::collections::{BTreeMap, BTreeSet};

/// Patterns that one connection may watch, as in Nacos. One more is refused.
pub const PATTERNS_PER_CONNECTION_MAX: usize = 20;
/// Different patterns of all connections of a node: each is compared with every name that comes or goes. One more is
/// refused.
pub const PATTERNS_MAX: usize = 1_024;

/// Whether the pattern takes the text: `*` stands for any characters, at any place. Linear in both: the pieces between
/// stars are found from left to right.
#[must_use]
pub fn takes(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}

/// Who watches what: the two maps are each other's inverse, and no set in them is empty.
#[derive(Debug)]
pub struct Watchers<P> {
    by_connection: BTreeMap<ConnectionId, BTreeSet<P>>,
    by_pattern: BTreeMap<P, BTreeSet<ConnectionId>>,
}

impl<P> Default for Watchers<P> {
    fn default() -> Self {
        Self { by_connection: BTreeMap::new(), by_pattern: BTreeMap::new() }
    }
}

impl<P: Ord + Clone> Watchers<P> {
    /// The connection watches this pattern, too.
    ///
    /// # Errors
    /// The limit that was reached. Nothing changed.
    pub fn watch(&mut self, connection: ConnectionId, pattern: P) -> Result<(), usize> {
        let own = self.by_connection.get(&connection);
        if own.is_some_and(|own| own.contains(&pattern)) {
            return Ok(());
        }
        if own.map_or(0, BTreeSet::len) >= PATTERNS_PER_CONNECTION_MAX {
            return Err(PATTERNS_PER_CONNECTION_MAX);
        }
        if !self.by_pattern.contains_key(&pattern) && self.by_pattern.len() >= PATTERNS_MAX {
            return Err(PATTERNS_MAX);
        }
        self.by_connection.entry(connection).or_default().insert(pattern.clone());
        self.by_pattern.entry(pattern).or_default().insert(connection);
        Ok(())
    }

    /// The connection does not watch this pattern any more.
    pub fn unwatch(&mut self, connection: ConnectionId, pattern: &P) {
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

    /// Whoever watches a pattern for which `takes` is true, each once.
    pub fn of(&self, takes: impl Fn(&P) -> bool) -> BTreeSet<ConnectionId> {
        let taking = self.by_pattern.iter().filter(|(pattern, _)| takes(pattern));
        taking.flat_map(|(_, connections)| connections).copied().collect()
    }

    fn forget(&mut self, connection: ConnectionId, pattern: &P) {
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
    use crate::{HybridTime, NodeId};

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
        let connection = |counter| ConnectionId { node: NodeId(1), boot: HybridTime(0), counter };
        for pattern in 0..PATTERNS_MAX {
            let counter = (pattern / PATTERNS_PER_CONNECTION_MAX) as u64;
            assert_eq!(watchers.watch(connection(counter), pattern), Ok(()));
        }
        assert_eq!(watchers.watch(connection(0), 2_000), Err(PATTERNS_PER_CONNECTION_MAX));
        assert_eq!(watchers.watch(connection(99), 2_000), Err(PATTERNS_MAX));
        assert_eq!(watchers.watch(connection(0), 0), Ok(()), "it has that one");
        assert_eq!(watchers.watch(connection(99), 0), Ok(()), "others have that one");
        assert!(watchers.of(|pattern| *pattern == 0).into_iter().eq([0, 99].map(connection)));
        watchers.unwatch(connection(0), &1);
        assert_eq!(watchers.watch(connection(0), 2_000), Ok(()), "there is room again");
        for counter in 0..100 {
            watchers.close(connection(counter));
        }
        assert!(watchers.by_connection.is_empty() && watchers.by_pattern.is_empty());
    }
}
