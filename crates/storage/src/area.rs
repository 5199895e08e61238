//! Where the files of one node are: a directory, memory, or a simulated disk.

use crate::{Error, SimDisk, error::is_full};
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Space kept back on a real disk. Given up when the disk is full, so that redb (which latches at any failed write) does
/// not see it, and large enough to finish what was begun: one group commit and one checkpoint.
pub const RESERVE_BYTES: u64 = 16 << 20;

const RESERVE_FILE: &str = "reserve";
const LOCK_FILE: &str = "lock";

/// Where a node keeps its data.
#[derive(Clone, Debug)]
pub enum Place {
    /// A directory of the file system; made if it is missing. One node at a time.
    Directory(PathBuf),
    /// Nowhere: gone with the [`crate::Disk`] (`--memory`).
    Memory,
    /// A simulated disk with faults.
    Simulated(SimDisk),
}

impl Place {
    /// Whether a node has kept its log here. Changes nothing; that it can be read is another question.
    #[must_use]
    pub fn is_used(&self) -> bool {
        match self {
            Self::Directory(path) => path.join(crate::log::FILE).exists(),
            Self::Memory => false,
            Self::Simulated(disk) => disk.exists(crate::log::FILE),
        }
    }
}

/// What every kind of file can do. Offsets and lengths in bytes.
pub(crate) trait RawFile: fmt::Debug + Send + Sync {
    fn len(&self) -> io::Result<u64>;
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
}

/// An open place. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) enum Area {
    Directory(Arc<Directory>),
    Memory(Arc<Mutex<BTreeMap<&'static str, MemoryFile>>>),
    Simulated(Arc<SimArea>),
}

#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    reserve_held: AtomicBool,
    /// Held for its lock, which ends with the process, however that ends.
    _lock: File,
}

/// Marks the simulated disk as in use while it lives.
#[derive(Debug)]
pub(crate) struct SimArea {
    disk: SimDisk,
    life: u64,
}

impl Drop for SimArea {
    fn drop(&mut self) {
        self.disk.close(self.life);
    }
}

impl Area {
    pub(crate) fn open(place: Place) -> Result<Self, Error> {
        match place {
            Place::Directory(path) => Directory::open(path).map(|d| Self::Directory(Arc::new(d))),
            Place::Memory => Ok(Self::Memory(Arc::default())),
            Place::Simulated(disk) => match disk.open() {
                Some(life) => Ok(Self::Simulated(Arc::new(SimArea { disk, life }))),
                None => Err(Error::InUse { place: "the simulated disk".into() }),
            },
        }
    }

    pub(crate) fn file(&self, name: &'static str) -> Result<Box<dyn RawFile>, Error> {
        match self {
            Self::Directory(directory) => {
                directory.file(name).map_err(|error| io_error(name, &error))
            }
            Self::Memory(files) => {
                let mut files = files.lock().expect("no code panics while it holds this lock");
                Ok(Box::new(files.entry(name).or_default().clone()))
            }
            Self::Simulated(area) => Ok(Box::new(area.disk.file(name, area.life))),
        }
    }

    /// Whether a file was completed under this name.
    pub(crate) fn exists(&self, name: &'static str) -> bool {
        match self {
            Self::Directory(directory) => directory.path.join(name).exists(),
            Self::Memory(files) => {
                files.lock().expect("no code panics while it holds this lock").contains_key(name)
            }
            Self::Simulated(area) => area.disk.exists(name),
        }
    }

