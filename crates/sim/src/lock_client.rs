//! A client of locks over our own API: it acquires, renews, writes under its token to a register that remembers the greatest one,
//! releases, or forgets to, as a process does that hangs.

use crate::{
    line::{CALL_TIMEOUT, Heard, Send},
    note::{Held, Note},
    servers::Servers,
};
use base::{Duration, Instant, Rng};
use bytes::Bytes;
use http::{Method, StatusCode};
use nacos::CallId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

const RECONNECT_DELAY: Duration = Duration::from_millis(300);
/// How long it waits in the queue: the answer must come before the call counts as lost.
const WAIT: Duration = Duration::from_millis(1_500);
/// How often a holder writes.
const WRITE_INTERVAL: Duration = Duration::from_millis(400);

/// How busy the client is, and with what.
#[derive(Clone, Debug)]
pub struct LockHabits {
    /// The locks it uses, one at a time.
    pub keys: Vec<String>,
    /// Mean time between two things it does.
    pub pause: Duration,
    /// How long a lease lives.
    pub ttl: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Acquire,
    Renew,
    Release,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down { retry: Instant },
    Connecting { since: Instant },
    Up,
    Ended,
}

/// A grant that it has.
#[derive(Clone, Copy, Debug)]
struct Grant {
    token: u64,
    /// It counts on it no longer than this.
    until: Instant,
    /// When it writes next.
    write: Instant,
    /// When it renews next; `None`: it hangs, and goes on writing.
    renew: Option<Instant>,
    /// When it has done what it wanted it for.
    done: Instant,
}

#[derive(Debug)]
pub(crate) struct LockClient {
    index: usize,
    servers: Servers,
    rng: Rng,
    habits: LockHabits,
    state: State,
    calls: u64,
    in_flight: BTreeMap<CallId, (Instant, Instant, Op)>,
    /// The lock that it is busy with.
    key: String,
    held: Option<Grant>,
    /// How often it has released: a release that comes late must not end what the same owner was granted since.
    released: u64,
    act: Instant,
    settled: bool,
    /// Since it settled it has not had the lock yet.
    waits: bool,
    sends: VecDeque<Send>,
    notes: VecDeque<Note>,
}

impl LockClient {
    pub(crate) fn new(
        index: usize,
        now: Instant,
        rng: Rng,
        servers: Servers,
        habits: LockHabits,
    ) -> Self {
        let key = habits.keys[0].clone();
        Self {
            index,
            servers,
            rng,
            habits,
            state: State::Down { retry: now },
            calls: 0,
            in_flight: BTreeMap::new(),
            key,
            held: None,
            released: 0,
            act: now,
            settled: false,
            waits: false,
            sends: VecDeque::new(),
            notes: VecDeque::new(),
        }
    }

    pub(crate) fn next_send(&mut self) -> Option<Send> {
        self.sends.pop_front()
    }

