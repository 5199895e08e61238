//! Links between machines, as TCP would carry them: what a host dials is connected, proven and introduced after some turns through
//! the network, then frames travel in order on each lane, and a crash, a reset or too long a silence ends it.

use crate::{
    network::{Place, Way},
    serve::address,
    world::{Event, ToMachine, World},
};
use base::{Duration, Instant};
use bytes::Bytes;
use cluster::{Introduction, Refusal, Secret};
use host::{BadFrame, Dial, Flow, Host, InboundId, LinkId, NotAccepted, Reading};
use node::Lane;
use std::{collections::VecDeque, sync::Arc};

/// Where machines hear each other.
pub(crate) const PEER_PORT: u16 = 7848;
/// A link that is not up after this is given up.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// A lane whose bytes are not taken for so long is given up.
const STALL_TIME: Duration = Duration::from_secs(10);
/// Connecting, TLS and the proof, in turns through the network.
const HANDSHAKE_TURNS: u32 = 5;
/// What may be on its way on a lane.
const WINDOW_BYTES: usize = 256 * 1024;
/// How often bytes are sent again to a machine that is off.
const RETRANSMIT: Duration = Duration::from_secs(1);
const LANES: [Lane; 2] = [Lane::Urgent, Lane::Bulk];

/// What one host dialed.
pub(crate) struct PeerLink {
    pub(crate) from: usize,
    from_life: u64,
    dial: LinkId,
    pub(crate) to: usize,
    to_life: u64,
    up: bool,
    lanes: [Carried; 2],
}

/// One lane.
#[derive(Default)]
struct Carried {
    inbound: Option<InboundId>,
    /// When each frame on its way left, and its length.
    on_the_way: VecDeque<(Instant, usize)>,
    last_arrival: Instant,
    /// Frames that arrived while the receiver did not read.
    unread: VecDeque<Bytes>,
    paused: bool,
}

/// What happens on a link between machines.
pub(crate) enum ToPeer {
    /// At the receiver: somebody has connected and proven a key.
    Knock { link: u64, key: host::KeyName, secret: Option<Secret>, who: Introduction },
    /// At the dialer: so has the other one.
    Welcome { link: u64, who: Introduction, secret: Option<Secret> },
    /// At the dialer: the other one does not want it.
    Refused { link: u64, why: Refusal },
    /// At the dialer: the connection is gone.
    Closed { link: u64, why: &'static str },
    /// At the receiver: a frame on a lane.
    Frame { link: u64, lane: Lane, bytes: Bytes },
    /// At the receiver: the connections are gone.
    Gone { inbounds: Vec<InboundId>, life: u64 },
    /// At the dialer: there is room on the way again.
    Room,
    /// At the dialer: time to look whether it came up.
    Late { link: u64 },
    /// At the dialer: time to look whether what left then has arrived.
    Stalled { link: u64, lane: Lane, left: Instant },
}

fn turn(lane: Lane) -> usize {
    match lane {
        Lane::Urgent => 0,
        Lane::Bulk => 1,
    }
}

impl World {
    /// On which way this travels, if it does.
    pub(crate) fn peer_way(&self, at: usize, what: &ToPeer) -> Option<(Way, Place, Place)> {
        let (link, lane) = match what {
            ToPeer::Knock { link, .. } => (link, 2),
            ToPeer::Frame { link, lane, .. } => (link, turn(*lane) as u8),
            ToPeer::Welcome { link, .. }
            | ToPeer::Refused { link, .. }
            | ToPeer::Closed { link, .. } => (link, 3),
            // Of a connection that is gone nobody keeps an order.
            ToPeer::Gone { .. } | ToPeer::Room | ToPeer::Late { .. } | ToPeer::Stalled { .. } => {
                return None;
            }
        };
        let ends = self.peer_links.get(link)?;
        let other = if ends.to == at { ends.from } else { ends.to };
        Some((Way::Peer(*link, lane), Place::Machine(other), Place::Machine(at)))
    }

    fn send_peer(&mut self, at: Instant, machine: usize, what: ToPeer) {
        self.queue.push(at, Event::Machine(machine, ToMachine::Peer(what)));
    }

