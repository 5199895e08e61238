//! Nodes with one log and one clock, without a network: what is proposed waits here until it is committed.

use crate::{Applied, Asker, Command, Input, Lock, Outcome, Output, Request, Token};
use base::{ConnectionId, Duration, HybridTime, Instant, LogIndex, NodeId, Now, RequestId, Row};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

/// A proposal on its way: who asked, if anybody waits for it.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) origin: usize,
    pub(super) asker: Option<Asker>,
    pub(super) command: Command,
}

#[derive(Clone)]
pub(super) struct Stage {
    pub(super) now: Now,
    pub(super) nodes: Vec<Lock>,
    pub(super) leader: usize,
    pub(super) pending: Vec<Pending>,
    pub(super) index: u64,
    pub(super) rows: BTreeMap<(u8, Vec<u8>), Row>,
    /// What was said to clients: (connection, request, what).
    pub(super) said: Vec<(Asker, String, Option<Outcome>)>,
    pub(super) views: Vec<String>,
    /// Events of the first node.
    story: Vec<String>,
    requests: u64,
}

/// The connection with this number, of the node with this number.
pub(super) fn connection(node: usize, counter: u64) -> ConnectionId {
    ConnectionId { node: NodeId(node as u64), boot: HybridTime(1), counter }
}

impl Stage {
    pub(super) fn new(nodes: usize) -> Self {
        let mut stage = Self {
            now: Now::START,
            nodes: vec![Lock::new(); nodes],
            leader: 0,
            pending: Vec::new(),
            index: 0,
            rows: BTreeMap::new(),
            said: Vec::new(),
            views: Vec::new(),
            story: Vec::new(),
            requests: 0,
        };
        stage.lead(0);
        stage
    }

    pub(super) fn step(&mut self, node: usize, input: Input) {
        self.nodes[node].step(self.now, input);
        self.drain(node);
    }

    pub(super) fn ask(&mut self, from: ConnectionId, request: Request) -> Asker {
        self.requests += 1;
        let id = RequestId(self.requests);
        let node = usize::try_from(from.node.0).expect("small");
        self.step(node, Input::Request { from, id, request });
        Asker { connection: from, id }
    }

    pub(super) fn lead(&mut self, leader: usize) {
        self.leader = leader;
        for node in 0..self.nodes.len() {
            self.step(node, Input::Leads(node == leader));
        }
    }

    /// Commits a proposal; every node applies it at once.
    pub(super) fn commit(&mut self, at: usize) {
        let Pending { origin, asker, command } = self.pending.remove(at);
        self.index += 1;
        for node in 0..self.nodes.len() {
            let Applied { outcome, rows } = self.nodes[node].apply(LogIndex(self.index), &command);
            if node == 0 {
                for row in rows {
                    let key = (row.table, row.key.clone());
                    match row.value {
                        Some(_) => self.rows.insert(key, row),
                        None => self.rows.remove(&key),
                    };
                }
            }
            self.drain(node);
            if let (true, Some(asker), Some(outcome)) = (node == origin, asker, outcome) {
                self.said.push((asker, format!("{outcome:?}"), Some(outcome)));
            }
            self.step(node, Input::Applied);
        }
    }

    /// A proposal is lost; the node tells whoever asked.
    pub(super) fn lose(&mut self, at: usize) {
        let Pending { origin, asker, .. } = self.pending.remove(at);
        if let Some(asker) = asker {
            self.said.push((asker, "Lost".into(), None));
            self.step(origin, Input::Unanswered { asker, maybe_written: false });
        }
    }

    /// The node gives up waiting for the outcome of a proposal, which goes its way.
    pub(super) fn give_up(&mut self, at: usize) {
        let origin = self.pending[at].origin;
        if let Some(asker) = self.pending[at].asker.take() {
            self.said.push((asker, "Unknown outcome".into(), None));
            self.step(origin, Input::Unanswered { asker, maybe_written: true });
        }
    }

    pub(super) fn commit_all(&mut self) {
        while !self.pending.is_empty() {
            self.commit(0);
        }
    }

