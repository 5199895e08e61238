//! From bytes that arrived to the session of their connection, and from what it says to where it belongs.

use crate::{
    Chunk, Host, Sending, StreamId, Work,
    gathering::{Asking, FromSession},
    sessions::{Door, Message, Sessions, Slot, lock},
    streams::Streams,
    work::{Asker, Task},
};
use base::{ConnectionId, Instant, Limit, Now, RequestId};
use bytes::Bytes;
use nacos::{CallId, Payload};
use node::Input;
use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    task::{Poll, Waker},
};

/// Something that arrived on a connection.
#[derive(Debug)]
pub enum Arrival {
    /// An HTTP request with its whole body.
    Http {
        /// To be answered by one `Sending::Http` or `Sending::Events`.
        call: CallId,
        /// The request.
        request: http::Request<Bytes>,
    },
    /// A unary gRPC request.
    Unary {
        /// To be answered by one `Sending::Unary`.
        call: CallId,
        /// The request.
        payload: Payload,
    },
    /// The client opened its gRPC stream.
    StreamOpened,
    /// A payload on it.
    StreamPayload(Payload),
    /// It ended.
    StreamClosed,
    /// The client no longer waits for this call.
    Dropped(CallId),
}

impl Host {
    /// A connection opened.
    pub fn open(
        &self,
        now: Now,
        remote: SocketAddr,
        local: SocketAddr,
        login_required: bool,
    ) -> ConnectionId {
        let counter = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = ConnectionId { node: self.id, boot: self.boot, counter };
        let (nacos_login, console_login) = if login_required {
            (nacos::Login::Required, console::Login::Required)
        } else {
            (nacos::Login::Open, console::Login::Open)
        };
        let limits = self.settings.limits.nacos;
        let facts = nacos::Facts { connection, remote, local, login: nacos_login, limits };
        let nacos = nacos::Session::new(now, facts);
        let facts = console::Facts { connection, remote, login: console_login };
        let console = console::Session::new(facts);
        let streams = Streams::new(self.settings.limits.streams, self.streams_bytes.clone());
        let slot = Slot::new(connection, remote.ip().to_canonical(), streams, nacos, console);
        let slot = Arc::new(slot);
        lock(&self.slots).insert(connection, slot);
        self.connections_open.fetch_add(1, Ordering::Relaxed);
        connection
    }

    /// Something arrived on a connection. What follows is carried through before this returns, except what waits for
    /// the disk, a worker or another client.
    pub fn deliver(&self, now: Now, connection: ConnectionId, arrival: Arrival) {
        let Some(slot) = self.slot(connection) else { return };
        if slot.closing.load(Ordering::Relaxed) {
            return;
        }
        match arrival {
            Arrival::Http { call, request } => slot.post(http(call, request)),
            Arrival::Unary { call, payload } => {
                slot.post(Message::Nacos(nacos::Input::Unary { call, payload }));
            }
            Arrival::StreamOpened => {
                slot.streams().open(StreamId::Grpc);
                slot.post(Message::Nacos(nacos::Input::StreamOpened));
            }
            Arrival::StreamPayload(payload) => {
                slot.post(Message::Nacos(nacos::Input::StreamPayload(payload)));
            }
            Arrival::StreamClosed => slot.post(Message::Nacos(nacos::Input::StreamClosed)),
            Arrival::Dropped(call) => {
                slot.streams().remove(StreamId::Events(call));
                slot.post(Message::Nacos(nacos::Input::Dropped(call)));
                let call = console::CallId(call.0);
                slot.post(Message::Console(console::Input::Dropped(call)));
            }
        }
        self.run(now, &[slot]);
    }

    /// A connection is gone.
    pub fn close(&self, now: Now, connection: ConnectionId, reason: &'static str) {
        let Some(slot) = lock(&self.slots).remove(&connection) else { return };
        self.connections_open.fetch_sub(1, Ordering::Relaxed);
        slot.close();
        {
            let mut sessions = lock(&slot.sessions);
            sessions.closed = true;
            self.set_session_deadline(&mut sessions, connection, None);
            self.count_in_flight(&mut sessions, 0);
            if let Some(agent) = sessions.agent.take() {
                self.tally.left(&agent);
            }
        }
        lock(&self.access_watchers).remove(&connection);
        self.push_input(Input::Closed { connection, reason });
        self.run(now, &[]);
    }

