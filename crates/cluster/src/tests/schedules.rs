//! Random schedules of a few founding nodes: messages are lost, doubled, late and out of order, links come and go one way,
//! nodes crash before or after a write, and disks are lost. Whatever happens, there are never two clusters.

use super::world::address;
use crate::{
    Address, ClusterId, Formation, Forming, Founder, Introduction, PROTOCOLS,
    founding::{Act, Founding},
};
use base::{Duration, HybridTime, Instant, NodeId, Rng};
use std::collections::BTreeSet;

/// What is on its way at most.
const LETTERS_MAX: usize = 24;
/// How many schedules are tried per setting.
const SEEDS: u64 = 200;

struct Place {
    address: Address,
    id: NodeId,
    disk: Formation,
    machine: Founding,
    write: Option<Formation>,
    /// To whom, as this node believes.
    links: BTreeSet<(usize, NodeId)>,
}

struct Schedule {
    rng: Rng,
    now: Instant,
    expect: u32,
    places: Vec<Place>,
    letters: Vec<(usize, NodeId, Address, NodeId, Forming)>,
    last_id: u64,
    formed: BTreeSet<ClusterId>,
    trace: Vec<String>,
}

impl Schedule {
    fn new(seed: u64, places: usize, expect: u32) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = Rng::from_seed(bytes);
        let now = Instant::from_nanos(1_000_000_000_000);
        let names = ["a", "b", "c", "d", "e"];
        let seeds: Vec<Address> = names[..places].iter().map(|name| address(name)).collect();
        let places = seeds
            .iter()
            .map(|address| {
                // Ids in any order.
                let id = NodeId(1 + rng.below(1000));
                Place {
                    address: address.clone(),
                    id,
                    disk: Formation::Fresh,
                    machine: machine(now, id, address, &Formation::Fresh, &seeds, expect),
                    write: None,
                    links: BTreeSet::new(),
                }
            })
            .collect();
        let (letters, trace) = (Vec::new(), Vec::new());
        Self { rng, now, expect, places, letters, last_id: 1000, formed: BTreeSet::new(), trace }
    }

    fn restart(&mut self, at: usize) {
        let seeds: Vec<Address> = self.places.iter().map(|place| place.address.clone()).collect();
        let place = &mut self.places[at];
        place.machine =
            machine(self.now, place.id, &place.address, &place.disk, &seeds, self.expect);
        place.write = None;
        place.links.clear();
    }

    fn renew(&mut self, at: usize) {
        self.last_id += 1;
        self.places[at].id = NodeId(self.last_id);
        self.places[at].disk = Formation::Fresh;
        self.restart(at);
    }

    fn act(&mut self, at: usize, acts: Vec<Act>) {
        for act in acts {
            let place = &mut self.places[at];
            match act {
                Act::Keep(formation) => place.write = Some(formation),
                Act::Say(to) => {
                    let words = place.machine.words();
                    let letter = (at, place.id, place.address.clone(), to, words);
                    self.letters.push(letter);
                    // A link that is too full breaks.
                    if self.letters.len() > LETTERS_MAX {
                        self.letters.remove(0);
                    }
                }
                Act::GiveUp(_) => {
                    self.trace.push(format!("{at} gives up"));
                    return self.renew(at);
                }
            }
        }
    }

    fn kept(&mut self, at: usize) {
        let place = &mut self.places[at];
        let Some(formation) = place.write.take() else { return };
        self.trace.push(format!("{at} ({}) keeps {formation:?}", place.id));
        place.disk = formation.clone();
        if let Formation::Formed { cluster, .. } = &formation {
            self.formed.insert(*cluster);
        }
        let acts = place.machine.kept(self.now, &formation);
        self.act(at, acts);
    }

    fn link(&mut self, from: usize, to: usize) {
        let peer = &self.places[to];
        let introduction = Introduction {
            node: peer.id,
            life: HybridTime(1),
            cluster: peer.disk.cluster(),
            address: peer.address.clone(),
            protocols: PROTOCOLS,
        };
        let (dialed, id) = (peer.address.clone(), peer.id);
        let place = &mut self.places[from];
        place.links.insert((to, id));
        let acts = place.machine.linked(self.now, &dialed, &introduction);
        self.act(from, acts);
    }

    fn deliver(&mut self) {
        if self.letters.is_empty() {
            return;
        }
        // Mostly in order.
        let among = if self.rng.below(4) == 0 { self.letters.len() } else { 1 };
        let at = self.rng.below(among as u64) as usize;
        let letter = match self.rng.below(10) {
            0 => self.letters[at].clone(),
            _ => self.letters.remove(at),
        };
        if self.rng.below(8) == 0 {
            return;
        }
        let (_, from, address, to, forming) = letter;
        if let Some(at) = self.places.iter().position(|place| place.id == to) {
            let acts = self.places[at].machine.heard(self.now, from, &address, forming);
            self.act(at, acts);
        }
    }

    fn step(&mut self, wipes: bool) {
        let count = self.places.len() as u64;
        let at = self.rng.below(count) as usize;
        match self.rng.below(40) {
            0..=3 => {
                let to = self.rng.below(count) as usize;
                if to != at {
                    self.link(at, to);
                }
            }
            4 if self.rng.below(2) == 0 => {
                let links: Vec<_> = self.places[at].links.iter().copied().collect();
                if !links.is_empty() {
                    let gone = links[self.rng.below(links.len() as u64) as usize];
                    self.places[at].links.remove(&gone);
                    self.places[at].machine.unlinked(gone.1);
                }
            }
            5..=9 => self.kept(at),
            10..=13 => {
                self.now = self.now.after(Duration::from_millis(300));
                for at in 0..self.places.len() {
                    let acts = self.places[at].machine.wake(self.now);
                    self.act(at, acts);
                }
            }
            14 if self.rng.below(4) == 0 => {
                self.now = self.now.after(Duration::from_secs(self.rng.below(35)));
            }
            15 if self.rng.below(3) == 0 => self.restart(at),
            16 if wipes && self.rng.below(8) == 0 => {
                self.trace.push(format!("{at} ({}) is wiped", self.places[at].id));
                self.renew(at);
            }
            _ => self.deliver(),
        }
    }

    /// The clusters that exist on disks now.
    fn standing(&self) -> BTreeSet<ClusterId> {
        let formed = self.places.iter().filter_map(|place| match &place.disk {
            Formation::Formed { cluster, .. } => Some(*cluster),
            Formation::Fresh | Formation::Adopted { .. } | Formation::Joining { .. } => None,
        });
        formed.collect()
    }
}

