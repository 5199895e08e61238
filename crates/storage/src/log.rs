//! `raft.redb`: the Raft log, its hard state and small named values. Every commit is durable when it returns.

use crate::{
    Error,
    area::Area,
    database::{File, Meta, Plan},
    record::{read_u64, seal, unseal},
};
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

pub(crate) const FILE: &str = "raft.redb";
const PLAN: Plan = Plan { name: FILE, fresh: "raft.redb.new", cache_bytes: LOG_CACHE_BYTES };

/// Page cache of the Raft log in bytes. The log lives in memory anyway: only its newest pages are used again.
pub const LOG_CACHE_BYTES: usize = 16 << 20;

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const HARD_STATE: &str = "hard_state";
const SNAPSHOT: &str = "snapshot";
const COMPACTED: &str = "compacted";
const SEQUENCE: &str = "sequence";
/// Before the names of values that the node chooses, so that they cannot meet ours.
const NAMED: &str = "named/";

/// One entry of the Raft log. What its bytes mean is the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position in the log; the first is 1.
    pub index: u64,
    /// The entry.
    pub bytes: Vec<u8>,
}

/// Forget the beginning of the log, because the state tables hold what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compact {
    /// The last index that is forgotten.
    pub through: u64,
    /// What the caller needs to know about the forgotten part; given back as [`crate::Recovered::snapshot`].
    pub snapshot: Vec<u8>,
}

/// One change of the log. Its parts are done in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogWrite {
    /// Forget this index and all after it.
    pub truncate_from: Option<u64>,
    /// Put these; an index that exists is replaced.
    pub entries: Vec<Entry>,
    /// Replace the hard state.
    pub hard_state: Option<Vec<u8>>,
    /// Forget the beginning.
    pub compact: Option<Compact>,
}

#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// How many transactions were committed since the file was made.
    sequence: u64,
}

impl Log {
    pub(crate) fn open(area: &Area) -> Result<Self, Error> {
        let file = File::open(area, PLAN)?;
        let sequence = file.meta(SEQUENCE)?;
        let sequence = sequence.map_or(Ok(0), |bytes| read_u64(FILE, SEQUENCE, &bytes))?;
        Ok(Self { file, sequence })
    }

    /// One transaction for all writes: group commit.
    pub(crate) fn append(&mut self, writes: &[LogWrite]) -> Result<(), Error> {
        self.append_with(writes, None)
    }

    /// The same, with a small named value in the same transaction.
    pub(crate) fn append_with(
        &mut self,
        writes: &[LogWrite],
        value: Option<(&str, &[u8])>,
    ) -> Result<(), Error> {
        let transaction = self.file.write()?;
        {
            let mut entries =
                transaction.open_table(ENTRIES).map_err(|error| self.file.words(error))?;
            let mut meta = self.file.open_meta(&transaction)?;
            for write in writes {
                self.put(&mut entries, &mut meta, write)?;
            }
            // Only the last one will ever be read.
            if let Some(hard_state) =
                writes.iter().rev().find_map(|write| write.hard_state.as_ref())
            {
                self.file.put(&mut meta, HARD_STATE, hard_state)?;
            }
            if let Some((name, bytes)) = value {
                self.file.put(&mut meta, &format!("{NAMED}{name}"), bytes)?;
            }
        }
        self.commit(transaction)
    }

    fn commit(&mut self, transaction: WriteTransaction) -> Result<(), Error> {
        let sequence = self.sequence + 1;
        self.file.put_meta(&transaction, SEQUENCE, &sequence.to_le_bytes())?;
        self.file.commit(transaction)?;
        self.sequence = sequence;
        Ok(())
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    fn put(
        &self,
        entries: &mut Table<'_, u64, &'static [u8]>,
        meta: &mut Meta<'_>,
        write: &LogWrite,
    ) -> Result<(), Error> {
        if let Some(from) = write.truncate_from {
            self.truncate(entries, from)?;
        }
        for entry in &write.entries {
            let sealed = seal(&entry.index.to_le_bytes(), &entry.bytes);
            entries
                .insert(entry.index, sealed.as_slice())
                .map_err(|error| self.file.words(error))?;
        }
        if let Some(compact) = &write.compact {
            self.compact(entries, compact.through)?;
            self.file.put(meta, SNAPSHOT, &compact.snapshot)?;
            self.file.put(meta, COMPACTED, &compact.through.to_le_bytes())?;
        }
        Ok(())
    }

    fn truncate(
        &self,
        entries: &mut Table<'_, u64, &'static [u8]>,
        from: u64,
    ) -> Result<(), Error> {
        loop {
            let last = entries.last().map_err(|error| self.file.words(error))?;
            let last = last.map(|(index, _)| index.value());
            match last {
                Some(index) if index >= from => {
                    entries.remove(index).map_err(|error| self.file.words(error))?;
                }
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn compact(
        &self,
        entries: &mut Table<'_, u64, &'static [u8]>,
        through: u64,
    ) -> Result<(), Error> {
        loop {
            let first = entries.first().map_err(|error| self.file.words(error))?;
            let first = first.map(|(index, _)| index.value());
            match first {
                Some(index) if index <= through => {
                    entries.remove(index).map_err(|error| self.file.words(error))?;
                }
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Forgets the whole log: a snapshot from the leader takes its place.
    pub(crate) fn restart_after(&mut self, through: u64, snapshot: &[u8]) -> Result<(), Error> {
        self.append(&[LogWrite {
            truncate_from: Some(0),
            compact: Some(Compact { through, snapshot: snapshot.to_vec() }),
            ..LogWrite::default()
        }])
    }

    pub(crate) fn hard_state(&self) -> Result<Option<Vec<u8>>, Error> {
        self.file.meta(HARD_STATE)
    }

    pub(crate) fn snapshot(&self) -> Result<Option<Vec<u8>>, Error> {
        self.file.meta(SNAPSHOT)
    }

    /// The last index that was compacted away; 0 if none was.
    pub(crate) fn compacted(&self) -> Result<u64, Error> {
        let bytes = self.file.meta(COMPACTED)?;
        bytes.map_or(Ok(0), |bytes| read_u64(FILE, COMPACTED, &bytes))
    }

    pub(crate) fn entries(&self) -> Result<Vec<Entry>, Error> {
        let table = match self.file.read()?.open_table(ENTRIES) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(self.file.words(error)),
        };
        let mut entries: Vec<Entry> = Vec::new();
        for row in table.iter().map_err(|error| self.file.words(error))? {
            let (index, sealed) = row.map_err(|error| self.file.words(error))?;
            let index = index.value();
            let before = match entries.last() {
                Some(entry) => entry.index,
                None => self.compacted()?,
            };
            if index != before + 1 {
                return Err(Error::corrupt(FILE, format_args!("gap before log index {index}")));
            }
            let bytes = unseal(FILE, &index.to_le_bytes(), sealed.value())?;
            entries.push(Entry { index, bytes });
        }
        Ok(entries)
    }

    pub(crate) fn set_value(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let transaction = self.file.write()?;
        self.file.put_meta(&transaction, &format!("{NAMED}{name}"), bytes)?;
        self.commit(transaction)
    }

    pub(crate) fn value(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.file.meta(&format!("{NAMED}{name}"))
    }
}
