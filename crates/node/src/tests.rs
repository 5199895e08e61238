//! Conversations with one node: a script of inputs goes in, the transcript of what it says comes out.

mod cluster;
mod members;

use crate::{
    Initial, Input, Node, Output, Recovered, Reply, Request, Settings, TableRow, View, consensus,
};
use base::{
    ConnectionId, Consistency, Duration, HybridTime, LogIndex, NodeId, Now, RequestId, Rng,
};
use std::fmt::Write as _;

/// What a disk keeps of a node: only what was reported as persisted.
#[derive(Clone, Default)]
struct Durable {
    hard_state: Option<Vec<u8>>,
    snapshot: Option<Vec<u8>>,
    entries: Vec<(LogIndex, Vec<u8>)>,
    /// Of the last checkpoint.
    applied: LogIndex,
    rows: Vec<TableRow>,
    identity: Option<Vec<u8>>,
}

struct Stage {
    node: Node,
    now: Now,
    durable: Durable,
    written: Vec<(consensus::WriteId, consensus::Write)>,
    tables: (LogIndex, Vec<TableRow>),
    hint: Vec<Vec<u8>>,
    transcript: String,
    asked: u64,
}

fn connection(counter: u64) -> ConnectionId {
    ConnectionId { node: NodeId(1), boot: HybridTime(1), counter }
}

fn node(now: Now, durable: &Durable) -> Node {
    let identity = match &durable.identity {
        Some(bytes) => ::cluster::Identity::decode(bytes).expect("it reads back"),
        None => ::cluster::Identity::fresh(NodeId(1)),
    };
    let settings = Settings {
        cluster: ::cluster::Settings::alone(identity, address(1)),
        journal_bytes_max: 1 << 20,
        log_bytes_max: 64 << 20,
        proposals_max: crate::PROPOSALS_MAX,
        naming: naming::Settings::default(),
        config: config::Settings::default(),
        access: access::Settings::default(),
    };
    let recovered = Recovered {
        consensus: consensus::Recovered {
            hard_state: durable.hard_state.clone(),
            snapshot: durable.snapshot.clone(),
            entries: durable.entries.clone(),
            applied: durable.applied,
        },
        clock_high_water: HybridTime::default(),
    };
    Node::new(settings, now, Rng::from_seed([7; 32]), recovered)
}

impl Stage {
    fn new() -> Self {
        let now = Now::START.after(Duration::from_secs(1000));
        let durable = Durable::default();
        Self {
            node: node(now, &durable),
            now,
            durable,
            written: Vec::new(),
            tables: (LogIndex(0), Vec::new()),
            hint: Vec::new(),
            transcript: String::new(),
            asked: 0,
        }
    }

    fn ask(&mut self, request: Request) {
        self.asked += 1;
        let id = RequestId(self.asked);
        self.node.step(self.now, Input::Request { from: connection(1), id, request });
    }

    fn publish(&mut self, key: &str, content: &str, cas_md5: Option<String>) {
        self.ask(Request::Config(config::Request::Publish {
            key: config_key(key),
            content: content.into(),
            cas_md5: cas_md5.map(Into::into),
            details: config::Details::default(),
            author: config::Author::default(),
        }));
    }

    /// Everything written so far becomes durable, in order.
    fn fsync(&mut self) {
        for (id, write) in std::mem::take(&mut self.written) {
            if let Some(from) = write.truncate_from {
                self.durable.entries.retain(|(index, _)| *index < from);
            }
            self.durable.entries.extend(write.entries);
            self.durable.hard_state = write.hard_state.or(self.durable.hard_state.take());
            if let Some((through, snapshot)) = write.compact {
                self.durable.entries.retain(|(index, _)| *index > through);
                self.durable.snapshot = Some(snapshot);
            }
            self.node.step(self.now, Input::Persisted(id));
        }
    }

