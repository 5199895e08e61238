//! What waits to be sent on the long-lived streams of one connection: bounded in bytes.

use base::{Duration, Instant, Limit};
use bytes::Bytes;
use nacos::{CallId, Payload};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

/// How much may wait for a client. What is more may wait for `STREAM_PATIENCE`: one event can change many lists at once,
/// and a client must have the time to read them. Then its connection is closed.
pub const STREAM_BYTES_MAX: usize = 1024 * 1024;
/// How long more than `STREAM_BYTES_MAX` may wait.
pub const STREAM_PATIENCE: Duration = Duration::from_secs(10);
/// How much may wait for all clients together; beyond it, there is no patience with who is over `STREAM_BYTES_MAX`.
pub const ALL_STREAMS_BYTES_MAX: usize = 256 * 1024 * 1024;

/// How much may wait for clients, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// See `STREAM_BYTES_MAX`.
    pub bytes_max: usize,
    /// See `STREAM_PATIENCE`.
    pub patience: Duration,
    /// See `ALL_STREAMS_BYTES_MAX`.
    pub all_bytes_max: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            bytes_max: STREAM_BYTES_MAX,
            patience: STREAM_PATIENCE,
            all_bytes_max: ALL_STREAMS_BYTES_MAX,
        }
    }
}

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

/// Invariant: `bytes` is what lies in `queues`, and its part of `all`.
#[derive(Debug)]
pub(crate) struct Streams {
    limits: StreamLimits,
    bytes: usize,
    all: Arc<AtomicUsize>,
    /// Since when more waits than may.
    over_since: Option<Instant>,
    queues: BTreeMap<StreamId, Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    ended: bool,
    reader: Option<Waker>,
}

impl Streams {
    pub(crate) fn new(limits: StreamLimits, all: Arc<AtomicUsize>) -> Self {
        Self { limits, bytes: 0, all, over_since: None, queues: BTreeMap::new() }
    }

    /// A stream begins; an earlier one of the same id is over, and its reader finds the end of this one.
    pub(crate) fn open(&mut self, id: StreamId) {
        self.remove(id);
        self.queues.insert(id, Queue::default());
    }

    pub(crate) fn remove(&mut self, id: StreamId) {
        if let Some(queue) = self.queues.remove(&id) {
            self.give_back(queue.chunks.iter().map(Chunk::len).sum());
            wake(queue.reader);
        }
    }

    /// # Errors
    /// When the client reads too slowly, the limit: the connection is to be closed. A chunk for a stream that ended is
    /// dropped.
    pub(crate) fn push(&mut self, now: Instant, id: StreamId, chunk: Chunk) -> Result<(), Limit> {
        let Some(queue) = self.queues.get_mut(&id) else { return Ok(()) };
        let all = self.all.load(Ordering::Relaxed) + chunk.len();
        if self.bytes + chunk.len() > self.limits.bytes_max && self.bytes > 0 {
            let since = *self.over_since.get_or_insert(now);
            if now.since(since) >= self.limits.patience {
                return Err(Limit::PushBytes);
            }
            if all > self.limits.all_bytes_max {
                return Err(Limit::PushBytesAll);
            }
        }
        self.bytes += chunk.len();
        self.all.fetch_add(chunk.len(), Ordering::Relaxed);
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
                self.give_back(chunk.len());
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

impl Streams {
    fn give_back(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.all.fetch_sub(bytes, Ordering::Relaxed);
        if self.bytes <= self.limits.bytes_max {
            self.over_since = None;
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.give_back(self.bytes);
    }
}

fn wake(reader: Option<Waker>) {
    if let Some(waker) = reader {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: StreamLimits =
        StreamLimits { bytes_max: 100, patience: Duration::from_secs(10), all_bytes_max: 1_000 };

    fn chunk(length: usize) -> Chunk {
        Chunk::Bytes(vec![0; length].into())
    }

    fn at(second: u64) -> Instant {
        Instant::from_nanos(second * 1_000_000_000)
    }

    #[test]
    fn a_burst_is_borne_for_a_while_and_forgiven_when_it_is_read() {
        let all = Arc::new(AtomicUsize::new(0));
        let id = StreamId::Grpc;
        let mut streams = Streams::new(LIMITS, all.clone());
        streams.open(id);
        for second in 0..9 {
            streams.push(at(second), id, chunk(60)).expect("borne");
        }
        // The first one that was over came after one second.
        assert!(streams.push(at(11), id, chunk(60)).is_err());
        while streams.poll(id, Waker::noop()).is_ready() {}
        assert_eq!(all.load(Ordering::Relaxed), 0);
        for _ in 0..3 {
            streams.push(at(12), id, chunk(60)).expect("forgiven");
        }
        drop(streams);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn when_all_together_are_too_much_nobody_is_borne_who_has_too_much() {
        let all = Arc::new(AtomicUsize::new(950));
        let id = StreamId::Grpc;
        let mut streams = Streams::new(LIMITS, all);
        streams.open(id);
        streams.push(at(0), id, chunk(90)).expect("within its own share");
        assert!(streams.push(at(0), id, chunk(20)).is_err());
    }
}
