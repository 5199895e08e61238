//! One node's log without the others: what an operator looks at, and does, when a majority is lost for good.
//!
//! What a majority agreed on is what the log of a majority says. If only this log is left, nobody knows any more which of
//! its last entries were agreed on: the commit index on disk is a lower bound, since it follows acknowledgements and is
//! written late. So all of the log is kept and counts as agreed: dropping the tail could drop what was acknowledged to
//! clients (a leader that died after it had counted this node's copy); keeping it can at most do something whose
//! outcome a client was told to be unknown.
//!
//! The changes of the members that the log tells of are emptied, and its beginning names one voter. No other node may
//! continue this log after that: the driver gives the cluster another identity in the same transaction.

use crate::{
    Error, MemberChange, Members, Recovered, Write,
    memory_log::MemoryLog,
    recover,
    wire::{Blob, Content, HardState, LogEntry, SnapshotMeta, encode},
};
use base::{LogIndex, NodeId, Term};
use raft::{GetEntriesContext, Storage, eraftpb::Entry};
use std::collections::BTreeSet;

/// What the log of one node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStanding {
    /// Its last entry.
    pub last: LogIndex,
    /// Of that entry.
    pub last_term: Term,
    /// Through here all was agreed on, as far as is known here.
    pub commit: LogIndex,
    /// The newest term that this node knows of.
    pub term: Term,
    /// Who votes as of the last entry, agreed on or not.
    pub voters: BTreeSet<NodeId>,
    /// Everybody whom the log names as a member, also for a while.
    pub named: BTreeSet<NodeId>,
    /// Who decided alone as of the commit index, and would as of the last entry.
    pub sole_voter: Option<NodeId>,
}

/// Reads the log that a node left. `None` if nothing was ever written to it.
///
/// # Errors
/// As [`crate::Consensus::recover`].
pub fn standing(recovered: Recovered) -> Result<Option<LogStanding>, Error> {
    let Some(found) = recover::written(recovered)? else { return Ok(None) };
    let (log, start) = (&found.log, found.log.start());
    let HardState { term, commit, .. } = found.hard_state;
    let mut members = start.members.clone();
    let mut named: BTreeSet<NodeId> = names(&members).collect();
    let mut sole_voter = sole(&members);
    for entry in entries(log) {
        if let Content::Members(changes) = LogEntry::from_engine(&entry).content {
            named.extend(changes.iter().map(|change| change.node()));
            members = changed(members, &changes);
            let still = sole(&members);
            sole_voter =
                if entry.index <= commit { still } else { sole_voter.filter(|_| still.is_some()) };
        }
    }
    Ok(Some(LogStanding {
        last: LogIndex(log.last()),
        last_term: Term(log.term_at(log.last()).expect("a log knows its last term")),
        commit: LogIndex(commit),
        term: Term(term),
        voters: members.voters.into_iter().collect(),
        named,
        sole_voter,
    }))
}

fn names(members: &Members) -> impl Iterator<Item = NodeId> {
    let Members { voters, learners, voters_outgoing, learners_next, auto_leave: _ } = members;
    [voters, learners, voters_outgoing, learners_next].into_iter().flatten().copied()
}

fn sole(members: &Members) -> Option<NodeId> {
    let only = members.voters.first().copied()?;
    members.is_sole_voter(only).then_some(only)
}

/// Who votes after a change. Several changes at once are a joint one, until an empty one ends it.
fn changed(mut members: Members, changes: &[MemberChange]) -> Members {
    if changes.is_empty() {
        return Members { voters_outgoing: Vec::new(), ..members };
    }
    if changes.len() > 1 {
        members.voters_outgoing.clone_from(&members.voters);
    }
    for change in changes {
        members.voters.retain(|voter| *voter != change.node());
        if let MemberChange::AddVoter(node) = change {
            members.voters.push(*node);
        }
    }
    members
}

/// What makes this node the sole voter of what its log says. `commands` are appended as the first entries of a new term;
/// all of the log counts as agreed on. To be done in one transaction, with another identity of the cluster.
///
/// # Errors
/// As [`crate::Consensus::recover`]; a log that nothing was ever written to is one as well.
pub fn alone(me: NodeId, recovered: Recovered, commands: Vec<Vec<u8>>) -> Result<Write, Error> {
    let nothing = Error::Log { index: LogIndex(0), why: "nothing was ever written to it" };
    let found = recover::written(recovered)?.ok_or(nothing)?;
    let start = found.log.start();
    let term = found.hard_state.term + 1;
    let emptied = |entry: Entry| {
        // The end of a joint change names nobody, but is none any more either.
        let content = Content::Data(Blob::default());
        let changes_members = matches!(LogEntry::from_engine(&entry).content, Content::Members(_));
        changes_members.then_some(LogEntry { term: entry.term, index: entry.index, content })
    };
    let emptied = entries(&found.log).into_iter().filter_map(emptied);
    let appended = commands.into_iter().zip(found.log.last() + 1..).map(|(data, index)| LogEntry {
        term,
        index,
        content: Content::Data(Blob(data.into())),
    });
    let written: Vec<LogEntry> = emptied.chain(appended).collect();
    let last = written.last().map_or(0, |entry| entry.index).max(found.log.last());
    let members = Members { voters: vec![me], ..Members::default() };
    let meta = SnapshotMeta { members, ..start.clone() };
    let record = |entry: &LogEntry| (LogIndex(entry.index), encode(entry));
    Ok(Write {
        entries: written.iter().map(record).collect(),
        hard_state: Some(encode(&HardState { term, vote: me.0, commit: last })),
        // Nothing is forgotten: only who the members were.
        compact: Some((LogIndex(start.index), encode(&meta))),
        ..Write::default()
    })
}

fn entries(log: &MemoryLog) -> Vec<Entry> {
    let context = GetEntriesContext::empty(false);
    log.entries(log.start().index + 1, log.last() + 1, None, context)
        .expect("these are the bounds of the log")
}