    /// The node is about to stop, and says so to whoever asks. The connections that are to be moved, by `drain`.
    pub fn begin_drain(&self) -> Vec<ConnectionId> {
        self.views.drain();
        lock(&self.slots).keys().copied().collect()
    }

    /// The clients of these connections are asked to go elsewhere: one with a stream is told so, and closed when it does not
    /// go by itself; of any other one what it waits for is answered, and then it is closed.
    pub fn drain(&self, now: Now, connections: &[ConnectionId]) {
        let slots: Vec<Arc<Slot>> =
            connections.iter().filter_map(|connection| self.slot(*connection)).collect();
        for slot in &slots {
            slot.post(Message::Nacos(nacos::Input::Drain));
            slot.post(Message::Console(console::Input::Drain));
        }
        self.run(now, &slots);
        for slot in slots {
            if lock(&slot.sessions).agent.is_none() {
                slot.retire();
            }
        }
    }

    /// The next chunk of a stream of a connection; `None` at its end.
    pub fn poll_stream(
        &self,
        now: Now,
        connection: ConnectionId,
        stream: StreamId,
        waker: &Waker,
    ) -> Poll<Option<Chunk>> {
        let Some(slot) = self.slot(connection) else { return Poll::Ready(None) };
        let polled = slot.poll_stream(stream, waker);
        if let (Poll::Ready(Some(_)), StreamId::Events(call)) = (&polled, stream) {
            slot.post(Message::Console(console::Input::Sent(console::CallId(call.0))));
            self.run(now, &[slot]);
        }
        polled
    }

    /// Steps a slot's sessions with what waits for them.
    pub(crate) fn step_slot(&self, now: Now, slot: &Arc<Slot>) {
        let mut sessions = lock(&slot.sessions);
        while let Some(message) = slot.take_message() {
            if sessions.closed {
                continue;
            }
            let stepped = catch_unwind(AssertUnwindSafe(|| match message {
                Message::Nacos(input) => sessions.nacos.step(now, &self.views, input),
                Message::Console(input) => sessions.console.step(now, &self.views, input),
            }));
            if stepped.is_err() {
                // A session knows nothing but its own connection: what broke in it ends with that.
                self.sessions_broken.fetch_add(1, Ordering::Relaxed);
                sessions.closed = true;
                slot.close();
                continue;
            }
            self.drain_nacos(now, slot, &mut sessions);
            self.drain_console(now, slot, &mut sessions);
        }
        let deadline = if sessions.closed {
            None
        } else {
            let deadlines = [sessions.nacos.deadline(), sessions.console.deadline()];
            deadlines.into_iter().flatten().min()
        };
        self.set_session_deadline(&mut sessions, slot.connection, deadline);
        if !sessions.closed {
            let in_flight = sessions.nacos.in_flight_len();
            self.count_in_flight(&mut sessions, in_flight);
        }
        drop(sessions);
        slot.signal.raise();
    }

    fn count_in_flight(&self, sessions: &mut Sessions, in_flight: usize) {
        let before = std::mem::replace(&mut sessions.in_flight, in_flight);
        if in_flight > before {
            self.tally.in_flight.fetch_add(in_flight - before, Ordering::Relaxed);
        } else if in_flight < before {
            self.tally.in_flight.fetch_sub(before - in_flight, Ordering::Relaxed);
        }
    }

    /// Closes a connection that has come to a limit.
    fn reject(&self, slot: &Slot, limit: Limit) {
        self.tally.reject(limit);
        slot.close();
    }

    fn drain_nacos(&self, now: Now, slot: &Slot, sessions: &mut Sessions) {
        sessions.nacos.noted().for_each(|noted| self.tally.note(noted));
        while let Some(output) = sessions.nacos.poll() {
            match output {
                nacos::Output::Http { call, response } => {
                    slot.send(Sending::Http { call, response });
                }
                nacos::Output::Unary { call, payload } => {
                    slot.send(Sending::Unary { call, payload });
                }
                nacos::Output::Stream(payload) => {
                    let chunk = Chunk::Payload(payload);
                    let pushed = slot.streams().push(now.instant, StreamId::Grpc, chunk);
                    if let Err(limit) = pushed {
                        self.reject(slot, limit);
                    }
                }
                nacos::Output::Ask { id, ask } => self.ask_nacos(slot, id, ask),
                nacos::Output::Tell(tell) => self.tell(slot, sessions, tell),
                nacos::Output::Close(_) => slot.close(),
            }
        }
    }

