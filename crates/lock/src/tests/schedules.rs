//! All small schedules: two clients, two nodes, every order of asking, committing, losing, waiting and leading.
//!
//! What is checked is what a client may rely on, not what the state says: a client that was told of a grant believes in
//! it until the ttl is over, counted from when it asked. Two never believe at once.

use super::stage::{Stage, connection};
use crate::{Asker, Outcome, Request, Token};
use base::{Duration, Instant};
use std::collections::BTreeMap;

const TTL: Duration = Duration::from_millis(200);
const HALF: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
enum Move {
    /// A client asks for the lock; ready to wait.
    Acquire(usize),
    /// A client renews what it believes to hold.
    Renew(usize),
    Release(usize),
    /// A client's connection breaks, and comes back.
    Break(usize),
    CommitOldest,
    CommitNewest,
    LoseOldest,
    /// The node answers "outcome unknown".
    GiveUpOldest,
    HalfTtl,
    OtherLeader,
}

const MOVES: [Move; 14] = [
    Move::Acquire(0),
    Move::Acquire(1),
    Move::Renew(0),
    Move::Renew(1),
    Move::Release(0),
    Move::Release(1),
    Move::Break(0),
    Move::Break(1),
    Move::CommitOldest,
    Move::CommitNewest,
    Move::LoseOldest,
    Move::GiveUpOldest,
    Move::HalfTtl,
    Move::OtherLeader,
];

#[derive(Clone, Default)]
struct Client {
    connection: u64,
    /// When each request was asked.
    asked: BTreeMap<Asker, Instant>,
    /// The token that it was told of, and how long it relies on it.
    holds: Option<(Token, Instant)>,
    /// It gave this one back, and does not rely on a late answer about it.
    released: Option<Token>,
}

#[derive(Clone)]
struct World {
    stage: Stage,
    clients: [Client; 2],
    greatest: Token,
}

impl World {
    fn new() -> Self {
        Self { stage: Stage::new(2), clients: Default::default(), greatest: Token(0) }
    }

    /// False if the move is not possible here.
    fn make(&mut self, step: Move) -> bool {
        let now = self.stage.now.instant;
        match step {
            Move::Acquire(who) => {
                let key = "k".into();
                let owner = if who == 0 { "alice".into() } else { "bob".into() };
                self.ask(who, Request::Acquire { key, owner, ttl: TTL, wait: HALF });
            }
            Move::Renew(who) | Move::Release(who) => {
                let Some((token, _)) = self.clients[who].holds else { return false };
                let key = "k".into();
                if matches!(step, Move::Renew(_)) {
                    self.ask(who, Request::Renew { key, token, ttl: None });
                } else {
                    self.clients[who].holds = None;
                    self.clients[who].released = Some(token);
                    self.ask(who, Request::Release { key, token: Some(token) });
                }
            }
            Move::Break(who) => {
                let client = &mut self.clients[who];
                if client.asked.is_empty() {
                    return false;
                }
                let from = connection(who, client.connection);
                client.asked.clear();
                client.connection += 1;
                self.stage.step(who, crate::Input::Closed(from));
            }
            Move::CommitOldest | Move::CommitNewest | Move::LoseOldest | Move::GiveUpOldest
                if self.stage.pending.is_empty() =>
            {
                return false;
            }
            Move::CommitOldest => self.stage.commit(0),
            Move::CommitNewest if self.stage.pending.len() < 2 => return false,
            Move::CommitNewest => self.stage.commit(self.stage.pending.len() - 1),
            Move::LoseOldest => self.stage.lose(0),
            Move::GiveUpOldest if self.stage.pending[0].asker.is_none() => return false,
            Move::GiveUpOldest => self.stage.give_up(0),
            Move::HalfTtl => self.stage.pass(HALF, false),
            Move::OtherLeader => self.stage.lead(1 - self.stage.leader),
        }
        self.hear(now);
        true
    }

    fn ask(&mut self, who: usize, request: Request) {
        let now = self.stage.now.instant;
        let asker = self.stage.ask(connection(who, self.clients[who].connection), request);
        self.clients[who].asked.insert(asker, now);
    }

    fn hear(&mut self, _: Instant) {
        for (asker, text, outcome) in std::mem::take(&mut self.stage.said) {
            let who = usize::try_from(asker.connection.node.0).expect("small");
            let client = &mut self.clients[who];
            // A broken connection carries no answer.
            let Some(asked) = client.asked.remove(&asker) else { continue };
            match outcome {
                Some(Outcome::Granted { token, .. } | Outcome::Renewed { token, .. }) => {
                    if client.released != Some(token) {
                        let until = asked.after(TTL);
                        let until = client.holds.map_or(until, |(_, before)| before.max(until));
                        client.holds = Some((token, until));
                    }
                }
                Some(Outcome::NotHeld { .. }) => client.holds = None,
                Some(_) | None => assert!(!text.is_empty()),
            }
        }
    }

    fn check(&mut self, path: &[Move]) {
        let now = self.stage.now.instant;
        let believe =
            self.clients.iter().filter(|client| client.holds.is_some_and(|(_, until)| until > now));
        assert!(believe.count() < 2, "both rely on the lock after {path:?}");
        if let Some(lease) = self.stage.nodes[0].lease("k") {
            assert!(lease.token >= self.greatest, "the token shrank after {path:?}");
            self.greatest = lease.token;
        }
        let [one, other] = [&self.stage.nodes[0], &self.stage.nodes[1]];
        assert_eq!(one.leases, other.leases, "after {path:?}");
        assert_eq!(one.queues, other.queues, "after {path:?}");
    }
}

/// How many schedules were looked at.
fn explore(world: &World, path: &mut Vec<Move>, depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    let mut count = 1;
    for step in MOVES {
        let mut next = world.clone();
        if !next.make(step) {
            continue;
        }
        path.push(step);
        next.check(path);
        count += explore(&next, path, depth - 1);
        path.pop();
    }
    count
}

#[test]
fn from_nothing() {
    let count = explore(&World::new(), &mut Vec::new(), 5);
    assert!(count > 5_000, "{count}");
}

#[test]
fn from_a_held_lock_that_somebody_waits_for() {
    let mut world = World::new();
    let mut path = vec![Move::Acquire(0), Move::CommitOldest, Move::Acquire(1), Move::CommitOldest];
    for step in path.clone() {
        assert!(world.make(step));
    }
    let count = explore(&world, &mut path, 5);
    assert!(count > 5_000, "{count}");
}

#[test]
fn from_a_lease_that_is_about_to_end() {
    let mut world = World::new();
    let mut path = vec![
        Move::Acquire(0),
        Move::CommitOldest,
        Move::HalfTtl,
        Move::Acquire(1),
        Move::Renew(0),
        Move::HalfTtl,
    ];
    for step in path.clone() {
        assert!(world.make(step));
    }
    let count = explore(&world, &mut path, 5);
    assert!(count > 5_000, "{count}");
}