    pub(crate) fn next_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let own = match self.state {
            State::Ended => return None,
            State::Down { retry } => retry,
            State::Connecting { since } => since.after(CALL_TIMEOUT),
            State::Up => {
                let calls = self.in_flight.values().map(|(due, _, _)| *due);
                let idle = (self.held.is_none() && self.in_flight.is_empty()).then_some(self.act);
                match calls.chain(idle).min() {
                    Some(at) => at,
                    None => return self.held.map(|grant| self.next_of(&grant)),
                }
            }
        };
        Some(self.held.map_or(own, |grant| own.min(self.next_of(&grant))))
    }

    fn next_of(&self, grant: &Grant) -> Instant {
        let renew = grant.renew.filter(|_| self.state == State::Up);
        [Some(grant.write), renew, Some(grant.done)].into_iter().flatten().min().expect("a write")
    }

    /// From now on it wants the lock once more, to see whether it gets it.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.settled = true;
        self.waits = true;
        self.act = now;
    }

    pub(crate) fn die(&mut self, silent: bool) {
        if !silent && self.state != State::Ended {
            self.sends.push_back(Send::Hangup);
        }
        self.state = State::Ended;
    }

    pub(crate) fn unsettled(&self) -> Option<String> {
        self.waits.then(|| format!("lock{} waits for {}; {:?}", self.index, self.key, self.state))
    }

    pub(crate) fn wake(&mut self, now: Instant) {
        self.use_lock(now);
        match self.state {
            State::Ended => {}
            State::Down { retry } => {
                if retry <= now {
                    self.state = State::Connecting { since: now };
                    let machine = self.servers.current();
                    self.sends.push_back(Send::Connect { machine });
                }
            }
            State::Connecting { since } => {
                if since.after(CALL_TIMEOUT) <= now {
                    self.sends.push_back(Send::Hangup);
                    self.lose(now);
                }
            }
            State::Up => {
                if self.in_flight.values().any(|(due, _, _)| *due <= now) {
                    self.sends.push_back(Send::Hangup);
                    return self.lose(now);
                }
                let renews = self.held.and_then(|grant| grant.renew);
                if renews.is_some_and(|due| due <= now) {
                    self.renew(now);
                } else if self.held.is_none() && self.in_flight.is_empty() && self.act <= now {
                    self.acquire(now);
                }
            }
        }
    }

    /// Writes under the lock, and ends with it.
    fn use_lock(&mut self, now: Instant) {
        let Some(grant) = &mut self.held else { return };
        if grant.write <= now {
            grant.write = now.after(WRITE_INTERVAL);
            self.notes.push_back(Note::Fenced { key: self.key.clone(), token: grant.token });
        }
        if grant.done > now {
            return;
        }
        let (token, hangs) = (grant.token, grant.renew.is_none());
        self.held = None;
        let pause = self.habits.pause.as_nanos() as u64;
        self.act = now.after(Duration::from_nanos(1 + self.rng.below(2 * pause)));
        if !hangs && self.state == State::Up {
            self.note(Held::Releasing { token });
            self.released += 1;
            let path = format!("/v1/locks/{}?token={token}", self.key);
            self.ask(now, Method::DELETE, &path, None, Op::Release);
        }
    }

    fn acquire(&mut self, now: Instant) {
        let pause = self.habits.pause.as_nanos() as u64;
        self.act = now.after(Duration::from_nanos(1 + self.rng.below(2 * pause)));
        let key = self.rng.below(self.habits.keys.len() as u64) as usize;
        if !self.settled {
            self.key = self.habits.keys[key].clone();
        }
        let ttl_ms = self.habits.ttl.as_millis() as u64;
        let wait_ms =
            if self.settled || self.rng.below(2) == 0 { WAIT.as_millis() as u64 } else { 0 };
        let body = json!({ "owner": format!("lock{}-{}", self.index, self.released), "ttl_ms": ttl_ms, "wait_ms": wait_ms });
        self.note(Held::Asking);
        let path = format!("/v1/locks/{}", self.key);
        self.ask(now, Method::PUT, &path, Some(body), Op::Acquire);
    }

    fn renew(&mut self, now: Instant) {
        let Some(grant) = &mut self.held else { return };
        grant.renew = Some(now.after(self.habits.ttl / 3));
        let (body, path) = (json!({ "token": grant.token }), format!("/v1/locks/{}", self.key));
        self.ask(now, Method::POST, &path, Some(body), Op::Renew);
    }

    fn ask(&mut self, now: Instant, method: Method, path: &str, body: Option<Value>, op: Op) {
        self.calls += 1;
        let call = CallId(self.calls);
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json").body(body);
        let request = request.expect("the path is plain");
        self.in_flight.insert(call, (now.after(CALL_TIMEOUT), now, op));
        self.sends.push_back(Send::Http { call, request });
    }

    pub(crate) fn hear(&mut self, now: Instant, heard: Heard) {
        match (self.state, heard) {
            (State::Connecting { .. }, Heard::Connected) => self.state = State::Up,
            (State::Connecting { .. } | State::Up, Heard::Closed) => self.lose(now),
            (State::Up, Heard::Http { call, response }) => self.reply(now, call, &response),
            _ => {}
        }
    }

    fn lose(&mut self, now: Instant) {
        self.servers.next();
        self.in_flight.clear();
        let jitter = self.rng.below(RECONNECT_DELAY.as_nanos() as u64);
        self.state =
            State::Down { retry: now.after(RECONNECT_DELAY + Duration::from_nanos(jitter)) };
    }

    fn reply(&mut self, now: Instant, call: CallId, response: &http::Response<Bytes>) {
        let Some((_, asked, op)) = self.in_flight.remove(&call) else { return };
        let body: Value = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        let token = body["token"].as_u64();
        match (op, response.status(), token) {
            (Op::Acquire, StatusCode::OK, Some(token)) => self.granted(now, asked, token),
            (Op::Renew, StatusCode::OK, Some(token)) => {
                let until = asked.after(self.habits.ttl);
                if let Some(grant) = self.held.as_mut().filter(|grant| grant.token == token) {
                    grant.until = grant.until.max(until);
                    self.note(Held::Until { token, until });
                }
            }
            (Op::Renew, StatusCode::CONFLICT, _) => {
                if let Some(grant) = self.held.take() {
                    self.note(Held::Lost { token: grant.token });
                }
            }
            // Nobody knows: what is held is held no longer than was said before.
            (Op::Acquire | Op::Renew | Op::Release, _, _) => {}
        }
    }

    fn granted(&mut self, now: Instant, asked: Instant, token: u64) {
        let until = asked.after(self.habits.ttl);
        self.note(Held::Granted { token, until });
        self.waits = false;
        let uses = Duration::from_nanos(self.rng.below(2 * self.habits.ttl.as_nanos() as u64));
        // Some hang for longer than they hold it, and do not know.
        let hangs = !self.settled && self.rng.below(4) == 0;
        let done = if self.settled {
            now
        } else if hangs {
            until.after(self.habits.ttl)
        } else {
            now.after(uses)
        };
        let renew = (!hangs).then(|| asked.after(self.habits.ttl / 3));
        self.held = Some(Grant { token, until, write: now, renew, done });
    }

    fn note(&mut self, held: Held) {
        self.notes.push_back(Note::Lock { key: self.key.clone(), held });
    }
}
