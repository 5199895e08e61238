//! A disk that does what real disks do on their worst day, the same way for the same seed.

use crate::area::{RawFile, read_at, write_at};
use base::Rng;
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

/// What a disk writes whole or not at all, in bytes.
pub const SECTOR_BYTES: usize = 512;

/// A simulated disk: it outlives the nodes that work on it. Cloning shares it.
///
/// A write is visible at once and durable only after an fsync of its file. A crash keeps an arbitrary part of what was
/// not durable and may tear a write at any sector.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

/// Which writes since the last fsync are on the disk after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// None.
    None,
    /// All.
    All,
    /// All, but only the first sectors of the last one.
    TornLast,
    /// A random subset, each possibly torn.
    Random,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    files: BTreeMap<&'static str, SimFileState>,
    /// Counts the openings; handles of an earlier life are dead.
    life: u64,
    in_use: bool,
    sync_failures: u32,
    syncs_lost: bool,
    full: bool,
    hard_full: bool,
    reserve_held: bool,
    /// Crash as soon as this many more operations were done.
    crash_after: Option<u64>,
    operations: u64,
}

#[derive(Clone, Debug, Default)]
struct SimFileState {
    durable: Vec<u8>,
    visible: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Length(u64),
    Write(u64, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(len) => bytes.resize(*len as usize, 0),
            Self::Write(offset, data) => write_at(bytes, *offset, data),
        }
    }

    /// Only the first `sectors` sectors reached the disk.
    fn torn(&self, sectors: usize) -> Self {
        match self {
            Self::Length(len) => Self::Length(*len),
            Self::Write(offset, data) => {
                Self::Write(*offset, data[..data.len().min(sectors * SECTOR_BYTES)].to_vec())
            }
        }
    }

    fn sectors(&self) -> u64 {
        match self {
            Self::Length(_) => 1,
            Self::Write(_, data) => data.len().div_ceil(SECTOR_BYTES) as u64,
        }
    }
}

impl SimDisk {
    /// An empty disk. `rng` decides what a crash leaves.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng,
            files: BTreeMap::new(),
            life: 0,
            in_use: false,
            sync_failures: 0,
            syncs_lost: false,
            full: false,
            hard_full: false,
            reserve_held: true,
            crash_after: None,
            operations: 0,
        })))
    }

    /// Power loss: what was not durable survives as `survivors` says. Whoever had the disk open gets errors from now on.
    pub fn crash(&self, survivors: Survivors) {
        self.lock().crash(survivors);
    }

    /// Power loss after `operations` more writes, length changes and fsyncs: none of those that follow is done.
    /// [`Self::crash`] then says what survived.
    pub fn crash_after(&self, operations: u64) {
        let mut state = self.lock();
        state.crash_after = Some(state.operations + operations);
    }

    /// How many writes, length changes and fsyncs were done so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// The next `count` fsyncs fail, and what they should have made durable is lost at the next crash, even if a later
    /// fsync succeeds: that is what kernels do.
    pub fn fail_syncs(&self, count: u32) {
        self.lock().sync_failures = count;
    }

    /// From now on, or no longer, an fsync says "done" and does nothing, until the next crash. What it should have made
    /// durable is as any other write since the last honest fsync.
    pub fn lose_syncs(&self, lost: bool) {
        self.lock().syncs_lost = lost;
    }

    /// The disk is full, but for the reserve that the storage holds back.
    pub fn fill(&self) {
        self.lock().full = true;
    }

    /// The disk is full, and giving up the reserve does not help.
    pub fn fill_with_reserve(&self) {
        let mut state = self.lock();
        state.full = true;
        state.hard_full = true;
        state.reserve_held = false;
    }

    /// There is space again.
    pub fn free(&self) {
        let mut state = self.lock();
        state.full = false;
        state.hard_full = false;
    }

    /// How long a file is, in bytes, zero if it does not exist.
    #[must_use]
    pub fn len(&self, name: &str) -> u64 {
        self.lock().files.get(name).map_or(0, |file| file.visible.len() as u64)
    }

    /// Whether a file has no bytes.
    #[must_use]
    pub fn is_empty(&self, name: &str) -> bool {
        self.len(name) == 0
    }

    /// Flips one bit of a file, durably. Nothing happens behind its end.
    pub fn flip_bit(&self, name: &str, offset: u64, bit: u8) {
        let mut state = self.lock();
        let Some(file) = state.files.get_mut(name) else { return };
        for bytes in [&mut file.durable, &mut file.visible] {
            if let Some(byte) = bytes.get_mut(offset as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// Another disk with the same bytes and its own fate from here on, not in use.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut state = self.lock();
        let rng = state.rng.fork();
        let files = state.files.clone();
        drop(state);
        let copy = Self::new(rng);
        copy.lock().files = files;
        copy
    }

    pub(crate) fn open(&self) -> Option<u64> {
        let mut state = self.lock();
        if state.in_use {
            return None;
        }
        state.in_use = true;
        state.life += 1;
        Some(state.life)
    }

    pub(crate) fn close(&self, life: u64) {
        let mut state = self.lock();
        if state.life == life {
            state.in_use = false;
        }
    }

    pub(crate) fn file(&self, name: &'static str, life: u64) -> SimFile {
        self.lock().files.entry(name).or_default();
        SimFile { disk: self.clone(), name, life }
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.lock().files.contains_key(name)
    }

    /// Atomic and durable, as a rename with an fsync of its directory.
    pub(crate) fn rename(&self, from: &str, to: &'static str, life: u64) -> io::Result<()> {
        let mut state = self.lock();
        if state.life != life {
            return Err(io::Error::other("this disk was lost in a crash"));
        }
        state.operation()?;
        let file = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to, file);
        Ok(())
    }

    pub(crate) fn release_reserve(&self) -> bool {
        let mut state = self.lock();
        std::mem::replace(&mut state.reserve_held, false)
    }

    pub(crate) fn hold_reserve(&self) -> bool {
        let mut state = self.lock();
        if !state.full {
            state.reserve_held = true;
        }
        state.reserve_held
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no code panics while it holds this lock")
    }
}

