//! A network of real cores in virtual time: loss, delay, duplicates, cuts, slow and stopped nodes, all from one seed.
#![allow(dead_code, reason = "the tests and the measuring program share it, and each uses a part")]

use base::{Duration, Instant, NodeId, Now, Rng};
use gossip::{
    Address, Body, Delta, Description, Fact, Generation, Gossip, Input, Lane, Member, Message,
    Output, Protocols, Roles, Settings, Update,
};
use std::collections::{BTreeMap, BTreeSet};

/// What IPv4 and UDP add to each message.
pub const DATAGRAM_FRAME_BYTES: u64 = 28;

/// The cluster of all nodes here.
pub const CLUSTER: u32 = 0x00c0_ffee;

/// What the network does to each message.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Out of a thousand messages, so many are lost.
    pub lost_per_mille: u64,
    /// Out of a thousand messages, so many come twice.
    pub doubled_per_mille: u64,
    pub delay_min: Duration,
    pub delay_max: Duration,
}

impl Faults {
    /// A local network on a good day.
    pub const NONE: Self = Self {
        lost_per_mille: 0,
        doubled_per_mille: 0,
        delay_min: Duration::from_micros(200),
        delay_max: Duration::from_millis(2),
    };

    pub const fn loss(per_mille: u64) -> Self {
        Self { lost_per_mille: per_mille, ..Self::NONE }
    }
}

/// A node that works for a while and then hangs for a while.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    pub works: Duration,
    pub hangs: Duration,
    /// Only what comes in waits; its timers go on. Else all of it stands still.
    pub deaf_only: bool,
}

/// What a node has sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub messages: u64,
    /// With what a datagram adds.
    pub bytes: u64,
    /// Of that, exchanges.
    pub bulk_bytes: u64,
}

pub struct Node {
    pub id: NodeId,
    pub address: Address,
    /// `None` while it is stopped.
    pub core: Option<Gossip>,
    pub slow: Option<Slow>,
    /// It stands still, timers and all, and goes on with what came in the meantime.
    pub stands_until: Option<Instant>,
    pub sent: Sent,
    lives: u64,
    wake_at: Option<Instant>,
}

/// Something that a node's host was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Instant,
    /// Index of the node.
    pub by: usize,
    pub output: Output,
}

#[derive(Debug)]
enum Happening {
    Arrival { to: usize, from: Address, message: Message },
    Wake { node: usize },
}

pub struct Network {
    pub now: Instant,
    /// What wall clocks show at the start.
    pub wall_ms: u64,
    pub rng: Rng,
    pub faults: Faults,
    pub nodes: Vec<Node>,
    /// What hosts were told since it was last taken; only if `records`.
    pub told: Vec<Told>,
    pub records: bool,
    /// Lines about each message; only if `traces`.
    pub trace: Vec<(Instant, String)>,
    pub traces: bool,
    /// From index to index, one way.
    cut: BTreeSet<(usize, usize)>,
    by_address: BTreeMap<Address, usize>,
    happenings: BTreeMap<(Instant, u64), Happening>,
    count: u64,
}

/// Ids are scattered over 32 bits, as those of real nodes are: small ones would make messages look shorter.
pub fn scattered(index: usize) -> NodeId {
    NodeId(1 + u64::from((index as u32 + 1).wrapping_mul(0x9e37_79b1)))
}

pub fn address(index: usize) -> Address {
    Address::new(&format!("10.20.{}.{}:7848", index / 250, index % 250 + 1)).expect("it is plain")
}

pub fn description(address: Address) -> Description {
    Description {
        addresses: vec![address],
        roles: Roles(0b111),
        protocols: Protocols { min: 1, max: 2 },
        facts: vec![Fact { key: 1, value: Box::from(*b"zone-a") }],
    }
}

