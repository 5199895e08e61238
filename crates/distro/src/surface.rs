//! The three verbs' two enums.

use crate::Record;
use base::{Instant, NodeId};

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
    /// The record's client was heard by this node. An orphan stays listed; a hidden one is listed again.
    Heard {
        /// Which record.
        key: K,
    },
    /// A state that another node sent. If it is lost, the next exchange of digests brings it again; repeated or late
    /// it changes nothing.
    Merge(Record<K, V>),
    /// A state that this node listed before it stopped. It becomes an orphan, whoever owned it.
    Restore(Record<K, V>),
    /// This owner is heard no more: what it owns are orphans from now on.
    OwnerGone {
        /// Who.
        owner: NodeId,
        /// When anyone last heard it.
        heard: Instant,
    },
    /// The owner is heard again: its orphans have somebody who answers for them.
    OwnerBack {
        /// Who.
        owner: NodeId,
    },
    /// The deadline has come.
    Wake,
}

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<K> {
    /// The record is not what it was; read it with `Distro::get`.
    Changed {
        /// Which record.
        key: K,
        /// In what way.
        change: Change,
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
