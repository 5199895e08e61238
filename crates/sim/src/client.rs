//! The kinds of clients as one.

use crate::{
    beat_client::BeatClient,
    config_client::ConfigClient,
    line::{Heard, Send},
    lock_client::LockClient,
    naming_client::NamingClient,
    note::Note,
};
use base::Instant;
use bytes::Bytes;

#[derive(Debug)]
pub(crate) enum Client {
    Naming(Box<NamingClient>),
    Config(Box<ConfigClient>),
    Beat(Box<BeatClient>),
    Lock(Box<LockClient>),
}

macro_rules! each {
    ($self:expr, $client:ident => $value:expr) => {
        match $self {
            Client::Naming($client) => $value,
            Client::Config($client) => $value,
            Client::Beat($client) => $value,
            Client::Lock($client) => $value,
        }
    };
}

impl Client {
    pub(crate) fn hear(&mut self, now: Instant, heard: Heard) {
        each!(self, client => client.hear(now, heard));
    }

    pub(crate) fn wake(&mut self, now: Instant) {
        each!(self, client => client.wake(now));
    }

    pub(crate) fn settle(&mut self, now: Instant) {
        each!(self, client => client.settle(now));
    }

    /// A datagram came.
    pub(crate) fn datagram(&mut self, now: Instant, bytes: &Bytes) {
        match self {
            Client::Beat(client) => client.datagram(now, bytes),
            Client::Naming(_) | Client::Config(_) | Client::Lock(_) => {
                unreachable!("only a subscriber over HTTP names a UDP port")
            }
        }
    }

    /// The server's disk went back in time.
    pub(crate) fn restored(&mut self, now: Instant) {
        match self {
            Client::Beat(client) => client.restored(now),
            // Their instances come and go with their connections; copies of configs follow the server's.
            Client::Naming(_) | Client::Config(_) | Client::Lock(_) => {}
        }
    }

    pub(crate) fn die(&mut self, silent: bool) {
        each!(self, client => client.die(silent));
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        each!(self, client => client.deadline())
    }

    pub(crate) fn next_send(&mut self) -> Option<Send> {
        each!(self, client => client.next_send())
    }

    pub(crate) fn next_note(&mut self) -> Option<Note> {
        each!(self, client => client.next_note())
    }

    pub(crate) fn unsettled(&self) -> Option<String> {
        each!(self, client => client.unsettled())
    }
}
