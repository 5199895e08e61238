//! What redb stands on: our files, with the first fault remembered and the reserve behind them.

use crate::{
    area::{Area, RawFile},
    error::{Fault, is_full},
};
use redb::StorageBackend;
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

/// Remembers the first fault of one file. redb latches after it and answers "previous I/O error" to everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultCell(Arc<Mutex<Option<Fault>>>);

impl FaultCell {
    pub(crate) fn get(&self) -> Option<Fault> {
        self.lock().clone()
    }

    fn note(&self, fault: Fault) {
        self.lock().get_or_insert(fault);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Fault>> {
        self.0.lock().expect("no code panics while it holds this lock")
    }
}

/// One file as redb sees it.
#[derive(Debug)]
pub(crate) struct Backend {
    file: Box<dyn RawFile>,
    area: Area,
    faults: FaultCell,
}

impl Backend {
    pub(crate) fn new(file: Box<dyn RawFile>, area: Area, faults: FaultCell) -> Self {
        Self { file, area, faults }
    }

    /// redb must not see a full disk: the first time the reserve is given up and the write is done again. Writing the
    /// same bytes to the same place twice is harmless, unlike a second fsync.
    fn with_reserve(&self, write: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match write() {
            Err(error) if is_full(&error) && self.area.release_reserve() => self.noted(write()),
            result => self.noted(result),
        }
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| self.faults.note(Fault::of(error)))
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.noted(self.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.noted(self.file.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with_reserve(|| self.file.set_len(len))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with_reserve(|| self.file.write(offset, data))
    }

    fn sync_data(&self) -> io::Result<()> {
        // Even "no space" is a failed fsync here: the kernel may have dropped the pages already.
        self.file.sync().inspect_err(|error| self.faults.note(Fault::Sync(error.to_string())))
    }
}
