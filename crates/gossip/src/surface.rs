//! The three verbs' two enums.

use crate::{Address, Description, Error, Generation, Incarnation, Member, Message, State};
use alloc::vec::Vec;
use base::NodeId;

/// How many outputs wait to be polled. Beyond it messages are dropped, as the network may drop them, and so is news for
/// the host, which then gets one [`Event::Overflowed`] and reads [`crate::Gossip::members`] anew.
pub const OUTPUTS_LEN_MAX: usize = 16_384;
/// The most seeds.
pub const SEEDS_LEN_MAX: usize = 64;

/// What comes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The deadline has come.
    Wake,
    /// A message came. What fails [`Message::decode`] does not get here; the host counts it.
    Received {
        /// Where an answer reaches the sender, by what the transport knows.
        from: Address,
        /// What it says.
        message: Message,
    },
    /// Look for others at these addresses, now and whenever nobody else is there; they replace the former seeds. Ends a
    /// `Leave`.
    Join {
        /// At most [`SEEDS_LEN_MAX`]; more are an [`Event::Refused`].
        seeds: Vec<Address>,
    },
    /// Say goodbye. [`Event::LeaveDone`] follows within [`crate::Settings::leave_time`].
    Leave,
    /// This node's description is another now.
    SetLocal(Description),
}

/// What goes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message; it may be lost.
    Send {
        /// To whom; `None` is whoever answers at the address of a seed.
        to: Option<NodeId>,
        /// Where.
        address: Address,
        /// What.
        message: Message,
        /// How.
        lane: Lane,
        /// It has at least [`crate::Settings::compress_bytes_min`] bytes: compressing it may pay. Compression is the
        /// transport's: after `encode`, before encryption.
        large: bool,
    },
    /// The view has changed.
    Changed {
        /// The member as it is now, or was before it was forgotten.
        member: Member,
        /// In what way.
        change: Change,
    },
    /// Something that an operator or the plane above may want to know.
    Event(Event),
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Never behind anything else: it is at most [`crate::Settings::datagram_bytes_max`] long, and its delay looks like
    /// death. May be a datagram.
    Urgent,
    /// Beside other bulk; it may be long.
    Bulk,
}

/// In what way a member changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new here.
    Added,
    /// It was in this state before. Its record may have changed as well.
    State(State),
    /// It gave another description of itself, or lives anew: then its generation is another.
    Record,
    /// It was down or left for so long that it is listed no more.
    Forgotten,
}

/// What else happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// No other present member is left. The seeds are tried.
    Isolated,
    /// There are others again, or for the first time.
    Joined,
    /// This node was said to be suspect or down, and says that it is not.
    Refuted {
        /// Who told.
        told_by: NodeId,
        /// The incarnation that refutes it.
        incarnation: Incarnation,
    },
    /// Another living node has this node's id: its data directory is probably a copy. One of both must be stopped and get
    /// an id of its own. Said at most once per minute while it lasts.
    Twin {
        /// The life of the other.
        generation: Generation,
        /// Where it says it is, if that is known.
        address: Option<Address>,
    },
    /// A message, a description or seeds were refused. Nothing changed.
    Refused {
        /// Where it came from; `None` for the host itself.
        from: Option<Address>,
        /// Why.
        error: Error,
    },
    /// The others know that this node leaves, or it took too long. Nothing more comes.
    LeaveDone,
    /// The host did not poll; news was dropped.
    Overflowed,
}

/// What has happened since the start, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Direct probes.
    pub probes: u64,
    /// Probes without any ack.
    pub probes_failed: u64,
    /// Others asked to probe.
    pub indirect_probes: u64,
    /// Probes and indirect probes meant for another node at this address.
    pub misdirected: u64,
    /// Members that this node itself began to suspect.
    pub suspected: u64,
    /// Members that this node itself declared down.
    pub declared_down: u64,
    /// Times that this node had to say that it lives.
    pub refuted: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// Digests of others that were equal to this node's.
    pub exchanges_equal: u64,
    /// Attempts to reach seeds.
    pub joins: u64,
    /// Messages, descriptions and seeds refused.
    pub refused: u64,
    /// Messages of this node itself that came back.
    pub loopbacks: u64,
    /// Indirect probes not taken on: too many were under way.
    pub relays_refused: u64,
    /// Members not taken in: the list is full.
    pub members_refused: u64,
    /// Times that the host woke the node so late that it took itself for paused.
    pub pauses: u64,
    /// Outputs dropped because the host did not poll.
    pub outputs_dropped: u64,
}
