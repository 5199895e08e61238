//! What must reach the disk, and what waits for it.
//!
//! One write is on its way at most; everything that comes up meanwhile gathers in the next one. That is the group
//! commit: the slower the disk, the larger the groups.

use crate::{
    Message, Output, Write, WriteId,
    wire::{HardState, LogEntry, SnapshotMeta, encode},
};
use base::{LogIndex, NodeId};
use std::collections::{BTreeMap, VecDeque};

#[derive(Debug, Default)]
struct Gathering {
    install: Option<SnapshotMeta>,
    truncate_from: Option<u64>,
    entries: BTreeMap<u64, LogEntry>,
    hard_state: Option<HardState>,
    compact: Option<SnapshotMeta>,
    /// The newest ready of the engine that is in here.
    ready: u64,
    /// Somebody waits for it. A new commit index alone is not urgent: it rides along with the next write.
    urgent: bool,
}

#[derive(Debug)]
struct InFlight {
    id: WriteId,
    ready: u64,
    hard_state: Option<HardState>,
    install: Option<SnapshotMeta>,
    has_log: bool,
}

/// What became durable.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) ready: u64,
    pub(crate) install: Option<SnapshotMeta>,
}

#[derive(Debug, Default)]
pub(crate) struct Writes {
    last: WriteId,
    in_flight: Option<InFlight>,
    next: Gathering,
    /// Messages that must not leave before the write they depend on, oldest first.
    held: VecDeque<(WriteId, NodeId, Message)>,
    durable: HardState,
}

impl Writes {
    pub(crate) fn new(durable: HardState) -> Self {
        Self { durable, ..Self::default() }
    }

    /// The newest hard state that is known to be durable.
    pub(crate) fn durable(&self) -> HardState {
        self.durable
    }

    /// Whether entries or a snapshot are not durable yet.
    pub(crate) fn has_unpersisted_log(&self) -> bool {
        self.in_flight.as_ref().is_some_and(|write| write.has_log) || self.next.has_log()
    }

    pub(crate) fn has_install(&self) -> bool {
        self.next.install.is_some()
            || self.in_flight.as_ref().is_some_and(|write| write.install.is_some())
    }

    pub(crate) fn put_hard_state(&mut self, hard_state: HardState) {
        self.next.hard_state = Some(hard_state);
    }

    pub(crate) fn put_install(&mut self, meta: SnapshotMeta) {
        self.next.install = Some(meta);
        self.next.truncate_from = None;
        self.next.entries.clear();
        self.next.compact = None;
    }

    pub(crate) fn put_entries(&mut self, truncate_from: Option<u64>, entries: Vec<LogEntry>) {
        if let Some(from) = truncate_from {
            self.next.entries.split_off(&from);
            let least = self.next.truncate_from.map_or(from, |before| before.min(from));
            self.next.truncate_from = Some(least);
        }
        self.next.entries.extend(entries.into_iter().map(|entry| (entry.index, entry)));
    }

    pub(crate) fn put_compact(&mut self, meta: SnapshotMeta) {
        self.next.compact = Some(meta);
    }

    /// Marks what gathers as urgent, if there is anything.
    pub(crate) fn flush(&mut self) {
        self.next.urgent = !self.next.is_empty();
    }

    /// A ready of the engine went in. True if nothing of it, and nothing before it, waits for the disk.
    pub(crate) fn note_ready(&mut self, number: u64, urgent: bool) -> bool {
        self.next.urgent |= urgent;
        if self.next.urgent {
            self.next.ready = number;
            return false;
        }
        match &mut self.in_flight {
            Some(write) => {
                write.ready = number;
                false
            }
            None => true,
        }
    }

    /// Keeps a message back until all that is urgent now is durable; gives it back if that is already so.
    pub(crate) fn hold(&mut self, to: NodeId, message: Message) -> Option<Message> {
        let waits_for = match (&self.in_flight, self.next.urgent) {
            (_, true) => WriteId(self.last.0 + 1),
            (Some(write), false) => write.id,
            (None, false) => return Some(message),
        };
        self.held.push_back((waits_for, to, message));
        None
    }

    /// The write that the next checkpoint or message has to wait for, if any.
    pub(crate) fn newest_urgent(&self) -> Option<WriteId> {
        match (&self.in_flight, self.next.urgent) {
            (_, true) => Some(WriteId(self.last.0 + 1)),
            (Some(write), false) => Some(write.id),
            (None, false) => None,
        }
    }

    /// The next write, if it is urgent and the disk is free.
    pub(crate) fn start(&mut self) -> Option<Output> {
        if self.in_flight.is_some() || !self.next.urgent {
            return None;
        }
        let next = std::mem::take(&mut self.next);
        self.last.0 += 1;
        self.in_flight = Some(InFlight {
            id: self.last,
            ready: next.ready,
            hard_state: next.hard_state,
            install: next.install.clone(),
            has_log: next.has_log(),
        });
        let bytes = |meta: &SnapshotMeta| (LogIndex(meta.index), encode(meta));
        let write = Write {
            install: next.install.as_ref().map(bytes),
            truncate_from: next.truncate_from.map(LogIndex),
            entries: next.entries.values().map(|e| (LogIndex(e.index), e.encode())).collect(),
            hard_state: next.hard_state.as_ref().map(encode),
            compact: next.compact.as_ref().map(bytes),
        };
        Some(Output::Persist { id: self.last, write })
    }

    /// The host says that a write is durable. Gives what that means and the messages that waited for it.
    pub(crate) fn persisted(&mut self, id: WriteId) -> (Done, Vec<(NodeId, Message)>) {
        let write = self.in_flight.take().expect("completion of a write that was never asked for");
        assert_eq!(write.id, id, "writes complete in the order in which they were asked for");
        if let Some(hard_state) = write.hard_state {
            self.durable = hard_state;
        }
        let mut free = Vec::new();
        while self.held.front().is_some_and(|(waits_for, ..)| *waits_for <= id) {
            free.extend(self.held.pop_front().map(|(_, to, message)| (to, message)));
        }
        (Done { ready: write.ready, install: write.install }, free)
    }
}

impl Gathering {
    fn has_log(&self) -> bool {
        self.install.is_some() || self.truncate_from.is_some() || !self.entries.is_empty()
    }

    fn is_empty(&self) -> bool {
        !self.has_log() && self.hard_state.is_none() && self.compact.is_none()
    }
}
