//! The disk as the node is promised it: everything durable at once, and nothing of redb.

use base::LogIndex;
use host::{DiskDone, DiskJob};
use node::{TableRow, consensus};
use std::collections::BTreeMap;

/// The state tables of one node.
#[derive(Debug, Default)]
pub struct ModelDisk {
    /// Every log write so far.
    pub writes: Vec<consensus::Write>,
    /// The rows, by table and key.
    pub tables: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    applied: LogIndex,
}

impl ModelDisk {
    /// Does one job.
    pub fn run(&mut self, job: DiskJob) -> Option<DiskDone> {
        match job {
            DiskJob::Persist { id, write } => {
                self.writes.push(write);
                Some(DiskDone::Persisted(id))
            }
            DiskJob::Tables { applied, rows } => {
                self.applied = applied;
                for TableRow { table, key, value } in rows {
                    match value {
                        Some(value) => self.tables.insert((table, key), value),
                        None => self.tables.remove(&(table, key)),
                    };
                }
                None
            }
            DiskJob::Checkpoint => Some(DiskDone::Checkpointed(self.applied)),
            DiskJob::Load { id, table, from, until, limit } => {
                let found = self.tables.range((table, until)..=(table, from)).rev().take(limit);
                let rows = found.map(|((_, key), value)| (key.clone(), value.clone())).collect();
                Some(DiskDone::Loaded { id, rows: Ok(rows) })
            }
            // What was on the disk of the first start is in its log.
            DiskJob::Restore { .. } => Some(DiskDone::Piece { rows: Vec::new(), next: None }),
            DiskJob::Identity(_) => Some(DiskDone::IdentityKept),
            DiskJob::Snapshot(_) | DiskJob::Clock(_) | DiskJob::Hint(_) | DiskJob::Probe => None,
        }
    }
}
