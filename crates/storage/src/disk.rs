//! Both files of a node as one thing.

use crate::{
    Entry, Error, KeyValue, LogWrite, Place, Range, Row, SnapshotReader,
    area::Area,
    hint::Hint,
    log::Log,
    snapshot::Incoming,
    tables::Tables,
    witness::{Marks, Witness},
};

const IDENTITY: &str = "identity";

/// What was durable when the disk was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last hard state that was appended.
    pub hard_state: Option<Vec<u8>>,
    /// What the caller gave with the last compaction or installed snapshot.
    pub snapshot: Option<Vec<u8>>,
    /// The log after that, without gaps.
    pub entries: Vec<Entry>,
    /// The log index that the state tables contain everything through.
    pub applied: u64,
    /// Who this node is; see [`Disk::set_identity`].
    pub identity: Option<Vec<u8>>,
}

/// Everything that one node keeps on disk.
///
/// Calls that change something take `&mut self`: one thread at a time, in the order in which the node asked.
#[derive(Debug)]
pub struct Disk {
    area: Area,
    hint: Hint,
    /// `None` only when a [`Disk::reopen`] failed.
    open: Option<Open>,
    /// What was received of a snapshot.
    incoming: Option<Incoming>,
    /// Set by what must stop the node; every later change is refused with it.
    stopped: Option<Error>,
}

#[derive(Debug)]
struct Open {
    log: Log,
    tables: Tables,
    witness: Witness,
    marks: Marks,
}

impl Open {
    /// Something became durable and is acknowledged next.
    fn witnessed(&mut self, checkpoint: Option<u64>) {
        self.marks.log = self.log.sequence();
        self.marks.checkpoint = checkpoint.unwrap_or(self.marks.checkpoint);
        self.witness.note(self.marks);
    }
}

impl Disk {
    /// Opens or creates the files of a node, verifies every page of them and reads back what is durable.
    ///
    /// # Errors
    /// [`Error::InUse`], [`Error::Version`], [`Error::Corrupt`], [`Error::Full`], [`Error::Io`].
    pub fn open(place: Place) -> Result<(Self, Recovered), Error> {
        let area = Area::open(place)?;
        let (open, recovered) = open_files(&area)?;
        let hint = Hint::new(area.clone());
        Ok((Self { area, hint, open: Some(open), incoming: None, stopped: None }, recovered))
    }

    /// After [`Error::Full`]: opens both files anew and reads back what is durable. Changes that were not acknowledged,
    /// and rows applied since the last checkpoint, may be gone; so is a snapshot that was not received whole before it.
    ///
    /// # Errors
    /// As [`Disk::open`]; still [`Error::Full`] as long as there is no space, so it can be tried again. After
    /// [`Error::SyncFailed`] or [`Error::Corrupt`] it gives that error: the node must stop.
    pub fn reopen(&mut self) -> Result<Recovered, Error> {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        self.open = None;
        self.incoming = self.incoming.take().filter(Incoming::is_settled);
        let (open, recovered) = open_files(&self.area).map_err(|error| self.noted(error))?;
        self.open = Some(open);
        Ok(recovered)
    }

    /// Appends to the Raft log: all writes in one transaction, durable when this returns.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::SyncFailed`], [`Error::Io`]. Nothing may be acknowledged.
    pub fn append(&mut self, writes: &[LogWrite]) -> Result<(), Error> {
        self.change(|open| {
            open.log.append(writes)?;
            open.witnessed(None);
            Ok(())
        })
    }

