//! `hint`: what a node likes to find after a restart and can do without. Pieces one after the other, none of them synced.

use crate::{
    Error,
    area::{Area, RawFile, io_error},
    record::{seal, unseal},
};
use std::io;

const FILE: &str = "hint";
/// Its name until it is complete.
const FRESH: &str = "hint.new";

/// The longest hint in bytes. What would make it longer is not written.
pub const HINT_BYTES_MAX: usize = 256 << 20;

const LENGTH_BYTES: usize = 4;

#[derive(Debug)]
pub(crate) struct Hint {
    area: Area,
    written: Option<Written>,
}

/// The hint of this life.
#[derive(Debug)]
struct Written {
    file: Box<dyn RawFile>,
    len: u64,
}

impl Hint {
    pub(crate) fn new(area: Area) -> Self {
        Self { area, written: None }
    }

    pub(crate) fn begin(&mut self) -> Result<(), Error> {
        self.written = None;
        let file = self.area.file(FRESH)?;
        file.set_len(0).map_err(|error| io_error(FILE, &error))?;
        self.written = Some(Written { file, len: 0 });
        Ok(())
    }

    pub(crate) fn add(&mut self, piece: &[u8]) -> Result<(), Error> {
        let missing = || Error::Io { file: FILE, why: "it was not begun".into() };
        let written = self.written.as_mut().ok_or_else(missing)?;
        let sealed = seal(FILE.as_bytes(), piece);
        let length = u32::try_from(sealed.len()).unwrap_or(u32::MAX);
        let len = written.len + (LENGTH_BYTES + sealed.len()) as u64;
        if len > HINT_BYTES_MAX as u64 {
            return Err(Error::Io { file: FILE, why: "the hint is too long".into() });
        }
        let frame = [&length.to_le_bytes()[..], &sealed].concat();
        // What a failed write left is overwritten by the next one.
        written.file.write(written.len, &frame).map_err(|error| io_error(FILE, &error))?;
        written.len = len;
        Ok(())
    }

    pub(crate) fn complete(&mut self) -> Result<(), Error> {
        let Some(Written { len, .. }) = self.written.take() else { return Ok(()) };
        self.area.rename(FRESH, FILE)?;
        self.written = Some(Written { file: self.area.file(FILE)?, len });
        Ok(())
    }

    pub(crate) fn read(&self) -> Result<Vec<Vec<u8>>, Error> {
        if !self.area.exists(FILE) {
            return Ok(Vec::new());
        }
        let file = self.area.file(FILE)?;
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = vec![0; file.len()?.min(HINT_BYTES_MAX as u64) as usize];
            file.read(0, &mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| io_error(FILE, &error))?;
        let mut rest = bytes.as_slice();
        let mut pieces = Vec::new();
        while let Some((length, behind)) = rest.split_first_chunk::<LENGTH_BYTES>()
            && let Some((sealed, behind)) =
                behind.split_at_checked(u32::from_le_bytes(*length) as usize)
            && let Ok(piece) = unseal(FILE, FILE.as_bytes(), sealed)
        {
            pieces.push(piece);
            rest = behind;
        }
        Ok(pieces)
    }
}
