//! From the bytes on disk to a node that takes part. Disk bytes are outside input: everything is checked first.

use crate::{
    Error, Members, Recovered, Settings,
    memory_log::MemoryLog,
    wire::{HardState, LogEntry, NUMBER_MAX, SnapshotMeta, decode},
};
use base::LogIndex;
use std::collections::VecDeque;

/// Where the log begins on the very first start. Not 0: a node that joins later must find that what came before its
/// first entry (who the first voters were) is only in a snapshot.
pub(crate) const FIRST_SNAPSHOT_INDEX: u64 = 1;

pub(crate) struct Start {
    pub(crate) log: MemoryLog,
    /// What is on disk.
    pub(crate) durable: HardState,
    /// What this life begins with; may be ahead of `durable`.
    pub(crate) hard_state: HardState,
    /// What the state tables contain everything through.
    pub(crate) applied: u64,
    /// The very first start: the beginning of the log must be written.
    pub(crate) is_first: bool,
}

pub(crate) fn read(settings: &Settings, recovered: Recovered) -> Result<Start, Error> {
    Ok(written(recovered)?.unwrap_or_else(|| first(settings)))
}

/// What earlier lives wrote, if they wrote anything.
pub(crate) fn written(recovered: Recovered) -> Result<Option<Start>, Error> {
    let is_blank = recovered.hard_state.is_none()
        && recovered.snapshot.is_none()
        && recovered.entries.is_empty();
    if is_blank {
        if recovered.applied.0 != 0 {
            return Err(log_error(
                recovered.applied.0,
                "the state tables are ahead of an empty log",
            ));
        }
        return Ok(None);
    }
    let durable = match &recovered.hard_state {
        Some(bytes) => decode::<HardState>("the hard state", bytes)?,
        None => return Err(log_error(0, "the hard state is missing")),
    };
    let start = match &recovered.snapshot {
        Some(bytes) => decode::<SnapshotMeta>("the snapshot record", bytes)?,
        None => SnapshotMeta::default(),
    };
    if recovered.snapshot.is_some() {
        start
            .members
            .check()
            .map_err(|why| Error::Malformed { what: "the snapshot record", why })?;
    }
    let numbers = [durable.term, durable.commit, start.index, start.term, recovered.applied.0];
    if numbers.iter().any(|number| *number > NUMBER_MAX) {
        return Err(log_error(start.index, "a term or index is out of range"));
    }
    let entries = read_entries(&start, recovered.entries)?;
    let last = entries.back().map_or((start.index, start.term), |entry| (entry.index, entry.term));
    let applied = read_applied(&start, recovered.applied.0, last.0)?;
    let hard_state = raise(durable, &start, applied);
    if hard_state.term < last.1 {
        return Err(log_error(last.0, "its term is newer than the hard state"));
    }
    if hard_state.commit > last.0 {
        return Err(log_error(hard_state.commit, "committed entries are missing"));
    }
    let log = MemoryLog::new(start, entries, hard_state);
    Ok(Some(Start { log, durable, hard_state, applied, is_first: false }))
}

fn first(settings: &Settings) -> Start {
    let is_first = !settings.voters.is_empty();
    let mut start = SnapshotMeta::default();
    let mut hard_state = HardState::default();
    if is_first {
        let mut voters = settings.voters.clone();
        voters.sort_unstable();
        let members = Members { voters, ..Members::default() };
        start = SnapshotMeta { index: FIRST_SNAPSHOT_INDEX, term: 1, members };
        hard_state = HardState { term: 1, vote: 0, commit: FIRST_SNAPSHOT_INDEX };
    }
    let applied = start.index;
    let log = MemoryLog::new(start, VecDeque::new(), hard_state);
    Start { log, durable: HardState::default(), hard_state, applied, is_first }
}

fn read_entries(
    start: &SnapshotMeta,
    records: Vec<(LogIndex, Vec<u8>)>,
) -> Result<VecDeque<raft::eraftpb::Entry>, Error> {
    let (mut index, mut term) = (start.index, start.term);
    let mut entries = VecDeque::with_capacity(records.len());
    for (at, bytes) in records {
        let entry: LogEntry = decode("a log entry", &bytes)?;
        if entry.index != at.0 || entry.index != index + 1 {
            return Err(log_error(at.0, "another entry was expected here"));
        }
        if entry.term < term {
            return Err(log_error(at.0, "its term is older than the one before"));
        }
        (index, term) = (entry.index, entry.term);
        entries.push_back(entry.into_engine());
    }
    if !entries.is_empty() && start.index == 0 {
        return Err(log_error(1, "what comes before the first entry is missing"));
    }
    Ok(entries)
}

fn read_applied(start: &SnapshotMeta, applied: u64, last: u64) -> Result<u64, Error> {
    // The first snapshot is of empty tables, which nobody has to write.
    if applied < start.index && start.index > FIRST_SNAPSHOT_INDEX {
        return Err(log_error(applied, "the log was compacted beyond the state tables"));
    }
    if applied > last {
        return Err(log_error(applied, "the state tables are ahead of the log"));
    }
    Ok(applied.max(start.index))
}

/// The hard state of a commit may be written later than what it allowed: the tables may have been made durable, or a
/// snapshot installed, in between. Both contain committed entries only, so the commit index may be raised to them. In a
/// term that only the snapshot knows this node has not voted: a vote leaves after its hard state is durable.
fn raise(durable: HardState, start: &SnapshotMeta, applied: u64) -> HardState {
    let mut hard_state = durable;
    hard_state.commit = hard_state.commit.max(start.index).max(applied);
    if start.term > hard_state.term {
        hard_state.term = start.term;
        hard_state.vote = 0;
    }
    hard_state
}

fn log_error(index: u64, why: &'static str) -> Error {
    Error::Log { index: LogIndex(index), why }
}
