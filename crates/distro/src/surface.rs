//! The three verbs' two enums.

use crate::{Malformed, Message, Record};
use base::{HybridTime, Instant, NodeId};

/// What comes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<K, V> {
    /// The record's client asked this node for this state. Whoever owned the record before, this node does now.
    Write {
        /// Which record.
        key: K,
        /// Its new state.
        value: V,
    },
    /// As `Write`, and with a new incarnation even if this node owns the record: where several records mean the same
    /// thing and the greatest incarnation is shown, it is this one from now on.
    Claim {
        /// Which record.
        key: K,
        /// Its new state.
        value: V,
    },
    /// The owner judges the record anew by itself (it fell silent, say): nobody was heard. Ignored unless this node owns
    /// the record.
    Amend {
        /// Which record.
        key: K,
        /// Its new state.
        value: V,
    },
    /// The record's client took it back, or is known to be gone. Of an unknown record: nothing happens.
    Delete {
        /// Which record.
        key: K,
    },
    /// As `Claim`, for a client that asked another node, which asked this one at `at` by its own hybrid clock. That node
    /// may have given up waiting and have written the record itself since, so the new incarnation is of that time: if this
    /// node knows of something later, or was started since, nothing happens.
    WriteAsked {
        /// Which record.
        key: K,
        /// Its new state.
        value: V,
        /// When the other node asked.
        at: HybridTime,
    },
    /// As `Delete`, asked as in `WriteAsked`.
    DeleteAsked {
        /// Which record.
        key: K,
        /// When the other node asked.
        at: HybridTime,
    },
    /// Its owner stops and hands it over: this node owns it from now on, in the state it is in. Of an unknown record: nothing
    /// happens.
    TakeOver {
        /// Which record.
        key: K,
        /// When its client was heard last, as the former owner says; this node was not the one to hear it.
        heard: Instant,
    },
    /// All peers are to know this record, whoever owns it, before they hear what this node does next: they may not have heard
    /// of it from its owner.
    Spread {
        /// Which record.
        key: K,
    },
    /// A state that came with the answer of a peer, and not in a delta.
    Learned {
        /// Which peer.
        from: NodeId,
        /// The state.
        record: Record<K, V>,
    },
    /// Compare all that is known with this peer now, record by record, whatever the digests say.
    Repair {
        /// Which; without a link nothing happens.
        peer: NodeId,
    },
    /// The record's client was heard by this node. An orphan stays listed; a hidden one is listed again.
    Heard {
        /// Which record.
        key: K,
    },
    /// A peer said this.
    Received {
        /// Which peer.
        from: NodeId,
        /// What it said.
        message: Message<K, V>,
    },
    /// There is a link to this node now; a new one, if there was one before. It carries messages in order until it breaks.
    PeerUp {
        /// Which node.
        peer: NodeId,
    },
    /// The link is broken; what was on its way may be lost.
    PeerDown {
        /// Which node.
        peer: NodeId,
    },
    /// A state that this node listed before it stopped. It becomes an orphan, whoever owned it.
    Restore(Record<K, V>),
    /// This owner is heard no more: what it owns are orphans from now on.
    OwnerGone {
        /// Who.
        owner: NodeId,
        /// When anyone last heard it.
        heard: Instant,
    },
    /// The owner is heard. It answers for what it has issued since it was started, and for nothing older.
    OwnerAlive {
        /// Who.
        owner: NodeId,
        /// When it was started, by its hybrid clock.
        life: HybridTime,
    },
    /// The deadline has come.
    Wake,
}

/// What goes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<K, V> {
    /// The record is not what it was; read it with `Distro::get`.
    Changed {
        /// Which record.
        key: K,
        /// In what way.
        change: Change,
    },
    /// Say this to a peer, after all that was said to it before.
    Send {
        /// Which peer.
        to: NodeId,
        /// What.
        message: Message<K, V>,
    },
    /// A message that no node of ours sends. It changed nothing.
    Malformed {
        /// Who sent it.
        from: NodeId,
        /// What is wrong with it.
        why: Malformed,
    },
}

/// In what way a record changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has a new state, or a new owner.
    Written,
    /// It was deleted, by its owner or by a greater incarnation.
    Deleted,
    /// Its owner is gone; it stays listed for the time being.
    Orphaned,
    /// An orphan's owner is back.
    Reclaimed,
    /// It was an orphan for too long.
    Hidden,
    /// It was hidden for too long and is forgotten.
    Dropped,
}
