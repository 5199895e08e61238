//! Several nodes, and links between them that can be cut.

use crate::*;
use base::Duration;
use std::{collections::BTreeMap, string::String, vec::Vec};

pub(super) type Core = Distro<String, u32>;
type Sent = Message<String, u32>;

/// How long a message takes.
const LATENCY: Duration = Duration::from_millis(1);

/// Nodes n1, n2, … that are all linked at first.
pub(super) struct Network {
    pub(super) now: Now,
    pub(super) nodes: BTreeMap<NodeId, Core>,
    /// What is on its way, by link; each with its arrival, in order.
    links: BTreeMap<(NodeId, NodeId), Vec<(Instant, Sent)>>,
    /// How many of the next messages on a link are lost.
    losses: BTreeMap<(NodeId, NodeId), usize>,
    /// How many messages of each kind were sent.
    pub(super) traffic: BTreeMap<&'static str, usize>,
    /// What nodes listed when they wrote their hints.
    hints: BTreeMap<NodeId, Vec<Record<String, u32>>>,
    /// When nodes were started again.
    lives: BTreeMap<NodeId, HybridTime>,
}

impl Network {
    pub(super) fn new(count: u64) -> Self {
        let mut network = Self {
            now: Now::START.after(Duration::from_secs(1)),
            nodes: BTreeMap::new(),
            links: BTreeMap::new(),
            losses: BTreeMap::new(),
            traffic: BTreeMap::new(),
            hints: BTreeMap::new(),
            lives: BTreeMap::new(),
        };
        for id in 1..=count {
            network.start(NodeId(id));
        }
        network
    }

    pub(super) fn write_hint(&mut self, id: NodeId) {
        let listed = self.nodes[&id].after(None).filter(|(_, entry)| entry.listed());
        let records = listed.map(|(key, entry)| Record {
            key: key.clone(),
            version: entry.version,
            value: Some(entry.value),
        });
        self.hints.insert(id, records.collect());
    }

    /// Starts a node, for the first time or again, with what its hint says; and links it with all others.
    pub(super) fn start(&mut self, id: NodeId) {
        let others: Vec<NodeId> = self.nodes.keys().copied().filter(|other| *other != id).collect();
        for other in &others {
            self.cut(id, *other);
        }
        let mut clock = HybridClock::default();
        let life = clock.tick(self.now);
        let again = self.nodes.insert(id, Core::new(self.now, id, HybridClock::default()));
        self.lives.extend(again.map(|_| (id, life)));
        for record in self.hints.get(&id).cloned().unwrap_or_default() {
            self.step(id, Input::Restore(record));
        }
        for other in others {
            self.step(other, Input::OwnerAlive { owner: id, life });
            let life = self.lives.get(&other).copied().unwrap_or(HybridTime(0));
            self.step(id, Input::OwnerAlive { owner: other, life });
            self.link(id, other);
        }
    }

    pub(super) fn step(&mut self, id: NodeId, input: Input<String, u32>) {
        self.nodes.get_mut(&id).expect("a node").step(self.now, input);
        self.collect(id);
    }

    /// Takes up what a node wants sent.
    fn collect(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).expect("a node");
        while let Some(output) = node.poll() {
            let Output::Send { to, message } = output else { continue };
            *self.traffic.entry(kind(&message)).or_default() += 1;
            if let Some(count) = self.losses.get_mut(&(id, to)).filter(|count| **count > 0) {
                *count -= 1;
                continue;
            }
            let arrival = self.now.instant.after(LATENCY);
            self.links.get_mut(&(id, to)).expect("a link").push((arrival, message));
        }
    }

    pub(super) fn cut(&mut self, a: NodeId, b: NodeId) {
        for (from, to) in [(a, b), (b, a)] {
            if self.links.remove(&(from, to)).is_some() {
                self.step(from, Input::PeerDown { peer: to });
            }
        }
    }

    pub(super) fn link(&mut self, a: NodeId, b: NodeId) {
        self.links.insert((a, b), Vec::new());
        self.links.insert((b, a), Vec::new());
        self.step(a, Input::PeerUp { peer: b });
        self.step(b, Input::PeerUp { peer: a });
    }

    pub(super) fn is_cut(&self, a: NodeId, b: NodeId) -> bool {
        !self.links.contains_key(&(a, b))
    }

    pub(super) fn lose(&mut self, from: NodeId, to: NodeId, count: usize) {
        self.losses.insert((from, to), count);
    }

    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(due) = self.due().filter(|due| *due <= end.instant) {
            self.now = self.now.after(due.since(self.now.instant));
            self.deliver();
            self.wake();
        }
        self.now = end;
    }

    fn due(&self) -> Option<Instant> {
        let arrivals = self.links.values().filter_map(|link| link.first()).map(|(at, _)| *at);
        arrivals.chain(self.nodes.values().filter_map(Core::deadline)).min()
    }

    fn deliver(&mut self) {
        let ends: Vec<(NodeId, NodeId)> = self.links.keys().copied().collect();
        for (from, to) in ends {
            while let Some(link) = self.links.get_mut(&(from, to))
                && link.first().is_some_and(|(at, _)| *at <= self.now.instant)
            {
                let (_, message) = link.remove(0);
                self.step(to, Input::Received { from, message });
            }
        }
    }

    fn wake(&mut self) {
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        for id in ids {
            if self.nodes[&id].deadline().is_some_and(|due| due <= self.now.instant) {
                self.step(id, Input::Wake);
            }
        }
    }
}

fn kind(message: &Sent) -> &'static str {
    match message {
        Message::Delta { .. } => "delta",
        Message::DeltaTaken { .. } => "taken",
        Message::Digest { .. } => "digest",
        Message::Buckets { .. } => "buckets",
        Message::Versions { .. } => "versions",
        Message::More { .. } => "more",
        Message::Wanted { .. } => "wanted",
    }
}