    /// Changes rows of the state tables. Visible at once, durable with the next [`Disk::checkpoint`]; a crash goes back
    /// to the last checkpoint, rows and `applied` together.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn apply_rows<'a>(
        &mut self,
        applied: u64,
        rows: impl IntoIterator<Item = &'a Row>,
    ) -> Result<(), Error> {
        self.change(|open| open.tables.apply(applied, rows))
    }

    /// Makes the state tables durable and says through which log index they go.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn checkpoint(&mut self) -> Result<u64, Error> {
        let applied = self.change(|open| {
            let applied = open.tables.checkpoint()?;
            open.witnessed(Some(applied));
            Ok(applied)
        })?;
        if let Some(incoming) = &mut self.incoming {
            incoming.settle();
        }
        Ok(applied)
    }

    /// One row.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if its checksum is wrong; then the node must stop.
    pub fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.opened()?.tables.get(table, key)
    }

    /// Keys and values of a part of a table.
    ///
    /// # Errors
    /// As [`Disk::get`].
    pub fn range(&self, range: &Range) -> Result<Vec<KeyValue>, Error> {
        self.opened()?.tables.range(range)
    }

    /// Stores who this node is, durably.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn set_identity(&mut self, identity: &[u8]) -> Result<(), Error> {
        self.set_value(IDENTITY, identity)
    }

    /// Stores who this node is and changes the log, durably and in one transaction: a crash leaves both or neither.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn append_as(&mut self, identity: &[u8], write: &LogWrite) -> Result<(), Error> {
        self.change(|open| {
            open.log.append_with(std::slice::from_ref(write), Some((IDENTITY, identity)))?;
            open.witnessed(None);
            Ok(())
        })
    }

    /// Stores a small named value, durably.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn set_value(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.change(|open| {
            open.log.set_value(name, bytes)?;
            open.witnessed(None);
            Ok(())
        })
    }

    /// A small named value.
    ///
    /// # Errors
    /// As [`Disk::get`].
    pub fn value(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.opened()?.log.value(name)
    }

    /// Begins a new hint for the next life; the former one is kept until [`Disk::complete_hint`]. No promise: a hint may
    /// be lost, or parts of it.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`], which harm nothing else.
    pub fn begin_hint(&mut self) -> Result<(), Error> {
        self.hint.begin()
    }

    /// Adds a piece to the hint that was begun last in this life. Before the first one there is nothing to add to.
    ///
    /// # Errors
    /// As [`Disk::begin_hint`], and when the hint is longer than [`crate::HINT_BYTES_MAX`]. The piece is not in the hint then.
    pub fn add_to_hint(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.hint.add(piece)
    }

    /// The hint that was begun last takes the place of the former one.
    ///
    /// # Errors
    /// As [`Disk::begin_hint`].
    pub fn complete_hint(&mut self) -> Result<(), Error> {
        self.hint.complete()
    }

    /// The pieces of the hint of an earlier life, oldest first: up to the first that is damaged.
    #[must_use]
    pub fn read_hint(&self) -> Vec<Vec<u8>> {
        self.hint.read().unwrap_or_default()
    }

    /// Whether the reserve had to be given up and there is still no space to take it back. The node then refuses writes
    /// and asks again.
    #[must_use]
    pub fn free_space_low(&self) -> bool {
        self.area.reserve_missing()
    }

    /// A snapshot of the state tables as they are now, to be sent to a peer.
    ///
    /// # Errors
    /// As [`Disk::get`].
    pub fn snapshot_reader(&self) -> Result<SnapshotReader, Error> {
        let (view, applied, rows) = self.opened()?.tables.view()?;
        Ok(SnapshotReader::new(view, applied, rows))
    }

    /// Begins to receive a snapshot from the leader; forgets what was received of another one.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn begin_install(&mut self) -> Result<(), Error> {
        self.abandon_install()?;
        self.incoming = Some(Incoming::default());
        Ok(())
    }

    /// Forgets what was received of a snapshot.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn abandon_install(&mut self) -> Result<(), Error> {
        self.incoming = None;
        self.change(|open| open.tables.forget_install())
    }

    /// Takes the next piece. True when it was the last one: with the next checkpoint all of it is durable, and outlasts a
    /// [`Disk::reopen`].
    ///
    /// # Errors
    /// [`Error::Piece`] if the piece does not fit, or as [`Disk::append`].
    pub fn install_piece(&mut self, piece: &[u8]) -> Result<bool, Error> {
        let mut incoming =
            self.incoming.ok_or(Error::Piece { number: 0, why: "no transfer has begun" })?;
        let rows = incoming.take(piece)?;
        self.change(|open| open.tables.install_rows(&rows))?;
        self.incoming = Some(incoming);
        Ok(incoming.is_complete())
    }

    /// The received snapshot takes the place of the state tables and of the whole log, durably. After a crash either all
    /// of it happened or none. After [`Error::Full`] and a [`Disk::reopen`] it is tried again.
    ///
    /// # Errors
    /// [`Error::Piece`] if not all pieces are here, or as [`Disk::append`].
    pub fn finish_install(&mut self, index: u64, snapshot: &[u8]) -> Result<(), Error> {
        let is_complete = self.incoming.is_some_and(|incoming| incoming.is_complete());
        self.change(|open| {
            let installed = open.tables.installed()?;
            if installed.is_none_or(|installed| installed.index != index) {
                if !is_complete {
                    return Err(Error::Piece { number: 0, why: "the last piece is missing" });
                }
                open.tables.finish_install(index, snapshot)?;
            }
            // A crash between the two is repaired when the disk is opened.
            if open.log.compacted()? < index {
                open.log.restart_after(index, snapshot)?;
            }
            open.witnessed(Some(index));
            Ok(())
        })?;
        self.incoming = None;
        Ok(())
    }

    fn opened(&self) -> Result<&Open, Error> {
        // Only a full disk can leave the files closed.
        self.open.as_ref().ok_or(Error::Full { file: "the data directory" })
    }

    fn change<T>(&mut self, f: impl FnOnce(&mut Open) -> Result<T, Error>) -> Result<T, Error> {
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let open = self.open.as_mut().ok_or(Error::Full { file: "the data directory" })?;
        f(open).map_err(|error| self.noted(error))
    }

    fn noted(&mut self, error: Error) -> Error {
        match &error {
            Error::SyncFailed { .. } | Error::Corrupt { .. } | Error::Io { .. } => {
                self.stopped.get_or_insert(error).clone()
            }
            Error::Full { .. }
            | Error::InUse { .. }
            | Error::Version { .. }
            | Error::Piece { .. } => error,
        }
    }
}

fn open_files(area: &Area) -> Result<(Open, Recovered), Error> {
    let mut log = Log::open(area)?;
    let tables = Tables::open(area)?;
    let witness = Witness::open(area)?;
    let marks = Marks { log: log.sequence(), checkpoint: tables.applied()? };
    witness.check(marks)?;
    if let Some(installed) = tables.installed()?
        && installed.index > log.compacted()?
    {
        log.restart_after(installed.index, &installed.snapshot)?;
    }
    let recovered = Recovered {
        hard_state: log.hard_state()?,
        snapshot: log.snapshot()?,
        entries: log.entries()?,
        applied: tables.applied()?,
        identity: log.value(IDENTITY)?,
    };
    Ok((Open { log, tables, witness, marks }, recovered))
}