    fn restart(&mut self) {
        self.written.clear();
        self.node = node(self.now, &self.durable);
        self.tables = (self.durable.applied, self.durable.rows.clone());
        if !self.durable.rows.is_empty() {
            self.node.step(self.now, Input::Restore(self.durable.rows.clone()));
        }
        if !self.hint.is_empty() {
            self.node.step(self.now, Input::Hint(self.hint.clone()));
        }
        self.node.step(self.now, Input::Restored);
    }

    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["start"] => self.restart(),
            ["fsync"] => self.fsync(),
            ["crash"] => {
                writeln!(self.transcript, "everything that was not durable is gone").expect("text");
                self.restart();
            }
            ["secrets"] => {
                let token_key = access::Secret::new(vec![7; 32]);
                let password_hash =
                    Some("$2b$04$abcdefghijklmnopqrstuuJ4sVtZqzY0k8Wn8m2Q3fQ1Zb5H5h5Sa".into());
                let secrets = Initial { token_key, password_hash };
                self.node.step(self.now, Input::Secrets(secrets));
            }
            ["publish", key, content] => self.publish(key, content, None),
            ["cas", key, content, md5_of] => {
                self.publish(key, content, Some(config::md5_hex(md5_of)));
            }
            ["register", port] => {
                let client = naming::ClientId::Connection(connection(1));
                let (service, instance) = (service(), instance(port.parse().expect("a port")));
                self.ask(Request::Naming(naming::Request::Register { client, service, instance }));
            }
            ["keep", port] => {
                let (service, instance) = (service(), instance(port.parse().expect("a port")));
                self.ask(Request::Naming(naming::Request::RegisterPersistent {
                    service,
                    instance,
                }));
            }
            ["tables"] => {
                self.durable.applied = self.tables.0;
                self.durable.rows = self.tables.1.clone();
            }
            ["open"] => self.node.step(self.now, Input::Opened(connection(1))),
            ["close"] => {
                let closed = Input::Closed { connection: connection(1), reason: "test" };
                self.node.step(self.now, closed);
            }
            ["fresh"] => self.ask(Request::Fresh(Consistency::Linearizable)),
            ["status"] => self.ask(Request::Status),
            ["disk", full] => self.node.step(self.now, Input::DiskFull(full == "full")),
            ["after", seconds] => {
                let seconds = Duration::from_secs(seconds.parse().expect("seconds"));
                self.now = self.now.after(seconds);
                self.node.step(self.now, Input::Wake);
            }
            _ => panic!("unknown command {line}"),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll() {
            let text = match output {
                Output::Publish(view) => published(&view),
                Output::Reply { id, reply, .. } => Some(format!("reply {id} {}", replied(&reply))),
                Output::Push { view, .. } => Some(format!("push {} hosts", view.instances.len())),
                Output::Notify { key, .. } => Some(format!("notify {key}")),
                Output::Watched { service, .. } => Some(format!("watched {service}")),
                Output::Check(check) => Some(format!("check {}:{}", check.ip, check.port)),
                Output::Existence { key, exists, .. } => Some(format!("{key} exists: {exists}")),
                Output::Persist { id, write } => {
                    let text = format!("persist {} entries", write.entries.len());
                    self.written.push((id, write));
                    Some(text)
                }
                Output::Tables { applied, rows } => {
                    self.tables.0 = applied;
                    self.tables.1.extend(rows);
                    None
                }
                Output::Checkpoint => {
                    self.durable.applied = self.tables.0;
                    self.durable.rows = self.tables.1.clone();
                    Some("checkpoint".to_owned())
                }
                Output::Load { table, .. } => Some(format!("load table {table}")),
                Output::Notice(why) => Some(format!("notice: {why}")),
                Output::Hint(piece) => {
                    if piece.begins {
                        self.hint.clear();
                    }
                    self.hint.push(piece.bytes);
                    None
                }
                Output::Peer { .. }
                | Output::OpenSnapshot { .. }
                | Output::SendSnapshot { .. }
                | Output::Clients { .. }
                | Output::Reload => panic!("a sole voter has no peers: {output:?}"),
                Output::KeepIdentity(identity) => {
                    self.durable.identity = Some(identity);
                    self.node.step(self.now, Input::IdentityKept);
                    None
                }
                Output::Links(_) | Output::Left => None,
                Output::NeedSecrets => Some("need secrets".to_owned()),
                Output::Halt(reason) => Some(format!("halt: {reason}")),
            };
            if let Some(text) = text {
                writeln!(self.transcript, "{text}").expect("text");
            }
        }
    }
}

fn address(node: u64) -> ::cluster::Address {
    ::cluster::Address::new(&format!("n{node}:7848")).expect("an address")
}

fn config_key(data_id: &str) -> config::ConfigKey {
    config::ConfigKey { namespace: "public".into(), group: "g".into(), data_id: data_id.into() }
}

fn service() -> naming::ServiceKey {
    naming::ServiceKey { namespace: "public".into(), group: "g".into(), name: "s".into() }
}

fn instance(port: u16) -> naming::Instance {
    naming::Instance {
        ip: "10.0.0.1".into(),
        port,
        cluster_name: "DEFAULT".into(),
        weight: 1.0,
        healthy: true,
        enabled: true,
        ephemeral: true,
        metadata: std::collections::BTreeMap::new(),
        instance_id: None,
    }
}

