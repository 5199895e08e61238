//! Digests: what tells in a few bytes whether two nodes know the same.
//!
//! A digest is a sum over states, so it follows each change at once and never has to be computed anew. Tombstones are
//! not in it: nodes forget them at different times. Neither is what is hidden: that is an opinion of one node.

use crate::{Version, key::Spot};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use base::NodeId;
use serde::{Deserialize, Serialize};

/// Into how many parts the records of one owner are divided to find what differs.
pub const BUCKETS_COUNT: usize = 256;

/// What a node knows of the records of one owner, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Who owns them.
    pub owner: NodeId,
    /// How many there are.
    pub count: u64,
    /// The wrapping sum of all their states.
    pub sum: u64,
}

/// Some of the buckets of an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketSet([u64; BUCKETS_COUNT / 64]);

impl BucketSet {
    pub(crate) fn insert(&mut self, bucket: usize) {
        self.0[bucket / 64] |= 1 << (bucket % 64);
    }

    pub(crate) fn contains(&self, bucket: usize) -> bool {
        self.0[bucket / 64] & (1 << (bucket % 64)) != 0
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The sums of one owner's records.
#[derive(Clone, Debug)]
struct Sums {
    count: u64,
    buckets: Box<[u64; BUCKETS_COUNT]>,
}

/// The sums of all owners' records.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    owners: BTreeMap<NodeId, Sums>,
}

impl Digests {
    pub(crate) fn add(&mut self, spot: Spot, version: Version) {
        let owner = self.owners.entry(version.incarnation.node);
        let sums =
            owner.or_insert_with(|| Sums { count: 0, buckets: Box::new([0; BUCKETS_COUNT]) });
        sums.count += 1;
        let bucket = &mut sums.buckets[spot.bucket()];
        *bucket = bucket.wrapping_add(spot.item(version));
    }

    pub(crate) fn remove(&mut self, spot: Spot, version: Version) {
        let owner = version.incarnation.node;
        let sums = self.owners.get_mut(&owner).expect("what is removed was added");
        sums.count -= 1;
        let bucket = &mut sums.buckets[spot.bucket()];
        *bucket = bucket.wrapping_sub(spot.item(version));
        if sums.count == 0 {
            self.owners.remove(&owner);
        }
    }

    pub(crate) fn owners(&self) -> impl Iterator<Item = NodeId> {
        self.owners.keys().copied()
    }

    pub(crate) fn summaries(&self) -> Vec<Summary> {
        self.owners.keys().filter_map(|owner| self.summary(*owner)).collect()
    }

    pub(crate) fn summary(&self, owner: NodeId) -> Option<Summary> {
        let sums = self.owners.get(&owner)?;
        let sum = sums.buckets.iter().fold(0u64, |sum, bucket| sum.wrapping_add(*bucket));
        Some(Summary { owner, count: sums.count, sum })
    }

    /// One sum for each bucket; none at all if nothing of this owner is known.
    pub(crate) fn buckets(&self, owner: NodeId) -> Vec<u64> {
        self.owners.get(&owner).map(|sums| sums.buckets.to_vec()).unwrap_or_default()
    }

    /// The buckets in which another node's sums differ from ours.
    pub(crate) fn differing(&self, owner: NodeId, theirs: &[u64]) -> BucketSet {
        let ours = self.owners.get(&owner).map(|sums| &sums.buckets);
        let mut differing = BucketSet::default();
        for bucket in 0..BUCKETS_COUNT {
            let ours = ours.map_or(0, |sums| sums[bucket]);
            if theirs.get(bucket).copied().unwrap_or(0) != ours {
                differing.insert(bucket);
            }
        }
        differing
    }
}