    /// Gives a completed file its name, durably and all at once.
    pub(crate) fn rename(&self, from: &'static str, to: &'static str) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => {
                let path = &directory.path;
                fs::rename(path.join(from), path.join(to))
                    .and_then(|()| File::open(path)?.sync_all())
                    .map_err(|error| io_error(to, &error))
            }
            Self::Memory(files) => {
                let mut files = files.lock().expect("no code panics while it holds this lock");
                let file = files.remove(from).unwrap_or_default();
                files.insert(to, file);
                Ok(())
            }
            Self::Simulated(area) => {
                area.disk.rename(from, to, area.life).map_err(|error| io_error(to, &error))
            }
        }
    }

    /// Gives the reserve back to the file system. False if there was none to give.
    pub(crate) fn release_reserve(&self) -> bool {
        match self {
            Self::Directory(directory) => directory.release_reserve(),
            Self::Memory(_) => false,
            Self::Simulated(area) => area.disk.release_reserve(),
        }
    }

    /// Whether the reserve is gone. Tries to take it back first: space may have been freed meanwhile.
    pub(crate) fn reserve_missing(&self) -> bool {
        match self {
            Self::Directory(directory) => !directory.hold_reserve(),
            Self::Memory(_) => false,
            Self::Simulated(area) => !area.disk.hold_reserve(),
        }
    }
}

pub(crate) fn io_error(file: &'static str, error: &io::Error) -> Error {
    if is_full(error) {
        return Error::Full { file };
    }
    Error::Io { file, why: error.to_string() }
}

impl Directory {
    fn open(path: PathBuf) -> Result<Self, Error> {
        let fail = |error: io::Error| {
            io_error(
                "the data directory",
                &io::Error::new(error.kind(), format!("{}: {error}", path.display())),
            )
        };
        fs::create_dir_all(&path).map_err(fail)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse { place: path.display().to_string() });
            }
            Err(TryLockError::Error(error)) => return Err(fail(error)),
        }
        let directory = Self { path, reserve_held: AtomicBool::new(false), _lock: lock };
        directory.hold_reserve();
        Ok(directory)
    }

    fn file(&self, name: &str) -> io::Result<Box<dyn RawFile>> {
        let path = self.path.join(name);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        // A new file's name is durable only with its directory.
        File::open(&self.path)?.sync_all()?;
        Ok(Box::new(RealFile(file)))
    }

    fn release_reserve(&self) -> bool {
        self.reserve_held.swap(false, Ordering::SeqCst)
            && fs::remove_file(self.path.join(RESERVE_FILE)).is_ok()
    }

    fn hold_reserve(&self) -> bool {
        if self.reserve_held.load(Ordering::SeqCst) {
            return true;
        }
        let path = self.path.join(RESERVE_FILE);
        let held = fill_with_zeros(&path, RESERVE_BYTES).is_ok();
        if !held {
            // Half a reserve helps nobody and takes the last space from whoever frees some.
            let _ = fs::remove_file(&path);
        }
        self.reserve_held.store(held, Ordering::SeqCst);
        held
    }
}

/// Zeros are really written: a hole in a file reserves nothing.
fn fill_with_zeros(path: &Path, bytes: u64) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|meta| meta.len() == bytes) {
        return Ok(());
    }
    const CHUNK_BYTES: usize = 1 << 20;
    let mut file = File::create(path)?;
    let zeros = vec![0; CHUNK_BYTES];
    for _ in 0..bytes / CHUNK_BYTES as u64 {
        file.write_all(&zeros)?;
    }
    file.sync_data()
}

#[derive(Debug)]
struct RealFile(File);

impl RawFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|meta| meta.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// A file in memory. Cloning shares its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryFile(Arc<Mutex<Vec<u8>>>);

impl MemoryFile {
    fn with<T>(&self, f: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        f(&mut self.0.lock().expect("no code panics while it holds this lock"))
    }
}

impl RawFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|bytes| bytes.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|bytes| read_at(bytes, offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|bytes| bytes.resize(len as usize, 0));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|bytes| write_at(bytes, offset, data));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn read_at(bytes: &[u8], offset: u64, out: &mut [u8]) -> io::Result<()> {
    let from = offset as usize;
    let part = bytes.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
    out.copy_from_slice(part);
    Ok(())
}

pub(crate) fn write_at(bytes: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let until = offset as usize + data.len();
    if bytes.len() < until {
        bytes.resize(until, 0);
    }
    bytes[offset as usize..until].copy_from_slice(data);
}
