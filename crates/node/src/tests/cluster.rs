//! Conversations with several nodes: whoever leads is called `leader`, the others `a` and `b` (and so on), in the order
//! of their ids at the moment when the script names them for the first time.

mod locks;
mod time;

use super::{address, config_key, instance, replied, service};
use crate::{
    ClientsInquiry, Initial, Input, Node, Output, Part, PeerMessage, Recovered, Reply, Request,
    Settings, TableRow, View,
};
use base::{
    ConnectionId, Consistency, Duration, HybridTime, Instant, LogIndex, NodeId, Now, RequestId, Rng,
};
use cluster::{Crowd, Shift};
use std::collections::{BTreeMap, BTreeSet};
use std::{fmt::Write as _, sync::Arc};

const LATENCY: Duration = Duration::from_millis(1);

type Rows = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// A disk whose writes are durable at once.
#[derive(Clone, Default)]
struct Disk {
    identity: Option<cluster::Identity>,
    seeds: Vec<cluster::Address>,
    expect: Option<u32>,
    hard_state: Option<Vec<u8>>,
    snapshot: Option<Vec<u8>>,
    entries: Vec<(LogIndex, Vec<u8>)>,
    applied: LogIndex,
    rows: Rows,
    /// A snapshot that has arrived and is not installed yet.
    staged: Option<(LogIndex, Rows)>,
}

impl Disk {
    fn write(&mut self, write: consensus::Write) {
        if let Some((index, snapshot)) = write.install {
            let (through, rows) = self.staged.take().expect("the pieces came before the message");
            assert_eq!(through, index);
            (self.rows, self.applied) = (rows, index);
            (self.snapshot, self.entries) = (Some(snapshot), Vec::new());
        }
        if let Some(from) = write.truncate_from {
            self.entries.retain(|(index, _)| *index < from);
        }
        self.entries.extend(write.entries);
        self.hard_state = write.hard_state.or(self.hard_state.take());
        if let Some((through, snapshot)) = write.compact {
            self.entries.retain(|(index, _)| *index > through);
            self.snapshot = Some(snapshot);
        }
    }

    fn table_rows(&self) -> Vec<TableRow> {
        let rows = self.rows.iter();
        rows.map(|((table, key), value)| TableRow {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        })
        .collect()
    }
}

/// What is on its way to a node.
enum Letter {
    Message(PeerMessage),
    Snapshot(LogIndex, Rows, PeerMessage),
}

#[derive(Default)]
struct Seen {
    configs: BTreeMap<String, String>,
    hosts: usize,
    /// Of the list.
    version: u64,
    ready: bool,
    complete: bool,
    view: Option<Arc<cluster::View>>,
}

struct Cluster {
    now: Now,
    /// Those that run.
    nodes: BTreeMap<NodeId, Node>,
    disks: BTreeMap<NodeId, Disk>,
    seen: BTreeMap<NodeId, Seen>,
    snapshots: BTreeMap<(NodeId, NodeId), (LogIndex, Rows)>,
    links: BTreeMap<(NodeId, NodeId), Vec<(Instant, Letter)>>,
    cut: BTreeSet<(NodeId, NodeId)>,
    /// They do nothing and hear nothing, and their links do not break.
    hung: BTreeSet<NodeId>,
    /// By how much wall clocks are ahead.
    ahead: BTreeMap<NodeId, Duration>,
    /// Up to where an earlier life may have given out times, for the next node that is started.
    high_water: HybridTime,
    names: BTreeMap<String, NodeId>,
    lives: u64,
    asked: u64,
    /// Of all grants of locks, in the order of their replies.
    tokens: Vec<lock::Token>,
    replies: Vec<(RequestId, Reply)>,
    transcript: String,
}

