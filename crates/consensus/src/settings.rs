//! How one node takes part.

use crate::Error;
use base::{Duration, NodeId};

/// Ticks of the engine between two heartbeats. Two, so that a late wake costs half an interval, not a whole one.
pub(crate) const TICKS_PER_HEARTBEAT: usize = 2;

/// How one node takes part. Every limit has its answer in the documentation of [`crate::Output`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// This node. Never 0, and never reused after its data was lost.
    pub id: NodeId,
    /// The voters of the very first start, the same list on each of them. Empty for a node that joins a cluster: it waits
    /// for the leader. Not looked at once there is anything on disk.
    pub voters: Vec<NodeId>,
    /// Another number in every life of the node: election timeouts and the names of read rounds come from it.
    pub seed: u64,
    /// A follower that hears nothing for one to two of these stands for election.
    pub election_timeout: Duration,
    /// How often a leader is heard.
    pub heartbeat_interval: Duration,
    /// How long a read waits for the leader's confirmation before it fails.
    pub read_timeout: Duration,
    /// The longest data of one proposal in bytes.
    pub entry_bytes_max: usize,
    /// How much log is kept in memory since the last compaction, in bytes. Proposals beyond it are refused.
    pub log_bytes_max: usize,
}

impl Settings {
    /// The usual settings of a node.
    #[must_use]
    pub fn new(id: NodeId, voters: Vec<NodeId>, seed: u64) -> Self {
        Self {
            id,
            voters,
            seed,
            election_timeout: Duration::from_millis(1000),
            heartbeat_interval: Duration::from_millis(100),
            read_timeout: Duration::from_millis(500),
            entry_bytes_max: 16 << 20,
            log_bytes_max: 64 << 20,
        }
    }

    pub(crate) fn tick(&self) -> Duration {
        self.heartbeat_interval / TICKS_PER_HEARTBEAT as u32
    }

    pub(crate) fn election_ticks(&self) -> usize {
        (self.election_timeout.as_nanos() / self.tick().as_nanos().max(1)) as usize
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |what| Err(Error::Settings { what });
        if self.id.0 == 0 || self.voters.iter().any(|id| id.0 == 0) {
            return wrong("node id 0 is reserved");
        }
        if self.heartbeat_interval.is_zero() || self.election_ticks() < 2 * TICKS_PER_HEARTBEAT {
            return wrong("election_timeout must be at least two heartbeat intervals");
        }
        let mut voters = self.voters.clone();
        voters.sort_unstable();
        voters.dedup();
        if voters.len() != self.voters.len() {
            return wrong("a voter is listed twice");
        }
        if !self.voters.is_empty() && !self.voters.contains(&self.id) {
            return wrong("the first voters must contain this node; a node that joins lists none");
        }
        if self.log_bytes_max < 4 * self.entry_bytes_max {
            return wrong("log_bytes_max must be at least four times entry_bytes_max");
        }
        Ok(())
    }
}
