//! `tables.redb`: the rows of the replicated state machines. Not durable between checkpoints: the log holds the truth.
//!
//! There are two generations of rows. One is served; a snapshot from the leader is received into the other and takes
//! over in one transaction, so a half received one is never seen.

use crate::{
    Error,
    area::Area,
    database::{File, Plan},
    record::{read_u64, seal, unseal},
};
use redb::{Durability, ReadTransaction, TableDefinition, WriteTransaction};
use std::ops::Bound;

pub(crate) const FILE: &str = "tables.redb";
const PLAN: Plan = Plan { name: FILE, fresh: "tables.redb.new", cache_bytes: TABLES_CACHE_BYTES };

/// Page cache of the state tables in bytes. Current contents live in the planes; this serves history and searches.
pub const TABLES_CACHE_BYTES: usize = 64 << 20;

pub(crate) type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

const GENERATIONS: [Rows; 2] = [TableDefinition::new("rows_0"), TableDefinition::new("rows_1")];
const APPLIED: &str = "applied";
const GENERATION: &str = "generation";
const INSTALLED: &str = "installed";

/// One row of one state table, or its removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which table; the caller gives them numbers.
    pub table: u8,
    /// Rows of a table are ordered by these bytes.
    pub key: Vec<u8>,
    /// What the key holds from now on; `None` removes it.
    pub value: Option<Vec<u8>>,
}

/// A part of one table, in the order of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Which table.
    pub table: u8,
    /// The least key, or the first of the table.
    pub from: Bound<Vec<u8>>,
    /// The greatest key, or the last of the table.
    pub until: Bound<Vec<u8>>,
    /// How many rows at most.
    pub limit: usize,
    /// From the greatest key down.
    pub reverse: bool,
}

impl Range {
    /// The whole of a table, up to `limit` rows.
    #[must_use]
    pub fn all(table: u8, limit: usize) -> Self {
        Self { table, from: Bound::Unbounded, until: Bound::Unbounded, limit, reverse: false }
    }
}

/// A key within its table and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

type RowsView = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A snapshot from the leader that took the place of the rows.
pub(crate) struct Installed {
    pub(crate) index: u64,
    pub(crate) snapshot: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Tables {
    file: File,
    generation: usize,
}

impl Tables {
    pub(crate) fn open(area: &Area) -> Result<Self, Error> {
        let file = File::open(area, PLAN)?;
        let generation = match file.meta(GENERATION)?.as_deref() {
            None | Some([0]) => 0,
            Some([1]) => 1,
            Some(_) => return Err(Error::corrupt(FILE, "generation of rows")),
        };
        Ok(Self { file, generation })
    }

    pub(crate) fn applied(&self) -> Result<u64, Error> {
        let bytes = self.file.meta(APPLIED)?;
        bytes.map_or(Ok(0), |bytes| read_u64(FILE, APPLIED, &bytes))
    }

    pub(crate) fn apply<'a>(
        &self,
        applied: u64,
        rows: impl IntoIterator<Item = &'a Row>,
    ) -> Result<(), Error> {
        let mut write = self.begin(Durability::None)?;
        self.put_rows(&mut write, GENERATIONS[self.generation], rows)?;
        self.file.put_meta(&write, APPLIED, &applied.to_le_bytes())?;
        self.file.commit(write)
    }

    pub(crate) fn checkpoint(&self) -> Result<u64, Error> {
        let applied = self.applied()?;
        let write = self.begin(Durability::Immediate)?;
        self.file.put_meta(&write, APPLIED, &applied.to_le_bytes())?;
        self.file.commit(write)?;
        Ok(applied)
    }

    fn begin(&self, durability: Durability) -> Result<WriteTransaction, Error> {
        let mut write = self.file.write()?;
        write.set_durability(durability).expect("there are no savepoints to protect");
        Ok(write)
    }