fn ordered(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

impl Cluster {
    fn new(count: u64, fresh: bool) -> Self {
        let mut cluster = Self {
            now: Now::START.after(Duration::from_secs(1000)),
            nodes: BTreeMap::new(),
            disks: BTreeMap::new(),
            seen: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            hung: BTreeSet::new(),
            ahead: BTreeMap::new(),
            high_water: HybridTime::default(),
            names: BTreeMap::new(),
            lives: 0,
            asked: 0,
            tokens: Vec::new(),
            replies: Vec::new(),
            transcript: String::new(),
        };
        for id in 1..=count {
            cluster.disks.insert(NodeId(id), Disk::default());
        }
        for id in 1..=count {
            let identity = if fresh {
                cluster::Identity::fresh(NodeId(id))
            } else {
                cluster.founder(NodeId(id))
            };
            let disk = cluster.disks.get_mut(&NodeId(id)).expect("a disk");
            disk.identity = Some(identity);
            if fresh {
                disk.seeds = (1..=count).map(address).collect();
                disk.expect = Some(count as u32);
            }
        }
        for id in 1..=count {
            cluster.start(NodeId(id));
        }
        cluster
    }

    fn start(&mut self, id: NodeId) {
        self.lives += 1;
        let disk = &self.disks[&id];
        let identity = disk.identity.clone().expect("it was given one");
        let settings = Settings {
            cluster: cluster::Settings {
                seeds: disk.seeds.clone(),
                expect: disk.expect,
                ..cluster::Settings::alone(identity, address(id.0))
            },
            journal_bytes_max: 1 << 20,
            // Small, so that a node falls behind soon.
            log_bytes_max: 4 << 20,
            proposals_max: crate::PROPOSALS_MAX,
            config: config::Settings::default(),
            access: access::Settings::default(),
            naming: naming::Settings::default(),
        };
        let recovered = Recovered {
            consensus: consensus::Recovered {
                hard_state: disk.hard_state.clone(),
                snapshot: disk.snapshot.clone(),
                entries: disk.entries.clone(),
                applied: disk.applied,
            },
            clock_high_water: self.high_water,
        };
        let rng = Rng::from_seed([self.lives as u8; 32]);
        let rows = disk.table_rows();
        self.seen.insert(id, Seen::default());
        self.nodes.insert(id, Node::new(settings, self.now, rng, recovered));
        self.step(id, Input::Restore(rows));
        self.step(id, Input::Restored);
        let others: Vec<NodeId> = self.nodes.keys().copied().filter(|other| *other != id).collect();
        for other in others {
            self.link(id, other);
        }
    }

    /// All nodes founded the cluster together.
    fn founder(&self, id: NodeId) -> cluster::Identity {
        let founders: Vec<_> = self
            .disks
            .keys()
            .map(|node| cluster::Founder { node: *node, address: Some(address(node.0)) })
            .collect();
        let cluster = cluster::ClusterId::of_founders(&founders);
        let formation = cluster::Formation::Formed { cluster, founders };
        cluster::Identity { formation, ..cluster::Identity::fresh(id) }
    }

    fn kill(&mut self, id: NodeId) {
        self.nodes.remove(&id);
        let others: Vec<NodeId> = self.nodes.keys().copied().collect();
        for other in others {
            self.unlink(id, other);
        }
    }

    fn link(&mut self, a: NodeId, b: NodeId) {
        if self.cut.contains(&ordered(a, b)) || self.links.contains_key(&(a, b)) {
            return;
        }
        for (from, to) in [(a, b), (b, a)] {
            self.links.insert((from, to), Vec::new());
        }
        for (from, to) in [(a, b), (b, a)] {
            let peer = self.nodes[&to].introduction().clone();
            let me = self.nodes[&from].introduction().clone();
            let refused = [(&me, to), (&peer, from)].into_iter().find_map(|(said, by)| {
                self.seen[&by].view.as_ref().and_then(|view| view.admits(said).err())
            });
            let address = address(to.0);
            match refused {
                Some(why) => self.step(from, Input::PeerRefused { address, why }),
                None => self.step(from, Input::PeerUp { address, peer }),
            }
        }
    }

    fn unlink(&mut self, a: NodeId, b: NodeId) {
        for (from, to) in [(a, b), (b, a)] {
            if self.links.remove(&(from, to)).is_some() && self.nodes.contains_key(&from) {
                self.step(from, Input::PeerDown(to));
            }
        }
    }

    fn step(&mut self, id: NodeId, input: Input) {
        let ahead = self.ahead.get(&id).copied().unwrap_or_default();
        let now = Now { unix_ms: self.now.after(ahead).unix_ms, ..self.now };
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.step(now, input);
        while let Some(output) = self.nodes.get_mut(&id).and_then(Node::poll) {
            self.carry_out(id, output);
        }
    }

    fn carry_out(&mut self, id: NodeId, output: Output) {
        let disk = self.disks.get_mut(&id).expect("a node has a disk");
        let seen = self.seen.get_mut(&id).expect("a node is seen");
        match output {
            Output::Persist { id: write_id, write } => {
                disk.write(write);
                self.step(id, Input::Persisted(write_id));
            }
            Output::Tables { applied, rows } => {
                disk.applied = applied;
                for TableRow { table, key, value } in rows {
                    match value {
                        Some(value) => disk.rows.insert((table, key), value),
                        None => disk.rows.remove(&(table, key)),
                    };
                }
            }
            Output::Checkpoint => {
                let applied = disk.applied;
                self.step(id, Input::Checkpointed(applied));
            }
            Output::Publish(view) => match view {
                View::Config(entry) => {
                    seen.configs.insert(entry.key.data_id.to_string(), entry.content.to_string());
                }
                View::ConfigGone(key) => {
                    seen.configs.remove(&*key.data_id);
                }
                View::Service(view) => {
                    (seen.hosts, seen.version) = (view.instances.len(), view.version);
                }
                View::Standing(standing) => {
                    (seen.ready, seen.complete) = (standing.ready, standing.complete);
                }
                View::Cluster(view) => seen.view = Some(view),
                View::ServiceGone(_)
                | View::Grays(_)
                | View::Access(_)
                | View::Switches(_)
                | View::Lock(_)
                | View::LockGone(_) => {}
            },
            Output::Reply { id: asked, reply, .. } => {
                if let Reply::Lock(lock::Reply::Outcome(lock::Outcome::Granted { token, .. })) =
                    reply
                {
                    self.tokens.push(token);
                }
                self.replies.push((asked, reply.clone()));
                writeln!(self.transcript, "reply {asked} {}", replied(&reply)).expect("text");
            }
            Output::Peer { to, message } => {
                let bytes = message.encode();
                let message = PeerMessage::decode(&bytes).expect("it reads back");
                self.post(id, to, Letter::Message(message));
            }
            Output::OpenSnapshot { to } => {
                let view = (disk.applied, disk.rows.clone());
                let through = Some(view.0);
                self.snapshots.insert((id, to), view);
                self.step(id, Input::SnapshotOpened { to, through });
            }
            Output::SendSnapshot { to, through, message } => {
                let (index, rows) = self.snapshots.remove(&(id, to)).expect("a view was opened");
                assert_eq!(index, through);
                writeln!(self.transcript, "a snapshot goes out").expect("text");
                self.post(id, to, Letter::Snapshot(index, rows, message));
                self.step(id, Input::SnapshotSent { to, ok: true });
            }
            Output::Reload => {
                let rows = disk.table_rows();
                self.step(id, Input::Restore(rows));
                self.step(id, Input::Restored);
            }
            Output::NeedSecrets => {
                let token_key = access::Secret::new(vec![7; 32]);
                let initial = Initial { token_key, password_hash: None };
                self.step(id, Input::Secrets(initial));
            }
            Output::Halt(reason) => {
                writeln!(self.transcript, "halt: {reason}").expect("text");
            }
            Output::KeepIdentity(bytes) => {
                disk.identity = Some(cluster::Identity::decode(&bytes).expect("it reads back"));
                self.step(id, Input::IdentityKept);
            }
            Output::Left => writeln!(self.transcript, "left").expect("text"),
            // A host: its node serves ten clients for each number of its id.
            Output::Clients { asker, question, inquiry } => {
                let part = match inquiry {
                    ClientsInquiry::Count => {
                        let streams = 10 * id.0 as u32;
                        // Whose they are is said by the link, not by the message.
                        let node = NodeId(77);
                        Part::Crowd(Crowd {
                            node,
                            connections: streams,
                            streams,
                            serves: true,
                            busy: None,
                        })
                    }
                    ClientsInquiry::Move(shifts) => {
                        assert!(shifts.iter().all(|shift| shift.from == id), "{shifts:?}");
                        Part::Moved(shifts.iter().map(|shift| shift.clients).sum())
                    }
                };
                self.step(id, Input::Clients { asker, question, part });
            }
            Output::Links(_)
            | Output::Push { .. }
            | Output::Notify { .. }
            | Output::Existence { .. }
            | Output::Check(_)
            | Output::Watched { .. }
            | Output::Load { .. }
            | Output::Notice(_)
            | Output::Hint(_) => {}
        }
    }

    fn post(&mut self, from: NodeId, to: NodeId, letter: Letter) {
        if self.hung.contains(&to) {
            return;
        }
        let arrival = self.now.instant.after(LATENCY);
        if let Some(link) = self.links.get_mut(&(from, to)) {
            link.push((arrival, letter));
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(due) = self.due().filter(|due| *due <= end.instant) {
            self.now = self.now.after(due.since(self.now.instant));
            self.deliver();
            let awake = self.nodes.keys().filter(|id| !self.hung.contains(id));
            let ids: Vec<NodeId> = awake.copied().collect();
            for id in ids {
                if self.nodes[&id].deadline().is_some_and(|due| due <= self.now.instant) {
                    self.step(id, Input::Wake);
                }
            }
        }
        self.now = end;
    }

    fn due(&self) -> Option<Instant> {
        let arrivals = self.links.values().filter_map(|link| link.first()).map(|(at, _)| *at);
        let awake = self.nodes.iter().filter(|(id, _)| !self.hung.contains(id));
        arrivals.chain(awake.filter_map(|(_, node)| node.deadline())).min()
    }

    fn deliver(&mut self) {
        let ends: Vec<(NodeId, NodeId)> = self.links.keys().copied().collect();
        for (from, to) in ends {
            while let Some(link) = self.links.get_mut(&(from, to))
                && link.first().is_some_and(|(at, _)| *at <= self.now.instant)
            {
                let message = match link.remove(0).1 {
                    Letter::Message(message) => message,
                    Letter::Snapshot(index, rows, message) => {
                        self.disks.get_mut(&to).expect("a disk").staged = Some((index, rows));
                        message
                    }
                };
                self.step(to, Input::Peer { from, message });
            }
        }
    }

    /// Which node a script means.
    fn named(&mut self, name: &str) -> NodeId {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let leaders = self.nodes.iter().filter(|(id, node)| node.status().leader == Some(**id));
        let leader = leaders.max_by_key(|(_, node)| node.status().term).map(|(id, _)| *id);
        let taken: Vec<NodeId> = self.names.values().copied().collect();
        let id = if name.starts_with("leader") {
            leader.expect("somebody leads")
        } else {
            let mut free =
                self.disks.keys().filter(|id| !taken.contains(id) && Some(**id) != leader);
            *free.next().expect("a node without a name")
        };
        self.names.insert(name.to_owned(), id);
        id
    }

    fn ask(&mut self, id: NodeId, request: Request) {
        self.asked += 1;
        let from = ConnectionId { node: id, boot: HybridTime(1), counter: 1 };
        self.step(id, Input::Request { from, id: RequestId(self.asked), request });
    }

    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["wait", ms] => self.wait(Duration::from_millis(ms.parse().expect("milliseconds"))),
            ["publish", name, key, content] => {
                let id = self.named(name);
                let request = config::Request::Publish {
                    key: config_key(key),
                    content: content.into(),
                    cas_md5: None,
                    details: config::Details::default(),
                    author: config::Author::default(),
                };
                self.ask(id, Request::Config(request));
            }
            ["fill", name, count] => {
                let (id, before) = (self.named(name), self.transcript.clone());
                let filler = "x".repeat(100_000);
                for number in 0..count.parse::<u64>().expect("a number") {
                    let line = format!("publish {name} filler-{} {filler}", number % 3);
                    self.command(&line);
                    self.wait(Duration::from_millis(10));
                }
                let _ = id;
                self.transcript = before;
            }
            ["register", name, port] => {
                let id = self.named(name);
                let from = ConnectionId { node: id, boot: HybridTime(1), counter: 1 };
                self.step(id, Input::Opened(from));
                let client = naming::ClientId::Connection(from);
                let (service, instance) = (service(), instance(port.parse().expect("a port")));
                let request = naming::Request::Register { client, service, instance };
                self.ask(id, Request::Naming(request));
            }
            ["acquire", name, owner, ttl, wait] => {
                let millis = |text: &str| Duration::from_millis(text.parse().expect("a number"));
                let (id, owner) = (self.named(name), owner.into());
                let (ttl, wait) = (millis(ttl), millis(wait));
                let request = lock::Request::Acquire { key: "job".into(), owner, ttl, wait };
                self.ask(id, Request::Lock(request));
            }
            // With the token of the newest grant, or of the one before, and so on.
            ["renew", name, back] => {
                let id = self.named(name);
                let back: usize = back.parse().expect("a number");
                let token = self.tokens[self.tokens.len() - 1 - back];
                let request = lock::Request::Renew { key: "job".into(), token, ttl: None };
                self.ask(id, Request::Lock(request));
            }
            ["release", name] => {
                let (id, token) = (self.named(name), self.tokens.last().copied());
                self.ask(id, Request::Lock(lock::Request::Release { key: "job".into(), token }));
            }
            ["tokens"] => {
                let grow = self.tokens.is_sorted_by(|one, next| one < next);
                let count = self.tokens.len();
                writeln!(self.transcript, "{count} tokens, growing: {grow}").expect("text");
            }
            ["read", name] => {
                let id = self.named(name);
                self.ask(id, Request::Fresh(Consistency::Linearizable));
            }
            ["explain", name] => {
                let id = self.named(name);
                let subject = journal::Subject::Config {
                    namespace: "public".into(),
                    group: "g".into(),
                    data_id: "k".into(),
                };
                self.ask(id, Request::Explain { subject, limit: 100 });
            }
            ["crowds", name] => {
                let id = self.named(name);
                self.ask(id, Request::Crowds);
            }
            ["shift", name, from, to, clients] => {
                let (id, from, to) = (self.named(name), self.named(from), self.named(to));
                let clients = clients.parse().expect("a number");
                self.ask(id, Request::Shift(vec![Shift { from, to, clients }; 2]));
            }
            ["kill", name] => {
                let id = self.named(name);
                self.kill(id);
            }
            ["hang", name] => {
                let id = self.named(name);
                self.hung.insert(id);
            }
            ["start", name] => {
                let id = self.named(name);
                self.start(id);
            }
            ["cut", a, b] => {
                let (a, b) = (self.named(a), self.named(b));
                self.cut.insert(ordered(a, b));
                self.unlink(a, b);
            }
            ["heal"] => {
                for (a, b) in std::mem::take(&mut self.cut) {
                    self.link(a, b);
                }
            }
            ["show", key] => self.show(key),
            ["leaders"] => self.show_leaders(),
            ["join", name, by] => {
                let by = self.named(by);
                let id = NodeId(self.disks.len() as u64 + 1);
                let identity = Some(cluster::Identity::fresh(id));
                let seeds = vec![address(by.0)];
                self.disks.insert(id, Disk { identity, seeds, ..Disk::default() });
                self.names.insert(name.to_owned(), id);
                self.start(id);
            }
            ["remove", asked, name] => {
                let (asked, node) = (self.named(asked), self.named(name));
                self.ask(asked, Request::Cluster(cluster::Request::Remove(node)));
            }
            ["transfer", asked, name] => {
                let (asked, node) = (self.named(asked), self.named(name));
                self.ask(asked, Request::Cluster(cluster::Request::TransferLeader(node)));
            }
            ["token", asked] => {
                let (asked, ttl) = (self.named(asked), Duration::from_secs(60));
                self.ask(asked, Request::Cluster(cluster::Request::MakeToken { ttl }));
            }
            ["members", asked] => {
                let asked = self.named(asked);
                self.show_members(asked);
            }
            ["leave", name] => {
                let id = self.named(name);
                self.step(id, Input::Leave);
            }
            ["disk", name, how] => {
                let id = self.named(name);
                self.step(id, Input::DiskFull(how == "full"));
            }
            _ => panic!("unknown command {line}"),
        }
    }

    fn show(&mut self, key: &str) {
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        let mut shown: Vec<String> = ids
            .iter()
            .map(|id| {
                let seen = &self.seen[id];
                let name =
                    self.names.iter().find(|(_, named)| *named == id).map_or("?", |(name, _)| name);
                let content = seen.configs.get(key).map_or("-", String::as_str);
                let ready = match (seen.ready, seen.complete) {
                    (true, true) => "",
                    (true, false) => " behind",
                    (false, _) => " not ready",
                };
                format!("{name}={content}/{} hosts{ready}", seen.hosts)
            })
            .collect();
        shown.sort();
        writeln!(self.transcript, "{}", shown.join(", ")).expect("text");
    }

    /// What a node knows of all: what they do, whether they live, and who leads.
    fn show_members(&mut self, asked: NodeId) {
        let view = self.seen[&asked].view.clone().expect("it was published");
        let mut shown: Vec<String> = Vec::new();
        for member in &view.members {
            let name = self.names.iter().find(|(_, named)| **named == member.node);
            let name = name.map_or("?", |(name, _)| name);
            let leads = if member.is_leader { " leads" } else { "" };
            shown.push(format!("{name} {:?} {:?}{leads}", member.role, member.state));
        }
        let tokens = view.tokens.len();
        let tokens = if tokens == 0 { String::new() } else { format!(", {tokens} tokens") };
        shown.sort();
        writeln!(self.transcript, "{}{tokens}", shown.join(", ")).expect("text");
    }

    /// How many lead in the newest term, and how many nodes follow that leader.
    fn show_leaders(&mut self) {
        let terms: BTreeSet<_> = self.nodes.values().map(|node| node.status().term).collect();
        let term = terms.last().copied().expect("a node runs");
        let newest = self.nodes.iter().filter(|(_, node)| node.status().term == term);
        let leaders =
            newest.clone().filter(|(id, node)| node.status().leader == Some(**id)).count();
        let following = newest.filter(|(_, node)| node.status().leader.is_some()).count();
        writeln!(self.transcript, "{leaders} leads {following} nodes").expect("text");
    }
}

