//! Snapshots: read in pieces for a peer, or staged in pieces from one until they take the place of the tables.

use super::{DiskDone, DiskJob, DiskWorker, Waiting, to_storage};
use base::LogIndex;
use bytes::Bytes;
use node::consensus::{Write, WriteId};
use std::collections::BTreeMap;
use storage::{Error, SnapshotReader};

/// One snapshot on its way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransferId(pub u64);

/// One snapshot on its way from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StageId(pub u64);

/// Something to be done for a snapshot.
#[derive(Debug)]
pub enum SnapshotJob {
    /// Open a view of the state tables as they are; answered by `Opened`.
    Open(TransferId),
    /// Read the next piece of a view; answered by `Read` or `Lost`.
    Read(TransferId),
    /// The view is not needed any more; not answered.
    Drop(TransferId),
    /// Begin to stage another snapshot; not answered, unless by `StageLost`.
    Stage {
        /// To be named with its pieces.
        stage: StageId,
        /// Through which entry it goes.
        through: LogIndex,
    },
    /// Stage its next piece; answered by `Staged` or `StageLost`.
    Put(StageId, Bytes),
    /// Forget what was staged, unless it has taken the place of the tables; not answered.
    Forget(StageId),
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum SnapshotDone {
    /// A view was opened, through this entry; or not, since the disk is full.
    Opened(TransferId, Option<LogIndex>),
    /// The next piece, `None` after the last one. The view is gone then.
    Read(TransferId, Option<Vec<u8>>),
    /// The view had to be given up.
    Lost(TransferId),
    /// A piece was staged; whether it was the last one, and all of it is durable.
    Staged(StageId, bool),
    /// What was staged is gone, for this reason.
    StageLost(StageId, String),
}

/// What the disk holds for snapshots.
#[derive(Default)]
pub(super) struct Snapshots {
    readers: BTreeMap<TransferId, SnapshotReader>,
    stage: Option<Stage>,
}

#[derive(Clone, Copy)]
struct Stage {
    id: StageId,
    through: LogIndex,
    /// All of it is durable.
    is_whole: bool,
}

impl DiskWorker {
    pub(super) fn snapshot(
        &mut self,
        job: SnapshotJob,
        done: &mut Vec<DiskDone>,
    ) -> Result<(), Error> {
        match job {
            SnapshotJob::Open(transfer) => self.open_view(transfer, done),
            SnapshotJob::Read(transfer) => self.read_view(transfer, done),
            SnapshotJob::Drop(transfer) => {
                self.snapshots.readers.remove(&transfer);
                Ok(())
            }
            SnapshotJob::Stage { stage, through } => {
                self.snapshots.stage = Some(Stage { id: stage, through, is_whole: false });
                let begun = self.disk.begin_install();
                self.stage_lost_on(&begun, done);
                begun
            }
            SnapshotJob::Put(stage, piece) => self.put(stage, &piece, done),
            SnapshotJob::Forget(stage) => {
                if self.snapshots.stage.take_if(|staged| staged.id == stage).is_some() {
                    self.disk.abandon_install()?;
                }
                Ok(())
            }
        }
    }

    fn open_view(&mut self, transfer: TransferId, done: &mut Vec<DiskDone>) -> Result<(), Error> {
        let opened = self.put_waiting().and_then(|()| self.disk.snapshot_reader());
        let through = opened.as_ref().ok().map(|reader| LogIndex(reader.applied()));
        done.push(DiskDone::Snapshot(SnapshotDone::Opened(transfer, through)));
        self.snapshots.readers.insert(transfer, opened?);
        Ok(())
    }

    fn read_view(&mut self, transfer: TransferId, done: &mut Vec<DiskDone>) -> Result<(), Error> {
        let Some(reader) = self.snapshots.readers.get_mut(&transfer) else {
            done.push(DiskDone::Snapshot(SnapshotDone::Lost(transfer)));
            return Ok(());
        };
        let piece = reader.next_piece()?;
        if piece.is_none() {
            self.snapshots.readers.remove(&transfer);
        }
        done.push(DiskDone::Snapshot(SnapshotDone::Read(transfer, piece)));
        Ok(())
    }

    /// A piece of what was lost before is of no use; that was said then.
    fn put(&mut self, stage: StageId, piece: &[u8], done: &mut Vec<DiskDone>) -> Result<(), Error> {
        if self.snapshots.stage.is_none_or(|staged| staged.id != stage) {
            return Ok(());
        }
        let put = self.disk.install_piece(piece).and_then(|is_last| {
            if is_last {
                // Whatever the node then decides, a disk that fills up does not take it away.
                self.checkpoint(done)?;
            }
            Ok(is_last)
        });
        self.stage_lost_on(&put, done);
        match put {
            Ok(is_last) => {
                if let Some(staged) = &mut self.snapshots.stage {
                    staged.is_whole = is_last;
                }
                done.push(DiskDone::Snapshot(SnapshotDone::Staged(stage, is_last)));
                Ok(())
            }
            // The peer's fault, not the disk's.
            Err(Error::Piece { .. }) => self.disk.abandon_install(),
            Err(error) => Err(error),
        }
    }

    fn stage_lost_on<T>(&mut self, result: &Result<T, Error>, done: &mut Vec<DiskDone>) {
        if let Err(error) = result
            && let Some(staged) = self.snapshots.stage.take()
        {
            let lost = SnapshotDone::StageLost(staged.id, error.to_string());
            done.push(DiskDone::Snapshot(lost));
        }
    }

    /// The files are about to be opened anew: views of them end, and so does what was not staged whole.
    pub(super) fn give_up_snapshots(&mut self, done: &mut Vec<DiskDone>) {
        for (transfer, _) in std::mem::take(&mut self.snapshots.readers) {
            done.push(DiskDone::Snapshot(SnapshotDone::Lost(transfer)));
        }
        if let Some(staged) = self.snapshots.stage.take_if(|staged| !staged.is_whole) {
            let lost = SnapshotDone::StageLost(staged.id, "the disk is full".to_owned());
            done.push(DiskDone::Snapshot(lost));
        }
    }

    /// Lets what was staged take the place of the tables and of the log, and appends the rest of the write.
    pub(super) fn install(
        &mut self,
        id: WriteId,
        write: Write,
        done: &mut Vec<DiskDone>,
    ) -> Result<(), Error> {
        let (index, snapshot) = write.install.as_ref().expect("the caller looked");
        if self.snapshots.stage.is_none_or(|staged| staged.through != *index) {
            return Err(Error::Piece { number: 0, why: "another snapshot was staged" });
        }
        let installed = self
            .disk
            .finish_install(index.0, snapshot)
            .and_then(|()| self.disk.append(&[to_storage(write.clone())]));
        if let Err(error) = installed {
            // After a full disk it is asked for again, and finds how far it came.
            self.stalled.push_front(DiskJob::Persist { id, write });
            return Err(error);
        }
        self.snapshots.stage = None;
        // They led to a state that the snapshot contains.
        self.unsettled.clear();
        self.unsettled_bytes = 0;
        self.waiting = Waiting::default();
        done.push(DiskDone::Persisted(id));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
