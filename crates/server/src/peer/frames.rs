//! Frames: a length of four bytes, and that many bytes, which only the host understands.

use super::{Broken, Stage};
use bytes::{Buf, Bytes, BytesMut};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Memory grows this far ahead of what was received: a length alone costs nothing.
const AHEAD_BYTES: usize = 64 * 1024;
/// Frames of this size and less are copied together, so that they leave in one piece.
const COPIED_BYTES_MAX: usize = 16 * 1024;
/// What is copied together at most.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// What is given to TLS at a time. Each of these must be taken within the stall limit.
const CHUNK_BYTES: usize = 64 * 1024;
const LEN_BYTES: usize = 4;

/// Cuts frames out of what comes.
pub(crate) struct Reader<R> {
    source: R,
    buffer: BytesMut,
    frame_bytes_max: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(source: R, frame_bytes_max: usize) -> Self {
        Self { source, buffer: BytesMut::new(), frame_bytes_max }
    }

    /// The next frame; `None` when the other side ended between two frames. May be given up and asked again.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let wanted = match self.frame_len()? {
                Some(len) if self.buffer.len() >= LEN_BYTES + len => {
                    self.buffer.advance(LEN_BYTES);
                    return Ok(Some(self.buffer.split_to(len).freeze()));
                }
                Some(len) => LEN_BYTES + len - self.buffer.len(),
                None => AHEAD_BYTES,
            };
            self.buffer.reserve(wanted.clamp(1024, AHEAD_BYTES));
            let read = self.source.read_buf(&mut self.buffer).await;
            match read.map_err(Broken::at(Stage::Frames))? {
                0 if self.buffer.is_empty() => return Ok(None),
                0 => return Err(Broken::Ended),
                _ => {}
            }
        }
    }

    fn frame_len(&self) -> Result<Option<usize>, Broken> {
        let Some(len) = self.buffer.first_chunk::<LEN_BYTES>() else { return Ok(None) };
        let len = u32::from_be_bytes(*len);
        let bytes_max = self.frame_bytes_max;
        match usize::try_from(len) {
            Ok(bytes) if (1..=bytes_max).contains(&bytes) => Ok(Some(bytes)),
            _ => Err(Broken::FrameBytes { bytes: len.into(), bytes_max }),
        }
    }
}

/// Writes frames, what is there in one piece.
pub(crate) struct Writer<W> {
    sink: W,
    batch: Vec<u8>,
    /// How long the other side may take nothing.
    stall_max: Duration,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(crate) fn new(sink: W, stall_max: Duration) -> Self {
        Self { sink, batch: Vec::new(), stall_max }
    }

    /// Writes all frames that there are now.
    pub(crate) async fn write(
        &mut self,
        mut next: impl FnMut() -> Option<Bytes>,
    ) -> Result<(), Broken> {
        let mut wrote = false;
        while let Some(frame) = next() {
            wrote = true;
            let len = u32::try_from(frame.len()).expect("the host bounds its frames");
            self.batch.extend_from_slice(&len.to_be_bytes());
            if frame.len() <= COPIED_BYTES_MAX {
                self.batch.extend_from_slice(&frame);
                if self.batch.len() >= BATCH_BYTES_MAX {
                    self.write_batch().await?;
                }
            } else {
                self.write_batch().await?;
                put(&mut self.sink, &frame, self.stall_max).await?;
            }
        }
        if wrote {
            self.write_batch().await?;
            // An idle link keeps no buffer.
            self.batch = Vec::new();
            in_time(self.stall_max, self.sink.flush()).await?;
        }
        Ok(())
    }

    async fn write_batch(&mut self) -> Result<(), Broken> {
        put(&mut self.sink, &self.batch, self.stall_max).await?;
        self.batch.clear();
        Ok(())
    }
}

async fn put<W: AsyncWrite + Unpin>(
    sink: &mut W,
    mut bytes: &[u8],
    stall_max: Duration,
) -> Result<(), Broken> {
    while !bytes.is_empty() {
        let chunk = &bytes[..bytes.len().min(CHUNK_BYTES)];
        let written = in_time(stall_max, sink.write(chunk)).await?;
        if written == 0 {
            return Err(Broken::Ended);
        }
        bytes = &bytes[written..];
    }
    Ok(())
}

async fn in_time<T>(
    stall_max: Duration,
    writing: impl Future<Output = std::io::Result<T>>,
) -> Result<T, Broken> {
    match tokio::time::timeout(stall_max, writing).await {
        Ok(written) => written.map_err(Broken::at(Stage::Frames)),
        Err(_) => Err(Broken::Stalled(stall_max)),
    }
}