/// A script with its answers. The first line says how many nodes there are.
pub(super) fn check(expected: &str) {
    let mut lines = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    let count = lines.next().and_then(|line| line.strip_suffix(" nodes")).expect("`N nodes`");
    let fresh = count.strip_suffix(" fresh");
    let count = fresh.unwrap_or(count).parse().expect("a number");
    let mut cluster = Cluster::new(count, fresh.is_some());
    let expected: Vec<&str> = lines.collect();
    for line in expected.iter().filter_map(|line| line.strip_prefix("> ")) {
        writeln!(cluster.transcript, "> {line}").expect("text");
        cluster.command(line);
    }
    let transcript = cluster.transcript;
    assert!(transcript.lines().eq(expected.iter().copied()), "it went differently:\n{transcript}");
}

#[test]
fn a_write_may_come_to_any_node_and_is_read_there_at_once() {
    check(
        "3 nodes
         > wait 5000
         > leaders
         1 leads 3 nodes
         > publish leader k 1
         > wait 20
         reply q1 published
         > publish a k 2
         > wait 20
         reply q2 published
         > show k
         ?=2/0 hosts, a=2/0 hosts, leader=2/0 hosts
         > read b
         > wait 20
         reply q3 Linearizable",
    );
}

#[test]
fn the_registry_of_all_nodes_shows_what_one_was_told() {
    check(
        "3 nodes
         > wait 5000
         > register leader 80
         reply q1 Done
         > register a 81
         reply q2 Done
         > wait 20
         > show k
         ?=-/2 hosts, a=-/2 hosts, leader=-/2 hosts",
    );
}

