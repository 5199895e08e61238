//! Snapshots: read in pieces for a peer, or staged in pieces from one until they take the place of the tables.

use super::{DiskDone, DiskWorker};
use base::LogIndex;
use bytes::Bytes;
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
    /// Read the next piece of a view; answered by `Read`.
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
    stage: Option<(StageId, LogIndex)>,
}

impl DiskWorker {
    pub(super) fn snapshot(
        &mut self,
        job: SnapshotJob,
        done: &mut Vec<DiskDone>,
    ) -> Result<(), Error> {
        match job {
            SnapshotJob::Open(transfer) => {
                done.push(DiskDone::Snapshot(SnapshotDone::Opened(transfer, None)));
            }
            SnapshotJob::Read(transfer) => {
                done.push(DiskDone::Snapshot(SnapshotDone::Lost(transfer)));
            }
            SnapshotJob::Put(stage, _) => {
                let why = "not yet".to_owned();
                done.push(DiskDone::Snapshot(SnapshotDone::StageLost(stage, why)));
            }
            SnapshotJob::Drop(_) | SnapshotJob::Stage { .. } | SnapshotJob::Forget(_) => {}
        }
        Ok(())
    }
}
