//! A connection's socket: what one turn of the connection writes leaves in one piece.
//!
//! A write to a socket costs more than all that we do for a small answer, and HTTP/2 writes an answer in three frames, and
//! the answers of many streams one after the other. So hyper's writes are collected, and whoever drives the connection
//! sends them when hyper has nothing more to do for now. An idle connection holds no buffer.

use crate::protocol::{PREFACE, Version};
use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What is collected at most; more is sent before it, or past it.
const COLLECTED_BYTES_MAX: usize = 64 * 1024;

/// A hand on a socket. There are two: hyper's, which reads and collects, and that of the connection's driver, which sends.
/// Both belong to one task, so the lock never waits.
#[derive(Clone)]
pub(crate) struct Socket(Arc<Mutex<Pipe>>);

struct Pipe {
    stream: TcpStream,
    /// What was read to find out the protocol, and hyper has not read yet.
    first: [u8; PREFACE.len()],
    first_len: usize,
    collected: Vec<u8>,
    /// How much of it is sent.
    sent: usize,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let first = [0; PREFACE.len()];
        let pipe = Pipe { stream, first, first_len: 0, collected: Vec::new(), sent: 0 };
        Self(Arc::new(Mutex::new(pipe)))
    }

    /// What the client speaks, once its first bytes say so. Asked before anything else is read.
    pub(crate) fn poll_version(&self, context: &mut Context<'_>) -> Poll<io::Result<Version>> {
        let pipe = &mut *self.pipe();
        while PREFACE.starts_with(&pipe.first[..pipe.first_len]) {
            if pipe.first_len == PREFACE.len() {
                return Poll::Ready(Ok(Version::Http2));
            }
            let mut rest = ReadBuf::new(&mut pipe.first[pipe.first_len..]);
            ready!(Pin::new(&mut pipe.stream).poll_read(context, &mut rest))?;
            match rest.filled().len() {
                0 => break,
                read => pipe.first_len += read,
            }
        }
        Poll::Ready(Ok(Version::Http1))
    }

    /// Sends what was collected.
    pub(crate) fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe().poll_send(context)
    }

    fn pipe(&self) -> MutexGuard<'_, Pipe> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipe {
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.collected.len() {
            let rest = &self.collected[self.sent..];
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.sent = 0;
        self.collected = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Makes room for this much; what is too large to be collected finds nothing before it.
    fn poll_room(&mut self, context: &mut Context<'_>, bytes: usize) -> Poll<io::Result<()>> {
        if self.collected.len() + bytes > COLLECTED_BYTES_MAX {
            ready!(self.poll_send(context))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let pipe = &mut *self.pipe();
        if pipe.first_len == 0 {
            return Pin::new(&mut pipe.stream).poll_read(context, buffer);
        }
        let taken = pipe.first_len.min(buffer.remaining());
        buffer.put_slice(&pipe.first[..taken]);
        pipe.first.copy_within(taken..pipe.first_len, 0);
        pipe.first_len -= taken;
        // What came with it goes with it: hyper makes its buffer larger when it is not the whole head.
        if pipe.first_len == 0
            && let Poll::Ready(Err(error)) = Pin::new(&mut pipe.stream).poll_read(context, buffer)
        {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = self.pipe();
        let bytes = pieces.iter().map(|piece| piece.len()).sum();
        ready!(pipe.poll_room(context, bytes))?;
        if bytes > COLLECTED_BYTES_MAX {
            return Pin::new(&mut pipe.stream).poll_write_vectored(context, pieces);
        }
        pipe.collected.reserve(bytes);
        for piece in pieces {
            pipe.collected.extend_from_slice(piece);
        }
        Poll::Ready(Ok(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper flushes after each frame. Sending is the driver's, at the end of the turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = self.pipe();
        ready!(pipe.poll_send(context))?;
        Pin::new(&mut pipe.stream).poll_shutdown(context)
    }
}
