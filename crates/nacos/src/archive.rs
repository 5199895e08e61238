//! Archives of configs, in the form that Nacos's console writes and reads: a zip with one file per config.
//!
//! What arrives is hostile until it is inspected, and it is never unpacked anywhere: one pass over it says whether all of
//! it is as it must be, and afterwards one file at a time is inflated. So an archive costs its own bytes and no more.
//! Written for this: what must be refused (two files of one name, files that share bytes, sizes that lie) is what a
//! library for any archive keeps from its caller.
//!
//! What is taken: files that are stored or deflated, in UTF-8. Not: encryption, several volumes, zip64, links, archives
//! within archives. Directories are passed over.

use bytes::Bytes;
use flate2::{Compression, Crc, read::DeflateDecoder, write::DeflateEncoder};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    ops::Range,
    sync::Arc,
};

/// Files in an archive.
pub const ARCHIVE_FILES_MAX: usize = 10_000;
/// Bytes of all files together, counted while they are inflated.
pub const ARCHIVE_INFLATED_BYTES_MAX: usize = 100 << 20;
/// How many times longer than its packed bytes a file may be, beyond `RATIO_FREE_BYTES`.
pub const ARCHIVE_RATIO_MAX: usize = 200;

/// What a file may have before its ratio counts: short texts of one letter are no bombs.
const RATIO_FREE_BYTES: usize = 64 << 10;
const END_BYTES: usize = 22;
const END_COMMENT_BYTES_MAX: usize = 65_535;
const CENTRAL_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Nothing is longer in memory while it is inflated than this and what came of it.
const PIECE_BYTES: usize = 16 << 10;

/// Why an archive is not taken. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// No zip, or a damaged one.
    #[error("the archive cannot be read: {0}")]
    Malformed(&'static str),
    /// A kind of zip that is not taken.
    #[error("the archive uses {0}, which is not taken: pack it again without")]
    Unsupported(&'static str),
    /// A name that a file of such an archive never has.
    #[error("the archive has a file with the name {name:?}: {why}")]
    Name {
        /// As it stands there, cut.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than a limit allows.
    #[error("the archive has more than {limit} {what}: split it")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

use ArchiveError::{Malformed, TooMuch, Unsupported};

/// An archive that was inspected: every file of it can be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Archive {
    bytes: Bytes,
    files: Vec<File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    name: Arc<str>,
    packed: Range<usize>,
    method: u16,
    size: usize,
    crc: u32,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Archive({} files, {} bytes)", self.files.len(), self.bytes.len())
    }
}

impl Archive {
    /// Looks at all of an archive, inflating each file once. Costs time by the size of what is in it, within the limits.
    ///
    /// # Errors
    /// Anything in it is not as it must be.
    pub fn inspect(bytes: Bytes) -> Result<Self, ArchiveError> {
        let files = list(&bytes)?;
        let mut inflated = 0;
        for file in &files {
            let room = ARCHIVE_INFLATED_BYTES_MAX - inflated;
            inflated += check(file, &bytes, room)?;
        }
        Ok(Self { bytes, files })
    }

    /// The names of its files, in their order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.files.iter().map(|file| &file.name)
    }

    /// The content of the file of this number; `None` when there is none, or it is no UTF-8.
    #[must_use]
    pub fn content(&self, number: usize) -> Option<String> {
        let file = self.files.get(number)?;
        let mut content = Vec::with_capacity(file.size);
        inflate(file, &self.bytes, &mut |piece| content.extend_from_slice(piece));
        String::from_utf8(content).ok()
    }
}

