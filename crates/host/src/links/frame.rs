//! What one frame of a link says. The first byte is its kind; the transport says where it ends.
//!
//! ```text
//!  message      1 │ a peer message
//!  compressed   2 │ length of the message, 4 bytes │ the message, deflated
//!  piece        3 │ through which entry, 8 bytes │ number, 8 bytes │ a piece of the state tables
//!  end          4 │ through which entry, 8 bytes │ how many pieces, 8 bytes │ the message that they belong to
//! ```
//!
//! Numbers are big-endian. A piece has a checksum of its own.

use base::LogIndex;
use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use node::{PeerMessage, Said};

/// How long a frame may be, in bytes: the longest entry, or a piece with the longest row, with room.
pub const FRAME_BYTES_MAX: usize = 17 << 20;
/// Shorter messages are not compressed: it would not pay.
pub(crate) const COMPRESS_BYTES_MIN: usize = 1 << 10;
/// Longer ones are not, either: it would hold up what shares the thread.
pub(crate) const COMPRESS_BYTES_MAX: usize = 1 << 20;

const MESSAGE: u8 = 1;
const COMPRESSED: u8 = 2;
const PIECE: u8 = 3;
const END: u8 = 4;

/// A frame, read.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    Message(PeerMessage),
    /// A piece of a snapshot.
    Piece {
        through: LogIndex,
        number: u64,
        piece: Bytes,
    },
    /// All pieces were sent: now the message.
    End {
        through: LogIndex,
        pieces: u64,
        message: PeerMessage,
    },
}

/// A frame, or where it came, that is not what a node of ours sends. The connection ends; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// It has not even a kind.
    #[error("an empty frame")]
    Empty,
    /// More than `FRAME_BYTES_MAX`.
    #[error("a frame of {bytes} bytes, at most {FRAME_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is, or says that it is when it is inflated.
        bytes: usize,
    },
    /// Of a newer build, or not of a node.
    #[error("a frame of unknown kind {0}")]
    Kind(u8),
    /// Shorter than its kind demands.
    #[error("a frame that ends within its head")]
    Head,
    /// What it deflates is broken, or not as long as it says.
    #[error("a frame that cannot be inflated to the length that it says")]
    Inflate,
    /// The message in it.
    #[error("{0}")]
    Message(String),
    /// A snapshot's message came without its pieces, or another message came after them.
    #[error("a snapshot's message and its pieces belong together")]
    Snapshot,
    /// Pieces come in order.
    #[error("piece {number} of a snapshot, {expected} was expected")]
    Piece {
        /// Which came.
        number: u64,
        /// Which should have come.
        expected: u64,
    },
    /// The connection was closed on this side, or never accepted.
    #[error("this connection is closed")]
    Closed,
}

/// The frame of a message, not compressed.
pub(crate) fn of_message(message: &PeerMessage) -> Bytes {
    message.encode_onto(vec![MESSAGE]).into()
}

/// Whether such a message is worth compressing when it is long. In a registry's and in gossip's, names, addresses and versions
/// repeat.
///
/// Entries of the log are not: publishes wait for them, and deflating them for each follower and inflating them took a third to
/// half of all that publishes of three nodes cost.
pub(crate) fn repeats(message: &PeerMessage) -> bool {
    match message.said {
        Said::Naming(_) | Said::Cluster(_) | Said::Gather(_) => true,
        Said::Consensus(_) | Said::Proposal(_) => false,
    }
}

pub(crate) fn of_piece(through: LogIndex, number: u64, piece: &[u8]) -> Bytes {
    [&[PIECE][..], &through.0.to_be_bytes(), &number.to_be_bytes(), piece].concat().into()
}

pub(crate) fn of_end(through: LogIndex, pieces: u64, message: &PeerMessage) -> Bytes {
    let head = [&[END][..], &through.0.to_be_bytes(), &pieces.to_be_bytes()].concat();
    [head, message.encode()].concat().into()
}

