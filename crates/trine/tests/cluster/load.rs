//! Clients of the config center that write and read on all nodes, and keep a history for the checkers of `sim`.

use crate::{
    http::{Answer, exchange},
    process::PATIENCE,
};
use base::Instant;
use sim::{Ask, Happening, Note, Outcome};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant as Real},
};

/// Keys that are written in turn: few, so that writes meet.
const KEYS: usize = 6;
/// A request is answered within 5 s; the rest is the way, and a busy machine.
const REFUSED_WITHIN: Duration = Duration::from_millis(5_500);

/// What was asked and answered, by one clock.
#[derive(Clone)]
pub struct History {
    began: Real,
    clients: Arc<AtomicUsize>,
    happened: Arc<Mutex<Vec<(Instant, Happening)>>>,
}

impl History {
    pub fn new() -> Self {
        Self { began: Real::now(), clients: Arc::default(), happened: Arc::default() }
    }

    fn note(&self, client: usize, note: Note) {
        let mut happened = self.happened.lock().expect("nobody panics with it");
        let at =
            Instant::from_nanos(u64::try_from(self.began.elapsed().as_nanos()).expect("short"));
        happened.push((at, Happening::Noted { client, machine: 0, note }));
    }

    /// Fails with what the checkers of the simulator find in it.
    pub fn judge(&self) {
        let happened = self.happened.lock().expect("nobody panics with it");
        let violations = sim::violations(&happened);
        assert!(violations.is_empty(), "{violations:#?}");
        let checked: usize = sim::check(&happened).iter().map(|found| found.checked).sum();
        assert!(checked > 100, "too little happened to show anything: {checked}");
    }
}

/// One client: what it asks is answered, or it does not know.
pub struct Client {
    id: usize,
    next: u64,
    history: History,
    /// Acknowledged writes, by the real clock.
    acknowledged: Vec<Real>,
    /// How long the slowest refusal took.
    refused_slowest: Duration,
    /// Since the last acknowledged write.
    attempts: u32,
    /// The most that one needed.
    attempts_max: u32,
}

impl Client {
    pub fn new(history: &History) -> Self {
        Self {
            id: history.clients.fetch_add(1, Ordering::Relaxed),
            next: 0,
            history: history.clone(),
            acknowledged: Vec::new(),
            refused_slowest: Duration::ZERO,
            attempts: 0,
            attempts_max: 0,
        }
    }

    fn ask(&mut self, key: usize, ask: Ask, exchange: impl FnOnce() -> Option<Answer>) -> Outcome {
        self.next += 1;
        let number = self.next;
        let kind = matches!(ask, Ask::Query);
        let note = Note::Asked { number, key: format!("k{key}"), ask };
        self.history.note(self.id, note);
        let began = Real::now();
        let answer = exchange();
        if answer.as_ref().is_some_and(|answer| answer.status >= 500) {
            self.refused_slowest = self.refused_slowest.max(began.elapsed());
        }
        let outcome = answer.map_or(Outcome::Unknown, |answer| match (kind, answer.status) {
            (false, 200) if answer.body == "true" => Outcome::Done,
            // Only a linearizable answer is one that the checker may judge.
            (true, 200 | 404) if answer.header("x-trine-consistency") != Some("linearizable") => {
                Outcome::Unknown
            }
            (true, 200) => Outcome::Found(Some(answer.body)),
            (true, 404) => Outcome::Found(None),
            (_, 500..) => Outcome::Unknown,
            (_, status) => panic!("an answer {status} that makes no sense: {}", answer.body),
        });
        self.history.note(self.id, Note::Answered { number, outcome: outcome.clone() });
        outcome
    }

