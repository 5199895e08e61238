//! A few nodes without engines, in virtual time, on links that come up by themselves.

use crate::{
    Address, Cluster, Formation, Identity, Input, Message, Output, Request, Secret, Settings, State,
};
use base::{ConnectionId, Duration, HybridTime, Instant, NodeId, Now, RequestId, Rng};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const LATENCY: Duration = Duration::from_millis(1);
const DIAL_INTERVAL: Duration = Duration::from_millis(50);

pub(crate) struct Machine {
    pub(crate) cluster: Option<Cluster>,
    disk: Identity,
    seeds: Vec<Address>,
    expect: Option<u32>,
    wanted: Vec<Address>,
    /// Writes of the identity wait for `kept`.
    slow: bool,
    writes: Vec<Identity>,
    begun: Option<Vec<NodeId>>,
    /// How far its clock is ahead when it starts.
    ahead: Duration,
    pub(crate) alive: BTreeMap<NodeId, bool>,
}

/// A link, by whom it was dialed, and to where.
type Link = (String, Address);

/// When it arrives, from whom.
type Letter = (Instant, NodeId, Message);

pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) machines: BTreeMap<String, Machine>,
    links: BTreeMap<Link, (String, Vec<Letter>)>,
    cut: BTreeSet<(String, String)>,
    dial_at: Instant,
    last_id: u64,
    lives: u64,
    asked: u64,
    pub(crate) transcript: String,
}

pub(crate) fn address(name: &str) -> Address {
    Address::new(&format!("{name}:7848")).expect("an address")
}

fn ordered(a: &str, b: &str) -> (String, String) {
    (a.min(b).to_owned(), a.max(b).to_owned())
}

impl World {
    pub(crate) fn new() -> Self {
        let now = Now::START.after(Duration::from_secs(1000));
        Self {
            now,
            machines: BTreeMap::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            dial_at: now.instant,
            last_id: 0,
            lives: 0,
            asked: 0,
            transcript: String::new(),
        }
    }

    fn say(&mut self, text: &str) {
        writeln!(self.transcript, "{text}").expect("text");
    }

    /// A machine that is off, with an empty disk.
    fn machine(&mut self, name: &str, seeds: &str, expect: Option<u32>) {
        self.last_id += 1;
        let machine = Machine {
            cluster: None,
            disk: Identity::fresh(NodeId(self.last_id)),
            seeds: seeds.split(',').filter(|name| !name.is_empty()).map(address).collect(),
            expect,
            wanted: Vec::new(),
            slow: false,
            writes: Vec::new(),
            begun: None,
            ahead: Duration::ZERO,
            alive: BTreeMap::new(),
        };
        self.machines.insert(name.to_owned(), machine);
    }

    fn start(&mut self, name: &str) {
        self.lives += 1;
        let machine = self.machines.get_mut(name).expect("a machine");
        let settings = Settings {
            seeds: machine.seeds.clone(),
            expect: machine.expect,
            secret: Some(Secret::new(&[7; 32]).expect("long enough")),
            ..Settings::alone(machine.disk.clone(), address(name))
        };
        let life = HybridTime::from_unix_ms(self.now.after(machine.ahead).unix_ms);
        let rng = Rng::from_seed([self.lives as u8; 32]);
        machine.cluster = Some(Cluster::new(settings, self.now, life, rng).expect("settings"));
        machine.wanted.clear();
        machine.begun = None;
        machine.writes.clear();
        self.step(name, Input::Restored);
    }

    fn stop(&mut self, name: &str) {
        let machine = self.machines.get_mut(name).expect("a machine");
        machine.cluster = None;
        let broken: Vec<Link> = self
            .links
            .iter()
            .filter(|((from, _), (to, _))| from == name || to == name)
            .map(|(link, _)| link.clone())
            .collect();
        for link in broken {
            self.hang_up(&link);
        }
    }

    fn hang_up(&mut self, link: &Link) {
        let Some((to, _)) = self.links.remove(link) else { return };
        let from = &link.0;
        let others =
            self.links.iter().any(|((other, _), (target, _))| other == from && *target == to);
        let node = self.machines[&to].disk.node;
        if !others {
            self.step(from, Input::PeerDown(node));
        }
    }

    pub(crate) fn step(&mut self, name: &str, input: Input) {
        let machine = self.machines.get_mut(name).expect("a machine");
        let Some(cluster) = &mut machine.cluster else { return };
        cluster.step(self.now, input);
        while let Some(output) =
            self.machines.get_mut(name).and_then(|machine| machine.cluster.as_mut()?.poll())
        {
            self.carry_out(name, output);
        }
    }