    /// Dials, hangs up, and sends what the host of this machine has to say to others.
    pub(crate) fn take_peers(&mut self, machine: usize, host: &Arc<Host>) {
        for link in host.take_hangups() {
            self.trace.line(self.now, format_args!("m{machine} hangs up link {}", link.0));
            let life = self.machines[machine].life;
            let mine =
                |peer: &PeerLink| (peer.from, peer.from_life, peer.dial) == (machine, life, link);
            let ids: Vec<u64> = self.peer_links_where(mine);
            ids.into_iter().for_each(|id| self.drop_link(id, true));
        }
        for dial in host.take_dials() {
            self.dial(machine, host, dial);
        }
        for id in self.peer_links_where(|peer| peer.to == machine) {
            self.read_on(id, host);
        }
        for id in self.peer_links_where(|peer| peer.from == machine && peer.up) {
            self.pump(id, host);
        }
    }

    fn peer_links_where(&self, wanted: impl Fn(&PeerLink) -> bool) -> Vec<u64> {
        self.peer_links.iter().filter(|(_, peer)| wanted(peer)).map(|(id, _)| *id).collect()
    }

    fn dial(&mut self, machine: usize, host: &Arc<Host>, dial: Dial) {
        let Dial { link, address: wanted, key } = dial;
        let to = (0..self.machines.len())
            .find(|machine| wanted.as_str() == address(*machine, PEER_PORT).to_string());
        let now = self.machines[machine].now(self.now);
        let (Some(to), Some(who)) = (to, host.introduction()) else {
            return host.link_closed(now, link, "no such host".to_owned());
        };
        self.trace.line(self.now, format_args!("m{machine} dials m{to} as link {}", link.0));
        self.next_peer_link += 1;
        let id = self.next_peer_link;
        let from_life = self.machines[machine].life;
        let lanes = [Carried::default(), Carried::default()];
        let peer =
            PeerLink { from: machine, from_life, dial: link, to, to_life: 0, up: false, lanes };
        self.peer_links.insert(id, peer);
        let secret = host.peer_key(now, key);
        let (here, there) = (Place::Machine(machine), Place::Machine(to));
        let took = (0..HANDSHAKE_TURNS).map(|_| self.latency(here, there)).sum();
        let knock = ToPeer::Knock { link: id, key, secret, who };
        self.send_peer(self.now.after(took), to, knock);
        self.send_peer(self.now.after(HANDSHAKE_TIME), machine, ToPeer::Late { link: id });
    }

    /// Sends what waits on the lanes of a link, as far as there is room on the way.
    fn pump(&mut self, id: u64, host: &Arc<Host>) {
        for lane in LANES {
            loop {
                let Some(peer) = self.peer_links.get_mut(&id) else { return };
                let (from, to, dial) = (peer.from, peer.to, peer.dial);
                let carried = &mut peer.lanes[turn(lane)];
                let on_the_way: usize = carried.on_the_way.iter().map(|(_, bytes)| bytes).sum();
                if on_the_way >= WINDOW_BYTES {
                    break;
                }
                let Some(bytes) = host.take_frame(dial, lane) else { break };
                let first = carried.on_the_way.is_empty();
                carried.on_the_way.push_back((self.now, bytes.len()));
                let latency = self.latency(Place::Machine(from), Place::Machine(to));
                let carried = &mut self.peer_links.get_mut(&id).expect("just there").lanes;
                let last = &mut carried[turn(lane)].last_arrival;
                let at = self.now.after(latency).max(*last);
                *last = at;
                self.send_peer(at, to, ToPeer::Frame { link: id, lane, bytes });
                if first {
                    self.watch_stall(id, from, lane, self.now);
                }
            }
        }
    }

    fn watch_stall(&mut self, link: u64, from: usize, lane: Lane, left: Instant) {
        self.send_peer(left.after(STALL_TIME), from, ToPeer::Stalled { link, lane, left });
    }