fn word(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The end record: how many files the directory names, and where it is.
fn end(bytes: &[u8]) -> Result<(usize, Range<usize>), ArchiveError> {
    let last = bytes.len().checked_sub(END_BYTES).ok_or(Malformed("it is too short for a zip"))?;
    let first = last.saturating_sub(END_COMMENT_BYTES_MAX);
    let found = (first..=last)
        .rev()
        .find(|&at| bytes[at..].starts_with(b"PK\x05\x06") && word(bytes, at + 20) == last - at);
    let at = found.ok_or(Malformed("it does not end as a zip does"))?;
    let (count, size) = (word(bytes, at + 10), long(bytes, at + 12));
    let offset = long(bytes, at + 16);
    if count == 0xffff || size == u32::MAX || offset == u32::MAX {
        return Err(Unsupported("zip64"));
    }
    if word(bytes, at + 4) != 0 || word(bytes, at + 6) != 0 || word(bytes, at + 8) != count {
        return Err(Unsupported("several volumes"));
    }
    if count > ARCHIVE_FILES_MAX {
        return Err(TooMuch { what: "files", limit: ARCHIVE_FILES_MAX });
    }
    let directory = offset as usize..offset as usize + size as usize;
    if directory.end != at {
        return Err(Malformed("its directory is not before its end"));
    }
    Ok((count, directory))
}

/// All files, with their places checked against each other.
fn list(bytes: &[u8]) -> Result<Vec<File>, ArchiveError> {
    let (count, directory) = end(bytes)?;
    let (mut files, mut places, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut at = directory.start;
    for _ in 0..count {
        let (file, place, next) = entry(bytes, at, &directory)?;
        at = next;
        if !names.insert(file.name.clone()) {
            return Err(wrong_name(&file.name, "there are two of that name"));
        }
        places.push(place);
        if !file.name.ends_with('/') {
            files.push(file);
        } else if file.size > 0 {
            return Err(wrong_name(&file.name, "a directory has no content"));
        }
    }
    if at != directory.end {
        return Err(Malformed("its directory is longer than what it names"));
    }
    places.sort_by_key(|place| place.start);
    if places.windows(2).any(|pair| pair[0].end > pair[1].start) {
        return Err(Malformed("files of it share bytes"));
    }
    Ok(files)
}

/// One file of the directory, the place of its record, and where the next one is named.
fn entry(
    bytes: &[u8],
    at: usize,
    directory: &Range<usize>,
) -> Result<(File, Range<usize>, usize), ArchiveError> {
    let cut = Malformed("its directory is cut");
    let record = bytes[..directory.end].get(at..at + CENTRAL_BYTES).ok_or(cut.clone())?;
    if !record.starts_with(b"PK\x01\x02") {
        return Err(Malformed("its directory names no file where it should"));
    }
    let (name_bytes, more) = (word(record, 28), word(record, 30) + word(record, 32));
    let name_at = at + CENTRAL_BYTES;
    let name = bytes[..directory.end].get(name_at..name_at + name_bytes).ok_or(cut.clone())?;
    let next = name_at + name_bytes + more;
    if next > directory.end {
        return Err(cut);
    }
    let name = self::name(name)?;
    let (made_by, mode) = (record[5], long(record, 38) >> 16 & 0o170_000);
    // 3 is Unix, whose modes say what a file is; of others, and of archives without modes, nothing is known.
    if made_by == 3 && ![0, 0o100_000, 0o040_000].contains(&mode) {
        return Err(wrong_name(&name, "a link or a device is no config"));
    }
    if record[8] & 1 != 0 {
        return Err(Unsupported("encryption"));
    }
    let (packed_bytes, size) = (long(record, 20), long(record, 24));
    let local_at = long(record, 42);
    if [packed_bytes, size, local_at].contains(&u32::MAX) {
        return Err(Unsupported("zip64"));
    }
    let (local_at, packed_bytes) = (local_at as usize, packed_bytes as usize);
    let before = &bytes[..directory.start];
    let outside = || Malformed("a file of it is not where its directory says");
    let local = before.get(local_at..local_at + LOCAL_BYTES).ok_or_else(outside)?;
    let named = local_at + LOCAL_BYTES;
    let own = before.get(named..named + word(local, 26)).ok_or_else(outside)?;
    let start = named + own.len() + word(local, 28);
    if !local.starts_with(b"PK\x03\x04") || own != name.as_bytes() {
        return Err(outside());
    }
    let packed = start..start + packed_bytes;
    if packed.end > directory.start {
        return Err(outside());
    }
    let method = word(record, 10) as u16;
    if ![STORED, DEFLATED].contains(&method) {
        return Err(Unsupported("a packing other than deflate"));
    }
    let place = local_at..packed.end;
    Ok((File { name, packed, method, size: size as usize, crc: long(record, 16) }, place, next))
}

/// A name that nobody could take for a place outside the archive.
fn name(bytes: &[u8]) -> Result<Arc<str>, ArchiveError> {
    let Ok(name) = std::str::from_utf8(bytes) else {
        return Err(wrong_name(&String::from_utf8_lossy(bytes), "names are UTF-8"));
    };
    let why = if name.is_empty() {
        "it is empty"
    } else if name.chars().any(char::is_control) {
        "it has control characters"
    } else if name.starts_with('/') || name.contains(['\\', ':']) && name.get(1..2) == Some(":") {
        "it is absolute"
    } else if name.contains('\\') {
        "it has backslashes"
    } else if name.split('/').any(|part| [".", ".."].contains(&part)) {
        "it leads out of the archive"
    } else {
        return Ok(name.into());
    };
    Err(wrong_name(name, why))
}

fn wrong_name(name: &str, why: &'static str) -> ArchiveError {
    ArchiveError::Name { name: name.chars().take(80).collect(), why }
}

/// How many bytes a file really has, when all that is said of it is true.
fn check(file: &File, bytes: &[u8], room: usize) -> Result<usize, ArchiveError> {
    let allowed = file.packed.len().saturating_mul(ARCHIVE_RATIO_MAX).max(RATIO_FREE_BYTES);
    let (mut counted, mut crc, mut first) = (0_usize, Crc::new(), [0; 4]);
    let (mut too_long, mut too_dense) = (false, false);
    let whole = inflate_while(file, bytes, &mut |piece| {
        for (place, byte) in first.iter_mut().skip(counted).zip(piece) {
            *place = *byte;
        }
        counted += piece.len();
        crc.update(piece);
        too_long = counted > room;
        too_dense = counted > allowed;
        !too_long && !too_dense && counted <= file.size
    });
    if too_long {
        let what = "bytes of content";
        return Err(TooMuch { what, limit: ARCHIVE_INFLATED_BYTES_MAX });
    }
    if too_dense {
        return Err(TooMuch { what: "bytes of content per packed byte", limit: ARCHIVE_RATIO_MAX });
    }
    if !whole || counted != file.size || crc.sum() != file.crc {
        return Err(wrong_name(&file.name, "its content is not what the archive says of it"));
    }
    if first == *b"PK\x03\x04" {
        return Err(wrong_name(&file.name, "an archive within the archive is not taken"));
    }
    Ok(counted)
}

fn inflate(file: &File, bytes: &[u8], take: &mut dyn FnMut(&[u8])) {
    inflate_while(file, bytes, &mut |piece| {
        take(piece);
        true
    });
}

/// Gives a file's content in pieces for as long as they are taken. True when it ended as packed bytes should: by
/// itself, with none left over.
fn inflate_while(file: &File, bytes: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    let packed = &bytes[file.packed.clone()];
    if file.method == STORED {
        return packed.chunks(PIECE_BYTES).all(take);
    }
    let mut decoder = DeflateDecoder::new(packed);
    let mut piece = [0; PIECE_BYTES];
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return decoder.total_in() as usize == packed.len(),
            Ok(count) if take(&piece[..count]) => {}
            Ok(_) | Err(_) => return false,
        }
    }
}