    fn drain_console(&self, now: Now, slot: &Slot, sessions: &mut Sessions) {
        if let Some(limit) = sessions.console.rejected() {
            self.tally.reject(limit);
        }
        while let Some(output) = sessions.console.poll() {
            match output {
                console::Output::Http { call, response } => {
                    slot.send(Sending::Http { call: CallId(call.0), response });
                }
                console::Output::StreamStart { call, head } => {
                    let call = CallId(call.0);
                    slot.streams().open(StreamId::Events(call));
                    slot.send(Sending::Events { call, response: head });
                }
                console::Output::StreamChunk { call, chunk } => {
                    let id = StreamId::Events(CallId(call.0));
                    let pushed = slot.streams().push(now.instant, id, Chunk::Bytes(chunk));
                    if let Err(limit) = pushed {
                        self.reject(slot, limit);
                    }
                }
                console::Output::StreamEnd(call) => {
                    slot.streams().end(StreamId::Events(CallId(call.0)));
                }
                console::Output::Ask { id, ask } => self.ask_console(slot, id, ask),
                console::Output::Open => self.announce(slot, sessions),
                console::Output::WatchAccess(true) => {
                    lock(&self.access_watchers).insert(slot.connection);
                    // What changed before the session was in the set must not be missed.
                    slot.post(Message::Console(console::Input::AccessChanged));
                }
                console::Output::WatchAccess(false) => {
                    lock(&self.access_watchers).remove(&slot.connection);
                }
            }
        }
    }

    fn ask_nacos(&self, slot: &Slot, id: RequestId, ask: nacos::Ask) {
        let request = match ask {
            nacos::Ask::Fresh(level) => node::Request::Fresh(level),
            nacos::Ask::Naming(request) => node::Request::Naming(request),
            nacos::Ask::Config(request) => node::Request::Config(request),
            nacos::Ask::Access(request) => node::Request::Access(request),
            nacos::Ask::Lock(request) => node::Request::Lock(request),
            nacos::Ask::Crowds => node::Request::Crowds,
            nacos::Ask::Shift(shifts) => node::Request::Shift(shifts),
            nacos::Ask::Verify { user, password, hash } => {
                let revision = nacos::Views::access(&self.views).revision;
                let task = Task::Verify { user, password: password.0, hash, revision };
                return self.ask_worker(slot, Door::Nacos, id, task);
            }
            nacos::Ask::Inspect(bytes) => {
                return self.ask_worker(slot, Door::Nacos, id, Task::Inspect(bytes));
            }
            nacos::Ask::Pack(files) => {
                return self.ask_worker(slot, Door::Nacos, id, Task::Pack(files));
            }
            nacos::Ask::NewId => {
                let answer = nacos::Answer::NewId(uuid(&mut lock(&self.salts)).into());
                return slot.post(Message::Nacos(nacos::Input::Answer { id, answer }));
            }
            nacos::Ask::Clients { limit } => {
                let what = FromSession::Clients { limit };
                return self.ask_all(Asking::Session { connection: slot.connection, id, what });
            }
            nacos::Ask::Move(clients) => {
                let what = FromSession::Move(clients);
                return self.ask_all(Asking::Session { connection: slot.connection, id, what });
            }
            nacos::Ask::Hash(password) => {
                let cost = self.settings.bcrypt_cost;
                let mut salt = [0; 16];
                lock(&self.salts).fill(&mut salt);
                let task = Task::Hash { password: password.0, cost, salt };
                return self.ask_worker(slot, Door::Nacos, id, task);
            }
        };
        self.ask_node(slot, Door::Nacos, id, request);
    }

    fn ask_console(&self, slot: &Slot, id: RequestId, ask: console::Ask) {
        let request = match ask {
            console::Ask::Fresh(level) => node::Request::Fresh(level),
            console::Ask::Naming(request) => node::Request::Naming(request),
            console::Ask::Config(request) => node::Request::Config(request),
            console::Ask::Access(request) => node::Request::Access(request),
            console::Ask::Lock(request) => node::Request::Lock(request),
            console::Ask::Cluster(request) => node::Request::Cluster(request),
            console::Ask::Explain { subject, limit } => node::Request::Explain { subject, limit },
            console::Ask::Crowds => node::Request::Crowds,
            console::Ask::Shift(shifts) => node::Request::Shift(shifts),
            console::Ask::Status => node::Request::Status,
            console::Ask::Verify { user, password, hash } => {
                let revision = nacos::Views::access(&self.views).revision;
                let task = Task::Verify { user, password: password.0, hash, revision };
                return self.ask_worker(slot, Door::Console, id, task);
            }
        };
        self.ask_node(slot, Door::Console, id, request);
    }

