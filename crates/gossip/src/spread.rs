//! What is still to be passed on, and how often it was.

use alloc::collections::{BTreeMap, BTreeSet};
use base::NodeId;
use core::cmp::Reverse;

/// What is known of one piece of news.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    sent: u32,
    age: Reverse<u64>,
    record: bool,
}

/// News to pass on: at most one piece per member, since a newer one says all that the older said. So it is never longer
/// than the list of members. What a piece says is read off the list when it is sent.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    pieces: BTreeMap<NodeId, Piece>,
    /// Least sent first, of these the newest: what few have heard goes before what many have.
    queue: BTreeSet<(u32, Reverse<u64>, NodeId)>,
    added: u64,
}

impl Spread {
    /// There is news about this member: of its record, or only of how it stands.
    pub(crate) fn add(&mut self, node: NodeId, record: bool) {
        let former = self.remove(node);
        self.added += 1;
        let record = record || former.is_some_and(|piece| piece.record);
        self.put(node, Piece { sent: 0, age: Reverse(self.added), record });
    }

    fn put(&mut self, node: NodeId, piece: Piece) {
        self.queue.insert((piece.sent, piece.age, node));
        self.pieces.insert(node, piece);
    }

    pub(crate) fn remove(&mut self, node: NodeId) -> Option<Piece> {
        let piece = self.pieces.remove(&node)?;
        self.queue.remove(&(piece.sent, piece.age, node));
        Some(piece)
    }

    /// Whether the news is of the record, too.
    pub(crate) fn tells_record(&self, node: NodeId) -> bool {
        self.pieces.get(&node).is_some_and(|piece| piece.record)
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
        let Some(piece) = self.remove(node) else { return };
        let sent = piece.sent + 1;
        if sent < sent_max {
            self.put(node, Piece { sent, ..piece });
        }
    }

    /// Panics if both views of the pieces do not fit together.
    pub(crate) fn check(&self) {
        assert_eq!(self.pieces.len(), self.queue.len());
        let same = |(sent, age, node): &(u32, Reverse<u64>, NodeId)| {
            let piece = self.pieces[node];
            (piece.sent, piece.age) == (*sent, *age)
        };
        assert!(self.queue.iter().all(same));
    }
}
