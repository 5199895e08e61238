//! Conversations as text: commands (`> …`) and what the locks of one node say to each. The log applies what is proposed at
//! once, unless it is held.

use crate::*;
use base::{ConnectionId, Duration, HybridTime, LogIndex, NodeId, Now, RequestId, Row};
use std::{collections::BTreeMap, fmt::Write, sync::Arc};

struct Conversation {
    locks: Locks,
    now: Now,
    log: u64,
    requests: u64,
    /// Commands that are on their way, while the log is held, and who asked.
    held: Option<Vec<Proposed>>,
    tables: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
}

type Proposed = (Option<(ConnectionId, RequestId)>, Command);

fn name(text: &str) -> LockName {
    LockName { namespace: "public".into(), name: text.into() }
}

fn ms(text: &str) -> u64 {
    match text.strip_suffix("ms") {
        Some(ms) => ms.parse().expect("milliseconds"),
        None => 1000 * text.trim_end_matches('s').parse::<u64>().expect("seconds"),
    }
}

fn connection(name: &str) -> ConnectionId {
    let counter = name.bytes().next().expect("a name").into();
    ConnectionId { node: NodeId(1), boot: HybridTime(1), counter }
}

fn token(text: &str) -> LogIndex {
    LogIndex(text.trim_start_matches('#').parse().expect("a token, as #1"))
}

fn show(reply: &Reply) -> String {
    match reply {
        Reply::Outcome(outcome) => show_outcome(outcome),
        Reply::Lock(None) => "nobody".into(),
        Reply::Lock(Some(lock)) => {
            format!(
                "{} #{} for {} ms, {} wait",
                lock.owner, lock.token.0, lock.ttl_ms, lock.waiters
            )
        }
        Reply::Locks { locks, more } => {
            let locks = locks.iter().map(|one| format!(" {}={}", one.name.name, one.owner));
            format!("locks{}{}", locks.collect::<String>(), if *more { " …" } else { "" })
        }
        Reply::Unknown => "unknown".into(),
        Reply::Refused(refusal) => format!("refused: {refusal}"),
    }
}

fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Granted { token } => format!("granted #{}", token.0),
        Outcome::Queued { since } => format!("queued #{}", since.0),
        Outcome::Held { owner } => format!("held by {owner}"),
        Outcome::Renewed => "renewed".into(),
        Outcome::Released => "released".into(),
        Outcome::NotHeld => "not held".into(),
        Outcome::Withdrawn => "withdrawn".into(),
        Outcome::Expired => "expired".into(),
        Outcome::Refused(refusal) => format!("refused: {refusal}"),
    }
}

impl Conversation {
    fn new() -> Self {
        let now = Now::START;
        let mut locks = Locks::new(now);
        locks.step(now, Input::Restored);
        let (log, requests, held) = (0, 0, None);
        Self { locks, now, log, requests, held, tables: BTreeMap::new() }
    }

