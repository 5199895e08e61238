//! How clients are spread over the nodes.

use base::NodeId;
use cluster::{Crowd, Shift};
use serde::{Deserialize, Serialize};

/// The body of `POST /v1/cluster/rebalance`; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebalance {
    /// How much more than its share a node may serve before it is asked to give; 10 when absent.
    #[serde(default)]
    pub tolerance_percent: Option<u32>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// How clients are spread, and who is asked to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebalanced {
    /// How many clients each node serves, as it was before.
    pub nodes: Vec<Clients>,
    /// Who should give clients to whom. Empty when each has its share.
    pub moves: Vec<ClientsMove>,
    /// How many clients are being asked to go now, in batches. A client that is asked decides itself.
    pub asked: u64,
    /// Nodes that did not answer: they were left out.
    pub silent: Vec<String>,
}

/// The clients of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clients {
    /// Which node.
    pub node: String,
    /// Clients with a stream: SDKs that speak gRPC. These can be asked to go.
    pub clients: u32,
    /// Connections of all kinds.
    pub connections: u32,
    /// It serves, and is not about to stop.
    pub serves: bool,
}

/// Some clients are to go from one node to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientsMove {
    /// From here.
    pub from: String,
    /// To here.
    pub to: String,
    /// How many.
    pub clients: u32,
}

impl Rebalanced {
    pub(crate) fn of(crowds: &[Crowd], shifts: &[Shift], asked: u64, silent: &[NodeId]) -> Self {
        Self {
            nodes: crowds.iter().map(Clients::from).collect(),
            moves: shifts.iter().map(ClientsMove::from).collect(),
            asked,
            silent: silent.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&Crowd> for Clients {
    fn from(&Crowd { node, connections, streams, serves, busy: _ }: &Crowd) -> Self {
        Self { node: node.to_string(), clients: streams, connections, serves }
    }
}

impl From<&Shift> for ClientsMove {
    fn from(&Shift { from, to, clients }: &Shift) -> Self {
        Self { from: from.to_string(), to: to.to_string(), clients }
    }
}