fn published(view: &View) -> Option<String> {
    match view {
        View::Service(view) => Some(format!("view {} hosts", view.instances.len())),
        View::ServiceGone(key) => Some(format!("gone {key}")),
        View::Config(entry) => Some(format!("view {} = {}", entry.key.data_id, entry.content)),
        View::ConfigGone(key) => Some(format!("gone {key}")),
        View::Grays(grays) => {
            Some(format!("{} grays of {}", grays.versions.len(), grays.key.data_id))
        }
        View::Access(view) => Some(format!("view of {} users", view.users.len())),
        View::Switches(switches) => Some(format!("{switches:?}")),
        View::Cluster(_) => None,
        View::Standing(standing) if standing.ready => None,
        View::Lock(view) => Some(format!("lock {} by {}", view.key, view.lease.owner)),
        View::LockGone(key) => Some(format!("lock {key} free")),
        View::Standing(_) => Some("not ready".to_owned()),
    }
}

fn replied(reply: &Reply) -> String {
    match reply {
        Reply::Naming(reply) => format!("{reply:?}"),
        Reply::Config(config::Reply::Outcome(config::Outcome::Published(_))) => "published".into(),
        Reply::Config(config::Reply::Outcome(config::Outcome::CasConflict { .. })) => {
            "conflict".into()
        }
        Reply::Config(reply) => format!("{reply:?}"),
        Reply::Access(reply) => format!("{reply:?}"),
        Reply::Cluster(::cluster::Reply::Outcome(::cluster::Outcome::Token(_))) => "a token".into(),
        Reply::Cluster(reply) => format!("{reply:?}"),
        Reply::Lock(lock::Reply::Outcome(outcome)) => match outcome {
            lock::Outcome::Granted { .. } => "granted".into(),
            lock::Outcome::Held { owner, .. } => format!("held by {owner}"),
            lock::Outcome::TimedOut => "timed out".into(),
            lock::Outcome::Renewed { .. } => "renewed".into(),
            lock::Outcome::Released => "released".into(),
            lock::Outcome::NotHeld { .. } => "not held".into(),
            lock::Outcome::Full { .. } | lock::Outcome::Ended => format!("{outcome:?}"),
        },
        Reply::Lock(reply) => format!("{reply:?}"),
        Reply::Fresh(freshness) => match (freshness.level, freshness.staleness) {
            (Consistency::Stale, Some(lag)) => format!("Stale by at most {lag:?}"),
            (level, _) => format!("{level:?}"),
        },
        Reply::Events { events, silent, .. } => {
            let mut nodes: Vec<_> = events.iter().map(|event| event.id.node).collect();
            nodes.sort_unstable();
            nodes.dedup();
            let (events, nodes, silent) = (events.len(), nodes.len(), silent.len());
            format!("{events} events of {nodes} nodes, {silent} silent")
        }
        Reply::Crowds { crowds, silent } => {
            let told = crowds.iter().map(|crowd| format!("{} has {}", crowd.node, crowd.streams));
            format!("{}; {} silent", told.collect::<Vec<_>>().join(", "), silent.len())
        }
        Reply::Moved { clients, silent } => {
            format!("{clients} are asked to go, {} silent", silent.len())
        }
        Reply::Status(status) => format!("ready={} term={}", status.ready, status.term),
        Reply::Unavailable(why) => format!("{why:?}"),
    }
}

/// Runs a script; each command is echoed, and what the node says follows it.
fn run(script: &str) -> String {
    let mut stage = Stage::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        writeln!(stage.transcript, "> {line}").expect("text");
        stage.command(line);
        stage.drain();
    }
    stage.transcript
}

/// The first start of a node, up to where it serves.
const FIRST_START: &str = "start\nfsync\nfsync\nsecrets\nfsync\nfsync\n";

/// What a script says after the first start.
fn after_first_start(script: &str) -> String {
    let start = run(FIRST_START);
    let all = run(&format!("{FIRST_START}{script}"));
    all.strip_prefix(&start).expect("the same start").to_owned()
}

#[test]
fn the_first_start_brings_the_secrets_into_the_log_before_it_serves() {
    let said = run(&format!("{FIRST_START}status"));
    let secrets = said.find("need secrets").expect("asked");
    let users = said.find("view of 1 users").expect("the administrator is applied");
    assert!(secrets < users, "{said}");
    assert!(said.ends_with("> status\nreply q1 ready=true term=t2\n"), "{said}");
}

