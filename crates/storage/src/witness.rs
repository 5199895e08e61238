//! A second opinion on how far a file got.
//!
//! Which of redb's two trees is the newest is one bit, and nothing tells a flipped one from a commit that was cut short
//! before it was acknowledged. So after each acknowledged commit its number is written beside, in one sector, without an
//! fsync: after a kill it is there, and a file that is behind it has lost something. After a power cut it may be old and
//! then shows nothing; what is left is that one bit, flipped together with a power cut.

use crate::{
    Error,
    area::{Area, RawFile},
    record::{CHECKSUM_BYTES, seal, unseal},
};

const FILE: &str = "witness";
const RECORD_BYTES: usize = CHECKSUM_BYTES + 16;

/// How far both files got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// How many transactions of the log were acknowledged.
    pub(crate) log: u64,
    /// The applied index of the last checkpoint.
    pub(crate) checkpoint: u64,
}

#[derive(Debug)]
pub(crate) struct Witness {
    file: Box<dyn RawFile>,
}

impl Witness {
    pub(crate) fn open(area: &Area) -> Result<Self, Error> {
        Ok(Self { file: area.file(FILE)? })
    }

    /// Compares what was recovered with what was acknowledged, as far as that is known.
    pub(crate) fn check(&self, recovered: Marks) -> Result<(), Error> {
        let seen = self.read().unwrap_or_default();
        let lost = |file| Err(Error::corrupt(file, "an acknowledged write is missing"));
        if recovered.log < seen.log {
            return lost("raft.redb");
        }
        if recovered.checkpoint < seen.checkpoint {
            return lost("tables.redb");
        }
        Ok(())
    }

    fn read(&self) -> Option<Marks> {
        let mut sealed = [0; RECORD_BYTES];
        self.file.read(0, &mut sealed).ok()?;
        let bytes = unseal(FILE, FILE.as_bytes(), &sealed).ok()?;
        let (log, checkpoint) = bytes.split_first_chunk()?;
        let checkpoint = checkpoint.try_into().ok()?;
        Some(Marks { log: u64::from_le_bytes(*log), checkpoint: u64::from_le_bytes(checkpoint) })
    }

    /// A failure is no harm: the mark stays behind and shows less.
    pub(crate) fn note(&self, marks: Marks) {
        let bytes = [marks.log.to_le_bytes(), marks.checkpoint.to_le_bytes()].concat();
        let _ = self.file.write(0, &seal(FILE.as_bytes(), &bytes));
    }
}
