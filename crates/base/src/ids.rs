//! Newtypes for every number that could be mistaken for another.

use crate::HybridTime;
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl $name {
            /// The number that follows.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number!(
    /// One running process of ours, for as long as its data directory lives. Never derived from an address.
    NodeId, "n"
);
number!(
    /// A period of leadership in the Raft log (Raft thesis §3.3).
    Term, "t"
);
number!(
    /// Position of an entry in the Raft log. The first entry is 1; 0 means "before the log".
    LogIndex, ""
);
number!(
    /// The log index at which a replicated value last changed. Grows; compare with `<`.
    Revision, "r"
);
number!(
    /// Names one proposal of this node until its outcome is known.
    ProposalId, "p"
);
number!(
    /// Names one question of a session until it is answered. Unique within its connection.
    RequestId, "q"
);

impl From<LogIndex> for Revision {
    fn from(index: LogIndex) -> Self {
        Self(index.0)
    }
}

/// One transport connection, never reused: not by this node, not after a restart, not by another node.
///
/// It is also the Distro id of a gRPC client, so two nodes that never met cannot give out the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId {
    /// The node that accepted the connection.
    pub node: NodeId,
    /// The hybrid clock of that node when it booted; tells its lives apart.
    pub boot: HybridTime,
    /// Counts the connections of that life.
    pub counter: u64,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:x}-{}", self.node.0, self.boot.0, self.counter)
    }
}

impl FromStr for ConnectionId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(());
        let node = NodeId(part()?.parse().map_err(|_| ())?);
        let boot = HybridTime(u64::from_str_radix(part()?, 16).map_err(|_| ())?);
        let counter = part()?.parse().map_err(|_| ())?;
        Ok(Self { node, boot, counter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_connection_id_reads_back_from_its_text() {
        let id = ConnectionId { node: NodeId(7), boot: HybridTime(0xabc0), counter: 12 };
        assert_eq!(id.to_string(), "7-abc0-12");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("7-abc0".parse::<ConnectionId>(), Err(()));
    }
}