#[test]
fn a_publish_is_answered_after_its_fsync_and_after_its_view() {
    assert_eq!(
        after_first_start("publish a 1\nfsync"),
        "> publish a 1\npersist 1 entries\n> fsync\nview a = 1\nreply q1 published\n"
    );
}

#[test]
fn a_crash_before_the_fsync_forgets_a_publish_that_nobody_was_told_of() {
    let said = after_first_start("publish a 1\ncrash\nfsync\nfsync\npublish b 2\nfsync");
    assert!(!said.contains("a = 1"), "{said}");
    assert!(said.ends_with("view b = 2\nreply q2 published\n"), "{said}");
}

#[test]
fn a_crash_after_the_fsync_keeps_what_was_acknowledged() {
    let said = after_first_start("publish a 1\nfsync\ncrash\nfsync\nfsync\ncas a 2 1\nfsync");
    let after_crash = said.split("is gone").nth(1).expect("crashed");
    assert!(after_crash.contains("view a = 1"), "{said}");
    assert!(said.ends_with("view a = 2\nreply q2 published\n"), "{said}");
}

#[test]
fn a_persistent_instance_is_answered_after_its_fsync_and_its_view_and_is_kept() {
    let said = after_first_start("keep 80\nfsync\nfsync\ncrash\nfsync\nfsync\nopen\nregister 81");
    assert!(said.contains("> keep 80\npersist 1 entries\n> fsync\n"), "{said}");
    assert!(said.contains("view 1 hosts\nreply q1 Outcome(Done)\n"), "{said}");
    let after_crash = said.split("is gone").nth(1).expect("crashed");
    assert!(after_crash.contains("view 1 hosts"), "from the log: {said}");
    assert!(said.ends_with("reply q2 Refused(PersistentService(\"g@@s\"))\n"), "{said}");
    let said =
        after_first_start("keep 80\nfsync\nfsync\ntables\ncrash\nfsync\nfsync\nkeep 81\nfsync");
    let after_crash = said.split("is gone").nth(1).expect("crashed");
    assert!(after_crash.starts_with("\nview"), "from the tables: {said}");
    assert!(said.ends_with("view 2 hosts\nreply q2 Outcome(Done)\n"), "{said}");
}

#[test]
fn the_second_of_two_equal_compares_is_a_conflict() {
    let said = after_first_start("publish a 1\nfsync\ncas a 2 1\ncas a 3 1\nfsync\nfsync");
    assert!(said.contains("view a = 2\nreply q2 published\n"), "{said}");
    assert!(said.ends_with("reply q3 conflict\n") && !said.contains("a = 3"), "{said}");
}

#[test]
fn a_full_disk_refuses_writes_and_the_registry_goes_on() {
    let said = after_first_start(
        "disk full\npublish a 1\nopen\nregister 80\ndisk free\npublish a 2\nfsync",
    );
    assert!(said.contains("> publish a 1\nreply q1 DiskFull\n"), "{said}");
    assert!(said.contains("view 1 hosts\nreply q2 Done\n"), "{said}");
    assert!(said.ends_with("view a = 2\nreply q3 published\n"), "{said}");
}

#[test]
fn a_write_whose_disk_does_not_answer_is_answered_as_unknown() {
    let said = after_first_start("publish a 1\nafter 6\nfsync");
    assert!(said.contains("> after 6\nreply q1 OutcomeUnknown\n"), "{said}");
    assert!(said.contains("view a = 1"), "it may happen all the same: {said}");
    assert_eq!(said.matches("reply q1").count(), 1, "{said}");
}

#[test]
fn before_its_disk_is_read_a_node_says_that_it_starts() {
    let said = run("publish a 1\nfresh\nstatus");
    assert_eq!(
        said,
        "> publish a 1\nreply q1 Starting\n> fresh\nreply q2 Starting\n> status\nreply q3 ready=false term=t0\n"
    );
}

#[test]
fn a_restart_lists_what_the_hint_says_until_its_clients_are_heard_or_the_time_is_over() {
    let said = after_first_start(
        "open\nregister 80\nafter 6\ncrash\nfsync\nfsync\nafter 1\nafter 5\nafter 5\nafter 5\nafter 5",
    );
    let after_crash = said.split("is gone").nth(1).expect("crashed");
    let shown = after_crash.find("view 1 hosts").expect("still listed after the restart");
    let hidden = after_crash.find("view 0 hosts").expect("hidden once the time is over");
    assert!(shown < hidden, "{said}");
}

#[test]
fn a_linearizable_read_is_one_with_a_sole_voter() {
    assert_eq!(after_first_start("fresh"), "> fresh\nreply q1 Linearizable\n");
}
