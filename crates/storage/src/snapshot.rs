//! Snapshots in pieces: read from a view of the tables that later writes do not change, checked piece by piece.

use crate::{
    Error, Row,
    record::unseal,
    tables::{FILE, Rows},
};
use redb::ReadTransaction;
use std::ops::Bound;

/// About how long a piece is, in bytes. A piece holds at least one row, however long that is.
pub const PIECE_BYTES: usize = 256 << 10;

/// What a peer's piece may hold at most, in bytes: one row of the greatest size that the planes allow, with room.
pub const PIECE_BYTES_MAX: usize = 64 << 20;

const NUMBER_BYTES: usize = 8;
const HEAD_BYTES: usize = 4 + NUMBER_BYTES + 1;

/// Gives the pieces of a snapshot, one at a time. It keeps its view alive: drop it when the transfer ends or fails.
pub struct SnapshotReader {
    view: ReadTransaction,
    rows: Rows,
    applied: u64,
    after: Option<Vec<u8>>,
    next: u64,
    done: bool,
}

impl SnapshotReader {
    pub(crate) fn new(view: ReadTransaction, applied: u64, rows: Rows) -> Self {
        Self { view, rows, applied, after: None, next: 0, done: false }
    }

    /// The log index that the snapshot contains everything through.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The next piece, `None` after the last one.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a row is: a node whose disk is corrupt must not hand that on.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.done {
            return Ok(None);
        }
        let mut piece = vec![0; HEAD_BYTES];
        let corrupt = |error: redb::Error| Error::corrupt(FILE, error);
        let table = match self.view.open_table(self.rows) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Some(self.seal(piece, true))),
            Err(error) => return Err(corrupt(error.into())),
        };
        let from = match &self.after {
            Some(after) => Bound::Excluded(after.as_slice()),
            None => Bound::Unbounded,
        };
        let mut last = true;
        let mut after = None;
        for row in table.range::<&[u8]>((from, Bound::Unbounded)).map_err(|e| corrupt(e.into()))? {
            if piece.len() >= PIECE_BYTES {
                last = false;
                break;
            }
            let (key, sealed) = row.map_err(|error| corrupt(error.into()))?;
            let value = unseal(FILE, key.value(), sealed.value())?;
            put_bytes(&mut piece, key.value());
            put_bytes(&mut piece, &value);
            after = Some(key.value().to_vec());
        }
        if after.is_some() {
            self.after = after;
        }
        Ok(Some(self.seal(piece, last)))
    }

    fn seal(&mut self, mut piece: Vec<u8>, last: bool) -> Vec<u8> {
        piece[4..4 + NUMBER_BYTES].copy_from_slice(&self.next.to_le_bytes());
        piece[HEAD_BYTES - 1] = u8::from(last);
        let sum = crc32fast::hash(&piece[4..]);
        piece[..4].copy_from_slice(&sum.to_le_bytes());
        self.next += 1;
        self.done = last;
        piece
    }
}

impl std::fmt::Debug for SnapshotReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotReader").field("applied", &self.applied).finish_non_exhaustive()
    }
}

/// Where the receiver of a snapshot stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Incoming {
    next: u64,
    complete: bool,
    settled: bool,
}

impl Incoming {
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether all of it is durable.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// The tables were made durable.
    pub(crate) fn settle(&mut self) {
        self.settled = self.complete;
    }

    /// Checks the next piece and gives its rows. A refused piece does not count.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<Vec<Row>, Error> {
        let number = self.next;
        let refuse = |why| Error::Piece { number, why };
        if piece.len() > PIECE_BYTES_MAX {
            return Err(refuse("it is too long"));
        }
        if self.complete {
            return Err(refuse("it comes after the last one"));
        }
        let Some((sum, body)) = piece.split_first_chunk() else {
            return Err(refuse("it is too short"));
        };
        if u32::from_le_bytes(*sum) != crc32fast::hash(body) {
            return Err(refuse("its checksum is wrong"));
        }
        let Some((got, body)) = body.split_first_chunk() else {
            return Err(refuse("it is too short"));
        };
        if u64::from_le_bytes(*got) != number {
            return Err(refuse("another piece was expected"));
        }
        let Some((last, body)) = body.split_first() else {
            return Err(refuse("it is too short"));
        };
        let rows = read_rows(body).ok_or(refuse("its rows cannot be read"))?;
        self.next += 1;
        self.complete = *last == 1;
        Ok(rows)
    }
}

fn put_bytes(piece: &mut Vec<u8>, bytes: &[u8]) {
    piece.extend((bytes.len() as u32).to_le_bytes());
    piece.extend(bytes);
}

fn read_rows(mut body: &[u8]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    while !body.is_empty() {
        let key = take_bytes(&mut body)?;
        let value = take_bytes(&mut body)?;
        let (table, key) = key.split_first()?;
        rows.push(Row { table: *table, key: key.to_vec(), value: Some(value.to_vec()) });
    }
    Some(rows)
}

fn take_bytes<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = body.split_first_chunk()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *body = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn junk_from_a_peer_is_refused_and_never_panics(piece: Vec<u8>) {
            let mut incoming = Incoming::default();
            let _ = incoming.take(&piece);
            let _ = read_rows(&piece);
        }
    }
}
