//! What orders the states of one record.

use base::{HybridTime, NodeId};
use core::fmt;
use serde::{Deserialize, Serialize};

/// A period during which one node originates the states of a record. Begins when a client appears, or when another
/// node takes the record over.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Incarnation {
    /// When it began, by the hybrid clock of `node`. First, so that the later one is greater.
    pub at: HybridTime,
    /// Who issued it; makes the incarnations of two nodes different even if they began at the same time.
    pub node: NodeId,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.at, self.node)
    }
}

/// Orders all states that a record ever had, on all nodes. Two states with the same version are the same state.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Version {
    /// Who originated it, and since when.
    pub incarnation: Incarnation,
    /// Counts the states of that incarnation. The first is 1.
    pub seq: u64,
}

impl Version {
    /// The version of the next state that the same owner originates.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { incarnation: self.incarnation, seq: self.seq + 1 }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.incarnation, self.seq)
    }
}