    pub(crate) fn peer_happens(&mut self, machine: usize, what: ToPeer) {
        match what {
            ToPeer::Knock { link, key, secret, who } => {
                self.knocked(machine, link, key, secret, &who);
            }
            ToPeer::Welcome { link, who, secret } => self.welcomed(link, who, secret),
            ToPeer::Refused { link, why } => {
                if let Some((host, dial)) = self.dialer_of(link) {
                    host.link_refused(self.machines[machine].now(self.now), dial, why);
                }
                self.drop_link(link, true);
            }
            ToPeer::Closed { link, why } => self.end_link(link, why),
            ToPeer::Frame { link, lane, bytes } => self.frame_arrives(machine, link, lane, bytes),
            ToPeer::Gone { inbounds, life } => {
                if let Some(host) = self.host_of(machine, life) {
                    let now = self.machines[machine].now(self.now);
                    inbounds.into_iter().for_each(|inbound| host.inbound_closed(now, inbound));
                }
            }
            ToPeer::Room => {}
            ToPeer::Late { link } => {
                if self.peer_links.get(&link).is_some_and(|peer| !peer.up) {
                    self.end_link(link, "it took too long to connect");
                }
            }
            ToPeer::Stalled { link, lane, left } => {
                let Some(peer) = self.peer_links.get(&link) else { return };
                let from = peer.from;
                match peer.lanes[turn(lane)].on_the_way.front() {
                    Some((oldest, _)) if *oldest == left => {
                        self.end_link(link, "nothing was taken for too long");
                    }
                    Some((oldest, _)) => {
                        let oldest = *oldest;
                        self.watch_stall(link, from, lane, oldest);
                    }
                    None => {}
                }
            }
        }
    }

    /// The host that dialed it, if that life lasts.
    fn dialer_of(&self, link: u64) -> Option<(Arc<Host>, LinkId)> {
        let peer = self.peer_links.get(&link)?;
        Some((self.host_of(peer.from, peer.from_life)?, peer.dial))
    }

    fn answer(&mut self, link: u64, what: ToPeer) {
        let Some(peer) = self.peer_links.get(&link) else { return };
        let (from, to) = (peer.from, peer.to);
        let at = self.now.after(self.latency(Place::Machine(to), Place::Machine(from)));
        self.send_peer(at, from, what);
    }

    fn knocked(
        &mut self,
        machine: usize,
        link: u64,
        key: host::KeyName,
        secret: Option<Secret>,
        who: &Introduction,
    ) {
        if !self.peer_links.contains_key(&link) {
            return;
        }
        let running = self.machines[machine].host().filter(|host| host.halted().is_none()).cloned();
        let Some(host) = running else {
            return self.answer(link, ToPeer::Closed { link, why: "connection refused" });
        };
        let now = self.machines[machine].now(self.now);
        if secret.is_none() || host.peer_key(now, key) != secret {
            return self.answer(link, ToPeer::Closed { link, why: "the proof did not hold" });
        }
        let Some(me) = host.introduction() else {
            return self.answer(link, ToPeer::Closed { link, why: "it is not there yet" });
        };
        for lane in LANES {
            match host.accept(who, lane) {
                Ok(inbound) => {
                    let life = self.machines[machine].life;
                    let peer = self.peer_links.get_mut(&link).expect("looked up above");
                    peer.to_life = life;
                    peer.lanes[turn(lane)].inbound = Some(inbound);
                }
                Err(NotAccepted::Refused(why)) => {
                    return self.answer(link, ToPeer::Refused { link, why });
                }
                Err(NotAccepted::NotRunning | NotAccepted::TooMany) => {
                    return self.answer(link, ToPeer::Closed { link, why: "not accepted" });
                }
            }
        }
        let gives = match key {
            host::KeyName::Cluster => None,
            host::KeyName::Token(_) => host.peer_key(now, host::KeyName::Cluster),
        };
        self.answer(link, ToPeer::Welcome { link, who: me, secret: gives });
    }

    fn welcomed(&mut self, link: u64, who: Introduction, secret: Option<Secret>) {
        let Some((host, dial)) = self.dialer_of(link) else { return };
        let peer = self.peer_links.get_mut(&link).expect("it has a dialer");
        peer.up = true;
        let (from, to) = (peer.from, peer.to);
        self.trace.line(self.now, format_args!("m{from} is linked to m{to}"));
        host.link_opened(self.machines[from].now(self.now), dial, who, secret);
    }