fn machine(
    now: Instant,
    id: NodeId,
    address: &Address,
    disk: &Formation,
    seeds: &[Address],
    expect: u32,
) -> Founding {
    let me = Founder { node: id, address: Some(address.clone()) };
    Founding::new(now, me, disk.clone(), seeds, Some(expect))
}

/// How many schedules ended with a cluster.
fn run(places: usize, expect: u32, wipes: bool) -> usize {
    let mut formed = 0;
    for seed in 0..SEEDS {
        let mut schedule = Schedule::new(seed, places, expect);
        for _ in 0..600 {
            schedule.step(wipes);
            let clusters = if wipes { schedule.standing() } else { schedule.formed.clone() };
            assert!(
                clusters.len() <= 1,
                "seed {seed}: {clusters:?}\n{}",
                schedule.trace.join("\n")
            );
        }
        formed += usize::from(!schedule.formed.is_empty());
    }
    formed
}

#[test]
fn without_a_lost_disk_more_than_half_found_one_cluster() {
    for (places, expect) in [(3, 2), (3, 3), (4, 3), (5, 3)] {
        let formed = run(places, expect, false);
        assert!(
            formed > 20,
            "{expect} of {places}: only {formed} of {SEEDS} schedules formed a cluster"
        );
    }
}

#[test]
fn with_lost_disks_all_found_one_cluster() {
    for places in [2, 3] {
        let formed = run(places, places as u32, true);
        assert!(formed > 20, "{places}: only {formed} of {SEEDS} schedules formed a cluster");
    }
}
