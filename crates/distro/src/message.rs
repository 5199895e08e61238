//! What nodes say to each other.

use crate::{BucketSet, Record, Summary, Version};
use alloc::vec::Vec;
use base::NodeId;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How many states one `Delta` carries at most.
pub const RECORDS_PER_DELTA: usize = 64;

/// How many versions one `Versions`, and how many keys one `Wanted`, carries at most.
pub const VERSIONS_PER_MESSAGE: usize = 1000;

/// How many owners a `Digest` may name. A cluster has a few nodes; former ones are forgotten with their records.
pub const OWNERS_PER_DIGEST: usize = 1024;

/// One message between two nodes. The link keeps their order, or breaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message<K, V> {
    /// States, each complete in itself. Lost: digests bring them again. Repeated or late: their versions tell.
    Delta {
        /// Counts the deltas from this node to that one.
        number: u64,
        /// At most `RECORDS_PER_DELTA`.
        records: Vec<Record<K, V>>,
    },
    /// The delta was merged; the next may come. Lost: the sender goes on after `DELTA_TIMEOUT`.
    DeltaTaken {
        /// Which.
        number: u64,
    },
    /// What the sender knows, owner by owner. Lost: another comes in `DIGEST_PERIOD`.
    Digest {
        /// In the order of the owners; at most `OWNERS_PER_DIGEST`.
        summaries: Vec<Summary>,
    },
    /// "Of this owner I know something else than your digest says; these are my sums." Lost: asked again after
    /// `EXCHANGE_TIMEOUT`, as with the three that follow.
    Buckets {
        /// Whose records.
        owner: NodeId,
        /// A sum for each bucket, or nothing if the sender knows none of the records.
        sums: Vec<u64>,
    },
    /// "These are the states I know, out of the buckets that differ, in this range of keys."
    Versions {
        /// Whose records.
        owner: NodeId,
        /// Which buckets.
        buckets: BucketSet,
        /// The range begins after this key, or at the first.
        after: Option<K>,
        /// The range ends with this key, or with the last.
        until: Option<K>,
        /// All that the sender knows there, in the order of the keys.
        versions: Vec<(K, Version)>,
    },
    /// "That range is done; go on after this key."
    More {
        /// Whose records.
        owner: NodeId,
        /// Which buckets.
        buckets: BucketSet,
        /// Where the last range ended.
        after: K,
    },
    /// "You know these better than I do: send them."
    Wanted {
        /// At most `VERSIONS_PER_MESSAGE`.
        keys: Vec<K>,
    },
}

impl<K: Ord, V> Message<K, V> {
    /// Whether a node of ours could have sent it.
    pub(crate) fn check(&self) -> Result<(), Malformed> {
        let (what, count, count_max) = match self {
            Self::Delta { records, .. } => ("records", records.len(), RECORDS_PER_DELTA),
            Self::Digest { summaries } => ("owners", summaries.len(), OWNERS_PER_DIGEST),
            Self::Versions { after, until, versions, .. } => {
                let sorted = versions.is_sorted_by(|(a, _), (b, _)| a < b);
                let keys = || versions.iter().map(|(key, _)| Some(key));
                let begun = after.is_none() || keys().all(|key| key > after.as_ref());
                let ended = until.is_none() || keys().all(|key| key <= until.as_ref());
                let range = after.is_none() || until.is_none() || after < until;
                if !(sorted && begun && ended && range) {
                    return Err(Malformed::OutOfOrder);
                }
                ("versions", versions.len(), VERSIONS_PER_MESSAGE)
            }
            Self::Wanted { keys } => ("keys", keys.len(), VERSIONS_PER_MESSAGE),
            Self::Buckets { sums, .. } if sums.is_empty() => return Ok(()),
            Self::Buckets { sums, .. } if sums.len() != crate::BUCKETS_COUNT => {
                return Err(Malformed::Buckets { count: sums.len() });
            }
            Self::Buckets { .. } | Self::DeltaTaken { .. } | Self::More { .. } => return Ok(()),
        };
        if count > count_max {
            return Err(Malformed::TooMany { what, count, count_max });
        }
        Ok(())
    }
}

/// Why a message was not taken. It changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It carries more than a node of ours ever sends.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        count_max: usize,
    },
    /// Its versions are not in the order of their keys, or not in the range it names.
    OutOfOrder,
    /// It has not one sum for each bucket.
    Buckets {
        /// How many it has.
        count: usize,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { what, count, count_max } => {
                write!(f, "{count} {what} in one message, at most {count_max} are allowed")
            }
            Self::OutOfOrder => f.write_str("versions out of the order or the range of their keys"),
            Self::Buckets { count } => {
                write!(f, "{count} sums, there are {} buckets", crate::BUCKETS_COUNT)
            }
        }
    }
}

impl core::error::Error for Malformed {}