#[test]
fn bob_and_tom() {
    check(
        "5 nodes
         > wait 5000
         > publish leader k 0
         > wait 20
         reply q1 published
         > register a 80
         reply q2 Done
         > cut leader b
         > cut leader c
         > cut leader d
         > cut a b
         > cut a c
         > cut a d
         > publish leader k bob
         > publish a k bob
         > wait 2500
         reply q3 OutcomeUnknown
         reply q4 OutcomeUnknown
         > publish b k tom
         > wait 2000
         reply q5 published
         > show k
         a=0/1 hosts, b=tom/0 hosts, c=tom/0 hosts, d=tom/0 hosts, leader=0/1 hosts
         > read a
         reply q6 Stale
         > wait 10
         > publish a k bob
         > wait 2100
         reply q7 NoLeader
         > register a 81
         reply q8 Done
         > heal
         > wait 3000
         > show k
         a=tom/1 hosts, b=tom/1 hosts, c=tom/1 hosts, d=tom/1 hosts, leader=tom/1 hosts
         > leaders
         1 leads 5 nodes",
    );
}

/// Since it was sure the last time.
#[test]
fn a_node_that_is_cut_off_knows_how_far_it_may_lag() {
    check(
        "3 nodes
         > wait 5000
         > read a
         > wait 20
         reply q1 Linearizable
         > cut a leader
         > cut a b
         > wait 4000
         > read a
         reply q2 Stale by at most 4.02s
         > heal
         > wait 3000
         > read a
         > wait 20
         reply q3 Linearizable",
    );
}