impl Network {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            now: Instant::START,
            wall_ms: 1_790_000_000_000,
            rng: Rng::from_seed(bytes),
            faults,
            nodes: Vec::new(),
            told: Vec::new(),
            records: true,
            trace: Vec::new(),
            traces: false,
            cut: BTreeSet::new(),
            by_address: BTreeMap::new(),
            happenings: BTreeMap::new(),
            count: 0,
        }
    }

    /// Many nodes that know each other already.
    pub fn formed(seed: u64, faults: Faults, count: usize, adapt: impl Fn(&mut Settings)) -> Self {
        let mut network = Self::new(seed, faults);
        network.records = false;
        for index in 0..count {
            network.add(scattered(index), address(index));
            network.start(index, Vec::new(), &adapt);
        }
        let members: Vec<Member> =
            network.nodes.iter().map(|node| node.core().own().clone()).collect();
        for index in 0..count {
            let from = (index + 1) % count;
            let mut members = members.clone();
            members.remove(index);
            let delta = Delta { members, wants: Vec::new(), wants_all: false };
            let message = Message {
                cluster: CLUSTER,
                from: network.nodes[from].id,
                body: Body::Delta(delta),
                updates: Vec::new(),
            };
            let from = network.nodes[from].address.clone();
            network.step(index, Input::Received { from, message });
        }
        network.records = true;
        network
    }

    /// A node that is not started yet. Gives its index.
    pub fn add(&mut self, id: NodeId, address: Address) -> usize {
        self.by_address.insert(address.clone(), self.nodes.len());
        self.nodes.push(Node {
            id,
            address,
            core: None,
            slow: None,
            stands_until: None,
            sent: Sent::default(),
            lives: 0,
            wake_at: None,
        });
        self.nodes.len() - 1
    }

    /// Begins a life of a node.
    pub fn start(&mut self, index: usize, seeds: Vec<Address>, adapt: impl Fn(&mut Settings)) {
        let wall_ms = self.wall_ms + self.now.as_nanos() / 1_000_000;
        let node = &mut self.nodes[index];
        // As a hybrid clock at boot; two lives may begin in one millisecond.
        node.lives += 2;
        let generation = Generation((wall_ms << 16) + node.lives);
        let mut settings = Settings::new(node.id, generation, CLUSTER);
        adapt(&mut settings);
        let rng = self.rng.fork();
        let description = description(node.address.clone());
        let core = Gossip::new(at(self.now), settings, description, seeds, rng);
        node.core = Some(core.expect("the settings fit together"));
        node.wake_at = None;
        self.settle(index);
    }

    /// Power off.
    pub fn stop(&mut self, index: usize) {
        self.nodes[index].core = None;
    }

    /// Gives a node another address; what was sent to the old one gets lost.
    pub fn rename(&mut self, index: usize, address: Address) {
        self.by_address.remove(&self.nodes[index].address);
        self.by_address.insert(address.clone(), index);
        self.nodes[index].address = address.clone();
        self.step(index, Input::SetLocal(description(address)));
    }

    /// Nothing gets from one to the other any more, nor back.
    pub fn cut(&mut self, one: usize, other: usize) {
        self.cut.insert((one, other));
        self.cut.insert((other, one));
    }

    /// One way only.
    pub fn cut_one_way(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    pub fn part(&mut self, ones: &[usize], others: &[usize]) {
        for one in ones {
            for other in others {
                self.cut(*one, *other);
            }
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    pub fn step(&mut self, index: usize, input: Input) {
        let now = at(self.now);
        if let Some(core) = &mut self.nodes[index].core {
            core.step(now, input);
            self.settle(index);
        }
    }

    pub fn run(&mut self, duration: Duration) {
        self.run_until(self.now.after(duration), |_| false);
    }

    /// Lets time pass until something is true, looked at after each happening. `false` if it never was.
    pub fn run_until(&mut self, end: Instant, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        while let Some(entry) = self.happenings.first_entry() {
            let (due, _) = *entry.key();
            if due > end {
                break;
            }
            let happening = entry.remove();
            self.now = due;
            self.happen(happening);
            if done(self) {
                return true;
            }
        }
        self.now = end;
        done(self)
    }

    fn happen(&mut self, happening: Happening) {
        let (Happening::Arrival { to: index, .. } | Happening::Wake { node: index }) = happening;
        let timer = matches!(happening, Happening::Wake { .. });
        if let Some(later) = self.hangs_until(index, timer) {
            self.plan(later, happening);
            return;
        }
        match happening {
            Happening::Arrival { to, from, message } => {
                self.step(to, Input::Received { from, message });
            }
            Happening::Wake { node } => {
                let Some(wake_at) = self.nodes[node].wake_at else { return };
                if wake_at <= self.now {
                    self.nodes[node].wake_at = None;
                    self.step(node, Input::Wake);
                }
            }
        }
    }

    fn hangs_until(&self, index: usize, timer: bool) -> Option<Instant> {
        if let Some(until) = self.nodes[index].stands_until.filter(|until| self.now < *until) {
            return Some(until);
        }
        let Slow { works, hangs, deaf_only } = self.nodes[index].slow?;
        if deaf_only && timer {
            return None;
        }
        let cycle = (works + hangs).as_nanos() as u64;
        let phase = self.now.as_nanos() % cycle;
        let left = cycle - phase;
        (u128::from(phase) >= works.as_nanos()).then(|| self.now.after(Duration::from_nanos(left)))
    }

    fn plan(&mut self, due: Instant, happening: Happening) {
        self.count += 1;
        self.happenings.insert((due, self.count), happening);
    }

    /// Takes a node's outputs and plans its next wake.
    fn settle(&mut self, index: usize) {
        while let Some(output) = self.nodes[index].core.as_mut().and_then(Gossip::poll) {
            match output {
                Output::Send { to: _, address, message, lane, large: _ } => {
                    self.send(index, &address, message, lane);
                }
                Output::Changed { .. } | Output::Event(_) if self.records => {
                    self.told.push(Told { at: self.now, by: index, output });
                }
                Output::Changed { .. } | Output::Event(_) => {}
            }
        }
        let node = &mut self.nodes[index];
        let Some(due) = node.core.as_ref().and_then(Gossip::deadline) else { return };
        let due = due.max(self.now);
        if node.wake_at.is_none_or(|wake_at| due < wake_at) {
            node.wake_at = Some(due);
            self.plan(due, Happening::Wake { node: index });
        }
    }

    fn send(&mut self, from: usize, address: &Address, message: Message, lane: Lane) {
        let bytes = message.encoded_len() as u64 + DATAGRAM_FRAME_BYTES;
        let sent = &mut self.nodes[from].sent;
        sent.messages += 1;
        sent.bytes += bytes;
        if lane == Lane::Bulk {
            sent.bulk_bytes += bytes;
        }
        let to = self.by_address.get(address).copied();
        let cut = to.is_none_or(|to| self.cut.contains(&(from, to)));
        let lost = cut || self.chance(self.faults.lost_per_mille);
        if self.traces {
            let mark = if lost { " ✗" } else { "" };
            let line = format!("{}{mark}", show(&message, address));
            self.trace.push((self.now, line));
        }
        let Some(to) = to.filter(|_| !lost) else { return };
        let from = self.nodes[from].address.clone();
        if self.chance(self.faults.doubled_per_mille) {
            let (from, message) = (from.clone(), message.clone());
            let due = self.delay();
            self.plan(due, Happening::Arrival { to, from, message });
        }
        let due = self.delay();
        self.plan(due, Happening::Arrival { to, from, message });
    }

    fn chance(&mut self, per_mille: u64) -> bool {
        per_mille > 0 && self.rng.below(1000) < per_mille
    }

    fn delay(&mut self) -> Instant {
        let Faults { delay_min, delay_max, .. } = self.faults;
        let span = (delay_max - delay_min).as_nanos() as u64;
        self.now.after(delay_min + Duration::from_nanos(self.rng.below(span + 1)))
    }
}

impl Node {
    pub fn core(&self) -> &Gossip {
        self.core.as_ref().expect("it is running")
    }
}

fn at(instant: Instant) -> Now {
    Now { instant, unix_ms: instant.as_nanos() / 1_000_000 }
}

/// A message in one line: from → address, what, and the news that travels along.
pub fn show(message: &Message, to: &Address) -> String {
    let body = match &message.body {
        Body::Probe { seq, target } => format!("Probe {} of {target}", seq.0),
        Body::Ack { seq } => format!("Ack {}", seq.0),
        Body::IndirectProbe { seq, target, address } => {
            format!("IndirectProbe {} of {target} at {address}", seq.0)
        }
        Body::Nack { seq } => format!("Nack {}", seq.0),
        Body::Gossip => "Gossip".to_owned(),
        Body::Digest(digest) => {
            format!("Digest of {}, {} buckets", digest.present, digest.buckets.len())
        }
        Body::Summary(summary) => {
            let entries = summary.differing.iter().flat_map(|bucket| &bucket.entries);
            let nodes: Vec<String> = entries.map(|entry| entry.node.to_string()).collect();
            format!("Summary [{}]", nodes.join(" "))
        }
        Body::Delta(delta) => {
            let members: Vec<String> = delta.members.iter().map(show_member).collect();
            let wants: Vec<String> = delta.wants.iter().map(ToString::to_string).collect();
            let all = if delta.wants_all { ", wants all" } else { "" };
            let wants = if wants.is_empty() { String::new() } else { format!(", wants {wants:?}") };
            format!("Delta [{}]{wants}{all}", members.join(", "))
        }
    };
    let news: Vec<String> = message.updates.iter().map(show_update).collect();
    let news = if news.is_empty() { news.join("") } else { format!(" + {}", news.join(", ")) };
    format!("{} → {to} {body}{news}", message.from)
}

/// `n3 Alive 0.1`: who, how, incarnation and version of the record.
pub fn show_member(member: &Member) -> String {
    let (incarnation, version) = (member.incarnation.0, member.record.version.0);
    format!("{} {:?} {incarnation}.{version}", member.node(), member.state)
}

fn show_update(update: &Update) -> String {
    match update {
        Update::Member(member) => show_member(member),
        Update::Suspect { node, generation: _, incarnation, by } => {
            let by: Vec<String> = by.iter().map(ToString::to_string).collect();
            format!("{node} Suspect {} by {}", incarnation.0, by.join(" "))
        }
        Update::Down { node, generation: _, incarnation } => {
            format!("{node} Down {}", incarnation.0)
        }
    }
}