/// The same frame, compressed if it is a message and that makes it shorter.
pub(crate) fn compressed(frame: Bytes) -> Bytes {
    let Some((&MESSAGE, message)) = frame.split_first() else { return frame };
    if !(COMPRESS_BYTES_MIN..=COMPRESS_BYTES_MAX).contains(&message.len()) {
        return frame;
    }
    let mut packed = Vec::with_capacity(frame.len());
    packed.push(COMPRESSED);
    let len = u32::try_from(message.len()).expect("a frame has its limit");
    packed.extend(len.to_be_bytes());
    // It stops where the capacity ends: what does not get shorter is not worth it.
    let mut deflate = Compress::new(Compression::fast(), false);
    match deflate.compress_vec(message, &mut packed, FlushCompress::Finish) {
        Ok(Status::StreamEnd) if packed.len() < frame.len() => packed.into(),
        Ok(Status::Ok | Status::BufError | Status::StreamEnd) | Err(_) => frame,
    }
}

/// Reads a frame.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn decode(frame: &Bytes) -> Result<Frame, BadFrame> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(BadFrame::TooLong { bytes: frame.len() });
    }
    match frame.split_first() {
        None => Err(BadFrame::Empty),
        Some((&MESSAGE, message)) => plain_message(message),
        Some((&COMPRESSED, rest)) => plain_message(&inflate(rest)?),
        Some((&PIECE, rest)) => {
            let (through, number, piece) = numbers(rest)?;
            Ok(Frame::Piece { through, number, piece: frame.slice_ref(piece) })
        }
        Some((&END, rest)) => {
            let (through, pieces, message) = numbers(rest)?;
            let message = read_message(message)?;
            let of_snapshot = snapshot_index(&message) == Some(through);
            let end = Frame::End { through, pieces, message };
            if of_snapshot { Ok(end) } else { Err(BadFrame::Snapshot) }
        }
        Some((&kind, _)) => Err(BadFrame::Kind(kind)),
    }
}

/// The entry that a snapshot goes through, if this is the message of one.
pub(crate) fn snapshot_index(message: &PeerMessage) -> Option<LogIndex> {
    let Said::Consensus(message) = &message.said else { return None };
    message.snapshot_index()
}

/// A message without pieces. One that belongs to pieces would install rows that are not there.
fn plain_message(bytes: &[u8]) -> Result<Frame, BadFrame> {
    let message = read_message(bytes)?;
    if snapshot_index(&message).is_some() {
        return Err(BadFrame::Snapshot);
    }
    Ok(Frame::Message(message))
}

fn read_message(bytes: &[u8]) -> Result<PeerMessage, BadFrame> {
    PeerMessage::decode(bytes).map_err(BadFrame::Message)
}

fn numbers(bytes: &[u8]) -> Result<(LogIndex, u64, &[u8]), BadFrame> {
    let (through, rest) = bytes.split_first_chunk().ok_or(BadFrame::Head)?;
    let (number, rest) = rest.split_first_chunk().ok_or(BadFrame::Head)?;
    Ok((LogIndex(u64::from_be_bytes(*through)), u64::from_be_bytes(*number), rest))
}

/// Never more memory than the frame says, and never more than a frame may have.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, BadFrame> {
    let (len, packed) = bytes.split_first_chunk().ok_or(BadFrame::Head)?;
    let len = u32::from_be_bytes(*len) as usize;
    if len > FRAME_BYTES_MAX {
        return Err(BadFrame::TooLong { bytes: len });
    }
    let mut message = Vec::with_capacity(len);
    let mut inflate = Decompress::new(false);
    let status = inflate.decompress_vec(packed, &mut message, FlushDecompress::Finish);
    let whole = matches!(status, Ok(Status::StreamEnd)) && message.len() == len;
    let nothing_behind = inflate.total_in() == packed.len() as u64;
    if whole && nothing_behind { Ok(message) } else { Err(BadFrame::Inflate) }
}

#[cfg(test)]
mod tests;
