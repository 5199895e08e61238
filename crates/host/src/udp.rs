//! Pushes by UDP: the node's one `UdpSession` next to the slots, datagrams in and out as values.

use crate::{
    Host,
    sessions::{Door, Message, lock},
};
use base::{ConnectionId, Instant, Now, RequestId};
use bytes::Bytes;
use nacos::{UdpInput, UdpOutput, UdpSession, UdpSubscription};
use node::Input;
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Mutex, atomic::Ordering},
};

/// Datagrams that wait to be sent. One more is dropped, as a network would.
pub const DATAGRAMS_LEN_MAX: usize = 4_096;

/// A datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where to.
    pub to: SocketAddr,
    /// Its payload.
    pub bytes: Bytes,
}

#[derive(Default)]
pub(crate) struct Udp {
    /// With what the host's timers hold of it.
    session: Mutex<(UdpSession, Option<Instant>)>,
    inbox: Mutex<VecDeque<UdpInput>>,
    outbox: Mutex<VecDeque<Datagram>>,
}

impl Udp {
    pub(crate) fn post(&self, input: UdpInput) {
        lock(&self.inbox).push_back(input);
    }

    /// Apart from the session's lock, so that its outputs can be handled while inputs come.
    fn take_input(&self) -> Option<UdpInput> {
        lock(&self.inbox).pop_front()
    }
}

impl Host {
    /// A datagram arrived.
    pub fn datagram(&self, now: Now, from: SocketAddr, bytes: Bytes) {
        self.udp.post(UdpInput::Datagram { from, bytes });
        self.run(now, &[]);
    }

    /// The next datagram to send, after `udp_signal` was raised.
    #[must_use]
    pub fn take_datagram(&self) -> Option<Datagram> {
        lock(&self.udp.outbox).pop_front()
    }

    /// A connection of an edge asks for pushes to its client's address.
    pub(crate) fn subscribe_udp(&self, subscription: UdpSubscription) {
        let counter = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = ConnectionId { node: self.id, boot: self.boot, counter };
        self.udp.post(UdpInput::Subscribe { connection, subscription });
    }

    /// A reply to a connection that is no slot: a UDP subscriber's, or one that is gone.
    pub(crate) fn answer_udp(&self, connection: ConnectionId, id: RequestId, reply: node::Reply) {
        // What a console's connection asked before it was gone is nobody's any more.
        if let (Door::Nacos, _) = Door::inner(id)
            && let Message::Nacos(nacos::Input::Answer { id, answer }) = self.answer(id, reply)
        {
            self.udp.post(UdpInput::Answer { connection, id, answer });
        }
    }

    /// Steps the session with what waits for it.
    pub(crate) fn step_udp(&self, now: Now) {
        if lock(&self.udp.inbox).is_empty() {
            return;
        }
        let mut cell = lock(&self.udp.session);
        let (session, planned) = &mut *cell;
        let mut send = false;
        while let Some(input) = self.udp.take_input() {
            session.step(now, &self.views, input);
            while let Some(output) = session.poll() {
                send |= matches!(output, UdpOutput::Datagram { .. });
                self.hand_on_udp(output);
            }
        }
        let deadline = session.deadline();
        let closer = *planned != deadline && self.set_udp_deadline(deadline);
        *planned = deadline;
        drop(cell);
        if closer {
            self.timer_signal.raise();
        }
        if send {
            self.udp_signal.raise();
        }
    }

    fn hand_on_udp(&self, output: UdpOutput) {
        match output {
            UdpOutput::Open(connection) => self.push_input(Input::Opened(connection)),
            UdpOutput::Ask { connection, id, request } => {
                let request = node::Request::Naming(request);
                let input = Input::Request { from: connection, id: Door::Nacos.outer(id), request };
                if lock(&self.lanes).push(input).is_err() {
                    let answer = nacos::Answer::Unavailable(nacos::Unavailable::Overloaded);
                    self.udp.post(UdpInput::Answer { connection, id, answer });
                }
            }
            UdpOutput::Acknowledged { connection, service, version } => {
                self.push_input(Input::Acknowledged { connection, service, version });
            }
            UdpOutput::Close { connection, reason } => {
                self.push_input(Input::Closed { connection, reason });
            }
            UdpOutput::Datagram { to, bytes } => {
                let mut outbox = lock(&self.udp.outbox);
                if outbox.len() < DATAGRAMS_LEN_MAX {
                    outbox.push_back(Datagram { to, bytes });
                }
            }
        }
    }

    /// True when the first deadline of all came closer.
    fn set_udp_deadline(&self, deadline: Option<Instant>) -> bool {
        let mut timers = lock(&self.timers);
        let before = timers.first();
        timers.udp = deadline;
        timers.first() < before || before.is_none()
    }
}
