//! UDP between a machine and its clients: datagrams get lost, and overtake each other.

use crate::{
    network::Place,
    udp_subscriber::UDP_PORT,
    world::{Actor, Event, ToMachine, World},
};
use bytes::Bytes;
use host::{Datagram, Host};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

/// One of so many gets lost.
const LOST_ONE_IN: u64 = 8;

impl World {
    /// Sends what the host has for its subscribers.
    pub(crate) fn take_datagrams(&mut self, machine: usize, host: &Arc<Host>) {
        while let Some(Datagram { to, bytes }) = host.take_datagram() {
            let IpAddr::V4(ip) = to.ip() else { continue };
            let client = usize::from(ip.octets()[2]);
            let event = Event::DatagramToClient { machine, client, bytes };
            self.travel(Place::Machine(machine), Place::Client(client), event);
        }
    }

    pub(crate) fn send_datagram(&mut self, client: usize, bytes: Bytes) {
        let ip = Ipv4Addr::new(10, 0, client as u8, 1);
        let from = SocketAddr::new(ip.into(), UDP_PORT);
        let machine = self.actors[client].machine;
        let event = Event::Machine(machine, ToMachine::Datagram { from, bytes });
        self.travel(Place::Client(client), Place::Machine(machine), event);
    }

    fn travel(&mut self, from: Place, to: Place, event: Event) {
        if self.rng.below(LOST_ONE_IN) > 0 && self.network.passes(from, to) {
            let at = self.now.after(self.latency(from, to));
            self.queue.push(at, event);
        }
    }

    pub(crate) fn datagram_arrives(&mut self, machine: usize, from: SocketAddr, bytes: Bytes) {
        if let Some(host) = self.machines[machine].host().cloned() {
            let text = String::from_utf8_lossy(&bytes);
            self.trace.line(self.now, format_args!("m{machine} <= {from} {text}"));
            host.datagram(self.machines[machine].now(self.now), from, bytes);
        }
    }

    pub(crate) fn hear_datagram(&mut self, machine: usize, client: usize, bytes: &Bytes) {
        // It takes none of a machine that it has left.
        let hears = |actor: &Actor| actor.alive && actor.machine == machine;
        if self.actors.get(client).is_some_and(hears) {
            let length = bytes.len();
            self.trace.line(self.now, format_args!("c{client} <~ a datagram of {length} bytes"));
            self.with_client(client, |client, now| client.datagram(now, bytes));
        }
    }
}
