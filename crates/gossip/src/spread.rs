//! What is still to be passed on, and how often it was.

use alloc::collections::{BTreeMap, BTreeSet};
use base::NodeId;
use core::cmp::Reverse;

/// News to pass on: at most one piece per member, since a newer one says all that the older said. So it is never longer
/// than the list of members. What a piece says is read off the list when it is sent.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    /// Member → times sent, and its age.
    pieces: BTreeMap<NodeId, (u32, Reverse<u64>)>,
    /// Least sent first, of these the newest: what few have heard goes before what many have.
    queue: BTreeSet<(u32, Reverse<u64>, NodeId)>,
    added: u64,
}

impl Spread {
    /// There is news about this member.
    pub(crate) fn add(&mut self, node: NodeId) {
        self.remove(node);
        self.added += 1;
        let age = Reverse(self.added);
        self.pieces.insert(node, (0, age));
        self.queue.insert((0, age, node));
    }

    pub(crate) fn remove(&mut self, node: NodeId) {
        if let Some((sent, age)) = self.pieces.remove(&node) {
            self.queue.remove(&(sent, age, node));
        }
    }

    pub(crate) fn contains(&self, node: NodeId) -> bool {
        self.pieces.contains_key(&node)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// About whom, in the order in which they should be sent.
    pub(crate) fn iter(&self) -> impl Iterator<Item = NodeId> {
        self.queue.iter().map(|(_, _, node)| *node)
    }

    /// The piece was sent once more; after `sent_max` times it is done.
    pub(crate) fn sent(&mut self, node: NodeId, sent_max: u32) {
        let Some((sent, age)) = self.pieces.get(&node).copied() else { return };
        self.remove(node);
        if sent + 1 < sent_max {
            self.pieces.insert(node, (sent + 1, age));
            self.queue.insert((sent + 1, age, node));
        }
    }

    /// Panics if both views of the pieces do not fit together.
    pub(crate) fn check(&self) {
        assert_eq!(self.pieces.len(), self.queue.len());
        assert!(self.queue.iter().all(|(sent, age, node)| self.pieces[node] == (*sent, *age)));
    }
}
