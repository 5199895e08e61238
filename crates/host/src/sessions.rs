//! One slot per connection: the edges' sessions, what waits for them, and what they have to say.

use crate::{
    signal::Signal,
    streams::{Chunk, StreamId, Streams},
};
use base::{ConnectionId, Instant, RequestId};
use bytes::Bytes;
use nacos::{CallId, Payload};
use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    task::{Poll, Waker},
};

/// Which edge a value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Nacos,
    Console,
}

impl Door {
    /// Both edges number their own questions; the node sees one space per connection.
    pub(crate) fn outer(self, id: RequestId) -> RequestId {
        RequestId(id.0 * 2 + u64::from(self == Self::Console))
    }

    pub(crate) fn inner(id: RequestId) -> (Self, RequestId) {
        let door = if id.0.is_multiple_of(2) { Self::Nacos } else { Self::Console };
        (door, RequestId(id.0 / 2))
    }
}

/// What waits for the sessions of a connection.
#[derive(Debug)]
pub(crate) enum Message {
    Nacos(nacos::Input),
    Console(console::Input),
}

/// What a connection has to send.
#[derive(Debug)]
pub enum Sending {
    /// The answer to an HTTP request.
    Http {
        /// Which.
        call: CallId,
        /// The answer.
        response: http::Response<Bytes>,
    },
    /// The answer to a unary gRPC call.
    Unary {
        /// Which.
        call: CallId,
        /// The answer.
        payload: Payload,
    },
    /// The head of a stream of events in answer to an HTTP request; its chunks come by `Host::poll_stream`.
    Events {
        /// Which.
        call: CallId,
        /// The head.
        response: http::Response<()>,
    },
    /// Close the connection, once what came before is sent.
    Close,
}

pub(crate) struct Sessions {
    pub(crate) nacos: nacos::Session,
    pub(crate) console: console::Session,
    /// What the host's deadline index holds of this connection.
    pub(crate) deadline: Option<Instant>,
    /// A client of the registry was announced to the node.
    pub(crate) opened: bool,
    pub(crate) closed: bool,
}

pub(crate) struct Slot {
    pub(crate) connection: ConnectionId,
    /// The client's address: whose turn it is when work waits.
    pub(crate) source: IpAddr,
    pub(crate) sessions: Mutex<Sessions>,
    inbox: Mutex<VecDeque<Message>>,
    outbox: Mutex<VecDeque<Sending>>,
    streams: Mutex<Streams>,
    pub(crate) signal: Signal,
    /// Set when the connection must end; nothing more is accepted for it.
    pub(crate) closing: AtomicBool,
}

impl Slot {
    pub(crate) fn new(
        connection: ConnectionId,
        source: IpAddr,
        streams: Streams,
        nacos: nacos::Session,
        console: console::Session,
    ) -> Self {
        let sessions = Sessions { nacos, console, deadline: None, opened: false, closed: false };
        Self {
            connection,
            source,
            sessions: Mutex::new(sessions),
            inbox: Mutex::default(),
            outbox: Mutex::default(),
            streams: Mutex::new(streams),
            signal: Signal::default(),
            closing: AtomicBool::new(false),
        }
    }

    pub(crate) fn post(&self, message: Message) {
        let mut inbox = lock(&self.inbox);
        if inbox.capacity() == 0 {
            inbox.reserve_exact(1);
        }
        inbox.push_back(message);
    }

    pub(crate) fn take_message(&self) -> Option<Message> {
        take(&mut lock(&self.inbox))
    }

    pub(crate) fn send(&self, sending: Sending) {
        lock(&self.outbox).push_back(sending);
    }

    pub(crate) fn take_sending(&self) -> Option<Sending> {
        take(&mut lock(&self.outbox))
    }

    pub(crate) fn streams(&self) -> MutexGuard<'_, Streams> {
        lock(&self.streams)
    }

    pub(crate) fn poll_stream(&self, id: StreamId, waker: &Waker) -> Poll<Option<Chunk>> {
        self.streams().poll(id, waker)
    }
}

/// The next of a queue; an empty queue keeps no memory, since most connections wait most of the time.
fn take<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let taken = queue.pop_front();
    if taken.is_none() {
        *queue = VecDeque::new();
    }
    taken
}

/// A thread that panicked ended its node; what it left behind is still whole enough to be taken down.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
