//! What the log decides depends on nothing else, the rows are the state, and a lock has one owner at a time.

use crate::*;
use base::{ConnectionId, Duration, HybridTime, LogIndex, NodeId, Now, RequestId, Row};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

fn name(number: u8) -> LockName {
    LockName { namespace: "public".into(), name: number.to_string().into() }
}

fn owner(number: u8) -> Arc<str> {
    format!("o{number}").into()
}

fn commands() -> impl Strategy<Value = Command> {
    let names = || (0..2_u8).prop_map(name);
    let owners = || (0..4_u8).prop_map(owner);
    let index = || (0..30_u64).prop_map(LogIndex);
    prop_oneof![
        6 => (names(), owners(), 0..2_u64).prop_map(|(name, owner, patience_ms)| {
            Command::Acquire { name, owner, ttl_ms: 1000, patience_ms }
        }),
        2 => (names(), owners(), index()).prop_map(|(name, owner, token)| {
            Command::Renew { name, owner, token, ttl_ms: Some(2000) }
        }),
        4 => (names(), any::<Option<()>>(), owners()).prop_map(|(name, any, owner)| {
            Command::Release { name, owner: any.map(|()| owner), token: None }
        }),
        2 => (names(), owners(), index()).prop_map(|(name, owner, since)| {
            Command::Withdraw { name, owner, since }
        }),
        2 => (
            prop::collection::vec((names(), index(), index()), 0..3),
            prop::collection::vec((names(), index()), 0..3),
        ).prop_map(|(leases, waiters)| Command::Expire { leases, waiters }),
    ]
}

fn locks() -> Locks {
    let mut locks = Locks::new(Now::START);
    locks.step(Now::START, Input::Restored);
    locks
}

proptest! {
    #[test]
    fn the_log_decides_alone(log in prop::collection::vec((commands(), any::<bool>()), 1..60)) {
        let (mut quiet, mut busy) = (locks(), locks());
        let mut now = Now::START;
        let mut tables: BTreeMap<(u8, Vec<u8>), Vec<u8>> = BTreeMap::new();
        let mut tokens: BTreeMap<LockName, LogIndex> = BTreeMap::new();
        for (at, (command, noise)) in log.iter().enumerate() {
            if *noise {
                now = now.after(Duration::from_secs(1));
                busy.step(now, Input::Leads(at % 3 > 0));
                busy.step(now, Input::Wake);
            }
            let index = LogIndex(at as u64 + 1);
            let applied = quiet.apply(index, command);
            prop_assert_eq!(&applied, &busy.apply(index, command));
            for Row { table, key, value } in applied.rows {
                match value {
                    Some(value) => tables.insert((table, key), value),
                    None => tables.remove(&(table, key)),
                };
            }
            prop_assert_eq!(&quiet.locks, &busy.locks);
            for (name, lock) in &quiet.locks {
                let former = tokens.insert(name.clone(), lock.lease.token);
                prop_assert!(former.is_none_or(|former| former <= lock.lease.token));
                prop_assert!(lock.waits(&lock.lease.owner).is_none(), "it waits for what it has");
            }
            let waiters = quiet.locks.values().map(|lock| lock.waiters.len()).sum::<usize>();
            prop_assert_eq!(quiet.counts(), (quiet.locks.len(), waiters));
        }
        let rows: Vec<Row> = tables
            .into_iter()
            .map(|((table, key), value)| Row { table, key, value: Some(value) })
            .collect();
        let mut restored = Locks::new(Now::START);
        for piece in rows.chunks(3) {
            restored.step(Now::START, Input::Restore(piece.to_vec()));
        }
        restored.step(Now::START, Input::Restored);
        prop_assert_eq!(&quiet.locks, &restored.locks);
        prop_assert_eq!(quiet.counts(), restored.counts());
    }

    /// Bytes that are no row of ours stop the node and nothing else.
    #[test]
    fn junk_rows_do_not_panic(table in 0..3_u8, key: Vec<u8>, value: Vec<u8>, version: bool) {
        let value = if version { [vec![1], value].concat() } else { value };
        let mut locks = Locks::new(Now::START);
        locks.step(Now::START, Input::Restore(vec![Row { table, key, value: Some(value) }]));
        prop_assert!(matches!(locks.poll(), Some(Output::Halt(_))));
    }

    /// Clients of a node that leads for a while, with a log that is slow and loses what nobody waits for: nobody's lease ends
    /// before its time, at most one believes rightly to have the lock, and each request is answered once.
    #[test]
    fn nobody_loses_a_lock_early_and_everybody_is_answered(
        play in prop::collection::vec((0..10_u8, 0..4_u8, 0..3000_u64), 1..80),
    ) {
        let mut play_ground = Play::new();
        for (what, who, wait_ms) in play {
            play_ground.act(what, who);
            play_ground.pass(Duration::from_millis(wait_ms));
        }
        play_ground.lossy = false;
        play_ground.pass(Duration::from_secs(60));
        prop_assert!(play_ground.open.is_empty(), "no answer: {:?}", play_ground.open);
    }
}

type Asker = Option<(ConnectionId, RequestId)>;

const TTL_MS: u64 = 5_000;