    fn frame_arrives(&mut self, machine: usize, link: u64, lane: Lane, bytes: Bytes) {
        let Some(peer) = self.peer_links.get_mut(&link) else { return };
        let (from, life) = (peer.from, peer.to_life);
        let Some(host) = self.host_of(machine, life) else {
            if self.machines[machine].running.is_none() {
                // It is off: bytes are sent again until it is there, and says that it knows of nothing.
                let at = self.now.after(RETRANSMIT);
                return self.send_peer(at, machine, ToPeer::Frame { link, lane, bytes });
            }
            return self.answer(link, ToPeer::Closed { link, why: "connection reset" });
        };
        let peer = self.peer_links.get_mut(&link).expect("just looked up");
        let carried = &mut peer.lanes[turn(lane)];
        if carried.paused {
            carried.unread.push_back(bytes);
            return;
        }
        carried.on_the_way.pop_front();
        let inbound = carried.inbound.expect("accepted before it was up");
        let length = bytes.len();
        let name = if lane == Lane::Urgent { "urgent" } else { "bulk" };
        self.trace.line(self.now, format_args!("m{machine} <= m{from} {name} {length} bytes"));
        match host.peer_frame(self.machines[machine].now(self.now), inbound, bytes) {
            Ok(Flow::Go) => {}
            Ok(Flow::Pause) => {
                let peer = self.peer_links.get_mut(&link).expect("just looked up");
                peer.lanes[turn(lane)].paused = true;
            }
            Err(BadFrame::Closed) => {
                self.answer(link, ToPeer::Closed { link, why: "closed by the other end" });
            }
            Err(bad) => {
                self.violations.push(format!("m{machine} got a bad frame of m{from}: {bad}"));
                self.answer(link, ToPeer::Closed { link, why: "closed for a bad frame" });
            }
        }
        let at = self.now.after(self.latency(Place::Machine(machine), Place::Machine(from)));
        self.send_peer(at, from, ToPeer::Room);
    }

    /// Reads what waits once the receiver wants it again; a connection that it has closed is closed.
    fn read_on(&mut self, link: u64, host: &Arc<Host>) {
        for lane in LANES {
            let Some(peer) = self.peer_links.get_mut(&link) else { return };
            let (machine, life) = (peer.to, peer.to_life);
            let carried = &mut peer.lanes[turn(lane)];
            let Some(inbound) = carried.inbound else { continue };
            if life != self.machines[machine].life {
                continue;
            }
            match host.reading(inbound) {
                Reading::Go if carried.paused => {
                    carried.paused = false;
                    while let Some(peer) = self.peer_links.get_mut(&link)
                        && !peer.lanes[turn(lane)].paused
                        && let Some(bytes) = peer.lanes[turn(lane)].unread.pop_front()
                    {
                        self.frame_arrives(machine, link, lane, bytes);
                    }
                }
                Reading::Go | Reading::Pause => {}
                Reading::Closed => {
                    carried.inbound = None;
                    self.answer(link, ToPeer::Closed { link, why: "closed by the other end" });
                }
            }
        }
    }

    /// Tells the dialer that a link is gone, and the other end too.
    fn end_link(&mut self, link: u64, why: &'static str) {
        let Some(peer) = self.peer_links.get(&link) else { return };
        let (from, to) = (peer.from, peer.to);
        self.trace.line(self.now, format_args!("m{from} loses its link to m{to}: {why}"));
        let dialer = self.dialer_of(link);
        self.drop_link(link, true);
        if let Some((host, dial)) = dialer {
            host.link_closed(self.machines[from].now(self.now), dial, why.to_owned());
        }
    }

    /// Forgets a link; with `tell`, the other end hears of it.
    fn drop_link(&mut self, link: u64, tell: bool) {
        let Some(peer) = self.peer_links.remove(&link) else { return };
        let inbounds: Vec<InboundId> =
            peer.lanes.iter().filter_map(|carried| carried.inbound).collect();
        let (from, to) = (Place::Machine(peer.from), Place::Machine(peer.to));
        if tell && !inbounds.is_empty() && self.network.passes(from, to) {
            let at = self.now.after(self.latency(from, to));
            self.send_peer(at, peer.to, ToPeer::Gone { inbounds, life: peer.to_life });
        }
    }

    /// The connections that this machine has opened to that one are reset.
    pub(crate) fn reset_links(&mut self, from: usize, to: usize) {
        for link in self.peer_links_where(|peer| (peer.from, peer.to) == (from, to)) {
            self.end_link(link, "connection reset");
        }
    }

    /// The process is gone: its kernel says so to the others, unless the power went with it.
    pub(crate) fn links_of_the_dead(&mut self, machine: usize, kernel_lives: bool) {
        for link in self.peer_links_where(|peer| peer.from == machine) {
            self.drop_link(link, kernel_lives);
        }
        if !kernel_lives {
            return;
        }
        for link in self.peer_links_where(|peer| peer.to == machine && peer.up) {
            self.answer(link, ToPeer::Closed { link, why: "connection reset" });
        }
    }
}