#[test]
fn a_leader_that_dies_is_replaced_and_a_write_meanwhile_waits_for_the_new_one() {
    check(
        "3 nodes
         > wait 5000
         > publish leader k 1
         > wait 20
         reply q1 published
         > kill leader
         > wait 1000
         > publish a k 2
         > wait 1900
         reply q2 published
         > show k
         ?=2/0 hosts, a=2/0 hosts
         > start leader
         > wait 2000
         > show k
         ?=2/0 hosts, a=2/0 hosts, leader=2/0 hosts
         > leaders
         1 leads 3 nodes",
    );
}

#[test]
fn a_node_that_is_far_behind_gets_a_snapshot() {
    check(
        "3 nodes
         > wait 5000
         > publish leader k 1
         > wait 20
         reply q1 published
         > kill a
         > fill leader 60
         > publish leader k 2
         > wait 20
         reply q62 published
         > start a
         > wait 5000
         a snapshot goes out
         > show k
         ?=2/0 hosts, a=2/0 hosts, leader=2/0 hosts
         > publish a k 3
         > wait 20
         reply q63 published
         > show k
         ?=3/0 hosts, a=3/0 hosts, leader=3/0 hosts",
    );
}

#[test]
fn the_story_of_a_config_is_told_by_all_nodes_and_says_who_is_missing() {
    check(
        "3 nodes
         > wait 5000
         > publish leader k 1
         > wait 20
         reply q1 published
         > explain a
         > wait 10
         reply q2 6 events of 3 nodes, 0 silent
         > cut a b
         > wait 100
         > explain a
         > wait 10
         reply q3 4 events of 2 nodes, 1 silent",
    );
}