struct Play {
    locks: Locks,
    now: Now,
    log: u64,
    /// Said and not applied yet.
    wire: Vec<(Now, Asker, Command)>,
    said: u64,
    lossy: bool,
    next: u64,
    /// Requests without an answer: who asked, when, and whether it has not given the lock back since.
    open: BTreeMap<u64, (u8, Now, bool)>,
    /// Until when each may rightly believe to have the lock, and by which token.
    believes: BTreeMap<u8, (Now, LogIndex)>,
}

impl Play {
    fn new() -> Self {
        let mut locks = locks();
        locks.step(Now::START, Input::Leads(true));
        Self {
            locks,
            now: Now::START,
            log: 0,
            wire: Vec::new(),
            said: 0,
            lossy: true,
            next: 0,
            open: BTreeMap::new(),
            believes: BTreeMap::new(),
        }
    }

    fn connection(who: u8) -> ConnectionId {
        ConnectionId { node: NodeId(1), boot: HybridTime(1), counter: who.into() }
    }

    fn ask(&mut self, who: u8, request: Request) {
        self.next += 1;
        self.open.insert(self.next, (who, self.now, true));
        let (from, id) = (Self::connection(who), RequestId(self.next));
        self.locks.step(self.now, Input::Request { from, id, request });
        self.drain();
    }

    fn act(&mut self, what: u8, who: u8) {
        let (name, owner) = (name(0), owner(who));
        match what {
            0..=4 => {
                let patience_ms = [0, 2000, 8000][usize::from(what % 3)];
                self.ask(who, Request::Acquire { name, owner, ttl_ms: TTL_MS, patience_ms });
            }
            5 | 6 => {
                let token = self.believes.get(&who).map_or(LogIndex(0), |(_, token)| *token);
                self.ask(who, Request::Renew { name, owner, token, ttl_ms: Some(TTL_MS) });
            }
            7 => {
                self.believes.remove(&who);
                for (_, _, counts) in self.open.values_mut().filter(|(asker, ..)| *asker == who) {
                    *counts = false;
                }
                self.ask(who, Request::Release { name, owner: Some(owner), token: None });
            }
            8 => {
                self.open.retain(|_, (asker, ..)| *asker != who);
                self.believes.remove(&who);
                self.locks.step(self.now, Input::Closed(Self::connection(who)));
                self.drain();
            }
            _ => {
                self.locks.step(self.now, Input::Leads(false));
                self.locks.step(self.now, Input::Leads(true));
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        loop {
            let wire = self.wire.first().map(|(at, ..)| at.instant);
            let due = wire.into_iter().chain(self.locks.deadline()).min();
            let Some(due) = due.filter(|due| *due <= end.instant) else { break };
            self.now = self.now.after(due.since(self.now.instant));
            while self.wire.first().is_some_and(|(at, ..)| at.instant <= self.now.instant) {
                let (_, asker, command) = self.wire.remove(0);
                self.applied(asker, &command);
            }
            self.locks.step(self.now, Input::Wake);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.locks.poll() {
            match output {
                Output::Propose { to, id, command } => self.propose(Some((to, id)), command),
                Output::Tidy(command) => {
                    self.said += 1;
                    if !self.lossy || !self.said.is_multiple_of(3) {
                        self.propose(None, command);
                    }
                }
                Output::Reply { id, reply, .. } => self.answered(id, &reply),
                Output::Halt(why) => panic!("{why}"),
            }
        }
    }

    fn propose(&mut self, asker: Asker, command: Command) {
        self.wire.push((self.now.after(Duration::from_millis(300)), asker, command));
    }

    fn applied(&mut self, asker: Asker, command: &Command) {
        self.log += 1;
        let applied = self.locks.apply(LogIndex(self.log), command);
        self.drain();
        match (applied.outcome, command.clone()) {
            (Outcome::Queued { since }, Command::Acquire { name, owner, patience_ms, .. }) => {
                // Whoever has closed its connection is not there any more.
                let asker = asker.filter(|(_, id)| self.open.contains_key(&id.0));
                self.locks.step(self.now, Input::Waits { asker, name, owner, since, patience_ms });
                self.drain();
            }
            (outcome, _) => {
                if let Some((_, id)) = asker {
                    self.answered(id, &Reply::Outcome(outcome));
                }
            }
        }
        let holder = self.locks.locks.get(&name(0)).map(|lock| lock.lease.token);
        for (who, (until, token)) in &self.believes {
            let early = self.now.instant < until.instant && holder != Some(*token);
            assert!(!early, "{who} lost the lock before its time");
        }
    }

    fn answered(&mut self, id: RequestId, reply: &Reply) {
        // Of a connection that is closed.
        let Some((who, asked, true)) = self.open.remove(&id.0) else { return };
        let until = asked.after(Duration::from_millis(TTL_MS));
        match reply {
            Reply::Outcome(Outcome::Granted { token }) => {
                self.believes.insert(who, (until, *token));
            }
            Reply::Outcome(Outcome::Renewed) => {
                if let Some((at, _)) = self.believes.get_mut(&who) {
                    *at = until;
                }
            }
            _ => {}
        }
    }
}
