//! Keeping the log short, and bringing a follower up that is behind its beginning.

use crate::{
    Consensus, Members, Output, WriteId, recover::FIRST_SNAPSHOT_INDEX, wire::SnapshotMeta,
};
use base::{LogIndex, NodeId};
use raft::{SnapshotStatus, StateRole, eraftpb::Snapshot};
use std::collections::BTreeSet;

/// A checkpoint is asked for when the log is longer than this part of its limit.
const CHECKPOINT_AT: usize = 2;
/// A compaction leaves this part of the limit, so that a follower that is a little behind gets entries.
const LEAVE: usize = 4;
/// After a checkpoint the next one is asked for when the log has grown by this part of its limit.
const AGAIN_AFTER: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    /// Peers for which the host was asked to open a view.
    asked: BTreeSet<NodeId>,
    checkpoint_asked: bool,
    /// The checkpoint waits for this write: the hard state with its commit index goes first.
    pub(crate) checkpoint_after: Option<WriteId>,
    /// How long the log may get before the next checkpoint.
    next_at: usize,
}

impl Consensus {
    pub(crate) fn ask_for_checkpoint(&mut self) {
        let at = (self.settings.log_bytes_max / CHECKPOINT_AT).max(self.snapshots.next_at);
        let start = self.raw.store().start().index;
        if self.snapshots.checkpoint_asked || self.log_bytes() <= at || self.applied <= start {
            return;
        }
        self.snapshots.checkpoint_asked = true;
        self.writes.flush();
        match self.writes.newest_urgent() {
            Some(write) => self.snapshots.checkpoint_after = Some(write),
            None => self.outputs.push_back(Output::Checkpoint),
        }
    }

    pub(crate) fn checkpointed(&mut self, applied: LogIndex) {
        self.snapshots.checkpoint_asked = false;
        let limit = applied.0.min(self.raw.raft.raft_log.applied());
        let mut limit = limit;
        // While a snapshot travels, the entries after it are kept: without them it would be of no use. Close to the
        // limit of the log, writes go first and the transfer starts over.
        if self.log_bytes() <= self.settings.log_bytes_max / 4 * 3 {
            let travelling = self.raw.store().ready.values().map(|meta| meta.index);
            limit = travelling.fold(limit, u64::min);
        }
        let leave = self.settings.log_bytes_max / LEAVE;
        let through = self.raw.store().index_leaving(leave, limit);
        if through > self.raw.store().start().index {
            let meta = self.meta_at(through).expect("the log holds what is compacted now");
            self.raw.mut_store().compact(meta.clone());
            let later = self.members.split_off(&(through + 1));
            self.members = later;
            self.members.insert(through, meta.members.clone());
            self.writes.put_compact(meta);
            self.writes.flush();
        }
        self.snapshots.next_at = self.log_bytes() + self.settings.log_bytes_max / AGAIN_AFTER;
    }

    /// `None` for an index that is no longer, or not yet, in the log.
    fn meta_at(&self, index: u64) -> Option<SnapshotMeta> {
        let term = self.raw.store().term_at(index)?;
        let members: &Members = self.members.range(..=index).next_back()?.1;
        Some(SnapshotMeta { index, term, members: members.clone() })
    }

    pub(crate) fn ask_for_snapshots(&mut self) {
        for to in self.raw.store().take_wanted() {
            if self.snapshots.asked.insert(to) {
                self.outputs.push_back(Output::SnapshotWanted { to });
            }
        }
    }

    pub(crate) fn snapshot_ready(&mut self, to: NodeId, index: LogIndex) {
        let mut index = index.0;
        if self.raw.store().start().index == FIRST_SNAPSHOT_INDEX {
            // Tables in which nothing was written yet are what the log begins with.
            index = index.max(FIRST_SNAPSHOT_INDEX);
        }
        let usable = index <= self.applied && self.raw.raft.state == StateRole::Leader;
        match self.meta_at(index).filter(|_| usable) {
            Some(meta) => {
                self.raw.mut_store().ready.insert(to, meta);
                if self.raw.raft.prs().get(to.0).is_some() {
                    self.raw.raft.send_append(to.0);
                }
            }
            // The view is too old by now, or somebody else leads: the engine asks again if it still needs one.
            None => self.snapshot_sent(to, false),
        }
    }

    pub(crate) fn snapshot_sent(&mut self, to: NodeId, ok: bool) {
        self.snapshots.asked.remove(&to);
        self.raw.mut_store().ready.remove(&to);
        let status = if ok { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(to.0, status);
    }

    /// Only a leader sends snapshots; what it had begun is over with it.
    pub(crate) fn forget_transfers(&mut self) {
        self.snapshots.asked.clear();
        self.raw.mut_store().ready.clear();
    }

    /// The engine has accepted a snapshot from the leader; its rows are staged by the host.
    pub(crate) fn take_snapshot(&mut self, snapshot: Snapshot) {
        let meta = SnapshotMeta::from_engine(&snapshot);
        self.raw.mut_store().restart(meta.clone());
        self.members.clear();
        self.members.insert(meta.index, meta.members.clone());
        self.writes.put_install(meta);
    }

    /// The snapshot is in place, durably.
    pub(crate) fn installed(&mut self, meta: &SnapshotMeta) {
        self.raw.advance_apply_to(meta.index);
        for id in self.proposals.jumped(meta.index) {
            self.outputs.push_back(Output::Unknown { id });
        }
        self.set_applied(meta.index);
        self.outputs.push_back(Output::Restore { index: LogIndex(meta.index) });
        self.tell_members(meta.index, None);
    }
}