impl State {
    fn crash(&mut self, survivors: Survivors) {
        for file in self.files.values_mut() {
            let count = file.unsynced.len();
            for (n, change) in std::mem::take(&mut file.unsynced).into_iter().enumerate() {
                let kept = match survivors {
                    Survivors::None => None,
                    Survivors::All => Some(change),
                    Survivors::TornLast if n + 1 == count => {
                        let sectors = self.rng.below(change.sectors().max(1)) as usize;
                        Some(change.torn(sectors))
                    }
                    Survivors::TornLast => Some(change),
                    Survivors::Random => match self.rng.below(4) {
                        0 => None,
                        1 => {
                            let sectors = self.rng.below(change.sectors() + 1) as usize;
                            Some(change.torn(sectors))
                        }
                        _ => Some(change),
                    },
                };
                if let Some(change) = kept {
                    change.apply(&mut file.durable);
                }
            }
            file.visible = file.durable.clone();
        }
        self.life += 1;
        self.in_use = false;
        self.crash_after = None;
        self.sync_failures = 0;
        self.syncs_lost = false;
    }

    fn operation(&mut self) -> io::Result<()> {
        if self.crash_after.is_some_and(|last| self.operations >= last) {
            return Err(io::Error::other("the simulated machine has lost its power"));
        }
        self.operations += 1;
        Ok(())
    }

    fn space(&self) -> io::Result<()> {
        if self.full && (self.reserve_held || self.hard_full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn change(&mut self, name: &'static str, change: Change) -> io::Result<()> {
        self.operation()?;
        self.space()?;
        let file = self.files.entry(name).or_default();
        change.apply(&mut file.visible);
        file.unsynced.push(change);
        Ok(())
    }
}

/// One open file of a [`SimDisk`].
#[derive(Clone, Debug)]
pub(crate) struct SimFile {
    disk: SimDisk,
    name: &'static str,
    life: u64,
}

impl SimFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.lock();
        if state.life != self.life {
            return Err(io::Error::other("this disk was lost in a crash"));
        }
        Ok(state)
    }
}

impl RawFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.files[self.name].visible.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        read_at(&self.state()?.files[self.name].visible, offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state()?.change(self.name, Change::Length(len))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.state()?.change(self.name, Change::Write(offset, data.to_vec()))
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state()?;
        state.operation()?;
        if state.syncs_lost {
            return Ok(());
        }
        let fails = state.sync_failures > 0;
        state.sync_failures = state.sync_failures.saturating_sub(1);
        let file = state.files.entry(self.name).or_default();
        let unsynced = std::mem::take(&mut file.unsynced);
        if fails {
            return Err(io::Error::other("simulated fsync failure"));
        }
        for change in &unsynced {
            change.apply(&mut file.durable);
        }
        Ok(())
    }
}
