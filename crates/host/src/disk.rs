//! The disk's side of a node: jobs in order, many log writes in one fsync.
//!
//! A `DiskWorker` owns the disk. `server` runs it on a thread of its own, `sim` when virtual time says so. Jobs are
//! carried out in the order in which the node said them, so what comes later may rely on what came before.

use base::{HybridTime, LogIndex};
use naming::HintPiece;
use node::{RESTORED_TABLES, TableRow, consensus::WriteId};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
};
use storage::{Disk, Error, LogWrite, Place};

/// Rows given back per piece while the state tables are restored.
const RESTORE_ROWS_MAX: usize = 512;
/// How many bytes of rows may be in the tables without being durable; then they are made so.
const UNSETTLED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many rows, and how many bytes of them, wait to be put into the tables together.
const WAITING_ROWS_MAX: usize = 256;
const WAITING_BYTES_MAX: usize = 512 * 1024;
/// How much of a hint waits for a full disk. What is more is not in the hint.
const HINT_WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Under this name the disk keeps the greatest hybrid time of earlier lives.
const CLOCK_VALUE: &str = "clock";

mod snapshots;

use snapshots::Snapshots;
pub use snapshots::{SnapshotDone, SnapshotJob, StageId, TransferId};

/// Something to be done on the disk.
#[derive(Debug)]
pub enum DiskJob {
    /// Append to the log; answered by `DiskDone::Persisted`.
    Persist {
        /// To be named in the answer.
        id: WriteId,
        /// What.
        write: node::consensus::Write,
    },
    /// Change the state tables; not answered.
    Tables {
        /// Through this entry.
        applied: LogIndex,
        /// The rows.
        rows: Vec<TableRow>,
    },
    /// Make the state tables durable; answered by `DiskDone::Checkpointed`.
    Checkpoint,
    /// Read rows, greatest key first; answered by `DiskDone::Loaded`.
    Load {
        /// To be named in the answer.
        id: u64,
        /// The table.
        table: u8,
        /// The greatest key wanted.
        from: Vec<u8>,
        /// The smallest key wanted.
        until: Vec<u8>,
        /// How many at most.
        limit: usize,
    },
    /// Read the next piece of the state tables, from this one on; answered by `DiskDone::Piece`.
    Restore {
        /// The table.
        table: u8,
        /// After this key; from the beginning if `None`.
        after: Option<Vec<u8>>,
    },
    /// Durably note who this node is; answered by `DiskDone::IdentityKept`.
    Identity(Vec<u8>),
    /// A snapshot for a peer, or from one.
    Snapshot(SnapshotJob),
    /// Durably note a time that no hybrid time given out in this life is above; not answered.
    Clock(HybridTime),
    /// Leave a piece of the hint; not answered.
    Hint(HintPiece),
    /// Try again what a full disk refused, and look how much room there is.
    Probe,
}

/// What came of it.
#[derive(Debug)]
pub enum DiskDone {
    /// The write is durable.
    Persisted(WriteId),
    /// The identity record is durable.
    IdentityKept,
    /// Of a snapshot for a peer, or from one.
    Snapshot(SnapshotDone),
    /// The state tables are durable through this entry.
    Checkpointed(LogIndex),
    /// The rows.
    Loaded {
        /// Of the job.
        id: u64,
        /// Key and value, greatest key first.
        rows: config::LoadedRows,
    },
    /// A piece of the state tables, in order of table and key.
    Piece {
        /// The rows.
        rows: Vec<TableRow>,
        /// From where the next piece is to be read; `None` after the last one.
        next: Option<(u8, Option<Vec<u8>>)>,
    },
    /// Whether there is room for writes; told when it changed.
    Full(bool),
    /// The disk cannot be trusted any more: the node must stop.
    Failed(String),
}

/// What is on the disk when a node starts.
pub struct Opened {
    /// The worker that owns the disk from now on.
    pub worker: DiskWorker,
    /// What the log holds.
    pub recovered: storage::Recovered,
    /// What the node listed before it stopped.
    pub hint: Vec<Vec<u8>>,
    /// The greatest hybrid time that an earlier life durably noted.
    pub clock_high_water: HybridTime,
}

/// What is not in the tables yet.
#[derive(Clone, Copy, Default)]
struct Waiting {
    jobs: usize,
    rows: usize,
    bytes: usize,
}