    fn carry_out(&mut self, name: &str, output: Output) {
        let machine = self.machines.get_mut(name).expect("a machine");
        match output {
            Output::KeepIdentity(identity) => {
                let identity = Identity::decode(&identity.encode()).expect("it reads back");
                machine.writes.push(identity);
                if !machine.slow {
                    self.fsync(name);
                }
            }
            Output::Begin { voters } => {
                assert_eq!(machine.begun, None, "the engine starts once");
                machine.begun = Some(voters.clone());
                if !voters.is_empty() {
                    self.step(name, Input::Members { voters, learners: Vec::new() });
                }
            }
            Output::Links(wanted) => machine.wanted = wanted,
            Output::Peer { to, message } => {
                let arrival = self.now.instant.after(LATENCY);
                let from = machine.disk.node;
                let message = Message::decode(&message.encode()).expect("it reads back");
                let machines = &self.machines;
                let link = self.links.iter_mut().find(|((source, _), (target, _))| {
                    source == name && machines[target].disk.node == to
                });
                if let Some((_, (_, letters))) = link {
                    letters.push((arrival, from, message));
                }
            }
            Output::NodeAlive { node, .. } => {
                machine.alive.insert(node, true);
            }
            Output::NodeGone { node, heard } => {
                machine.alive.insert(node, false);
                let silent = self.now.instant.since(heard).as_secs_f32();
                let who = self.name_of(node);
                self.say(&format!("{name}: {who} is gone, last heard {silent:.1} s ago"));
            }
            Output::Reply { id, reply, .. } => {
                let reply = format!("{reply:?}");
                let reply = reply.split(" {").next().unwrap_or_default();
                self.say(&format!("{name}: reply {id} {reply}"));
            }
            Output::Change(change) => self.say(&format!("{name}: change {change:?}")),
            Output::TransferLeader(to) => {
                let who = self.name_of(to);
                self.say(&format!("{name}: {who} shall lead"));
            }
            Output::Propose { id, command, .. } => {
                let command = format!("{command:?}");
                let command = command.split(" {").next().unwrap_or_default();
                self.say(&format!("{name}: propose {id} {command}"));
            }
            Output::Tidy(command) => match command {
                crate::Command::EndTokens(_) => self.say(&format!("{name}: tidies tokens")),
                crate::Command::Remove(node) => {
                    self.say(&format!("{name}: {node} never comes back"));
                }
                crate::Command::MakeToken { .. } => panic!("nobody asked for a token"),
            },
            Output::Left => self.say(&format!("{name}: left")),
            Output::Halt(why) => {
                let why = why.split(':').next().unwrap_or_default().to_owned();
                self.say(&format!("{name} halts: {why}"));
                self.stop(name);
            }
            Output::Publish(_) | Output::Event(..) => {}
        }
    }

    fn fsync(&mut self, name: &str) {
        let machine = self.machines.get_mut(name).expect("a machine");
        for identity in std::mem::take(&mut machine.writes) {
            self.machines.get_mut(name).expect("a machine").disk = identity;
            self.step(name, Input::IdentityKept);
        }
    }

    pub(crate) fn name_of(&self, node: NodeId) -> String {
        let mut machines = self.machines.iter();
        machines
            .find(|(_, machine)| machine.disk.node == node)
            .map_or_else(|| node.to_string(), |(name, _)| name.clone())
    }

    pub(crate) fn node(&self, name: &str) -> NodeId {
        self.machines[name].disk.node
    }

    /// Brings up what is wanted, and takes down what is wanted no more.
    fn dial(&mut self) {
        let admits = |to: &str, from: &str| {
            let (to, from) = (&self.machines[to].cluster, &self.machines[from].cluster);
            let (Some(to), Some(from)) = (to, from) else { return true };
            to.view().admits(from.introduction()).is_ok()
        };
        let stale: Vec<Link> = self
            .links
            .iter()
            .filter(|((from, to), (target, _))| {
                !self.machines[from].wanted.contains(to) || !admits(target, from)
            })
            .map(|(link, _)| link.clone())
            .collect();
        for link in stale {
            self.hang_up(&link);
        }
        let names: Vec<String> = self.machines.keys().cloned().collect();
        for from in &names {
            for to in self.machines[from].wanted.clone() {
                self.dial_one(from, to);
            }
        }
    }