/// Who hangs is found silent when the time is over, who is cut off at once; and only who is to give is asked to.
#[test]
fn clients_are_counted_and_shifted_on_all_nodes_that_answer() {
    check(
        "3 nodes
         > wait 5000
         > crowds a
         > wait 10
         reply q1 n1 has 10, n2 has 20, n3 has 30; 0 silent
         > shift a b leader 3
         > wait 10
         reply q2 6 are asked to go, 0 silent
         > shift a a leader 3
         reply q3 6 are asked to go, 0 silent
         > hang b
         > crowds a
         > wait 900
         > wait 200
         reply q4 n1 has 10, n2 has 20; 1 silent
         > cut a b
         > cut b leader
         > wait 10
         > crowds leader
         > wait 10
         reply q5 n1 has 10, n2 has 20; 1 silent
         > shift leader b a 3
         reply q6 0 are asked to go, 1 silent
         > shift leader a b 3
         > wait 10
         reply q7 6 are asked to go, 0 silent",
    );
}

#[test]
fn a_lock_outlives_its_leader_and_nobody_else_has_it_before_its_time() {
    check(
        "3 nodes
         > wait 5000
         > acquire a alice 3000 0
         > wait 20
         reply q1 granted
         > acquire b bob 3000 20000
         > acquire b carol 3000 0
         > wait 2000
         reply q3 held by alice
         > kill leader
         > wait 2900
         > wait 2500
         reply q2 granted
         > renew a 1
         > wait 20
         reply q4 not held
         > tokens
         2 tokens, growing: true
         > start leader
         > wait 1000
         > release b
         > wait 20
         reply q5 released
         > acquire leader dave 3000 0
         > wait 20
         reply q6 granted
         > tokens
         3 tokens, growing: true",
    );
}

