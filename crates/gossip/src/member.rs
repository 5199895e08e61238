//! What is known of a node, and how two views of it become one.

use crate::{Error, Generation, Incarnation, NUMBER_MAX, Record};
use alloc::sync::Arc;
use base::NodeId;
use serde::{Deserialize, Serialize};

/// How a member stands. In one incarnation the later state wins, so the order of the variants is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Nobody doubts it.
    Alive,
    /// Somebody could not reach it, directly or through others; it may refute that.
    Suspect,
    /// It did not refute in time. It may still live: a later incarnation says so.
    Down,
    /// It said goodbye.
    Left,
}

impl State {
    /// Whether it is probed, told and counted: alive or suspect.
    #[must_use]
    pub const fn is_present(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}

/// A node as listed in the membership view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What it says of itself. Shared: messages and outputs carry the same copy.
    pub record: Arc<Record>,
    /// The last one known.
    pub incarnation: Incarnation,
    /// How it stands in that incarnation.
    pub state: State,
}

impl Member {
    /// Whose.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.record.node
    }

    /// Which life.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.record.generation
    }

    /// Both views as one. Commutative, associative and idempotent, so it does not matter who hears what, in which order
    /// and how often:
    ///
    /// ```text
    /// a later generation wins whole
    /// in one generation: record = max by (version, content), (incarnation, state) = max
    /// ```
    ///
    /// Content is compared only so that two nodes with one id cannot make the views of others differ for good.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        if self.generation() != other.generation() {
            return if self.generation() > other.generation() { self } else { other }.clone();
        }
        // The same record is mostly the same allocation; comparing content then would be for nothing.
        let record = if Arc::ptr_eq(&self.record, &other.record) || self.record >= other.record {
            &self.record
        } else {
            &other.record
        };
        let (incarnation, state) =
            (self.incarnation, self.state).max((other.incarnation, other.state));
        Self { record: record.clone(), incarnation, state }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.incarnation.0 > NUMBER_MAX {
            return Err(Error::Record { why: "its incarnation is beyond the limit" });
        }
        self.record.check()
    }
}