/// Carries out disk jobs.
pub struct DiskWorker {
    disk: Disk,
    /// What a full disk refused, oldest first; nothing overtakes it.
    stalled: VecDeque<DiskJob>,
    full: bool,
    /// Rows of the tables since the last checkpoint. A database that ran out of space is opened anew as of that
    /// checkpoint, and these are then put into it again: the node does not know that they were gone.
    unsettled: Vec<(LogIndex, Vec<storage::Row>)>,
    unsettled_bytes: usize,
    /// Of `unsettled` these are not in the tables yet: the last ones, in their number, rows and bytes. Nobody reads the
    /// tables before they are, and the log holds them.
    waiting: Waiting,
    /// Pieces of the hint that a full disk refused, oldest first.
    hint_waiting: VecDeque<HintPiece>,
    snapshots: Snapshots,
    /// The disk ran out of space and was not yet brought back to where the node believes it to be.
    behind: bool,
}

impl DiskWorker {
    /// Opens the disk and reads what an earlier life left.
    ///
    /// # Errors
    /// As `storage::Disk::open`: in use, of another version, corrupt, or the operating system's.
    pub fn open(place: Place) -> Result<Opened, Error> {
        let (disk, recovered) = Disk::open(place)?;
        let hint = disk.read_hint();
        let clock = disk
            .value(CLOCK_VALUE)?
            .and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)));
        let worker = Self {
            disk,
            stalled: VecDeque::new(),
            full: false,
            unsettled: Vec::new(),
            unsettled_bytes: 0,
            waiting: Waiting::default(),
            hint_waiting: VecDeque::new(),
            snapshots: Snapshots::default(),
            behind: false,
        };
        Ok(Opened { worker, recovered, hint, clock_high_water: HybridTime(clock.unwrap_or(0)) })
    }

    /// Durably notes who this node is, before anyone else is told.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn set_identity(&mut self, identity: &[u8]) -> Result<(), Error> {
        self.disk.set_identity(identity)
    }

    /// Durably notes the time at which this life begins, so that the next one begins after it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn set_clock(&mut self, time: HybridTime) -> Result<(), Error> {
        self.disk.set_value(CLOCK_VALUE, &time.0.to_be_bytes())
    }

    /// Carries out jobs in order; neighbouring log writes share one transaction and one fsync.
    pub fn run(&mut self, jobs: Vec<DiskJob>) -> Vec<DiskDone> {
        self.stalled.extend(jobs);
        let mut done = Vec::new();
        if self.behind && !self.bring_back(&mut done) {
            return done;
        }
        while let Some(job) = self.stalled.pop_front() {
            let step = match job {
                DiskJob::Persist { id, write } => self.persist(id, write, &mut done),
                other => self.single(other, &mut done),
            };
            match step {
                Ok(()) => {}
                Err(Error::Full { .. }) => {
                    self.stall(&mut done);
                    return done;
                }
                Err(error) => {
                    done.push(DiskDone::Failed(error.to_string()));
                    return done;
                }
            }
        }
        self.write_hint();
        self.note_room(&mut done);
        done
    }

    /// Appends this write and all log writes that follow it, with nothing but rows between them: those come from entries
    /// that are durable already, so it does no harm when they are put into the tables a little later.
    fn persist(
        &mut self,
        id: WriteId,
        write: node::consensus::Write,
        done: &mut Vec<DiskDone>,
    ) -> Result<(), Error> {
        if write.install.is_some() {
            return self.install(id, write, done);
        }
        let (mut group, mut tables) = (vec![(id, write)], VecDeque::new());
        while let Some(job) = self.stalled.pop_front() {
            match job {
                DiskJob::Persist { id, write } if write.install.is_some() => {
                    self.stalled.push_front(DiskJob::Persist { id, write });
                    break;
                }
                DiskJob::Persist { id, write } => group.push((id, write)),
                DiskJob::Tables { .. } => tables.push_back(job),
                DiskJob::Checkpoint
                | DiskJob::Load { .. }
                | DiskJob::Restore { .. }
                | DiskJob::Identity(_)
                | DiskJob::Snapshot(_)
                | DiskJob::Clock(_)
                | DiskJob::Hint(_)
                | DiskJob::Probe => {
                    self.stalled.push_front(job);
                    break;
                }
            }
        }
        while let Some(job) = tables.pop_back() {
            self.stalled.push_front(job);
        }
        let (ids, writes): (Vec<WriteId>, Vec<LogWrite>) =
            group.into_iter().map(|(id, write)| (id, to_storage(write))).unzip();
        match self.disk.append(&writes) {
            Ok(()) => {
                done.extend(ids.into_iter().map(DiskDone::Persisted));
                Ok(())
            }
            Err(error) => {
                for (id, write) in ids.into_iter().zip(writes).rev() {
                    let write = of_storage(write);
                    self.stalled.push_front(DiskJob::Persist { id, write });
                }
                Err(error)
            }
        }
    }

    fn single(&mut self, job: DiskJob, done: &mut Vec<DiskDone>) -> Result<(), Error> {
        match job {
            DiskJob::Persist { .. } => unreachable!("taken by `persist`"),
            DiskJob::Tables { applied, rows } => self.tables(applied, rows, done),
            DiskJob::Checkpoint => {
                self.checkpoint(done).inspect_err(|_| self.stalled.push_front(DiskJob::Checkpoint))
            }
            DiskJob::Load { id, table, from, until, limit } => {
                if let Err(error) = self.put_waiting() {
                    self.stalled.push_front(DiskJob::Load { id, table, from, until, limit });
                    return Err(error);
                }
                let range = storage::Range {
                    table,
                    from: Bound::Included(until),
                    until: Bound::Included(from),
                    limit,
                    reverse: true,
                };
                let rows = self.disk.range(&range).map_err(|error| error.to_string());
                done.push(DiskDone::Loaded { id, rows });
                Ok(())
            }
            DiskJob::Restore { table, after } => self.piece(table, after, done),
            DiskJob::Identity(bytes) => match self.disk.set_identity(&bytes) {
                Ok(()) => {
                    done.push(DiskDone::IdentityKept);
                    Ok(())
                }
                Err(error) => {
                    self.stalled.push_front(DiskJob::Identity(bytes));
                    Err(error)
                }
            },
            DiskJob::Snapshot(job) => self.snapshot(job, done),
            DiskJob::Clock(ceiling) => self
                .disk
                .set_value(CLOCK_VALUE, &ceiling.0.to_be_bytes())
                .inspect_err(|_| self.stalled.push_front(DiskJob::Clock(ceiling))),
            DiskJob::Hint(piece) => {
                self.hint_waiting.push_back(piece);
                Ok(())
            }
            DiskJob::Probe => Ok(()),
        }
    }

    fn piece(
        &mut self,
        table: u8,
        after: Option<Vec<u8>>,
        done: &mut Vec<DiskDone>,
    ) -> Result<(), Error> {
        if let Err(error) = self.put_waiting() {
            self.stalled.push_front(DiskJob::Restore { table, after });
            return Err(error);
        }
        let mut rows: Vec<TableRow> = Vec::new();
        let mut next = Some((table, after));
        // Most tables are small: one piece holds all of them, and a start costs one round to the disk.
        while let Some((table, after)) = next.take() {
            let mut range = storage::Range::all(table, RESTORE_ROWS_MAX - rows.len());
            if let Some(key) = after {
                range.from = Bound::Excluded(key);
            }
            let found = self.disk.range(&range)?;
            rows.extend(found.into_iter().map(|(key, value)| TableRow {
                table,
                key,
                value: Some(value),
            }));
            if rows.len() == RESTORE_ROWS_MAX {
                next = Some((table, rows.last().map(|row| row.key.clone())));
                break;
            }
            next = RESTORED_TABLES.contains(&(table + 1)).then_some((table + 1, None));
        }
        done.push(DiskDone::Piece { rows, next });
        Ok(())
    }

    /// Rows are put into the tables many at a time: each time costs as much as some ten rows.
    fn tables(
        &mut self,
        applied: LogIndex,
        rows: Vec<TableRow>,
        done: &mut Vec<DiskDone>,
    ) -> Result<(), Error> {
        let rows: Vec<storage::Row> = rows.into_iter().map(to_row).collect();
        let bytes = rows.iter().map(row_bytes).sum::<usize>();
        self.waiting.jobs += 1;
        self.waiting.rows += rows.len();
        self.waiting.bytes += bytes;
        self.unsettled_bytes += bytes;
        self.unsettled.push((applied, rows));
        if self.unsettled_bytes > UNSETTLED_BYTES_MAX {
            return self
                .checkpoint(done)
                .inspect_err(|_| self.stalled.push_front(DiskJob::Checkpoint));
        }
        if self.waiting.rows > WAITING_ROWS_MAX || self.waiting.bytes > WAITING_BYTES_MAX {
            return self.put_waiting();
        }
        Ok(())
    }

    /// Puts into the tables what waits for that; of the rows with the same key the last.
    fn put_waiting(&mut self) -> Result<(), Error> {
        let waiting = &self.unsettled[self.unsettled.len() - self.waiting.jobs..];
        let Some((applied, _)) = waiting.last() else { return Ok(()) };
        let rows = waiting.iter().flat_map(|(_, rows)| rows);
        let newest: BTreeMap<_, _> = rows.map(|row| ((row.table, &row.key), row)).collect();
        self.disk.apply_rows(applied.0, newest.into_values())?;
        self.waiting = Waiting::default();
        Ok(())
    }

    fn checkpoint(&mut self, done: &mut Vec<DiskDone>) -> Result<(), Error> {
        self.put_waiting()?;
        let applied = self.disk.checkpoint()?;
        self.unsettled.clear();
        self.unsettled_bytes = 0;
        done.push(DiskDone::Checkpointed(LogIndex(applied)));
        Ok(())
    }

    /// Leaves the pieces of the hint that wait. A hint that cannot be written is one that is not there, but a disk that is
    /// full now may have room later.
    fn write_hint(&mut self) {
        while let Some(piece) = self.hint_waiting.pop_front() {
            if let Err(Error::Full { .. }) = self.write_piece(&piece) {
                self.hint_waiting.push_front(piece);
                break;
            }
        }
        let mut bytes: usize = self.hint_waiting.iter().map(|piece| piece.bytes.len()).sum();
        while bytes > HINT_WAITING_BYTES_MAX
            && let Some(piece) = self.hint_waiting.pop_front()
        {
            bytes -= piece.bytes.len();
        }
    }

    fn write_piece(&mut self, piece: &HintPiece) -> Result<(), Error> {
        if piece.begins {
            self.disk.begin_hint()?;
        }
        self.disk.add_to_hint(&piece.bytes)?;
        if piece.completes {
            self.disk.complete_hint()?;
        }
        Ok(())
    }

    /// No room: what was refused waits, and the node is told to refuse writes.
    fn stall(&mut self, done: &mut Vec<DiskDone>) {
        self.behind = true;
        if !self.full {
            self.full = true;
            done.push(DiskDone::Full(true));
        }
        self.bring_back(done);
    }

    /// Opens the databases anew and brings the tables to where they were. False while there is no room for that.
    fn bring_back(&mut self, done: &mut Vec<DiskDone>) -> bool {
        self.give_up_snapshots(done);
        let brought = self.disk.reopen().and_then(|recovered| {
            let lost = self.unsettled.iter().filter(|(applied, _)| applied.0 > recovered.applied);
            lost.into_iter().try_for_each(|(applied, rows)| self.disk.apply_rows(applied.0, rows))
        });
        match brought {
            Ok(()) => (self.behind, self.waiting) = (false, Waiting::default()),
            Err(Error::Full { .. }) => {}
            Err(error) => done.push(DiskDone::Failed(error.to_string())),
        }
        !self.behind
    }

    fn note_room(&mut self, done: &mut Vec<DiskDone>) {
        let full = self.disk.free_space_low();
        if full != self.full {
            self.full = full;
            done.push(DiskDone::Full(full));
        }
    }
}

