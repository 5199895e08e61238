//! The log since the last compaction, in memory: the engine asks for entries synchronously.

use crate::wire::{HardState, SnapshotMeta};
use base::NodeId;
use raft::{
    Error, GetEntriesContext, RaftState, Result, Storage, StorageError,
    eraftpb::{self, Entry, Snapshot},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

/// What an entry costs besides its data, in bytes; an estimate for the limit of the log.
pub(crate) const ENTRY_OVERHEAD_BYTES: usize = 96;

#[derive(Debug, Default)]
pub(crate) struct MemoryLog {
    /// What comes before the first entry.
    start: SnapshotMeta,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Only read when the engine starts.
    initial: HardState,
    /// Snapshots that the host has ready, by receiver.
    pub(crate) ready: BTreeMap<NodeId, SnapshotMeta>,
    /// Receivers for which the engine wants one. The engine asks through `&self`.
    wanted: RefCell<BTreeSet<NodeId>>,
}

pub(crate) fn cost(entry: &Entry) -> usize {
    entry.data.len() + ENTRY_OVERHEAD_BYTES
}

impl MemoryLog {
    pub(crate) fn new(start: SnapshotMeta, entries: VecDeque<Entry>, initial: HardState) -> Self {
        let bytes = entries.iter().map(cost).sum();
        Self { start, entries, bytes, initial, ready: BTreeMap::new(), wanted: RefCell::default() }
    }

    /// Bytes of all entries, with their overhead.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn start(&self) -> &SnapshotMeta {
        &self.start
    }

    pub(crate) fn last(&self) -> u64 {
        self.start.index + self.entries.len() as u64
    }

    pub(crate) fn take_wanted(&self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.wanted.borrow_mut())
    }

    /// Puts entries at the end. Says from where older ones were thrown away.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> Option<u64> {
        let first = entries.first()?.index;
        assert!(first > self.start.index, "a compacted entry is committed and cannot change");
        assert!(first <= self.last() + 1, "the engine appends without gaps");
        let keep = (first - self.start.index - 1) as usize;
        let truncated = keep < self.entries.len();
        for old in self.entries.drain(keep..) {
            self.bytes -= cost(&old);
        }
        for entry in entries {
            self.bytes += cost(entry);
            self.entries.push_back(entry.clone());
        }
        truncated.then_some(first)
    }

    /// A snapshot takes the place of everything.
    pub(crate) fn restart(&mut self, start: SnapshotMeta) {
        self.start = start;
        self.entries.clear();
        self.bytes = 0;
    }

    /// The index through which at most `bytes` remain behind it, not above `limit`.
    pub(crate) fn index_leaving(&self, bytes: usize, limit: u64) -> u64 {
        let mut through = self.start.index;
        let mut left = self.bytes;
        for entry in &self.entries {
            if left <= bytes || entry.index > limit {
                break;
            }
            left -= cost(entry);
            through = entry.index;
        }
        through
    }

    pub(crate) fn compact(&mut self, start: SnapshotMeta) {
        while self.entries.front().is_some_and(|entry| entry.index <= start.index) {
            let entry = self.entries.pop_front().expect("the front was just seen");
            self.bytes -= cost(&entry);
        }
        self.start = start;
    }

    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.start.index {
            return Some(self.start.term);
        }
        let at = index.checked_sub(self.start.index + 1)?;
        self.entries.get(at as usize).map(|entry| entry.term)
    }
}

impl Storage for MemoryLog {
    fn initial_state(&self) -> Result<RaftState> {
        let HardState { term, vote, commit } = self.initial;
        let hard_state = eraftpb::HardState { term, vote, commit, ..Default::default() };
        Ok(RaftState::new(hard_state, self.start.members.state()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        if low <= self.start.index {
            return Err(Error::Store(StorageError::Compacted));
        }
        let max_size = max_size.into().unwrap_or(u64::MAX) as usize;
        let from = (low - self.start.index - 1) as usize;
        let until = (high - self.start.index - 1) as usize;
        let mut taken = Vec::new();
        let mut size = 0;
        for entry in self.entries.range(from..until) {
            size += cost(entry);
            if !taken.is_empty() && size > max_size {
                break;
            }
            taken.push(entry.clone());
        }
        Ok(taken)
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index < self.start.index {
            return Err(Error::Store(StorageError::Compacted));
        }
        self.term_at(index).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.start.index + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        let to = NodeId(to);
        match self.ready.get(&to) {
            // An older one could not be continued with entries.
            Some(meta) if meta.index >= request_index.max(self.start.index) => {
                Ok(meta.clone().into_engine())
            }
            Some(_) | None => {
                self.wanted.borrow_mut().insert(to);
                Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
            }
        }
    }
}