    /// Publishes a content that nobody else publishes.
    pub fn publish(&mut self, to: SocketAddr, key: usize) -> Outcome {
        let content = format!("c{}-{}", self.id, self.next);
        let form = format!("dataId=k{key}&group=g&content={content}");
        let outcome = self.ask(key, Ask::Publish { content, cas: None }, || {
            exchange(to, "POST", "/nacos/v1/cs/configs", &form)
        });
        self.attempts += 1;
        self.attempts_max = self.attempts_max.max(self.attempts);
        if outcome == Outcome::Done {
            self.attempts = 0;
            self.acknowledged.push(Real::now());
        }
        outcome
    }

    /// Reads until the answer is one that counts: right after a cut healed it may be a stale one.
    fn read_surely(&mut self, from: SocketAddr, key: usize) -> Outcome {
        let began = Real::now();
        loop {
            let outcome = self.read(from, key);
            if outcome != Outcome::Unknown {
                return outcome;
            }
            assert!(began.elapsed() < PATIENCE, "{from} does not answer for k{key}");
        }
    }

    pub fn read(&mut self, from: SocketAddr, key: usize) -> Outcome {
        let target = format!("/nacos/v1/cs/configs?dataId=k{key}&group=g");
        self.ask(key, Ask::Query, || exchange(from, "GET", &target, ""))
    }
}

/// How it went.
pub struct Ended {
    /// The longest time in which no write of anybody was acknowledged.
    pub gap: Duration,
    /// The most attempts that a write needed, at one node after another.
    pub attempts_max: u32,
}

/// Clients that go on until they are stopped; each goes to the next node when one does not do what it asks.
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<(Mutex<usize>, Condvar)>,
    clients: Vec<JoinHandle<Client>>,
}

impl Load {
    pub fn start(history: &History, nodes: &[SocketAddr], clients: usize) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let client = |id: usize| {
            let (stop, nodes) = (stop.clone(), nodes.to_vec());
            let acknowledged: Arc<(Mutex<usize>, Condvar)> = Arc::clone(&acknowledged);
            let mut client = Client::new(history);
            std::thread::spawn(move || {
                let mut at = id % nodes.len();
                let mut turn = id;
                while !stop.load(Ordering::Relaxed) {
                    turn += 1;
                    let key = turn % KEYS;
                    match client.publish(nodes[at], key) {
                        Outcome::Done => {
                            *acknowledged.0.lock().expect("a count") += 1;
                            acknowledged.1.notify_all();
                        }
                        _ => at = (at + 1) % nodes.len(),
                    }
                    if turn.is_multiple_of(4) {
                        client.read(nodes[(at + turn) % nodes.len()], key);
                    }
                }
                client
            })
        };
        let clients = (0..clients).map(client).collect();
        Self { stop, acknowledged, clients }
    }

    /// Waits until so many more writes are acknowledged.
    pub fn wait_for(&self, more: usize) {
        let (count, changed) = &*self.acknowledged;
        let count = count.lock().expect("a count");
        let enough = *count + more;
        let (_count, late) =
            changed.wait_timeout_while(count, PATIENCE, |count| *count < enough).expect("a count");
        assert!(!late.timed_out(), "writes are not acknowledged");
    }

    /// Ends it.
    pub fn stop(self) -> Ended {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        let mut attempts_max = 0;
        for client in self.clients {
            let client = client.join().expect("a client does not panic");
            assert!(
                client.refused_slowest <= REFUSED_WITHIN,
                "a refusal took {:?}",
                client.refused_slowest
            );
            times.extend(client.acknowledged);
            attempts_max = attempts_max.max(client.attempts_max);
        }
        times.sort_unstable();
        let gap = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        Ended { gap, attempts_max }
    }
}

/// Reads every key on every node: what was acknowledged is there, and all say the same.
pub fn read_everything(history: &History, nodes: &[SocketAddr]) {
    let mut client = Client::new(history);
    for key in 0..KEYS {
        let found: Vec<Outcome> = nodes.iter().map(|node| client.read_surely(*node, key)).collect();
        assert!(found.iter().all(|other| *other == found[0]), "{found:?} of k{key}");
    }
}