    fn drain(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].poll() {
            match output {
                Output::Propose { to, id, command } => {
                    let asker = Some(Asker { connection: to, id });
                    self.pending.push(Pending { origin: node, asker, command });
                }
                Output::Tidy(command) => {
                    self.pending.push(Pending { origin: node, asker: None, command });
                }
                Output::Reply { to, id, reply } => {
                    let outcome = match &reply {
                        crate::Reply::Outcome(outcome) => Some(outcome.clone()),
                        crate::Reply::Unknown | crate::Reply::Refused(_) => None,
                    };
                    let text = match reply {
                        crate::Reply::Outcome(outcome) => format!("{outcome:?}"),
                        crate::Reply::Unknown => "Unknown".into(),
                        crate::Reply::Refused(why) => why.to_string(),
                    };
                    self.said.push((Asker { connection: to, id }, text, outcome));
                }
                Output::Publish(view) if node == 0 => self.views.push(format!(
                    "{} by {} with {}, {} wait",
                    view.key, view.lease.owner, view.lease.token, view.waiters
                )),
                Output::Retire(key) if node == 0 => self.views.push(format!("{key} free")),
                Output::Publish(_) | Output::Retire(_) => {}
                Output::Event(kind, subject) if node == 0 => {
                    self.story.push(format!("{subject}: {kind:?}"));
                }
                Output::Event(..) => {}
                Output::Halt(why) => self.views.push(format!("halt: {why}")),
            }
        }
    }

    /// Time passes: who is due is woken, and what is proposed is committed if `commits`.
    pub(super) fn pass(&mut self, time: Duration, commits: bool) {
        let end = self.now.instant.after(time);
        if commits {
            self.commit_all();
        }
        loop {
            let due = self.nodes.iter().filter_map(Lock::deadline).min();
            let Some(due) = due.filter(|due| *due <= end) else { break };
            let due = due.max(self.now.instant);
            self.now = at(due);
            for node in 0..self.nodes.len() {
                if self.nodes[node].deadline().is_some_and(|own| own <= due) {
                    self.step(node, Input::Wake);
                }
            }
            if commits {
                self.commit_all();
            }
        }
        self.now = at(end);
    }

    /// A node starts anew from its rows; its clients are gone.
    pub(super) fn restart(&mut self, node: usize) {
        self.nodes[node] = Lock::new();
        let rows = self.rows.values().cloned().collect();
        self.step(node, Input::Restore(rows));
        self.step(node, Input::Restored);
        self.step(node, Input::Leads(node == self.leader));
    }
}

fn at(instant: Instant) -> Now {
    Now { instant, unix_ms: instant.as_nanos() / 1_000_000 }
}

/// Carries out a script, one line each; what is said to clients and shown to readers follows the line, indented.
pub(super) fn run(nodes: usize, script: &str) -> String {
    let mut stage = Stage::new(nodes);
    let mut holds = false;
    let mut transcript = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["after", time] => stage.pass(duration(time), !holds),
            ["leader", node] => stage.lead(number(node)),
            ["restart", node] => stage.restart(number(node)),
            ["story"] => stage.views.append(&mut stage.story),
            ["hold"] => holds = true,
            ["commit"] => holds = false,
            ["commit", at] => stage.commit(number(at)),
            ["give-up", at] => stage.give_up(number(at)),
            ["lose", at] => stage.lose(number(at)),
            ["close", client] => {
                let from = client_of(client);
                let node = usize::try_from(from.node.0).expect("small");
                stage.step(node, Input::Closed(from));
            }
            [client, ref rest @ ..] => {
                stage.ask(client_of(client), request(rest));
            }
            [] => unreachable!("blank lines are left out"),
        }
        if !holds {
            stage.commit_all();
        }
        writeln!(transcript, "{line}").expect("a String takes all");
        for view in stage.views.drain(..) {
            writeln!(transcript, "    [{view}]").expect("a String takes all");
        }
        for (asker, text, _) in stage.said.drain(..) {
            let Asker { connection, id } = asker;
            writeln!(transcript, "    {}.{} {id}: {text}", connection.node.0, connection.counter)
                .expect("a String takes all");
        }
    }
    transcript
}

/// `0.1`: the first connection of node 0.
fn client_of(text: &str) -> ConnectionId {
    let (node, counter) = text.split_once('.').expect("node.connection");
    connection(number(node), number(counter) as u64)
}

fn request(words: &[&str]) -> Request {
    let name = |text: &str| Arc::<str>::from(text.replace("''", ""));
    match words {
        ["acquire", key, owner, ttl] => Request::Acquire {
            key: name(key),
            owner: name(owner),
            ttl: duration(ttl),
            wait: Duration::ZERO,
        },
        ["acquire", key, owner, ttl, wait] => Request::Acquire {
            key: name(key),
            owner: name(owner),
            ttl: duration(ttl),
            wait: duration(wait),
        },
        ["renew", key, token] => {
            Request::Renew { key: name(key), token: Token(number(token) as u64), ttl: None }
        }
        ["renew", key, token, ttl] => Request::Renew {
            key: name(key),
            token: Token(number(token) as u64),
            ttl: Some(duration(ttl)),
        },
        ["release", key, "*"] => Request::Release { key: name(key), token: None },
        ["release", key, token] => {
            Request::Release { key: name(key), token: Some(Token(number(token) as u64)) }
        }
        other => panic!("no such request: {other:?}"),
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
}

fn duration(text: &str) -> Duration {
    if let Some(millis) = text.strip_suffix("ms") {
        return Duration::from_millis(number(millis) as u64);
    }
    let seconds = text.strip_suffix('s').unwrap_or_else(|| panic!("not a time: {text}"));
    Duration::from_secs(number(seconds) as u64)
}
