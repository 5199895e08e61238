//! What one entry of the Raft log says: a command of one of the replicated planes, and who asked for it.

use base::{HybridTime, NodeId, ProposalId};
use serde::{Deserialize, Serialize};

/// Version of the encoding; the first byte of every entry.
const VERSION: u8 = 2;

/// A command of a replicated plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// For the config center.
    Config(config::Command),
    /// For access.
    Access(access::Command),
    /// For the registry: what all nodes agree on.
    Naming(naming::Command),
    /// For the cluster.
    Cluster(cluster::Command),
    /// For locks.
    Lock(lock::Command),
}

/// By what a node knows its own entries, whichever node brought them into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Who asked for it.
    pub(crate) node: NodeId,
    /// In which of its lives: proposals are counted anew in each.
    pub(crate) life: HybridTime,
    /// What it called it.
    pub(crate) proposal: ProposalId,
}

/// Entries for the log that take nodes out of the cluster for good, from a node that does not run. Its life is none of
/// those that it has: nobody waits for what comes of them.
#[must_use]
pub fn removals(me: NodeId, nodes: &[NodeId]) -> Vec<Vec<u8>> {
    let origin = Origin { node: me, life: HybridTime(0), proposal: ProposalId(0) };
    let removal = |node: &NodeId| {
        Entry { origin, command: Command::Cluster(cluster::Command::Remove(*node)) }.encode()
    };
    nodes.iter().map(removal).collect()
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) origin: Origin,
    pub(crate) command: Command,
}

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION])
            .expect("a command is plain data and memory does not refuse it")
    }

    /// # Errors
    /// What is wrong with the bytes. They were checked by a checksum before, so they are of another version.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|error| format!("log entry: {error}"))
            }
            Some((version, _)) => Err(format!(
                "log entry of version {version}, this build reads {VERSION}: start the build that wrote it"
            )),
            None => Err("log entry without a version".to_owned()),
        }
    }
}