    fn dial_one(&mut self, from: &str, to: Address) {
        let target = to.as_str().trim_end_matches(":7848").to_owned();
        let link = (from.to_owned(), to.clone());
        let cut = self.cut.contains(&ordered(from, &target));
        if self.links.contains_key(&link) || cut || !self.machines.contains_key(&target) {
            return;
        }
        let (Some(source), Some(aim)) =
            (&self.machines[from].cluster, &self.machines[&target].cluster)
        else {
            return;
        };
        let peer = aim.introduction().clone();
        let refused = aim
            .view()
            .admits(source.introduction())
            .and_then(|()| source.view().admits(&peer))
            .err();
        match refused {
            Some(why) => self.step(from, Input::PeerRefused { address: to, why }),
            None => {
                self.links.insert(link, (target, Vec::new()));
                self.step(from, Input::PeerUp { address: to, peer });
            }
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(due) = self.due().filter(|due| *due <= end.instant) {
            self.now = self.now.after(due.since(self.now.instant));
            if self.dial_at <= self.now.instant {
                self.dial_at = self.now.instant.after(DIAL_INTERVAL);
                self.dial();
            }
            self.deliver();
            let names: Vec<String> = self.machines.keys().cloned().collect();
            for name in names {
                let deadline = self.machines[&name].cluster.as_ref().and_then(Cluster::deadline);
                if deadline.is_some_and(|due| due <= self.now.instant) {
                    self.step(&name, Input::Wake);
                }
            }
        }
        self.now = end;
    }

    fn due(&self) -> Option<Instant> {
        let letters = self.links.values().filter_map(|(_, letters)| letters.first());
        let arrivals = letters.map(|(at, ..)| *at);
        let machines = self.machines.values().filter_map(|machine| machine.cluster.as_ref());
        arrivals.chain(machines.filter_map(Cluster::deadline)).chain([self.dial_at]).min()
    }

    fn deliver(&mut self) {
        let links: Vec<Link> = self.links.keys().cloned().collect();
        for link in links {
            while let Some((target, letters)) = self.links.get_mut(&link)
                && letters.first().is_some_and(|(at, ..)| *at <= self.now.instant)
            {
                let target = target.clone();
                let (_, from, message) = letters.remove(0);
                self.step(&target, Input::Peer { from, message });
            }
        }
    }

    pub(crate) fn ask(&mut self, name: &str, request: Request) {
        self.asked += 1;
        let from = ConnectionId { node: NodeId(1), boot: HybridTime(1), counter: 1 };
        let id = RequestId(self.asked);
        self.step(name, Input::Request { from, id, request });
    }

    pub(crate) fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            // Whom it looks for, by commas; how many found the cluster.
            ["machine", name, "join", seeds, "expect", expect] => {
                self.machine(name, seeds, Some(expect.parse().expect("a number")));
            }
            ["machine", name, "join", seeds] => self.machine(name, seeds, None),
            ["machine", name] => self.machine(name, "", None),
            ["start", name] => self.start(name),
            ["ahead", name, ms] => {
                let ahead = Duration::from_millis(ms.parse().expect("milliseconds"));
                self.machines.get_mut(name).expect("a machine").ahead = ahead;
            }
            ["kill", name] => self.stop(name),
            ["wipe", name] => {
                self.last_id += 1;
                let id = NodeId(self.last_id);
                self.machines.get_mut(name).expect("a machine").disk = Identity::fresh(id);
            }
            ["copy", from, to] => {
                let disk = self.machines[from].disk.clone();
                self.machines.get_mut(to).expect("a machine").disk = disk;
            }
            ["slow", name] => self.machines.get_mut(name).expect("a machine").slow = true,
            ["fsync", name] => {
                self.machines.get_mut(name).expect("a machine").slow = false;
                self.fsync(name);
            }
            ["wait", ms] => self.wait(Duration::from_millis(ms.parse().expect("milliseconds"))),
            ["cut", a, b] => {
                self.cut.insert(ordered(a, b));
                for (from, to) in [(a, b), (b, a)] {
                    self.hang_up(&(from.to_owned(), address(to)));
                }
            }
            ["heal"] => self.cut.clear(),
            ["show"] => self.show(),
            ["leave", name] => self.step(name, Input::Leave),
            _ => super::members::command(self, &words),
        }
    }

    fn show(&mut self) {
        let mut clusters = Vec::new();
        let mut lines = Vec::new();
        for (name, machine) in &self.machines {
            let (word, cluster) = match &machine.disk.formation {
                Formation::Fresh => ("fresh", None),
                Formation::Adopted { cluster, .. } => ("adopted", Some(*cluster)),
                Formation::Formed { cluster, .. } => ("formed", Some(*cluster)),
                Formation::Joining { cluster } => ("joining", Some(*cluster)),
            };
            let which = cluster.map_or_else(String::new, |cluster| {
                if !clusters.contains(&cluster) {
                    clusters.push(cluster);
                }
                format!(" #{}", clusters.iter().position(|c| *c == cluster).unwrap_or(0) + 1)
            });
            let state = match &machine.cluster {
                None => " (off)".to_owned(),
                Some(cluster) => {
                    let members = &cluster.view().members;
                    let alive = members.iter().filter(|m| m.state == State::Alive).count();
                    format!(" {alive}/{} alive", members.len())
                }
            };
            lines.push(format!("{name} {word}{which}{state}"));
        }
        self.say(&lines.join(", "));
    }
}

/// A script with its answers.
pub(crate) fn check(expected: &str) {
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut world = World::new();
    for line in expected.iter().filter_map(|line| line.strip_prefix("> ")) {
        writeln!(world.transcript, "> {line}").expect("text");
        world.command(line);
    }
    let transcript = world.transcript;
    assert!(transcript.lines().eq(expected.iter().copied()), "it went differently:\n{transcript}");
}
