//! How a node is.

use super::Cluster;
use crate::NodeState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Which node.
    pub node: String,
    /// `starting`, `ready` or `draining`.
    pub state: String,
    /// Of the program.
    pub version: String,
    /// Since it started.
    pub uptime_s: u64,
    /// How it stands in the Raft group.
    pub raft: Raft,
    /// Who it is with.
    pub cluster: Cluster,
    /// What it holds.
    pub counts: Counts,
    /// Where it listens: door to address.
    pub listen: BTreeMap<String, String>,
    /// Its disk.
    pub disk: Disk,
    /// Whether clients need a login.
    pub auth: bool,
}

/// How a node stands in the Raft group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raft {
    /// Current term.
    pub term: u64,
    /// The leader it knows.
    pub leader: Option<String>,
    /// Through which entry the log is committed.
    pub commit_index: u64,
    /// Through which entry its state is.
    pub applied_index: u64,
    /// Who votes.
    pub voters: Vec<String>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Services.
    pub services: usize,
    /// Instances.
    pub instances: usize,
    /// Subscriptions of its connections.
    pub subscriptions: usize,
    /// Configs.
    pub configs: usize,
    /// Client connections.
    pub connections: usize,
}

/// A node's disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Whether anything is kept on disk.
    pub kept: bool,
    /// Writes are refused because there is too little room.
    pub low: bool,
}

/// The state of a node in one word.
pub(crate) fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Ready => "ready",
        NodeState::Draining => "draining",
    }
}

impl Status {
    pub(crate) fn of(status: &crate::Status, cluster: Option<&cluster::View>) -> Self {
        Self {
            node: status.node.to_string(),
            state: state_word(status.state).to_owned(),
            version: status.version.to_owned(),
            uptime_s: status.uptime.as_secs(),
            raft: Raft {
                term: status.term.0,
                leader: status.leader.map(|node| node.to_string()),
                commit_index: status.commit.0,
                applied_index: status.applied.0,
                voters: status.voters.iter().map(ToString::to_string).collect(),
            },
            cluster: Cluster::of(cluster).with_lags(status),
            counts: Counts {
                services: status.counts.services,
                instances: status.counts.instances,
                subscriptions: status.counts.subscriptions,
                configs: status.configs,
                connections: status.connections,
            },
            listen: status
                .doors
                .iter()
                .map(|door| (door.name.to_owned(), door.address.to_string()))
                .collect(),
            disk: Disk { kept: status.disk_kept, low: status.disk_low },
            auth: status.auth,
        }
    }
}