/// Without what it installs: see `install`.
pub(crate) fn to_storage(write: node::consensus::Write) -> LogWrite {
    let entry = |(index, bytes): (LogIndex, Vec<u8>)| storage::Entry { index: index.0, bytes };
    let compact = |(through, snapshot): (LogIndex, Vec<u8>)| storage::Compact {
        through: through.0,
        snapshot,
    };
    LogWrite {
        truncate_from: write.truncate_from.map(|index| index.0),
        entries: write.entries.into_iter().map(entry).collect(),
        hard_state: write.hard_state,
        compact: write.compact.map(compact),
    }
}

/// The write again, of one that installs nothing.
fn of_storage(write: LogWrite) -> node::consensus::Write {
    let entry = |entry: storage::Entry| (LogIndex(entry.index), entry.bytes);
    let compact = |compact: storage::Compact| (LogIndex(compact.through), compact.snapshot);
    node::consensus::Write {
        install: None,
        truncate_from: write.truncate_from.map(LogIndex),
        entries: write.entries.into_iter().map(entry).collect(),
        hard_state: write.hard_state,
        compact: write.compact.map(compact),
    }
}

fn to_row(row: TableRow) -> storage::Row {
    storage::Row { table: row.table, key: row.key, value: row.value }
}

/// What a row that waits for a checkpoint is counted as.
fn row_bytes(row: &storage::Row) -> usize {
    size_of::<storage::Row>() + row.key.len() + row.value.as_ref().map_or(0, Vec::len)
}

#[cfg(test)]
mod tests;
