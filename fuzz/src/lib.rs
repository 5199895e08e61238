//! What the fuzz targets in `src/bin` stand on: whole hosts, single-threaded, with time, disk and clients as values.
//!
//! A target gives bytes to an entrance that strangers, peers or a damaged disk can reach, and lets everything behind it run:
//! a request is parsed, authorised, stepped through the node, written and answered. What must hold is the same everywhere:
//! no panic (one that a host would catch counts), no more memory or time than `run` allows, and the promise of the entrance,
//! asserted by the target.
#![forbid(unsafe_code)]

mod disk;
mod kept;
mod lone_node;
mod machine;

pub use disk::ModelDisk;
pub use kept::{with_machine, with_stoppable_machine};
pub use lone_node::LoneNode;
pub use machine::{ADMINISTRATOR, Machine, check_http, check_unary, payload};

/// The parts of an input: everything between one separator and the next.
pub fn parts<'a>(data: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let here = rest?;
        let at = here.windows(separator.len()).position(|window| window == separator);
        let (part, after) = match at {
            Some(at) => (&here[..at], Some(&here[at + separator.len()..])),
            None => (here, None),
        };
        rest = after;
        Some(part)
    })
}

/// One record, as `records` reads it.
///
/// # Panics
/// If it is longer than its length can say.
#[must_use]
pub fn record(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("seeds are short").to_le_bytes();
    [&[kind], &len[..], bytes].concat()
}

/// Records with a length before each: one byte of kind, two of length (little endian), the bytes. The last one may be cut.
pub fn records(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let ([kind, low, high], rest) = data.split_first_chunk()?;
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (record, after) = rest.split_at(len);
        data = after;
        Some((*kind, record))
    })
}
