//! What identifies a record, and where that puts it in the digests.

use crate::{BUCKETS_COUNT, Version};
use base::NodeId;
use core::hash::Hasher;
use siphasher::sip::SipHasher13;

/// Identifies a record on every node.
pub trait Key: Ord + Clone {
    /// Hands out the bytes that stand for the key: the same on every node and in every version of the program,
    /// different for different keys. Digests are made of them.
    fn bytes(&self, sink: &mut dyn FnMut(&[u8]));

    /// The one node that can hear the client of this record, if no other one ever can: it is connected to that node.
    fn heard_only_by(&self) -> Option<NodeId>;
}

/// The place of a key in the digests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    hash: u64,
}

impl Spot {
    pub(crate) fn of<K: Key>(key: &K) -> Self {
        let mut hasher = SipHasher13::new();
        key.bytes(&mut |bytes| hasher.write(bytes));
        Self { hash: hasher.finish() }
    }

    pub(crate) fn bucket(self) -> usize {
        (self.hash >> 32) as usize % BUCKETS_COUNT
    }

    /// Stands for this state of the key in the sum of its bucket.
    pub(crate) fn item(self, version: Version) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.hash, version.incarnation.at.0);
        // Bytes, not numbers: a number would be hashed in the order of this machine.
        hasher.write(&version.incarnation.node.0.to_le_bytes());
        hasher.write(&version.seq.to_le_bytes());
        hasher.finish()
    }
}
