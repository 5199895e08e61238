//! Inputs that wait for the node, sorted so that load on one kind never starves a more urgent one.

use node::{Input, Request};
use std::collections::VecDeque;

/// How many inputs of one lane may wait, unless set otherwise; one more is answered "overloaded" without the node's lock.
pub const LANE_LEN_MAX: usize = 65_536;
/// How much of what peers said may wait for the node, in inputs and in bytes; then their connections are not read.
pub const PEERS_LEN_MAX: usize = 4_096;
/// See [`PEERS_LEN_MAX`].
pub const PEERS_BYTES_MAX: usize = 64 << 20;
/// How many inputs are stepped before what follows from them is carried out.
const BATCH_LEN: usize = 64;

/// The lanes, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// Completions, beats, timers: none may be late because of load.
    Vital,
    /// What peers say, and whether there is a link to them, in one order.
    Peers,
    /// Writes, and the ends of connections, in one order.
    Write,
    /// Waiting reads.
    Read,
    /// Journal, clients, status.
    Inspect,
}

const LANES: usize = 5;

#[derive(Debug)]
pub(crate) struct Lanes {
    len_max: usize,
    queues: [VecDeque<Input>; LANES],
    /// Of each input in the peers' lane: its bytes, and all of them together.
    peers: VecDeque<usize>,
    peers_bytes: usize,
}

impl Lanes {
    pub(crate) fn new(len_max: usize) -> Self {
        Self { len_max, queues: Default::default(), peers: VecDeque::new(), peers_bytes: 0 }
    }

    /// Puts an input into its lane.
    ///
    /// # Errors
    /// Gives a request back when its lane is full. Other inputs are always taken: their number is bounded by the
    /// connections and by the jobs in flight.
    pub(crate) fn push(&mut self, input: Input) -> Result<(), Box<Input>> {
        let lane = lane(&input);
        let queue = &mut self.queues[lane as usize];
        if queue.len() >= self.len_max && matches!(input, Input::Request { .. }) {
            return Err(Box::new(input));
        }
        queue.push_back(input);
        if lane == Lane::Peers {
            self.peers.push_back(0);
        }
        Ok(())
    }

    /// Puts in what a peer said, in so many bytes. It is always taken: whoever reads from peers looks at `peers_crowded`
    /// after each.
    pub(crate) fn push_peer(&mut self, input: Input, bytes: usize) {
        self.queues[Lane::Peers as usize].push_back(input);
        self.peers.push_back(bytes);
        self.peers_bytes += bytes;
    }

    /// Whether no more is to be read from peers for now.
    pub(crate) fn peers_crowded(&self) -> bool {
        self.peers.len() >= PEERS_LEN_MAX || self.peers_bytes >= PEERS_BYTES_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// Forgets everything: the node halted.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.len_max);
    }

    /// The next batch, most urgent first.
    pub(crate) fn batch(&mut self) -> Vec<Input> {
        let mut batch = Vec::new();
        for queue in &mut self.queues {
            let room = BATCH_LEN - batch.len();
            batch.extend(queue.drain(..queue.len().min(room)));
        }
        while self.peers.len() > self.queues[Lane::Peers as usize].len() {
            self.peers_bytes -= self.peers.pop_front().expect("just counted");
        }
        batch
    }
}

fn lane(input: &Input) -> Lane {
    match input {
        Input::Heard(_)
        | Input::Acknowledged { .. }
        | Input::Restore(_)
        | Input::Hint(_)
        | Input::Restored
        | Input::Checked { .. }
        | Input::Persisted(_)
        | Input::Checkpointed(_)
        | Input::Loaded { .. }
        | Input::Secrets(_)
        | Input::DiskFull(_)
        | Input::IdentityKept
        | Input::Wake => Lane::Vital,
        Input::PeerUp { .. }
        | Input::PeerDown(_)
        | Input::Peer { .. }
        | Input::PeerRefused { .. }
        | Input::Welcome(_)
        | Input::SnapshotOpened { .. }
        | Input::SnapshotSent { .. } => Lane::Peers,
        // The end of a connection must not overtake what was asked on it.
        Input::Opened(_) | Input::Moving(_) | Input::Closed { .. } | Input::Leave => Lane::Write,
        Input::Clients { .. } => Lane::Inspect,
        Input::Request { request, .. } => match request {
            // Load must not make a holder lose its lock.
            Request::Naming(naming::Request::Beat { .. })
            | Request::Lock(lock::Request::Renew { .. }) => Lane::Vital,
            Request::Naming(_)
            | Request::Config(_)
            | Request::Access(_)
            | Request::Lock(_)
            | Request::Cluster(_) => Lane::Write,
            Request::Fresh(_) => Lane::Read,
            Request::Explain { .. } | Request::Crowds | Request::Shift(_) | Request::Status => {
                Lane::Inspect
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{ConnectionId, HybridTime, NodeId, RequestId};

    #[test]
    fn urgent_inputs_come_first_and_a_full_lane_gives_back() {
        let from = ConnectionId { node: NodeId(1), boot: HybridTime(1), counter: 1 };
        let ask = || Input::Request { from, id: RequestId(1), request: Request::Status };
        let mut lanes = Lanes::new(LANE_LEN_MAX);
        for _ in 0..LANE_LEN_MAX {
            lanes.push(ask()).expect("below the limit");
        }
        assert!(lanes.push(ask()).is_err());
        lanes.push(Input::Wake).expect("no limit");
        assert_eq!(lanes.batch()[0], Input::Wake);
        assert!(!lanes.is_empty());
    }

    #[test]
    fn what_peers_say_is_always_taken_and_crowded_by_number_or_by_bytes() {
        let mut lanes = Lanes::new(LANE_LEN_MAX);
        let gone = || Input::PeerDown(NodeId(2));
        lanes.push_peer(gone(), PEERS_BYTES_MAX - 1);
        assert!(!lanes.peers_crowded());
        lanes.push_peer(gone(), 1);
        assert!(lanes.peers_crowded());
        assert_eq!(lanes.batch().len(), 2);
        assert!(!lanes.peers_crowded());
        for _ in 0..PEERS_LEN_MAX {
            assert!(!lanes.peers_crowded());
            lanes.push(gone()).expect("no limit");
        }
        assert!(lanes.peers_crowded());
        while !lanes.batch().is_empty() {}
        assert_eq!((lanes.peers.len(), lanes.peers_bytes), (0, 0));
    }
}
