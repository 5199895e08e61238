//! One redb file of ours: opened, checked as a whole, its format known, its errors in our words.

use crate::{
    Error,
    area::Area,
    backend::{Backend, FaultCell},
    error::Fault,
    record::{seal, unseal},
};
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The format of both files. Grows when an older version could no longer read what this one writes.
pub const FORMAT_VERSION: u32 = 1;

/// Small named records of a file.
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// `META`, open for writing.
pub(crate) type Meta<'a> = redb::Table<'a, &'static str, &'static [u8]>;

const FORMAT: &str = "format";

#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    database: Database,
    faults: FaultCell,
}

/// Where a file of ours is and how it is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    /// Its name until it is complete.
    pub(crate) fresh: &'static str,
    pub(crate) cache_bytes: usize,
}

impl File {
    pub(crate) fn open(area: &Area, plan: Plan) -> Result<Self, Error> {
        if !area.exists(plan.name) {
            // redb cannot open what a power cut left of a file that it was creating. Under its name there is only a
            // complete one, so one that cannot be opened has lost data.
            area.file(plan.fresh)?
                .set_len(0)
                .map_err(|error| Fault::of(&error).error(plan.name))?;
            let file = Self::open_as(area, plan.fresh, plan)?;
            let write = file.write()?;
            file.put_meta(&write, FORMAT, &FORMAT_VERSION.to_le_bytes())?;
            file.commit(write)?;
            drop(file);
            area.rename(plan.fresh, plan.name)?;
        }
        Self::open_checked(area, plan)
    }

    fn open_checked(area: &Area, plan: Plan) -> Result<Self, Error> {
        let open = || {
            let mut file = Self::open_as(area, plan.name, plan)?;
            file.check()?;
            file.check_format()?;
            Ok(file)
        };
        // redb reads its own tables before their pages are verified, and panics at a name that is no text any more.
        // Nothing of it outlives the closure.
        catch_unwind(AssertUnwindSafe(open))
            .unwrap_or_else(|_| Err(Error::corrupt(plan.name, "redb cannot read its own tables")))
    }

    fn open_as(area: &Area, name: &'static str, plan: Plan) -> Result<Self, Error> {
        let faults = FaultCell::default();
        let backend = Backend::new(area.file(name)?, area.clone(), faults.clone());
        let database = Builder::new()
            .set_cache_size(plan.cache_bytes)
            .create_with_backend(backend)
            .map_err(|error| words(plan.name, &faults, error.into()))?;
        Ok(Self { name: plan.name, database, faults })
    }

    /// redb does not verify pages when it reads them, only here.
    fn check(&mut self) -> Result<(), Error> {
        match self.database.check_integrity() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::corrupt(self.name, "page checksums")),
            Err(error) => Err(words(self.name, &self.faults, error.into())),
        }
    }

    fn check_format(&self) -> Result<(), Error> {
        let bytes = self.meta(FORMAT)?;
        let found = bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes)
            .ok_or(Error::corrupt(self.name, "format version"))?;
        if found == FORMAT_VERSION {
            Ok(())
        } else {
            Err(Error::Version { file: self.name, found, known: FORMAT_VERSION })
        }
    }

    pub(crate) fn words(&self, error: impl Into<redb::Error>) -> Error {
        words(self.name, &self.faults, error.into())
    }

    pub(crate) fn read(&self) -> Result<ReadTransaction, Error> {
        self.database.begin_read().map_err(|error| self.words(error))
    }

    /// A transaction that is durable when it is committed.
    pub(crate) fn write(&self) -> Result<WriteTransaction, Error> {
        let mut write = self.database.begin_write().map_err(|error| self.words(error))?;
        // With one phase redb takes a damaged newest tree for a torn commit and goes back to the one before: a flipped
        // bit would undo an acknowledged write. With two phases it is an error. That costs a second fsync.
        write.set_two_phase_commit(true);
        Ok(write)
    }

    pub(crate) fn commit(&self, write: WriteTransaction) -> Result<(), Error> {
        write.commit().map_err(|error| self.words(error))
    }

    pub(crate) fn put_meta(
        &self,
        write: &WriteTransaction,
        name: &str,
        value: &[u8],
    ) -> Result<(), Error> {
        self.put(&mut self.open_meta(write)?, name, value)
    }

    pub(crate) fn open_meta<'a>(&self, write: &'a WriteTransaction) -> Result<Meta<'a>, Error> {
        write.open_table(META).map_err(|error| self.words(error))
    }

    pub(crate) fn put(&self, meta: &mut Meta<'_>, name: &str, value: &[u8]) -> Result<(), Error> {
        let sealed = seal(name.as_bytes(), value);
        meta.insert(name, sealed.as_slice()).map_err(|error| self.words(error))?;
        Ok(())
    }

    pub(crate) fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let meta = match self.read()?.open_table(META) {
            Ok(meta) => meta,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(self.words(error)),
        };
        match meta.get(name).map_err(|error| self.words(error))? {
            Some(sealed) => unseal(self.name, name.as_bytes(), sealed.value()).map(Some),
            None => Ok(None),
        }
    }
}

/// redb latches after the first fault and then only says "previous I/O error": what happened first is what counts.
fn words(name: &'static str, faults: &FaultCell, error: redb::Error) -> Error {
    if let Some(fault) = faults.get() {
        return fault.error(name);
    }
    match error {
        redb::Error::UpgradeRequired(found) => {
            Error::Version { file: name, found: u32::from(found), known: FORMAT_VERSION }
        }
        // Our files gave redb no error, so whatever it complains about is in the bytes.
        error => Error::corrupt(name, error),
    }
}

/// Rewrites the format of `raft.redb`, as a later version of this program would have.
#[cfg(test)]
pub(crate) fn pretend_format(sim: &crate::SimDisk, format: u32) {
    let area = Area::open(crate::Place::Simulated(sim.clone())).unwrap();
    let plan = Plan { name: "raft.redb", fresh: "", cache_bytes: 1 << 20 };
    let file = File::open_as(&area, plan.name, plan).unwrap();
    let write = file.write().unwrap();
    file.put_meta(&write, FORMAT, &format.to_le_bytes()).unwrap();
    file.commit(write).unwrap();
}