    /// Puts work into the queue of the client's address; at the queue's limit it is answered at once.
    fn ask_worker(&self, slot: &Slot, door: Door, id: RequestId, task: Task) {
        let asker = Asker::Session { connection: slot.connection, door, id };
        if self.push_work(Some(slot.source), Work { asker, task }).is_err() {
            self.tally.reject(Limit::PasswordChecks);
            let reply = node::Reply::Unavailable(node::Unavailable::Overloaded);
            slot.post(self.answer(door.outer(id), reply));
        }
    }

    /// Puts a request into its lane; at the lane's limit it is answered at once, without the node.
    fn ask_node(&self, slot: &Slot, door: Door, id: RequestId, request: node::Request) {
        let id = door.outer(id);
        let input = Input::Request { from: slot.connection, id, request };
        if lock(&self.lanes).push(input).is_err() {
            self.tally.reject(Limit::Lane);
            let reply = node::Reply::Unavailable(node::Unavailable::Overloaded);
            slot.post(self.answer(id, reply));
        }
    }

    fn tell(&self, slot: &Slot, sessions: &mut Sessions, tell: nacos::Tell) {
        let connection = slot.connection;
        match tell {
            nacos::Tell::Opened { agent } => {
                if let Some(before) = sessions.agent.replace(self.tally.came(&agent)) {
                    self.tally.left(&before);
                }
                self.announce(slot, sessions);
            }
            nacos::Tell::Heard => self.push_input(Input::Heard(connection)),
            nacos::Tell::Moving => self.push_input(Input::Moving(connection)),
            nacos::Tell::Acknowledged { service, version } => {
                self.push_input(Input::Acknowledged { connection, service, version });
            }
            nacos::Tell::Subscribes(subscription) => self.subscribe_udp(subscription),
        }
    }

    fn announce(&self, slot: &Slot, sessions: &mut Sessions) {
        if !std::mem::replace(&mut sessions.opened, true) {
            self.push_input(Input::Opened(slot.connection));
        }
    }

    fn set_session_deadline(
        &self,
        sessions: &mut Sessions,
        connection: ConnectionId,
        deadline: Option<Instant>,
    ) {
        // What is noted may be too early, never too late: a deadline moves on with everything that arrives, and is
        // looked at again when the noted moment has come.
        if let (Some(noted), Some(at)) = (sessions.deadline, deadline)
            && noted <= at
        {
            return;
        }
        if sessions.deadline == deadline {
            return;
        }
        let mut timers = lock(&self.timers);
        let before = timers.first();
        if let Some(at) = sessions.deadline {
            timers.sessions.remove(&(at, connection));
        }
        if let Some(at) = deadline {
            timers.sessions.insert((at, connection));
        }
        sessions.deadline = deadline;
        let closer = timers.first() < before || before.is_none();
        drop(timers);
        if closer {
            self.timer_signal.raise();
        }
    }
}

fn http(call: CallId, request: http::Request<Bytes>) -> Message {
    if console::serves(request.uri().path()) {
        Message::Console(console::Input::Http { call: console::CallId(call.0), request })
    } else {
        Message::Nacos(nacos::Input::Http { call, request })
    }
}

impl Slot {
    /// Ends the connection once what is in progress on it is answered.
    fn retire(&self) {
        self.send(Sending::Close);
        self.signal.raise();
    }

    /// Ends the connection: what was sent before still goes out.
    pub(crate) fn close(&self) {
        if !self.closing.swap(true, Ordering::Relaxed) {
            self.streams().end_all();
            self.send(Sending::Close);
            self.signal.raise();
        }
    }
}

/// A random UUID (RFC 9562, version 4).
fn uuid(rng: &mut base::Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    let bits = u128::from_be_bytes(bytes) & !(0xf << 76 | 0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn an_id_is_a_uuid_of_version_4_and_the_next_one_another() {
        let mut rng = base::Rng::from_seed([7; 32]);
        let (one, two) = (uuid(&mut rng), uuid(&mut rng));
        assert_ne!(one, two);
        let bytes = one.as_bytes();
        assert_eq!((bytes.len(), bytes[14]), (36, b'4'), "{one}");
        assert!(
            b"89ab".contains(&bytes[19]) && [8, 13, 18, 23].iter().all(|&at| bytes[at] == b'-')
        );
    }
}
