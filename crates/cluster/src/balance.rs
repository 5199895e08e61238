//! How clients are spread over the nodes, and who should give some of them to whom.

use base::NodeId;
use serde::{Deserialize, Serialize};

/// How much more than its share a node may serve, in thousandths of the share, unless somebody says another number.
pub const TOLERANCE: u32 = 100;

/// The clients of one node, counted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// Which node.
    pub node: NodeId,
    /// Connections of all kinds.
    pub connections: u32,
    /// Those with a stream: only these can be asked to go.
    pub streams: u32,
    /// It serves, and is not about to stop.
    pub serves: bool,
    /// How busy its machine is, where that is known.
    pub busy: Option<Busy>,
}

/// How busy a machine is, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    /// Of one task that runs or waits to run, on average over the last minute.
    pub load: u32,
    /// Of the time of all processors, lately.
    pub cpu: u32,
}

/// Some clients are to go from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// From here: its newest clients.
    pub from: NodeId,
    /// To here.
    pub to: NodeId,
    /// How many; never 0.
    pub clients: u32,
}

/// Who should give how many clients to whom. A node gives when it has more than its share and `tolerance` thousandths of
/// that, and then what it has over its share; those that have the fewest get most. Who does not serve is left alone: its
/// clients go by themselves, and nobody should be sent there.
#[must_use]
pub fn even_out(crowds: &[Crowd], tolerance: u32) -> Vec<Shift> {
    let serving: Vec<&Crowd> = crowds.iter().filter(|crowd| crowd.serves).collect();
    let total: u64 = serving.iter().map(|crowd| u64::from(crowd.streams)).sum();
    let nodes = serving.len() as u64;
    // Rounded up: clients cannot be cut, and the room of all others is then at least what is given away.
    let Some(share) = (total + nodes.saturating_sub(1)).checked_div(nodes) else {
        return Vec::new();
    };
    let is_over = |crowd: &&&Crowd| {
        let has = u64::from(crowd.streams);
        has > share && has * nodes * 1000 > total * (1000 + u64::from(tolerance))
    };
    let mut rooms: Vec<(u64, NodeId)> = serving
        .iter()
        .map(|crowd| (share.saturating_sub(crowd.streams.into()), crowd.node))
        .collect();
    let mut shifts = Vec::new();
    for giver in serving.iter().filter(is_over) {
        let mut surplus = u64::from(giver.streams) - share;
        while surplus > 0 {
            let (room, to) = rooms
                .iter_mut()
                .max_by_key(|(room, node)| (*room, std::cmp::Reverse(*node)))
                .expect("the giver is one of them");
            let clients = surplus.min(*room);
            assert!(clients > 0, "the share is rounded up, so there is room for every surplus");
            (*room, surplus) = (*room - clients, surplus - clients);
            let clients = u32::try_from(clients).expect("a part of what one node has");
            shifts.push(Shift { from: giver.node, to: *to, clients });
        }
    }
    shifts
}
