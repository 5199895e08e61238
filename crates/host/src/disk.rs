//! The disk's side of a node: jobs in order, many log writes in one fsync.
//!
//! A `DiskWorker` owns the disk. `server` runs it on a thread of its own, `sim` when virtual time says so. Jobs are
//! carried out in the order in which the node said them, so what comes later may rely on what came before.

use base::{HybridTime, LogIndex};
use node::{TableRow, consensus::WriteId};
use std::{collections::VecDeque, ops::Bound};
use storage::{Disk, Error, LogWrite, Place};

/// Rows given back per piece while the state tables are restored.
const RESTORE_ROWS_MAX: usize = 512;
/// Under this name the disk keeps the greatest hybrid time of earlier lives.
const CLOCK_VALUE: &str = "clock";

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
    /// Read the next piece of a state table; answered by `DiskDone::Piece`.
    Restore {
        /// The table.
        table: u8,
        /// After this key; from the beginning if `None`.
        after: Option<Vec<u8>>,
    },
    /// Leave the hint; not answered.
    Hint(Vec<u8>),
    /// Try again what a full disk refused, and look how much room there is.
    Probe,
}

/// What came of it.
#[derive(Debug)]
pub enum DiskDone {
    /// The write is durable.
    Persisted(WriteId),
    /// The state tables are durable through this entry.
    Checkpointed(LogIndex),
    /// The rows.
    Loaded {
        /// Of the job.
        id: u64,
        /// Key and value, greatest key first.
        rows: Result<Vec<(Vec<u8>, Vec<u8>)>, String>,
    },
    /// A piece of a state table, in key order; the last one of the table is shorter than the others or empty.
    Piece {
        /// The table.
        table: u8,
        /// The rows.
        rows: Vec<TableRow>,
        /// Whether this was the last one.
        last: bool,
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
    pub hint: Option<Vec<u8>>,
    /// The greatest hybrid time that an earlier life durably noted.
    pub clock_high_water: HybridTime,
}

/// Carries out disk jobs.
pub struct DiskWorker {
    disk: Disk,
    /// What a full disk refused, oldest first; nothing overtakes it.
    stalled: VecDeque<DiskJob>,
    /// The rows that were applied since the last checkpoint. A database that is opened anew has lost them, and the node
    /// does not say them twice. As many as the log holds since then.
    unsaved: VecDeque<(LogIndex, Vec<storage::Row>)>,
    full: bool,
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
        let worker = Self { disk, stalled: VecDeque::new(), unsaved: VecDeque::new(), full: false };
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
        self.note_room(&mut done);
        done
    }

    /// Appends this write and all log writes that follow it directly.
    fn persist(
        &mut self,
        id: WriteId,
        write: node::consensus::Write,
        done: &mut Vec<DiskDone>,
    ) -> Result<(), Error> {
        let mut group = vec![(id, write)];
        while let Some(DiskJob::Persist { .. }) = self.stalled.front() {
            if let Some(DiskJob::Persist { id, write }) = self.stalled.pop_front() {
                group.push((id, write));
            }
        }
        let writes: Vec<LogWrite> = group.iter().map(|(_, write)| to_storage(write)).collect();
        match self.disk.append(&writes) {
            Ok(()) => {
                done.extend(group.into_iter().map(|(id, _)| DiskDone::Persisted(id)));
                Ok(())
            }
            Err(error) => {
                for (id, write) in group.into_iter().rev() {
                    self.stalled.push_front(DiskJob::Persist { id, write });
                }
                Err(error)
            }
        }
    }

    fn single(&mut self, job: DiskJob, done: &mut Vec<DiskDone>) -> Result<(), Error> {
        match job {
            DiskJob::Persist { .. } => unreachable!("taken by `persist`"),
            DiskJob::Tables { applied, rows } => {
                let stored: Vec<storage::Row> = rows.iter().map(to_row).collect();
                match self.disk.apply_rows(applied.0, &stored) {
                    Ok(()) => {
                        self.unsaved.push_back((applied, stored));
                        Ok(())
                    }
                    Err(error) => {
                        self.stalled.push_front(DiskJob::Tables { applied, rows });
                        Err(error)
                    }
                }
            }
            DiskJob::Checkpoint => match self.disk.checkpoint() {
                Ok(applied) => {
                    self.unsaved.retain(|(index, _)| index.0 > applied);
                    done.push(DiskDone::Checkpointed(LogIndex(applied)));
                    Ok(())
                }
                Err(error) => {
                    self.stalled.push_front(DiskJob::Checkpoint);
                    Err(error)
                }
            },
            DiskJob::Load { id, table, from, until, limit } => {
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
            DiskJob::Hint(bytes) => {
                // A hint that cannot be written is one that is not there.
                let _ = self.disk.write_hint(&bytes);
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
        let mut range = storage::Range::all(table, RESTORE_ROWS_MAX);
        if let Some(key) = after {
            range.from = Bound::Excluded(key);
        }
        let rows: Vec<TableRow> = self
            .disk
            .range(&range)?
            .into_iter()
            .map(|(key, value)| TableRow { table, key, value: Some(value) })
            .collect();
        let last = rows.len() < RESTORE_ROWS_MAX;
        done.push(DiskDone::Piece { table, rows, last });
        Ok(())
    }

    /// No room: what was refused waits, the database is opened anew, and the node is told to refuse writes.
    fn stall(&mut self, done: &mut Vec<DiskDone>) {
        if let Err(error) = self.reopen()
            && !matches!(error, Error::Full { .. })
        {
            done.push(DiskDone::Failed(error.to_string()));
        }
        if !self.full {
            self.full = true;
            done.push(DiskDone::Full(true));
        }
    }

    /// Opens the database anew and brings the state tables back to where they were. What fails here is done again with
    /// the next try.
    fn reopen(&mut self) -> Result<(), Error> {
        let recovered = self.disk.reopen()?;
        for (applied, rows) in &self.unsaved {
            if applied.0 > recovered.applied {
                self.disk.apply_rows(applied.0, rows)?;
            }
        }
        Ok(())
    }

    fn note_room(&mut self, done: &mut Vec<DiskDone>) {
        let full = self.disk.free_space_low();
        if full != self.full {
            self.full = full;
            done.push(DiskDone::Full(full));
        }
    }
}

fn to_storage(write: &node::consensus::Write) -> LogWrite {
    assert!(write.install.is_none(), "a sole voter receives no snapshot");
    LogWrite {
        truncate_from: write.truncate_from.map(|index| index.0),
        entries: write
            .entries
            .iter()
            .map(|(index, bytes)| storage::Entry { index: index.0, bytes: bytes.clone() })
            .collect(),
        hard_state: write.hard_state.clone(),
        compact: write.compact.as_ref().map(|(through, snapshot)| storage::Compact {
            through: through.0,
            snapshot: snapshot.clone(),
        }),
    }
}

fn to_row(row: &TableRow) -> storage::Row {
    storage::Row { table: row.table, key: row.key.clone(), value: row.value.clone() }
}
