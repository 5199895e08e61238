//! A record as it travels, and as a node holds it.

use crate::Version;
use base::Instant;
use serde::{Deserialize, Serialize};

/// One state of a record, complete in itself: it can be merged anywhere, in any order, any number of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record<K, V> {
    /// Which record.
    pub key: K,
    /// Which of its states.
    pub version: Version,
    /// `None`: it was deleted. Never means "unknown here".
    pub value: Option<V>,
}

/// What a node thinks of the record's owner. An opinion of this node: it never travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The owner is this node, or is heard by it.
    Living,
    /// The owner is gone; shown as if it were living, because its client probably lives.
    Orphan,
    /// Nobody was heard for `ORPHAN_LISTED_TIME`: not shown, but kept so that a late merge cannot bring it back as new.
    Hidden,
}

/// A record that was not deleted, as this node holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<V> {
    /// Of the newest state this node knows.
    pub version: Version,
    /// That state.
    pub value: V,
    /// When this node last heard its client, or its owner.
    pub heard: Instant,
    /// Whether somebody answers for it.
    pub standing: Standing,
}

impl<V> Entry<V> {
    /// Whether it is to be shown.
    #[must_use]
    pub fn listed(&self) -> bool {
        match self.standing {
            Standing::Living | Standing::Orphan => true,
            Standing::Hidden => false,
        }
    }
}