#[test]
fn a_lock_is_renewed_through_any_node_across_a_change_of_the_leader() {
    check(
        "3 nodes
         > wait 5000
         > acquire leader alice 3000 0
         > wait 20
         reply q1 granted
         > acquire a bob 1000 20000
         > wait 1000
         > kill leader
         > wait 1000
         > renew b 0
         > wait 2000
         reply q3 renewed
         > renew a 0
         > wait 20
         reply q4 renewed
         > wait 2800
         > release b
         > wait 20
         reply q2 granted
         reply q5 released
         > wait 1100
         > acquire b carol 1000 0
         > wait 20
         reply q6 granted
         > tokens
         3 tokens, growing: true",
    );
}

#[test]
fn a_waiter_learns_its_turn_and_its_timeout_where_it_asked() {
    check(
        "3 nodes
         > wait 5000
         > acquire leader alice 60000 0
         > wait 20
         reply q1 granted
         > acquire a bob 1000 500
         > acquire b carol 1000 60000
         > wait 600
         reply q2 timed out
         > release leader
         > wait 20
         reply q4 released
         reply q3 granted
         > wait 1100
         > acquire leader dave 1000 0
         > wait 20
         reply q5 granted
         > tokens
         3 tokens, growing: true",
    );
}

#[test]
fn a_lock_of_a_sole_node_lives_its_full_time_again_after_a_restart() {
    check(
        "1 nodes
         > wait 5000
         > acquire leader alice 3000 0
         reply q1 granted
         > wait 20
         > acquire leader bob 3000 60000
         > wait 2000
         > kill leader
         > wait 500
         > start leader
         > wait 2500
         > acquire leader carol 3000 0
         reply q3 held by alice
         > wait 20
         > wait 2500
         > acquire leader carol 3000 0
         reply q4 held by bob
         > wait 20
         > tokens
         1 tokens, growing: true",
    );
}

#[test]
fn a_write_that_a_silent_leader_has_is_written_by_the_next_one_once() {
    check(
        "3 nodes
         > wait 5000
         > publish leader k 1
         > wait 20
         reply q1 published
         > hang leader
         > publish a k 2
         > wait 3000
         reply q2 published
         > show k
         ?=2/0 hosts, a=2/0 hosts, leader=1/0 hosts
         > publish a k 3
         > wait 20
         reply q3 published",
    );
}