    fn command(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["wait", time] => return self.wait(Duration::from_millis(ms(time))),
            ["leads"] => self.input(Input::Leads(true)),
            ["follows"] => self.input(Input::Leads(false)),
            ["hold"] => self.held = Some(Vec::new()),
            ["forget"] => self.held = Some(Vec::new()),
            ["release-log"] => {
                let held = self.held.take().unwrap_or_default();
                return held.into_iter().map(|(asker, one)| self.logged(asker, one)).collect();
            }
            ["close", who] => self.input(Input::Closed(connection(who))),
            ["tables"] => {
                let rows = self
                    .tables
                    .keys()
                    .map(|(table, key)| format!("{table} {}\n", key.escape_ascii()));
                return rows.collect();
            }
            ["restart"] => {
                self.locks = Locks::new(self.now);
                self.restore();
            }
            ["snapshot"] => {
                self.input(Input::Reset);
                self.restore();
            }
            ["spoil", table, value] => {
                let value = Some(value.bytes().collect());
                let table = table.parse().expect("a table");
                self.input(Input::Restore(vec![Row { table, key: vec![1], value }]));
            }
            _ => {
                let request = Self::request(&words);
                self.requests += 1;
                let (from, id) = (connection(words[0]), RequestId(self.requests));
                self.input(Input::Request { from, id, request });
            }
        }
        self.said()
    }

    /// `who verb lock …`.
    fn request(words: &[&str]) -> Request {
        let owner: Arc<str> = words[0].into();
        match *words {
            [_, "acquires", lock, ttl] => {
                Request::Acquire { name: name(lock), owner, ttl_ms: ms(ttl), patience_ms: 0 }
            }
            [_, "acquires", lock, ttl, "within", patience] => Request::Acquire {
                name: name(lock),
                owner,
                ttl_ms: ms(ttl),
                patience_ms: ms(patience),
            },
            [_, "renews", lock, number] => {
                Request::Renew { name: name(lock), owner, token: token(number), ttl_ms: None }
            }
            [_, "renews", lock, number, ttl] => {
                let (token, ttl_ms) = (token(number), Some(ms(ttl)));
                Request::Renew { name: name(lock), owner, token, ttl_ms }
            }
            [_, "releases", lock] => {
                Request::Release { name: name(lock), owner: Some(owner), token: None }
            }
            [_, "releases", lock, number] => {
                let token = Some(token(number));
                Request::Release { name: name(lock), owner: Some(owner), token }
            }
            [_, "breaks", lock] => Request::Release { name: name(lock), owner: None, token: None },
            [_, "asks", lock] => Request::Get { name: name(lock) },
            [_, "lists"] => Request::List { after: None },
            _ => panic!("unknown command {words:?}"),
        }
    }

    fn input(&mut self, input: Input) {
        self.locks.step(self.now, input);
    }

    fn restore(&mut self) {
        let row = |((table, key), value): (&(u8, Vec<u8>), &Vec<u8>)| Row {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        };
        // Backwards, in pieces: the order does not matter.
        let rows: Vec<Row> = self.tables.iter().rev().map(row).collect();
        for piece in rows.chunks(2) {
            self.input(Input::Restore(piece.to_vec()));
        }
        self.input(Input::Restored);
    }

    fn wait(&mut self, time: Duration) -> String {
        let end = self.now.after(time);
        let mut said = String::new();
        let mut in_place = 0;
        while let Some(due) = self.locks.deadline().filter(|due| *due <= end.instant) {
            let passed = due.since(self.now.instant);
            in_place = if passed.is_zero() { in_place + 1 } else { 0 };
            assert!(in_place < 100, "it asks to be woken again and again");
            self.now = self.now.after(passed);
            self.input(Input::Wake);
            let heard = self.said();
            if !heard.is_empty() {
                said += &format!("{}\n{heard}", self.now.instant);
            }
        }
        self.now = end;
        said
    }

    /// As a node does it.
    fn logged(&mut self, asker: Option<(ConnectionId, RequestId)>, command: Command) -> String {
        if let Some(held) = &mut self.held {
            held.push((asker, command));
            return "held\n".into();
        }
        self.log += 1;
        let applied = self.locks.apply(LogIndex(self.log), &command);
        for Row { table, key, value } in applied.rows {
            match value {
                Some(value) => self.tables.insert((table, key), value),
                None => self.tables.remove(&(table, key)),
            };
        }
        let mut text = match &command {
            Command::Expire { leases, waiters } => {
                format!("expire {} leases, {} waiters\n", leases.len(), waiters.len())
            }
            Command::Withdraw { owner, .. } => format!("{owner} withdraws\n"),
            _ => String::new(),
        };
        text += &self.said();
        match (asker, applied.outcome, command) {
            (
                asker,
                Outcome::Queued { since },
                Command::Acquire { name, owner, patience_ms, .. },
            ) => {
                text += &format!("queued #{}\n", since.0);
                self.input(Input::Waits { asker, name, owner, since, patience_ms });
                text += &self.said();
            }
            (Some(_), outcome, _) => text += &format!("{}\n", show_outcome(&outcome)),
            (None, ..) => {}
        }
        text
    }

    fn said(&mut self) -> String {
        let mut text = String::new();
        while let Some(output) = self.locks.poll() {
            match output {
                Output::Propose { to, id, command } => {
                    text += &self.logged(Some((to, id)), command)
                }
                Output::Tidy(command) => text += &self.logged(None, command),
                Output::Reply { to, reply, .. } => {
                    let who = char::from(to.counter as u8);
                    writeln!(text, "{who}: {}", show(&reply)).expect("a string takes all");
                }
                Output::Halt(why) => writeln!(text, "halt: {why}").expect("a string takes all"),
            }
        }
        text
    }
}

