//! A snapshot from a peer: its pieces are staged on disk, and only when all of them are there, durably, the engine gets the
//! message that they belong to. One at a time: until the engine has decided about it, and its rows are read, there is no
//! room for another.

use super::{BadFrame, Effect, InboundId, Links};
use crate::disk::{DiskJob, SnapshotJob, StageId};
use base::{Duration, Instant, LogIndex, NodeId, Now};
use bytes::Bytes;
use node::PeerMessage;

/// How many pieces may wait for the disk; then their connection is not read.
const WAITING_MAX: usize = 4;
/// A snapshot of which nothing came for so long gives way to another one.
const SILENCE: Duration = Duration::from_secs(10);

/// The one that is being received.
#[derive(Debug)]
pub(super) struct Stage {
    id: StageId,
    inbound: InboundId,
    from: NodeId,
    through: LogIndex,
    /// How many pieces came.
    came: u64,
    /// How many of them the disk has not answered yet.
    waiting: usize,
    /// The last piece is durable.
    is_whole: bool,
    heard: Instant,
    progress: Progress,
}

#[derive(Debug)]
enum Progress {
    Receiving,
    /// All came that will come: the message, and its bytes.
    Ended(Box<PeerMessage>, usize),
    /// The engine was given the message.
    Offered,
}

impl Stage {
    fn is_received_on(&self, inbound: InboundId) -> bool {
        self.inbound == inbound && matches!(self.progress, Progress::Receiving)
    }
}

impl Links {
    pub(super) fn stage_crowded(&self, inbound: InboundId) -> bool {
        self.stage
            .as_ref()
            .is_some_and(|stage| stage.inbound == inbound && stage.waiting >= WAITING_MAX)
    }

    /// A piece came.
    pub(super) fn piece_came(
        &mut self,
        now: Now,
        (inbound, from): (InboundId, NodeId),
        (through, number): (LogIndex, u64),
        piece: Bytes,
    ) -> Result<(), BadFrame> {
        if number == 0 && !self.begin_stage(now, inbound, from, through) {
            return Ok(());
        }
        if self.inbounds.is_deaf(inbound) {
            return Ok(());
        }
        let stage = self.stage.as_mut().filter(|stage| stage.is_received_on(inbound));
        let stage = stage.ok_or(BadFrame::Piece { number, expected: 0 })?;
        if number != stage.came {
            return Err(BadFrame::Piece { number, expected: stage.came });
        }
        if through != stage.through {
            return Err(BadFrame::Snapshot);
        }
        stage.came += 1;
        stage.waiting += 1;
        stage.heard = now.instant;
        self.effects.push_back(job(SnapshotJob::Put(stage.id, piece)));
        Ok(())
    }

    /// Makes room for a snapshot. False if there is none: then all of it is skipped, and the sender will find that it was
    /// of no use.
    fn begin_stage(
        &mut self,
        now: Now,
        inbound: InboundId,
        from: NodeId,
        through: LogIndex,
    ) -> bool {
        if let Some(stage) = &self.stage {
            let own = stage.inbound == inbound;
            let silent = now.instant.since(stage.heard) >= SILENCE;
            if !matches!(stage.progress, Progress::Receiving) || !(own || silent) {
                self.inbounds.set_deaf(inbound, true);
                self.tally.snapshot_refused();
                return false;
            }
            self.inbounds.set_deaf(stage.inbound, !own);
            self.forget_stage();
        }
        self.inbounds.set_deaf(inbound, false);
        self.last_stage += 1;
        let id = StageId(self.last_stage);
        self.stage = Some(Stage {
            id,
            inbound,
            from,
            through,
            came: 0,
            waiting: 0,
            is_whole: false,
            heard: now.instant,
            progress: Progress::Receiving,
        });
        self.effects.push_back(job(SnapshotJob::Stage { stage: id, through }));
        true
    }

    /// All pieces came, and the message.
    pub(super) fn end_came(
        &mut self,
        inbound: InboundId,
        (through, pieces): (LogIndex, u64),
        message: PeerMessage,
        bytes: usize,
    ) -> Result<(), BadFrame> {
        if self.inbounds.is_deaf(inbound) {
            return Ok(());
        }
        let stage = self.stage.as_mut().filter(|stage| stage.is_received_on(inbound));
        let stage = stage.ok_or(BadFrame::Snapshot)?;
        if (stage.through, stage.came) != (through, pieces) {
            return Err(BadFrame::Snapshot);
        }
        stage.progress = Progress::Ended(Box::new(message), bytes);
        self.offer();
        Ok(())
    }

    /// The disk has staged a piece.
    pub(super) fn staged(&mut self, id: StageId, is_last: bool) {
        let Some(stage) = self.stage.as_mut().filter(|stage| stage.id == id) else { return };
        stage.waiting -= 1;
        stage.is_whole |= is_last;
        let inbound = stage.inbound;
        self.inbounds.wake(inbound);
        self.offer();
    }

    /// The disk could not stage it.
    pub(super) fn stage_lost(&mut self, id: StageId) {
        if let Some(stage) = self.stage.take_if(|stage| stage.id == id) {
            self.tally.snapshot_refused();
            // Whatever still comes of it is of no use: the sender begins anew.
            self.close_inbound(stage.inbound);
        }
    }

    /// Gives the engine the message, once the disk has all pieces.
    fn offer(&mut self) {
        let Some(stage) = self.stage.as_mut().filter(|stage| stage.waiting == 0) else { return };
        if !matches!(stage.progress, Progress::Ended(..)) {
            return;
        }
        if !stage.is_whole {
            // The pieces came to an end before the tables did.
            let id = stage.id;
            self.effects.push_back(job(SnapshotJob::Forget(id)));
            return self.stage_lost(id);
        }
        if let Progress::Ended(message, bytes) =
            std::mem::replace(&mut stage.progress, Progress::Offered)
        {
            let from = stage.from;
            self.effects.push_back(Effect::Hear { from, message: *message, bytes });
        }
    }

    /// The engine has taken the snapshot, and the planes have its rows; or it does not want it.
    pub(super) fn stage_decided(&mut self) {
        if self.stage.as_ref().is_some_and(|stage| matches!(stage.progress, Progress::Offered)) {
            self.forget_stage();
        }
    }

    /// The connection is gone: what came on it is not complete, unless all of it came.
    pub(super) fn stage_ends(&mut self, inbound: InboundId) {
        if self.stage.as_ref().is_some_and(|stage| stage.is_received_on(inbound)) {
            self.forget_stage();
        }
    }

    fn forget_stage(&mut self) {
        if let Some(stage) = self.stage.take() {
            self.effects.push_back(job(SnapshotJob::Forget(stage.id)));
        }
    }
}

fn job(job: SnapshotJob) -> Effect {
    Effect::Disk(DiskJob::Snapshot(job))
}
