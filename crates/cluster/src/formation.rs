//! From nodes that belong nowhere to exactly one cluster.

use crate::Address;
use base::{NodeId, Rng};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use std::{fmt, hash::Hasher};

/// Tells clusters apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId(pub u64);

impl ClusterId {
    /// The cluster that these nodes found: the same on all of them.
    #[must_use]
    pub fn of_founders(founders: &[Founder]) -> Self {
        let mut hasher = SipHasher13::new_with_keys(0, 0);
        for founder in founders {
            hasher.write(&founder.node.0.to_le_bytes());
        }
        Self(hasher.finish())
    }

    /// One that no other cluster has.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        Self(rng.next_u64())
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One of those that found a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Founder {
    /// Which node.
    pub node: NodeId,
    /// Where others reach it, if it told.
    pub address: Option<Address>,
}

/// How far a node has come into a cluster. On disk before anybody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Formation {
    /// It belongs nowhere.
    Fresh,
    /// It has promised itself to these founders, for good: it founds no other cluster under its id.
    Adopted {
        /// What their cluster will be.
        cluster: ClusterId,
        /// All of them, by id.
        founders: Vec<Founder>,
    },
    /// All founders have promised themselves: the cluster exists.
    Formed {
        /// Which.
        cluster: ClusterId,
        /// The first voters, by id.
        founders: Vec<Founder>,
    },
    /// It came to a cluster that exists.
    Joining {
        /// Which.
        cluster: ClusterId,
    },
}

impl Formation {
    /// What is wrong with one that was read, if anything: the first voters of a log are made from it.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let founders = match self {
            Self::Fresh | Self::Joining { .. } => return None,
            Self::Adopted { founders, .. } | Self::Formed { founders, .. } => founders,
        };
        if founders.is_empty() || founders[0].node.0 == 0 {
            return Some("it has no founder, or one with the reserved id 0");
        }
        (!founders.is_sorted_by(|a, b| a.node < b.node)).then_some("its founders are not in order")
    }

    /// The cluster, once there is no other for this node.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterId> {
        match self {
            Self::Fresh | Self::Adopted { .. } => None,
            Self::Formed { cluster, .. } | Self::Joining { cluster } => Some(*cluster),
        }
    }
}