fn check(expected: &str) {
    let mut conversation = Conversation::new();
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut transcript = Vec::new();
    for line in expected.iter().filter_map(|line| line.strip_prefix("> ")) {
        transcript.push(format!("> {line}"));
        transcript.extend(conversation.command(line).lines().map(str::to_owned));
    }
    assert!(
        transcript.iter().map(String::as_str).eq(expected.iter().copied()),
        "it went differently:\n{}",
        transcript.join("\n")
    );
}

#[test]
fn a_lock_goes_from_hand_to_hand_with_growing_tokens() {
    check(
        "> a acquires x 30s
        granted #1
        > b acquires x 30s
        held by a
        > a acquires x 60s
        granted #1
        > a asks x
        a: a #1 for 60000 ms, 0 wait
        > b releases x
        not held
        > a releases x #7
        not held
        > a releases x #1
        released
        > a asks x
        a: nobody
        > b acquires x 30s
        granted #7
        > b acquires y 30s
        granted #8
        > b lists
        b: locks x=b y=b
        > c breaks x
        released
        > tables
        0 public\\x00\\x01y\\x00\\x01",
    );
}

#[test]
fn whoever_waits_gets_it_in_turn() {
    check(
        "> a acquires x 30s
        granted #1
        > b acquires x 10s within 60s
        queued #2
        > c acquires x 10s within 60s
        queued #3
        > c asks x
        c: a #1 for 30000 ms, 2 wait
        > a releases x
        b: granted #4
        released
        > b renews x #4 20s
        renewed
        > b releases x #4
        c: granted #6
        released
        > c releases x
        released
        > tables",
    );
}

#[test]
fn patience_ends_and_connections_close() {
    check(
        "> a acquires x 1800s
        granted #1
        > b acquires x 10s within 5s
        queued #2
        > c acquires x 10s within 60s
        queued #3
        > wait 5s
        +5.000s
        b withdraws
        b: withdrawn
        > close c
        c withdraws
        > a asks x
        a: a #1 for 1800000 ms, 0 wait
        > wait 100s",
    );
}

#[test]
fn a_turn_that_comes_while_its_owner_withdraws_is_given_back() {
    check(
        "> a acquires x 1800s
        granted #1
        > b acquires x 10s within 5s
        queued #2
        > c acquires x 10s within 600s
        queued #3
        > hold
        > a releases x
        held
        > wait 5s
        +5.000s
        held
        > release-log
        released
        b withdraws
        c: granted #5
        b: withdrawn
        > a asks x
        a: c #5 for 10000 ms, 0 wait",
    );
}

#[test]
fn nobody_waits_for_ever_while_the_log_stands_still() {
    check(
        "> a acquires x 1800s
        granted #1
        > b acquires x 10s within 5s
        queued #2
        > hold
        > wait 10s
        +5.000s
        held
        +7.000s
        held
        +9.000s
        b: unknown
        held
        > release-log
        b withdraws
        b withdraws
        b withdraws
        > a asks x
        a: a #1 for 1800000 ms, 0 wait
        > wait 60s",
    );
}

#[test]
fn leases_run_out_by_the_clock_of_the_leader() {
    check(
        "> leads
        > a acquires x 30s
        granted #1
        > b acquires x 10s within 600s
        queued #2
        > wait 29s
        > a renews x #1
        renewed
        > wait 29s
        > a asks x
        a: a #1 for 30000 ms, 1 wait
        > wait 2s
        +59.000s
        expire 1 leases, 0 waiters
        b: granted #4
        > wait 11s
        +69.000s
        expire 1 leases, 0 waiters
        > a asks x
        a: nobody
        > a renews x #1
        not held",
    );
}

#[test]
fn a_renewal_that_is_first_in_the_log_saves_the_lease() {
    check(
        "> leads
        > a acquires x 10s
        granted #1
        > hold
        > a renews x #1
        held
        > wait 11s
        +10.000s
        held
        > release-log
        renewed
        expire 1 leases, 0 waiters
        > a asks x
        a: a #1 for 10000 ms, 0 wait
        > wait 11s
        +21.000s
        expire 1 leases, 0 waiters
        > a asks x
        a: nobody",
    );
}

