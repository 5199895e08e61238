//! The network: one place that decides whether bytes pass from one end to another, and how long they take.
//!
//! As with TCP, nothing is lost or overtaken inside a connection. What cannot pass waits, in order, and arrives once the cut is
//! mended, unless somebody gives the connection up before. Datagrams that cannot pass are lost.

use crate::world::{Event, Happening, LinkId, ToMachine, World};
use base::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An end of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A machine.
    Machine(usize),
    /// A client.
    Client(usize),
}

/// Something that happens to the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkFault {
    /// From now on no byte passes from this place to that one; the other way they do.
    Cut(Place, Place),
    /// Bytes pass again from this place to that one.
    Mend(Place, Place),
    /// No byte passes between machines of different groups; a client's side is that of the machine in whose group it is named.
    Split(Vec<Vec<Place>>),
    /// No byte passes either way between these places, for so long.
    Stall(Place, Place, Duration),
    /// From this place to that one bytes take at least, and at most, so long.
    Slow(Place, Place, (Duration, Duration)),
    /// All connections that this machine has opened to that one are reset.
    Reset(usize, usize),
    /// Everything passes, as fast as in the beginning.
    Heal,
}

/// What keeps its order: one direction of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Up(LinkId),
    Down(LinkId),
    /// Of a link between machines: the greeting, then each lane.
    Peer(u64, u8),
}

#[derive(Default)]
pub(crate) struct Network {
    cut: BTreeSet<(Place, Place)>,
    slow: BTreeMap<(Place, Place), (Duration, Duration)>,
    /// What waits for a cut to be mended, by its way; nothing overtakes it.
    held: BTreeMap<Way, Held>,
}

struct Held {
    from: Place,
    to: Place,
    events: VecDeque<Event>,
}

impl Network {
    pub(crate) fn passes(&self, from: Place, to: Place) -> bool {
        !self.cut.contains(&(from, to))
    }
}

impl World {
    /// Lets this happen to the network at that time.
    pub fn plan_network(&mut self, at: base::Instant, fault: NetworkFault) {
        self.queue.push(at, Event::Network(fault));
    }

    /// How long the next bytes take from here to there.
    pub(crate) fn latency(&mut self, from: Place, to: Place) -> Duration {
        let range = self.network.slow.get(&(from, to)).copied();
        self.draw(range.unwrap_or(self.physics.latency))
    }

    /// Holds an event back whose bytes cannot pass; gives it back if they can.
    pub(crate) fn hold_back(&mut self, event: Event) -> Option<Event> {
        let Some((way, from, to)) = self.way_of(&event) else { return Some(event) };
        if let Some(held) = self.network.held.get_mut(&way) {
            held.events.push_back(event);
            return None;
        }
        if self.network.passes(from, to) {
            return Some(event);
        }
        let held = Held { from, to, events: VecDeque::from([event]) };
        self.network.held.insert(way, held);
        None
    }

    fn way_of(&self, event: &Event) -> Option<(Way, Place, Place)> {
        match event {
            Event::ToClient { link, .. } => {
                let ends = self.links.get(link)?;
                let (from, to) = (Place::Machine(ends.machine), Place::Client(ends.client));
                Some((Way::Down(*link), from, to))
            }
            Event::Machine(_, ToMachine::Arrives { link, .. }) => {
                let ends = self.links.get(link)?;
                let (from, to) = (Place::Client(ends.client), Place::Machine(ends.machine));
                Some((Way::Up(*link), from, to))
            }
            Event::Machine(at, ToMachine::Peer(what)) => self.peer_way(*at, what),
            Event::Machine(_, _)
            | Event::DatagramToClient { .. }
            | Event::ClientWake { .. }
            | Event::Network(_)
            | Event::Release(_) => None,
        }
    }

    /// A cut was mended, and the first bytes come through.
    pub(crate) fn release(&mut self, way: Way) {
        let Some(held) = self.network.held.get(&way) else { return };
        if !self.network.passes(held.from, held.to) {
            return;
        }
        let held = self.network.held.remove(&way).expect("just looked at");
        for event in held.events {
            self.dispatch(event);
        }
    }

    pub(crate) fn inject_network(&mut self, fault: NetworkFault) {
        self.trace.line(self.now, format_args!("network {fault:?}"));
        match fault {
            NetworkFault::Cut(from, to) => self.set_cut(from, to, true),
            NetworkFault::Mend(from, to) => self.set_cut(from, to, false),
            NetworkFault::Split(groups) => {
                for (from, to) in across(&groups) {
                    self.set_cut(from, to, true);
                }
            }
            NetworkFault::Stall(a, b, duration) => {
                let mended = self.now.after(duration);
                for (from, to) in [(a, b), (b, a)] {
                    self.set_cut(from, to, true);
                    self.plan_network(mended, NetworkFault::Mend(from, to));
                }
            }
            NetworkFault::Slow(from, to, range) => {
                self.network.slow.insert((from, to), range);
                self.slowed(from, to, range.1);
            }
            NetworkFault::Reset(from, to) => self.reset_links(from, to),
            NetworkFault::Heal => self.heal_network(),
        }
    }

    pub(crate) fn heal_network(&mut self) {
        for (from, to) in std::mem::take(&mut self.network.slow).into_keys() {
            self.slowed(from, to, self.physics.latency.1);
        }
        for (from, to) in self.network.cut.clone() {
            self.set_cut(from, to, false);
        }
    }

    fn slowed(&mut self, from: Place, to: Place, most: Duration) {
        if let (Place::Machine(from), Place::Machine(to)) = (from, to) {
            self.happened(Happening::Slowed { from, to, most });
        }
    }

    fn set_cut(&mut self, from: Place, to: Place, cut: bool) {
        let changed = if cut {
            self.network.cut.insert((from, to))
        } else {
            self.network.cut.remove(&(from, to))
        };
        if !changed {
            return;
        }
        self.happened(Happening::Parted { from, to, cut });
        if cut {
            return;
        }
        let held = self.network.held.iter();
        let ways: Vec<Way> = held
            .filter(|(_, held)| (held.from, held.to) == (from, to))
            .map(|(way, _)| *way)
            .collect();
        for way in ways {
            let at = self.now.after(self.latency(from, to));
            self.queue.push(at, Event::Release(way));
        }
    }
}

/// The pairs of places in different groups.
fn across(groups: &[Vec<Place>]) -> Vec<(Place, Place)> {
    let mut pairs = Vec::new();
    for (n, group) in groups.iter().enumerate() {
        for (m, other) in groups.iter().enumerate() {
            if n != m {
                pairs.extend(group.iter().flat_map(|a| other.iter().map(|b| (*a, *b))));
            }
        }
    }
    // Clients do not talk to each other.
    pairs.retain(|pair| !matches!(pair, (Place::Client(_), Place::Client(_))));
    pairs
}
