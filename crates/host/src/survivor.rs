//! The disk of a node that lost the majority of its cluster for good, made a cluster of its own while nothing runs on it.
//!
//! Everything is in one transaction of the log: who this node is (another cluster, founded by it alone), who votes (it
//! alone), that all of its log counts as agreed on, and that the others are removed for good. A crash leaves the old state or
//! the new one. Former members that come back are refused by the id of the cluster, and told that they were removed.
//!
//! `node::consensus::alone` argues why the tail of the log is kept. What it cannot do is to bring back what only the lost
//! nodes had; an operator is told so before.

use base::{NodeId, Rng};
use cluster::{ClusterId, Identity};
use node::consensus::{self, LogStanding};
use storage::{Disk, Place};

/// The disk of a node that does not run, and that belongs to a cluster of several. It stays locked meanwhile.
#[derive(Debug)]
pub struct Survivor {
    disk: Disk,
    identity: Identity,
    recovered: consensus::Recovered,
    cluster: ClusterId,
    standing: LogStanding,
}

/// Why a disk is not one that could be recovered. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotLeft {
    /// There is no node.
    #[error("no node has kept anything there")]
    NoNode,
    /// It was never in a cluster, or has nothing of its log.
    #[error("this node was in no cluster yet: there is nothing to recover")]
    NeverFormed,
    /// It needs no others.
    #[error("this node is the only voter of its cluster: it needs no other one to serve")]
    SoleVoter,
    /// Its own log does not count it among the members.
    #[error("this node was no member of its cluster any more when it stopped")]
    NoMember,
    /// The disk.
    #[error(transparent)]
    Disk(#[from] storage::Error),
    /// The identity record.
    #[error(transparent)]
    Identity(#[from] cluster::Error),
    /// The log.
    #[error(transparent)]
    Log(#[from] consensus::Error),
}

impl Survivor {
    /// Opens the disk of a node that does not run.
    ///
    /// # Errors
    /// Why it is not to be recovered.
    pub fn open(place: Place) -> Result<Self, NotLeft> {
        // Opening makes what is not there.
        if !place.is_used() {
            return Err(NotLeft::NoNode);
        }
        let (disk, recovered) = Disk::open(place)?;
        let identity = recovered.identity.as_deref().ok_or(NotLeft::NeverFormed)?;
        let identity = Identity::decode(identity)?;
        let recovered = crate::start::for_engine(&recovered);
        let standing = consensus::standing(recovered.clone())?.ok_or(NotLeft::NeverFormed)?;
        let cluster = identity.formation.cluster().ok_or(NotLeft::NeverFormed)?;
        if !standing.named.contains(&identity.node) {
            return Err(NotLeft::NoMember);
        }
        if standing.sole_voter == Some(identity.node) {
            return Err(NotLeft::SoleVoter);
        }
        Ok(Self { disk, identity, recovered, cluster, standing })
    }

    /// Which node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.identity.node
    }

    /// The cluster that it is in as yet.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// What its log says.
    #[must_use]
    pub fn standing(&self) -> &LogStanding {
        &self.standing
    }

    /// All others that its log names: they never come back.
    #[must_use]
    pub fn forgotten(&self) -> Vec<NodeId> {
        self.standing.named.iter().copied().filter(|node| *node != self.node()).collect()
    }

    /// Whether it came later, and has no vote as of its last entry.
    #[must_use]
    pub fn has_no_vote(&self) -> bool {
        !self.standing.voters.contains(&self.node())
    }

    /// Makes it the sole voter of a new cluster, durably and all at once; which cluster.
    ///
    /// # Errors
    /// When the disk does not take it: then nothing has changed, or, after a failed fsync, nobody knows. It can be run again.
    pub fn go_alone(mut self, rng: &mut Rng) -> Result<ClusterId, NotLeft> {
        let cluster = ClusterId::random(rng);
        let (me, forgotten) = (self.node(), self.forgotten());
        let write = consensus::alone(me, self.recovered, node::removals(me, &forgotten))?;
        let identity = self.identity.alone_in(cluster);
        self.disk.append_as(&identity.encode(), &crate::disk::to_storage(write))?;
        Ok(cluster)
    }
}

#[cfg(test)]
mod tests;