#[test]
fn a_lost_expiry_is_proposed_again_and_followers_propose_none() {
    check(
        "> a acquires x 10s
        granted #1
        > wait 100s
        > leads
        > wait 9s
        > hold
        > wait 1s
        +110.000s
        held
        > forget
        > wait 2s
        +112.000s
        held
        > release-log
        expire 1 leases, 0 waiters
        > wait 60s",
    );
}

#[test]
fn a_new_leader_gives_every_lease_its_full_time_again() {
    check(
        "> leads
        > a acquires x 10s
        granted #1
        > wait 9s
        > follows
        > wait 5s
        > leads
        > wait 9s
        > a asks x
        a: a #1 for 10000 ms, 0 wait
        > wait 1s
        +24.000s
        expire 1 leases, 0 waiters",
    );
}

#[test]
fn waiters_of_a_node_that_died_expire_and_a_snapshot_answers_those_who_wait() {
    check(
        "> a acquires x 1800s
        granted #1
        > b acquires x 10s within 5s
        queued #2
        > restart
        > leads
        > wait 20s
        +15.000s
        expire 0 leases, 1 waiters
        > a asks x
        a: a #1 for 1800000 ms, 0 wait
        > c acquires x 10s within 60s
        queued #4
        > snapshot
        > a releases x
        c: granted #5
        released",
    );
}

#[test]
fn refusals() {
    check(
        "> a acquires  30s
        a: refused: name is empty: give one
        > a acquires x 1ms
        a: refused: ttl is not between 100 and 1800000 milliseconds
        > a acquires x 30s within 601s
        a: refused: wait is not between 0 and 600000 milliseconds
        > spoil 0 junk
        halt: lock table 0, row \\x01: its format is version 106, this program reads 1; restore this node from its peers or a backup
        > spoil 7 junk
        halt: lock has no table 7: the data is of a newer version; update this node",
    );
}

#[test]
fn the_same_owner_that_asks_twice_waits_once() {
    check(
        "> a acquires x 30s
        granted #1
        > b acquires x 10s within 60s
        queued #2
        > b acquires x 10s within 60s
        queued #2
        b: withdrawn
        > a releases x
        b: granted #4
        released",
    );
}

#[test]
fn the_limits() {
    let mut locks = Locks::new(Now::START);
    locks.step(Now::START, Input::Restored);
    let mut index = 0;
    let mut acquire = |lock: &str, owner: String, patience_ms| {
        index += 1;
        let (name, owner) = (name(lock), owner.into());
        let command = Command::Acquire { name, owner, ttl_ms: 1000, patience_ms };
        locks.apply(LogIndex(index), &command).outcome
    };
    assert!(matches!(acquire("x", "a".into(), 0), Outcome::Granted { .. }));
    for number in 0..WAITERS_PER_LOCK_MAX {
        assert!(matches!(acquire("x", format!("w{number}"), 1000), Outcome::Queued { .. }));
    }
    assert!(matches!(acquire("x", "b".into(), 1000), Outcome::Refused(Refusal::Full { .. })));
    for number in 1..LOCKS_MAX {
        assert!(matches!(acquire(&number.to_string(), "a".into(), 0), Outcome::Granted { .. }));
    }
    assert!(matches!(acquire("y", "a".into(), 0), Outcome::Refused(Refusal::Full { .. })));
    let step = |locks: &mut Locks, input| locks.step(Now::START, input);
    step(&mut locks, Input::Leads(true));
    while locks.deadline() == Some(Now::START.instant) {
        step(&mut locks, Input::Wake);
    }
    assert_eq!(locks.counts(), (LOCKS_MAX, WAITERS_PER_LOCK_MAX));
    let end = Now::START.after(Duration::from_secs(1));
    locks.step(end, Input::Wake);
    let Some(Output::Tidy(Command::Expire { leases, .. })) = locks.poll() else { panic!("none") };
    assert_eq!(leases.len(), EXPIRED_PER_COMMAND);
}
