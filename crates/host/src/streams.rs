//! What waits to be sent on the long-lived streams of one connection: bounded in bytes.

use bytes::Bytes;
use nacos::{CallId, Payload};
use std::{
    collections::{BTreeMap, VecDeque},
    task::{Poll, Waker},
};

/// How much may wait for a client that does not read; then its connection is closed.
pub const STREAM_BYTES_MAX: usize = 1024 * 1024;

/// A stream of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamId {
    /// Nacos's gRPC stream; there is one at most.
    Grpc,
    /// Server-sent events in answer to this call.
    Events(CallId),
}

/// What is sent on a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    /// On the gRPC stream.
    Payload(Payload),
    /// On a stream of events.
    Bytes(Bytes),
}

impl Chunk {
    fn len(&self) -> usize {
        match self {
            Self::Payload(payload) => payload.body.as_ref().map_or(0, |body| body.value.len()),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Streams {
    bytes: usize,
    queues: BTreeMap<StreamId, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    ended: bool,
    reader: Option<Waker>,
}

impl Streams {
    /// A stream begins; an earlier one of the same id is over, and its reader finds the end of this one.
    pub(crate) fn open(&mut self, id: StreamId) {
        self.remove(id);
        self.queues.insert(id, Queue::default());
    }

    pub(crate) fn remove(&mut self, id: StreamId) {
        if let Some(queue) = self.queues.remove(&id) {
            self.bytes -= queue.chunks.iter().map(Chunk::len).sum::<usize>();
            wake(queue.reader);
        }
    }

    /// # Errors
    /// When the client reads too slowly: the connection is to be closed. A chunk for a stream that ended is dropped.
    pub(crate) fn push(&mut self, id: StreamId, chunk: Chunk) -> Result<(), ()> {
        let Some(queue) = self.queues.get_mut(&id) else { return Ok(()) };
        if self.bytes + chunk.len() > STREAM_BYTES_MAX && self.bytes > 0 {
            return Err(());
        }
        self.bytes += chunk.len();
        queue.chunks.push_back(chunk);
        wake(queue.reader.take());
        Ok(())
    }

    pub(crate) fn end(&mut self, id: StreamId) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.ended = true;
            wake(queue.reader.take());
        }
    }

    pub(crate) fn end_all(&mut self) {
        for queue in self.queues.values_mut() {
            queue.ended = true;
            wake(queue.reader.take());
        }
    }

    pub(crate) fn poll(&mut self, id: StreamId, waker: &Waker) -> Poll<Option<Chunk>> {
        let Some(queue) = self.queues.get_mut(&id) else { return Poll::Ready(None) };
        match queue.chunks.pop_front() {
            Some(chunk) => {
                self.bytes -= chunk.len();
                Poll::Ready(Some(chunk))
            }
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.reader = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

fn wake(reader: Option<Waker>) {
    if let Some(waker) = reader {
        waker.wake();
    }
}
