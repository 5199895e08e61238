//! Connections that other nodes dialed.

use crate::Signal;
use cluster::{Introduction, Refusal};
use node::Lane;
use std::{collections::BTreeMap, sync::Arc, task::Waker};

/// How many accepted connections there may be: two of each of 64 nodes. A server keeps as many descriptors free for them,
/// and for what it dials itself.
pub const INBOUNDS_LEN_MAX: usize = 128;

/// A connection that was accepted from another node. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboundId(pub u64);

/// Whether to go on reading from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Yes.
    Go,
    /// Not before `Host::reading` says so: too much waits here.
    Pause,
}

/// How it stands with reading from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Read on.
    Go,
    /// Wait.
    Pause,
    /// Close it.
    Closed,
}

/// Why a connection of another node was not accepted. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// This node has not read its disk yet, or it halted.
    #[error("the node is not there yet, or no more")]
    NotRunning,
    /// Whoever it is, this node has nothing to do with it.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// It has said `INBOUNDS_LEN_MAX` times that it is another node.
    #[error("there are {INBOUNDS_LEN_MAX} connections of other nodes")]
    TooMany,
}

#[derive(Debug)]
pub(crate) struct Inbound {
    pub(crate) peer: Introduction,
    lane: Lane,
    /// It sends a snapshot that this node has no room for.
    is_deaf: bool,
    pub(crate) signal: Arc<Signal>,
}

/// The connections that other nodes dialed, and that are still to be read.
#[derive(Debug, Default)]
pub(crate) struct Inbounds {
    last: u64,
    open: BTreeMap<InboundId, Inbound>,
}

impl Inbounds {
    /// Takes a connection in. It replaces the one of the same node and lane: what is left on that was lost.
    pub(crate) fn accept(
        &mut self,
        peer: &Introduction,
        lane: Lane,
    ) -> Result<(InboundId, Vec<InboundId>), NotAccepted> {
        let replaced: Vec<InboundId> = self
            .open
            .iter()
            .filter(|(_, open)| {
                open.peer.node == peer.node && (open.lane == lane || open.peer.life < peer.life)
            })
            .map(|(id, _)| *id)
            .collect();
        if self.open.len() - replaced.len() >= INBOUNDS_LEN_MAX {
            return Err(NotAccepted::TooMany);
        }
        self.last += 1;
        let id = InboundId(self.last);
        let (peer, signal) = (peer.clone(), Arc::default());
        self.open.insert(id, Inbound { peer, lane, is_deaf: false, signal });
        Ok((id, replaced))
    }

    pub(crate) fn get(&self, id: InboundId) -> Option<&Inbound> {
        self.open.get(&id)
    }

    /// Closes one; whoever reads it is told.
    pub(crate) fn close(&mut self, id: InboundId) -> bool {
        let closed = self.open.remove(&id);
        if let Some(inbound) = &closed {
            inbound.signal.raise();
        }
        closed.is_some()
    }

    /// Those of nodes that are not to be heard any more.
    pub(crate) fn unwelcome(&self, welcome: impl Fn(&Introduction) -> bool) -> Vec<InboundId> {
        let unwelcome = self.open.iter().filter(|(_, inbound)| !welcome(&inbound.peer));
        unwelcome.map(|(id, _)| *id).collect()
    }

    /// Closes all of them.
    pub(crate) fn end(&mut self) {
        std::mem::take(&mut self.open).values().for_each(|inbound| inbound.signal.raise());
    }

    pub(crate) fn is_deaf(&self, id: InboundId) -> bool {
        self.open.get(&id).is_some_and(|inbound| inbound.is_deaf)
    }

    pub(crate) fn set_deaf(&mut self, id: InboundId, is_deaf: bool) {
        if let Some(inbound) = self.open.get_mut(&id) {
            inbound.is_deaf = is_deaf;
        }
    }

    pub(crate) fn wake(&self, id: InboundId) {
        if let Some(inbound) = self.open.get(&id) {
            inbound.signal.raise();
        }
    }

    pub(crate) fn listen(&self, id: InboundId, waker: Waker) {
        match self.open.get(&id) {
            Some(inbound) => inbound.signal.listen(waker),
            // It was closed meanwhile.
            None => waker.wake(),
        }
    }

    /// There is room again.
    pub(crate) fn resume(&self) {
        self.open.values().for_each(|inbound| inbound.signal.raise());
    }
}