    fn put_rows<'a>(
        &self,
        write: &mut WriteTransaction,
        to: Rows,
        rows: impl IntoIterator<Item = &'a Row>,
    ) -> Result<(), Error> {
        let mut table = write.open_table(to).map_err(|error| self.file.words(error))?;
        for row in rows {
            let key = full_key(row.table, &row.key);
            match &row.value {
                Some(value) => {
                    let sealed = seal(&key, value);
                    table
                        .insert(key.as_slice(), sealed.as_slice())
                        .map_err(|error| self.file.words(error))?;
                }
                None => {
                    table.remove(key.as_slice()).map_err(|error| self.file.words(error))?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let key = full_key(table, key);
        let Some(rows) = self.rows(&self.file.read()?)? else { return Ok(None) };
        match rows.get(key.as_slice()).map_err(|error| self.file.words(error))? {
            Some(sealed) => unseal(FILE, &key, sealed.value()).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn range(&self, range: &Range) -> Result<Vec<KeyValue>, Error> {
        let (from, until) = bounds(range);
        if is_empty(&from, &until) {
            return Ok(Vec::new());
        }
        let Some(rows) = self.rows(&self.file.read()?)? else { return Ok(Vec::new()) };
        let mut found = rows
            .range::<&[u8]>((from.as_ref().map(Vec::as_slice), until.as_ref().map(Vec::as_slice)))
            .map_err(|error| self.file.words(error))?;
        let mut answer = Vec::new();
        while answer.len() < range.limit {
            let next = if range.reverse { found.next_back() } else { found.next() };
            let Some(row) = next else { break };
            let (key, sealed) = row.map_err(|error| self.file.words(error))?;
            let value = unseal(FILE, key.value(), sealed.value())?;
            answer.push((key.value()[1..].to_vec(), value));
        }
        Ok(answer)
    }

    fn rows(&self, read: &ReadTransaction) -> Result<Option<RowsView>, Error> {
        match read.open_table(GENERATIONS[self.generation]) {
            Ok(rows) => Ok(Some(rows)),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(self.file.words(error)),
        }
    }

    /// What a snapshot is read from: a view that later writes do not change, its applied index, its rows.
    pub(crate) fn view(&self) -> Result<(ReadTransaction, u64, Rows), Error> {
        // Nobody writes between these two: all calls that write need the disk for themselves.
        let applied = self.applied()?;
        Ok((self.file.read()?, applied, GENERATIONS[self.generation]))
    }

    pub(crate) fn forget_install(&self) -> Result<(), Error> {
        let write = self.begin(Durability::None)?;
        write.delete_table(self.other()).map_err(|error| self.file.words(error))?;
        self.file.commit(write)
    }

    pub(crate) fn install_rows(&self, rows: &[Row]) -> Result<(), Error> {
        let mut write = self.begin(Durability::None)?;
        self.put_rows(&mut write, self.other(), rows)?;
        self.file.commit(write)
    }

    pub(crate) fn finish_install(&mut self, index: u64, snapshot: &[u8]) -> Result<(), Error> {
        let other = 1 - self.generation;
        let mut installed = index.to_le_bytes().to_vec();
        installed.extend(snapshot);
        let write = self.begin(Durability::Immediate)?;
        write.delete_table(GENERATIONS[self.generation]).map_err(|error| self.file.words(error))?;
        self.file.put_meta(&write, GENERATION, &[other as u8])?;
        self.file.put_meta(&write, APPLIED, &index.to_le_bytes())?;
        self.file.put_meta(&write, INSTALLED, &installed)?;
        self.file.commit(write)?;
        self.generation = other;
        Ok(())
    }

    pub(crate) fn installed(&self) -> Result<Option<Installed>, Error> {
        let Some(bytes) = self.file.meta(INSTALLED)? else { return Ok(None) };
        let Some((index, snapshot)) = bytes.split_first_chunk() else {
            return Err(Error::corrupt(FILE, "length of the installed snapshot's record"));
        };
        Ok(Some(Installed { index: u64::from_le_bytes(*index), snapshot: snapshot.to_vec() }))
    }

    fn other(&self) -> Rows {
        GENERATIONS[1 - self.generation]
    }
}

pub(crate) fn full_key(table: u8, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(1 + key.len());
    full.push(table);
    full.extend(key);
    full
}

fn bounds(range: &Range) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let full = |key: &Vec<u8>| full_key(range.table, key);
    let from = match &range.from {
        Bound::Unbounded => Bound::Included(vec![range.table]),
        bound => bound.as_ref().map(full),
    };
    let until = match &range.until {
        Bound::Unbounded if range.table == u8::MAX => Bound::Unbounded,
        Bound::Unbounded => Bound::Excluded(vec![range.table + 1]),
        bound => bound.as_ref().map(full),
    };
    (from, until)
}

/// redb, as the standard library, does not take a range that ends before it begins.
fn is_empty(from: &Bound<Vec<u8>>, until: &Bound<Vec<u8>>) -> bool {
    match (from, until) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(from), Bound::Included(until)) => from > until,
        (
            Bound::Included(from) | Bound::Excluded(from),
            Bound::Included(until) | Bound::Excluded(until),
        ) => from >= until,
    }
}
