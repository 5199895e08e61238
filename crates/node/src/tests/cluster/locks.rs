//! Locks under random faults: nodes die and come back, links are cut and healed, while three clients want one lock.
//!
//! What is checked is what clients may rely on: a client that was told of a grant, or of a renewal, relies on it for the ttl,
//! counted from when it asked. Two never do so at once; and whoever asks after a grant was told gets a greater token.

use super::{Cluster, ordered};
use crate::{Reply, Request};
use base::{Duration, Instant, NodeId, RequestId, Rng};
use lock::{Outcome, Token};

const TTL: Duration = Duration::from_secs(2);
const STEPS: usize = 80;

#[derive(Default)]
struct Client {
    /// The request without an answer: where and when it was asked, and the greatest token that anybody had been told by then.
    asked: Option<(RequestId, NodeId, Instant, Token)>,
    holds: Option<(Token, Instant)>,
}

struct Run {
    cluster: Cluster,
    rng: Rng,
    clients: [Client; 3],
    greatest_told: Token,
    /// Every token, and whose it is.
    owners: std::collections::BTreeMap<Token, usize>,
    grants: usize,
}

impl Run {
    fn new(seed: u8) -> Self {
        let mut cluster = Cluster::new(3, false);
        cluster.wait(Duration::from_secs(5));
        Self {
            cluster,
            rng: Rng::from_seed([seed; 32]),
            clients: Default::default(),
            greatest_told: Token(0),
            owners: Default::default(),
            grants: 0,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.rng.next_u64() % end
    }

    fn step(&mut self) {
        match self.below(10) {
            0 => self.kill_or_start(),
            1 => {
                let (one, by) = (self.below(3), 1 + self.below(2));
                let (a, b) = (NodeId(1 + one), NodeId(1 + (one + by) % 3));
                self.cluster.cut.insert(ordered(a, b));
                self.cluster.unlink(a, b);
            }
            2 | 3 => self.heal(),
            _ => {
                for who in 0..self.clients.len() {
                    self.act(who);
                }
            }
        }
        let millis = 1 + self.below(900);
        for _ in 0..3 {
            self.cluster.wait(Duration::from_millis(millis / 3));
            self.hear();
        }
    }

    /// At most one node is down at a time.
    fn kill_or_start(&mut self) {
        let down = (1..=3).map(NodeId).find(|id| !self.cluster.nodes.contains_key(id));
        let id = match down {
            Some(id) => return self.cluster.start(id),
            None => NodeId(1 + self.below(3)),
        };
        self.cluster.kill(id);
        for client in &mut self.clients {
            client.asked = client.asked.filter(|(_, node, ..)| *node != id);
        }
    }

    fn heal(&mut self) {
        let cut = std::mem::take(&mut self.cluster.cut);
        for (a, b) in cut {
            if self.cluster.nodes.contains_key(&a) && self.cluster.nodes.contains_key(&b) {
                self.cluster.link(a, b);
            }
        }
    }

    fn act(&mut self, who: usize) {
        let now = self.cluster.now.instant;
        let client = &mut self.clients[who];
        client.holds = client.holds.filter(|(_, until)| *until > now);
        if client.asked.is_some() {
            return;
        }
        let holds = client.holds;
        let request = match (holds, self.below(3)) {
            (Some((token, _)), 0) => {
                self.clients[who].holds = None;
                lock::Request::Release { key: "job".into(), token: Some(token) }
            }
            (Some((token, _)), _) => lock::Request::Renew { key: "job".into(), token, ttl: None },
            (None, chance) => lock::Request::Acquire {
                key: "job".into(),
                owner: format!("client {who}").into(),
                ttl: TTL,
                wait: Duration::from_millis(700 * chance),
            },
        };
        let alive: Vec<NodeId> = self.cluster.nodes.keys().copied().collect();
        let chosen = self.below(alive.len() as u64);
        let node = alive[usize::try_from(chosen).expect("small")];
        let id = RequestId(self.cluster.asked + 1);
        self.clients[who].asked = Some((id, node, now, self.greatest_told));
        self.cluster.ask(node, Request::Lock(request));
        self.hear();
    }

    fn hear(&mut self) {
        for (id, reply) in std::mem::take(&mut self.cluster.replies) {
            let mine = |client: &Client| client.asked.is_some_and(|(asked, ..)| asked == id);
            let Some(who) = self.clients.iter().position(mine) else { continue };
            let (_, _, asked, told) = self.clients[who].asked.take().expect("just found");
            match reply {
                Reply::Lock(lock::Reply::Outcome(Outcome::Granted { token, .. })) => {
                    let owner = *self.owners.entry(token).or_insert(who);
                    assert_eq!(owner, who, "{token} was granted to two");
                    let again = self.owners.get(&told) == Some(&who) && token == told;
                    assert!(token > told || again, "{token} after {told} was told");
                    self.greatest_told = self.greatest_told.max(token);
                    self.clients[who].holds = Some((token, asked.after(TTL)));
                    self.grants += 1;
                }
                Reply::Lock(lock::Reply::Outcome(Outcome::Renewed { token, .. })) => {
                    self.clients[who].holds = Some((token, asked.after(TTL)));
                }
                Reply::Lock(lock::Reply::Outcome(Outcome::NotHeld { .. })) => {
                    self.clients[who].holds = None;
                }
                Reply::Lock(_) | Reply::Unavailable(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let now = self.cluster.now.instant;
        let rely = self.clients.iter().filter(|c| c.holds.is_some_and(|(_, until)| until > now));
        assert!(rely.count() < 2, "two rely on the lock at {now}");
    }

    /// When nothing goes wrong any more, everybody who wants the lock gets it.
    fn end(mut self) -> usize {
        if let Some(id) = (1..=3).map(NodeId).find(|id| !self.cluster.nodes.contains_key(id)) {
            self.cluster.start(id);
        }
        self.heal();
        self.cluster.wait(Duration::from_secs(15));
        self.hear();
        for who in 0..self.clients.len() {
            self.clients[who] = Client::default();
            let owner = format!("late {who}").into();
            let (ttl, wait) = (TTL, Duration::from_secs(60));
            let request = lock::Request::Acquire { key: "job".into(), owner, ttl, wait };
            self.cluster.ask(NodeId(1 + who as u64), Request::Lock(request));
        }
        self.cluster.wait(Duration::from_secs(10));
        let granted = |(_, reply): &(RequestId, Reply)| {
            matches!(reply, Reply::Lock(lock::Reply::Outcome(Outcome::Granted { .. })))
        };
        assert_eq!(self.cluster.replies.iter().filter(|reply| granted(reply)).count(), 3);
        self.grants
    }
}

#[test]
fn two_clients_never_rely_on_one_lock_whatever_dies() {
    let mut grants = 0;
    for seed in 0..12 {
        let mut run = Run::new(seed);
        for _ in 0..STEPS {
            run.step();
        }
        grants += run.end();
    }
    assert!(grants > 60, "only {grants} grants: nothing was tried");
}