/// Packs files into an archive; names are the caller's to choose well. Costs time by their size.
///
/// # Panics
/// If there are more files or bytes than the limits of an archive.
#[must_use]
pub fn pack(files: &[(Arc<str>, Arc<str>)]) -> Bytes {
    assert!(files.len() <= ARCHIVE_FILES_MAX, "the caller counts its files");
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        let packed = encoder.write_all(content.as_bytes()).and_then(|()| encoder.finish());
        let packed = packed.expect("a Vec takes any number of bytes");
        let mut crc = Crc::new();
        crc.update(content.as_bytes());
        let mut said = Vec::new();
        // Version 2.0, names in UTF-8, deflated, and the first day that this format knows.
        for word in [20, 1 << 11, DEFLATED, 0, 1 << 5 | 1] {
            said.extend_from_slice(&u16::to_le_bytes(word));
        }
        said.extend_from_slice(&crc.sum().to_le_bytes());
        for bytes in [packed.len(), content.len()] {
            said.extend_from_slice(&short(bytes).to_le_bytes());
        }
        said.extend_from_slice(&(name.len() as u16).to_le_bytes());
        said.extend_from_slice(&[0; 2]);
        let at = short(archive.len());
        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&said);
        archive.extend_from_slice(name.as_bytes());
        archive.extend_from_slice(&packed);
        directory.extend_from_slice(b"PK\x01\x02\x14\0");
        directory.extend_from_slice(&said);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&at.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (at, count) = (short(archive.len()), (files.len() as u16).to_le_bytes());
    archive.extend_from_slice(&directory);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    archive.extend_from_slice(&[count, count].concat());
    archive.extend_from_slice(&short(directory.len()).to_le_bytes());
    archive.extend_from_slice(&at.to_le_bytes());
    archive.extend_from_slice(&[0; 2]);
    archive.into()
}

fn short(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("the caller counts its bytes")
}

#[cfg(test)]
mod tests;
