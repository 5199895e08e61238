//! A connection's socket: what one turn of the connection writes leaves in one piece.
//!
//! A write to a socket costs more than all that we do for a small answer, and HTTP/2 writes an answer in three frames, and
//! the answers of many streams one after the other. So hyper's writes are collected, and whoever drives the connection
//! sends them when hyper has nothing more to do for now. An idle connection holds no buffer.

use std::{
    io,
    io::IoSlice,
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

/// One of two hands on a socket: hyper's, which reads and collects, and that of the connection's driver, which sends.
/// Both belong to one task, so the lock never waits.
pub(crate) struct Socket(Arc<Mutex<Pipe>>);

struct Pipe {
    stream: TcpStream,
    collected: Vec<u8>,
    /// How much of it is sent.
    sent: usize,
}

impl Socket {
    /// Both hands.
    pub(crate) fn new(stream: TcpStream) -> (Self, Self) {
        let pipe = Arc::new(Mutex::new(Pipe { stream, collected: Vec::new(), sent: 0 }));
        (Self(pipe.clone()), Self(pipe))
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
        Pin::new(&mut self.pipe().stream).poll_read(context, buffer)
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
