//! Applying equals a naive model, the rows restore to the same state, and times are kept under random schedules.

use super::stage::{Stage, connection};
use crate::{
    Asker, Command, Input, Lease, LeaseEnd, Lock, Outcome, Output, Request, Token, Waiter,
};
use base::{Duration, LogIndex, Now, RequestId, Row};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

const KEYS: [&str; 2] = ["a", "a/b"];

fn asker(id: u64) -> Asker {
    Asker { connection: connection(9, 1), id: RequestId(id) }
}

/// Who holds or waits: their ticket and their name.
type Line = VecDeque<(LogIndex, Arc<str>)>;
type State = (BTreeMap<Arc<str>, Lease>, BTreeMap<Arc<str>, BTreeMap<LogIndex, Waiter>>);

/// A lock as a line: the holder first, then those who wait; and the holders' tokens.
#[derive(Debug, Default)]
struct Model(BTreeMap<Arc<str>, Line>, BTreeMap<Arc<str>, Token>);

impl Model {
    fn apply(&mut self, index: LogIndex, command: &Command) -> Option<Outcome> {
        match command {
            Command::Acquire { key, owner, ttl_ms, wait_ms, .. } => {
                let line = self.0.entry(key.clone()).or_default();
                let granted = |token| Outcome::Granted { token, ttl_ms: *ttl_ms };
                match line.front() {
                    None => {
                        line.push_back((index, owner.clone()));
                        self.1.insert(key.clone(), index.into());
                        Some(granted(index.into()))
                    }
                    Some((_, holder)) if holder == owner => Some(granted(self.1[key])),
                    Some((_, holder)) if *wait_ms == 0 => {
                        Some(Outcome::Held { owner: holder.clone(), token: self.1[key] })
                    }
                    Some(_) => {
                        line.push_back((index, owner.clone()));
                        None
                    }
                }
            }
            Command::Renew { key, token, ttl_ms, .. } => Some(match self.current(key) {
                Some(current) if current == *token => {
                    Outcome::Renewed { token: *token, ttl_ms: ttl_ms.expect("given") }
                }
                current => Outcome::NotHeld { current },
            }),
            Command::Release { key, token, .. } => Some(match self.current(key) {
                Some(current) if token.is_none_or(|token| token == current) => {
                    self.next(index, key);
                    Outcome::Released
                }
                current => Outcome::NotHeld { current },
            }),
            Command::End { leases, waiters, .. } => {
                for (key, ticket) in waiters {
                    let holds = self.current(key);
                    if let (Some(line), Some(_)) = (self.0.get_mut(key), holds) {
                        let holder = line.pop_front().expect("held");
                        line.retain(|(of, _)| of != ticket);
                        line.push_front(holder);
                    }
                }
                for LeaseEnd { key, .. } in leases {
                    self.next(index, key);
                }
                Some(Outcome::Ended)
            }
        }
    }

    fn current(&self, key: &str) -> Option<Token> {
        self.1.get(key).copied()
    }

