//! What a simulator sees of a node without asking it: nothing changes by looking.

use crate::{Host, sessions::lock};
use base::{LogIndex, NodeId, Term};
use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

/// How a node stands at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Which node.
    pub node: NodeId,
    /// Whether it serves.
    pub ready: bool,
    /// Current term.
    pub term: Term,
    /// The leader it knows.
    pub leader: Option<NodeId>,
    /// Through which entry its state is.
    pub applied: LogIndex,
    /// Who votes, as far as it knows.
    pub voters: Vec<NodeId>,
    /// With whom there is a link.
    pub peers: Vec<NodeId>,
    /// Whether the state tables are all there: else `applied` says more than the views show.
    pub whole: bool,
    /// The cluster as it sees it.
    pub cluster: Option<Arc<cluster::View>>,
}

impl Host {
    /// How the node stands. For one thread: it must not be stepped meanwhile.
    #[must_use]
    pub fn probe(&self) -> Probe {
        let cell = lock(&self.node);
        let status = cell.node.status();
        Probe {
            node: status.node,
            ready: self.is_ready(),
            term: status.term,
            leader: status.leader,
            applied: status.applied,
            voters: status.voters,
            peers: status.peers,
            whole: cell.node.is_whole(),
            cluster: self.views.cluster(),
        }
    }

    /// A hash of what is agreed, as it is served: configs and access. Equal on all nodes that have applied the same.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        for entry in self.views.all_configs() {
            let (key, md5) = (&entry.key, &entry.md5);
            writeln!(hash, "{key:?} {md5} {:?} {:?}", entry.revision, entry.created)
                .expect("a sum");
        }
        let access = nacos::Views::access(&self.views);
        writeln!(hash, "{:?} {:?}", access.revision, access.namespaces).expect("a sum");
        for (name, roles) in &access.roles {
            writeln!(hash, "{name} {roles:?}").expect("a sum");
        }
        hash.0
    }
}

/// FNV-1a.
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
