//! What nodes say to each other on behalf of this plane.

use crate::{Address, Error, Formation};
use base::{HybridTime, LogIndex, NodeId};
use serde::{Deserialize, Serialize};

/// Version of the encoding; the first byte.
const VERSION: u8 = 1;
/// The longest message in bytes: one of gossip, and who says it.
pub const MESSAGE_BYTES_MAX: usize = gossip::MESSAGE_BYTES_MAX + 256;

/// How soon a message has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageLane {
    /// Its delay looks like death.
    Urgent,
    /// It may be long.
    Bulk,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Which life of the sender says it.
    pub life: HybridTime,
    /// Where the sender is reached.
    pub address: Address,
    /// What it says.
    pub body: Body,
}

/// What a node says.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Gossip's.
    Gossip(gossip::Message),
    /// From a node that is in no cluster yet.
    Forming(Forming),
    /// Let me take part, or vote. Said again and again until it is so.
    Join {
        /// What the asker has applied.
        applied: LogIndex,
    },
    /// Hand over to this node, if you lead.
    TransferLeader(NodeId),
    /// You were removed for good.
    Removed,
    /// There are two nodes of your id; this life is the copy.
    Twin {
        /// The later of the two.
        copy: HybridTime,
    },
}

/// How a node that is in no cluster stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forming {
    /// What is on its disk.
    pub formation: Formation,
    /// Whom it would found a cluster with, by id; empty when it does not know yet.
    pub proposes: Vec<NodeId>,
}

#[derive(Serialize, Deserialize)]
enum Wire {
    Gossip(Vec<u8>),
    Forming(Forming),
    Join { applied: LogIndex },
    TransferLeader(NodeId),
    Removed,
    Twin { copy: HybridTime },
}

impl Message {
    /// As it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let body = match &self.body {
            Body::Gossip(message) => Wire::Gossip(message.encode()),
            Body::Forming(forming) => Wire::Forming(forming.clone()),
            Body::Join { applied } => Wire::Join { applied: *applied },
            Body::TransferLeader(to) => Wire::TransferLeader(*to),
            Body::Removed => Wire::Removed,
            Body::Twin { copy } => Wire::Twin { copy: *copy },
        };
        postcard::to_extend(&(self.life, &self.address, body), vec![VERSION])
            .expect("a message is plain data and memory does not refuse it")
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let what = "a message of the cluster plane";
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Error::malformed(what, "it is too long"));
        }
        let (life, address, body): (HybridTime, Address, Wire) = match bytes.split_first() {
            Some((&VERSION, rest)) => {
                postcard::from_bytes(rest).map_err(|why| Error::malformed(what, why))?
            }
            Some((&found, _)) => return Err(Error::Version { what, found, known: VERSION }),
            None => return Err(Error::malformed(what, "it is empty")),
        };
        let body = match body {
            Wire::Gossip(bytes) => Body::Gossip(
                gossip::Message::decode(&bytes).map_err(|why| Error::malformed(what, why))?,
            ),
            Wire::Forming(forming) => match forming.formation.fault() {
                Some(why) => return Err(Error::malformed(what, why)),
                None => Body::Forming(forming),
            },
            Wire::Join { applied } => Body::Join { applied },
            Wire::TransferLeader(to) => Body::TransferLeader(to),
            Wire::Removed => Body::Removed,
            Wire::Twin { copy } => Body::Twin { copy },
        };
        Ok(Self { life, address, body })
    }

    /// How soon it has to leave, as far as can be told from itself: long gossip may wait.
    #[must_use]
    pub fn lane(&self) -> MessageLane {
        match &self.body {
            Body::Gossip(message) => match message.body {
                gossip::Body::Probe { .. }
                | gossip::Body::Ack { .. }
                | gossip::Body::IndirectProbe { .. }
                | gossip::Body::Nack { .. }
                | gossip::Body::Gossip => MessageLane::Urgent,
                gossip::Body::Digest(_) | gossip::Body::Summary(_) | gossip::Body::Delta(_) => {
                    MessageLane::Bulk
                }
            },
            Body::Forming(_)
            | Body::Join { .. }
            | Body::TransferLeader(_)
            | Body::Removed
            | Body::Twin { .. } => MessageLane::Urgent,
        }
    }
}