    fn next(&mut self, index: LogIndex, key: &Arc<str>) {
        let Some(line) = self.0.get_mut(key) else { return };
        line.pop_front();
        if line.is_empty() {
            self.1.remove(key);
        } else {
            self.1.insert(key.clone(), index.into());
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Acquire {
        key: usize,
        owner: u8,
        ttl_ms: u64,
        wait_ms: u64,
    },
    /// Of the token that is current, or of another.
    Renew {
        key: usize,
        right: bool,
    },
    Release {
        key: usize,
        right: bool,
        any: bool,
    },
    End {
        key: usize,
        right: bool,
    },
    Leave {
        key: usize,
        at: usize,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let key = 0..KEYS.len();
    prop_oneof![
        4 => (key.clone(), 0..4u8, 100..900u64, prop_oneof![Just(0u64), 1..900u64])
            .prop_map(|(key, owner, ttl_ms, wait_ms)| Change::Acquire { key, owner, ttl_ms, wait_ms }),
        1 => (key.clone(), any::<bool>()).prop_map(|(key, right)| Change::Renew { key, right }),
        1 => (key.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(key, right, any)| Change::Release { key, right, any }),
        1 => (key.clone(), any::<bool>()).prop_map(|(key, right)| Change::End { key, right }),
        1 => (key, 0..3usize).prop_map(|(key, at)| Change::Leave { key, at }),
    ]
}

fn command(lock: &Lock, change: &Change, index: u64) -> Command {
    let at_ms = index;
    let named = |key: usize| Arc::<str>::from(KEYS[key]);
    let token = |key: usize, right: bool| {
        let current = lock.lease(KEYS[key]).map_or(Token(0), |lease| lease.token);
        if right { current } else { Token(current.0 + 1_000) }
    };
    match *change {
        Change::Acquire { key, owner, ttl_ms, wait_ms } => Command::Acquire {
            key: named(key),
            owner: format!("o{owner}").into(),
            ttl_ms,
            wait_ms,
            asker: asker(index),
            at_ms,
        },
        Change::Renew { key, right } => {
            let token = token(key, right);
            Command::Renew { key: named(key), token, ttl_ms: Some(77), at_ms }
        }
        Change::Release { key, right, any } => {
            let token = (!any).then(|| token(key, right));
            Command::Release { key: named(key), token, at_ms }
        }
        Change::End { key, right } => {
            let lease = lock.lease(KEYS[key]);
            let renewed = lease.map_or(LogIndex(0), |lease| lease.renewed);
            let end = LeaseEnd { key: named(key), token: token(key, right), renewed };
            let leases = if lease.is_some() && right { vec![end] } else { Vec::new() };
            Command::End { leases, waiters: Vec::new(), at_ms }
        }
        Change::Leave { key, at } => {
            let queue = lock.queues.get(KEYS[key]);
            let ticket = queue.and_then(|queue| queue.keys().nth(at).copied());
            let waiters = ticket.map(|ticket| (named(key), ticket)).into_iter().collect();
            Command::End { leases: Vec::new(), waiters, at_ms }
        }
    }
}

fn state(lock: &Lock) -> State {
    (lock.leases.clone(), lock.queues.clone())
}

proptest! {
    #[test]
    fn applying_equals_a_model_and_the_rows_restore(
        changes in proptest::collection::vec(change(), 1..60),
    ) {
        let (mut lock, mut model) = (Lock::new(), Model::default());
        let mut rows: BTreeMap<(u8, Vec<u8>), Row> = BTreeMap::new();
        let mut greatest: BTreeMap<&str, Token> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            let index = LogIndex(at as u64 + 1);
            let command = command(&lock, change, index.0);
            let before: BTreeMap<&str, Option<Token>> =
                KEYS.iter().map(|key| (*key, lock.lease(key).map(|lease| lease.token))).collect();
            let applied = lock.apply(index, &command);
            prop_assert_eq!(&applied.outcome, &model.apply(index, &command), "{:?}", command);
            for row in applied.rows {
                let key = (row.table, row.key.clone());
                if row.value.is_some() { rows.insert(key, row); } else { rows.remove(&key); }
            }
            for key in KEYS {
                let token = lock.lease(key).map(|lease| lease.token);
                prop_assert_eq!(token, model.current(key));
                if let Some(token) = token.filter(|token| before[key] != Some(*token)) {
                    prop_assert!(greatest.insert(key, token).is_none_or(|last| last < token));
                }
            }
            let waiters: usize = lock.queues.values().map(BTreeMap::len).sum();
            prop_assert_eq!(lock.len(), (lock.leases.len(), waiters));
            prop_assert!(lock.queues.iter().all(|(key, queue)| !queue.is_empty() && lock.leases.contains_key(key)));
        }
        let mut restored = Lock::new();
        // The order of the rows does not matter.
        let pieces: Vec<Row> = rows.into_values().rev().collect();
        restored.step(Now::START, Input::Restore(pieces));
        restored.step(Now::START, Input::Restored);
        prop_assert_eq!(state(&restored), state(&lock));
        prop_assert_eq!(restored.len(), lock.len());
    }

    #[test]
    fn views_are_what_is_held(changes in proptest::collection::vec(change(), 1..60)) {
        let mut lock = Lock::new();
        let mut views = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            let index = at as u64 + 1;
            let command = command(&lock, change, index);
            lock.apply(LogIndex(index), &command);
            while let Some(output) = lock.poll() {
                match output {
                    Output::Publish(view) => { views.insert(view.key.clone(), view); }
                    Output::Retire(key) => { views.remove(&key); }
                    Output::Event(..) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert_eq!(views.len(), lock.leases.len());
            for (key, view) in &views {
                prop_assert_eq!(&view.lease, &lock.leases[key]);
                prop_assert_eq!(view.waiters, lock.queues.get(key).map_or(0, BTreeMap::len));
            }
        }
    }

    /// With any delays of the log and any changes of the leader, every waiter is answered once, in the end nothing is
    /// held, and the leader keeps no time for what is gone.
    #[test]
    fn everything_ends(
        steps in proptest::collection::vec((0..6u8, 0..3usize, 0..4u64, 1..900u64), 1..50),
    ) {
        let mut stage = Stage::new(3);
        let mut asked = Vec::new();
        for (what, node, who, millis) in steps {
            match what {
                0 | 1 => asked.push(stage.ask(connection(node, who), Request::Acquire {
                    key: KEYS[usize::from(what)].into(),
                    owner: format!("{node}.{who}").into(),
                    ttl: Duration::from_millis(100 + millis),
                    wait: Duration::from_millis(millis),
                })),
                2 => stage.lead(node),
                3 if !stage.pending.is_empty() => stage.lose(who as usize % stage.pending.len()),
                4 if !stage.pending.is_empty() => stage.commit(who as usize % stage.pending.len()),
                5 if who == 3 && !stage.pending.is_empty() => stage.give_up(0),
                _ => stage.pass(Duration::from_millis(millis), who % 2 == 0),
            }
        }
        stage.pass(Duration::from_secs(60), true);
        for asker in asked {
            let answers = stage.said.iter().filter(|(to, ..)| *to == asker).count();
            prop_assert_eq!(answers, 1, "{:?}", asker);
        }
        for node in &stage.nodes {
            prop_assert_eq!(node.len(), (0, 0));
            prop_assert_eq!(node.timers_len(), 0);
            prop_assert_eq!(node.deadline(), None);
        }
    }
}

#[test]
fn tables_that_are_full_say_so() {
    let mut lock = Lock::new();
    let acquire = |key: String, id: u64, wait_ms: u64| Command::Acquire {
        key: key.into(),
        owner: format!("o{id}").into(),
        ttl_ms: 1_000,
        wait_ms,
        asker: asker(id),
        at_ms: 0,
    };
    for id in 1..=crate::WAITERS_PER_LOCK_MAX as u64 + 1 {
        lock.apply(LogIndex(id), &acquire("k".into(), id, 1));
    }
    let outcome = lock.apply(LogIndex(9_000), &acquire("k".into(), 9_000, 1)).outcome;
    let limit = crate::WAITERS_PER_LOCK_MAX;
    assert_eq!(outcome, Some(Outcome::Full { what: "waiters of this lock", limit }));
    for id in 1..crate::LOCKS_MAX as u64 {
        lock.apply(LogIndex(10_000 + id), &acquire(id.to_string(), 10_000 + id, 0));
        lock.outputs.clear();
    }
    let outcome = lock.apply(LogIndex(200_000), &acquire("one more".into(), 200_000, 0)).outcome;
    assert_eq!(outcome, Some(Outcome::Full { what: "locks", limit: crate::LOCKS_MAX }));
    // A new leader gives all of them their times, a piece at a time.
    lock.step(Now::START, Input::Leads(true));
    assert!(lock.timers_len() < crate::LOCKS_MAX / 10);
    let mut steps = 0;
    while lock.deadline().is_some_and(|due| due <= Now::START.instant) {
        lock.step(Now::START, Input::Wake);
        steps += 1;
    }
    assert!(steps > 100, "{steps}");
    assert_eq!(lock.timers_len(), crate::LOCKS_MAX + crate::WAITERS_PER_LOCK_MAX);
}

#[test]
fn a_row_that_does_not_read_stops_the_node() {
    for (table, key, value) in [
        (0, b"k".to_vec(), None),
        (0, b"k".to_vec(), Some(Vec::new())),
        (0, b"k".to_vec(), Some(vec![2, 0])),
        (1, b"k".to_vec(), Some(vec![1, 200])),
        (2, b"k".to_vec(), Some(vec![1])),
    ] {
        let mut lock = Lock::new();
        lock.step(Now::START, Input::Restore(vec![Row { table, key, value }]));
        assert!(matches!(lock.poll(), Some(Output::Halt(_))), "table {table}");
    }
}
