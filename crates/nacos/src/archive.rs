//! Archives of configs, in the form that Nacos's console writes and reads: a zip with one file per config.
//!
//! What arrives is hostile until it is inspected, and it is never unpacked anywhere: one pass over it says whether all of
//! it is as it must be, and afterwards one file at a time is inflated. So an archive costs its own bytes and no more.
//! The format is `rawzip`'s, in both directions. It gives every record of the directory as it stands there, so what must
//! be refused is seen: two files of one name, files that share bytes, sizes that lie. It trusts none of it, nor inflates:
//! what is judged and counted is so here.
//!
//! What is taken: files that are stored or deflated, with names in UTF-8. Not: encryption, links, archives within archives.
//! Directories are passed over.

use bytes::Bytes;
use flate2::{Compression, Crc, read::DeflateDecoder, write::DeflateEncoder};
use rawzip::{
    CompressionMethod, CreatorSystem, ZipArchive, ZipArchiveWriter, ZipFileHeaderRecord,
    ZipSliceArchive, ZipVerification, path::EntryPath, time::UtcDateTime,
};
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
/// Nothing is longer in memory while it is inflated than this and what came of it.
const PIECE_BYTES: usize = 16 << 10;
/// The first day that the format knows, 1980-01-01. Without one, readers are given month 0 of that year.
const FIRST_DAY_UNIX_SECONDS: i64 = 315_532_800;

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
    deflated: bool,
    /// What the directory says of the content.
    said: ZipVerification,
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
        let mut content = Vec::with_capacity(file.said.uncompressed_size as usize);
        inflate(file, &self.bytes, &mut |piece| content.extend_from_slice(piece));
        String::from_utf8(content).ok()
    }
}

/// All files, with their places checked against each other.
fn list(bytes: &[u8]) -> Result<Vec<File>, ArchiveError> {
    let zip =
        ZipArchive::from_slice(bytes).map_err(|_| Malformed("it does not end as a zip does"))?;
    if zip.end_offset() != bytes.len() as u64 {
        return Err(Malformed("there is something behind its end"));
    }
    if zip.entries_hint() > ARCHIVE_FILES_MAX as u64 {
        return Err(TooMuch { what: "files", limit: ARCHIVE_FILES_MAX });
    }
    let (mut files, mut places, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for record in zip.entries() {
        let record = record.map_err(|_| Malformed("its directory is cut or damaged"))?;
        // Its end says how many there are, and that was within the limit.
        if places.len() as u64 == zip.entries_hint() {
            return Err(Malformed("its directory names more files than its end says"));
        }
        let (file, place) = entry(&zip, &record)?;
        if !names.insert(file.name.clone()) {
            return Err(wrong_name(&file.name, "there are two of that name"));
        }
        places.push(place);
        if !record.is_dir() {
            files.push(file);
        } else if file.said.uncompressed_size > 0 {
            return Err(wrong_name(&file.name, "a directory has no content"));
        }
    }
    if places.len() as u64 != zip.entries_hint() {
        return Err(Malformed("its directory names fewer files than its end says"));
    }
    places.sort_by_key(|place| place.start);
    if places.windows(2).any(|pair| pair[0].end > pair[1].start) {
        return Err(Malformed("files of it share bytes"));
    }
    Ok(files)
}

/// One file of the directory, and the place of all that is its own.
fn entry(
    zip: &ZipSliceArchive<&[u8]>,
    record: &ZipFileHeaderRecord<'_>,
) -> Result<(File, Range<u64>), ArchiveError> {
    let name = name(record.file_path().as_bytes())?;
    let of_unix = record.version_made_by().creator_system() == CreatorSystem::UNIX;
    let kind = record.external_attributes() >> 16 & 0o170_000;
    // Modes of Unix say what a file is; of others, and of archives without modes, nothing is known.
    if of_unix && ![0, 0o100_000, 0o040_000].contains(&kind) {
        return Err(wrong_name(&name, "a link or a device is no config"));
    }
    let flags = record.flags();
    if flags.is_encrypted() || flags.has_strong_encryption() || flags.is_masked() {
        return Err(Unsupported("encryption"));
    }
    let deflated = match record.compression_method() {
        CompressionMethod::STORE => false,
        CompressionMethod::DEFLATE => true,
        _ => return Err(Unsupported("a packing other than deflate")),
    };
    let outside = Malformed("a file of it is not where its directory says");
    let Ok(found) = zip.get_entry(record.wayfinder()) else { return Err(outside) };
    let (start, end) = found.compressed_data_range();
    let own = found.local_header();
    if own.file_path().as_bytes() != name.as_bytes() || end > zip.directory_offset() {
        return Err(outside);
    }
    // Both are within the bytes, so the conversion loses nothing.
    let packed = start as usize..end as usize;
    let file = File { name, packed, deflated, said: found.claim_verifier() };
    Ok((file, record.local_header_offset()..end))
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
        !too_long && !too_dense && counted as u64 <= file.said.uncompressed_size
    });
    if too_long {
        let what = "bytes of content";
        return Err(TooMuch { what, limit: ARCHIVE_INFLATED_BYTES_MAX });
    }
    if too_dense {
        return Err(TooMuch { what: "bytes of content per packed byte", limit: ARCHIVE_RATIO_MAX });
    }
    let is = ZipVerification { crc: crc.sum(), uncompressed_size: counted as u64 };
    if !whole || is != file.said {
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
    if !file.deflated {
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

/// Packs files into an archive; names are the caller's to choose well, and written as they are. Costs time by their size.
///
/// # Panics
/// If there are more files than an archive may have, or a name is longer than 65 535 bytes.
#[must_use]
pub fn pack(files: &[(Arc<str>, Arc<str>)]) -> Bytes {
    assert!(files.len() <= ARCHIVE_FILES_MAX, "the caller counts its files");
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (name, content) in files {
        add(&mut archive, name, content).expect("a Vec takes any bytes, and names are short");
    }
    archive.finish().expect("a Vec takes any bytes").into()
}

fn add(
    archive: &mut ZipArchiveWriter<Vec<u8>>,
    name: &str,
    content: &str,
) -> Result<(), rawzip::Error> {
    // Verbatim: the other way is to have names cleaned, which takes all before the `:` of a data id for a drive.
    let (mut entry, config) = archive
        .new_file(EntryPath::verbatim(name.as_bytes()))
        .compression_method(CompressionMethod::DEFLATE)
        .last_modified(UtcDateTime::from_unix(FIRST_DAY_UNIX_SECONDS))
        .start()?;
    let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::fast()));
    writer.write_all(content.as_bytes())?;
    let (encoder, said) = writer.finish()?;
    encoder.finish()?;
    entry.finish(said)?;
    Ok(())
}

#[cfg(test)]
mod tests;
