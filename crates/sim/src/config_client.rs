//! A client of the config center over gRPC: writes, reads, and keeps a copy of each key current by listening.

use crate::{
    line::{Heard, Line, News, Send},
    note::{Ask, Note, Outcome},
    payload::{json, kind, text},
    servers::Servers,
};
use base::{Duration, Instant, Rng};
use md5::{Digest, Md5};
use nacos::{CallId, Payload};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How often a settled client reads every key.
const SETTLED_INTERVAL: Duration = Duration::from_secs(15);
const GROUP: &str = "DEFAULT_GROUP";

/// How busy the client is, and with what.
#[derive(Clone, Debug)]
pub struct ConfigHabits {
    /// The keys it uses.
    pub keys: Vec<String>,
    /// Mean time between two things it does.
    pub pause: Duration,
    /// Of what it publishes, in bytes, at most.
    pub content_bytes_max: u64,
    /// After this many writes and reads it only listens.
    pub asks_max: u64,
    /// Whether it only publishes, one after the other.
    pub only_publishes: bool,
}

#[derive(Debug)]
enum Op {
    /// With its number in the notes.
    Asked { number: u64, key: String, ask: Ask },
    /// With its number in the notes.
    Listen { number: u64 },
}

#[derive(Debug)]
pub(crate) struct ConfigClient {
    index: usize,
    rng: Rng,
    line: Line,
    habits: ConfigHabits,
    asks: u64,
    listens: u64,
    /// Writes and reads of its own accord so far; what listening causes does not count.
    acts: u64,
    in_flight: BTreeMap<CallId, Op>,
    /// Md5 of the copy of each key; empty if it knows that there is none.
    held: BTreeMap<String, String>,
    /// Keys to be read because they changed.
    outdated: BTreeSet<String>,
    act: Option<Instant>,
    settled: bool,
    notes: VecDeque<Note>,
}

impl ConfigClient {
    pub(crate) fn new(
        index: usize,
        now: Instant,
        mut rng: Rng,
        servers: Servers,
        habits: ConfigHabits,
    ) -> Self {
        Self {
            index,
            line: Line::new(format!("config{index}"), now, rng.fork(), servers),
            rng,
            habits,
            asks: 0,
            listens: 0,
            acts: 0,
            in_flight: BTreeMap::new(),
            held: BTreeMap::new(),
            outdated: BTreeSet::new(),
            act: None,
            settled: false,
            notes: VecDeque::new(),
        }
    }

    pub(crate) fn next_send(&mut self) -> Option<Send> {
        self.line.next_send()
    }

    pub(crate) fn next_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let act = self.act.filter(|_| self.line.is_up() && !self.is_busy());
        [self.line.deadline(), act].into_iter().flatten().min()
    }

    pub(crate) fn hear(&mut self, now: Instant, heard: Heard) {
        self.line.hear(now, heard);
        self.follow(now);
    }

    pub(crate) fn wake(&mut self, now: Instant) {
        self.line.wake(now);
        if self.line.is_up() && !self.is_busy() && self.act.is_some_and(|at| at <= now) {
            self.act(now);
        }
        self.follow(now);
    }

    /// Writes nothing from now on; only reads.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.settled = true;
        self.act = Some(now);
    }

    pub(crate) fn die(&mut self, silent: bool) {
        self.line.end(silent);
        self.forget_calls();
        self.notes.push_back(Note::Deaf);
        self.act = None;
    }

    pub(crate) fn unsettled(&self) -> Option<String> {
        if !self.line.is_up() {
            return Some(format!("config{}: {}", self.index, self.line.status()));
        }
        (!self.outdated.is_empty())
            .then(|| format!("config{} waits to read {:?}", self.index, self.outdated))
    }

    /// Whether it has done all that it meant to do.
    pub(crate) fn finished(&self) -> bool {
        self.acts >= self.habits.asks_max && !self.is_busy()
    }

    /// Md5 of its copy of each key.
    pub(crate) fn held(&self) -> &BTreeMap<String, String> {
        &self.held
    }

    fn is_busy(&self) -> bool {
        self.in_flight.values().any(|op| matches!(op, Op::Asked { .. }))
    }

    fn act(&mut self, now: Instant) {
        let pause = self.habits.pause.as_nanos() as u64;
        self.act = Some(now.after(Duration::from_nanos(1 + self.rng.below(2 * pause))));
        if let Some(key) = self.outdated.pop_first() {
            return self.ask(now, key, Ask::Query);
        }
        if self.settled {
            for key in self.habits.keys.clone() {
                self.ask(now, key, Ask::Query);
            }
            self.act = Some(now.after(SETTLED_INTERVAL));
            return;
        }
        if self.acts >= self.habits.asks_max {
            self.act = None;
            return;
        }
        self.acts += 1;
        let key = self.habits.keys[self.rng.below(self.habits.keys.len() as u64) as usize].clone();
        let die = if self.habits.only_publishes { 0 } else { self.rng.below(20) };
        let ask = match die {
            0..=8 => Ask::Publish { content: self.content(), cas: None },
            9..=12 => {
                let held = self.held.get(&key).filter(|md5| !md5.is_empty()).cloned();
                let stale = self.rng.below(4) == 0;
                let cas = held.map(|md5| if stale { md5_of("never published") } else { md5 });
                Ask::Publish { content: self.content(), cas }
            }
            13 => Ask::Remove,
            _ => Ask::Query,
        };
        self.ask(now, key, ask);
    }

    /// Unique in the run, so that a read names the write that it saw.
    fn content(&mut self) -> String {
        let mut content = format!("c{}-{} ", self.index, self.asks + 1);
        let bytes = self.rng.below(self.habits.content_bytes_max.max(1)) as usize;
        content.extend(std::iter::repeat_n('.', bytes));
        content
    }

    fn ask(&mut self, now: Instant, key: String, ask: Ask) {
        self.asks += 1;
        let number = self.asks;
        let mut body = json!({ "dataId": key, "group": GROUP, "tenant": "" });
        let kind = match &ask {
            Ask::Publish { content, cas } => {
                body["content"] = content.as_str().into();
                if let Some(md5) = cas {
                    body["casMd5"] = md5.as_str().into();
                }
                "ConfigPublishRequest"
            }
            Ask::Remove => "ConfigRemoveRequest",
            Ask::Query => "ConfigQueryRequest",
        };
        self.notes.push_back(Note::Asked { number, key: key.clone(), ask: ask.clone() });
        let call = self.line.ask(now, kind, body);
        self.in_flight.insert(call, Op::Asked { number, key, ask });
    }

    /// Listens to these keys with the md5 of the copies.
    fn listen(&mut self, now: Instant, keys: &[String]) {
        let md5_of = |key: &String| self.held.get(key).cloned().unwrap_or_default();
        let held: Vec<_> = keys.iter().map(|key| (key.clone(), md5_of(key))).collect();
        let context = |(key, md5): &(String, String)| json!({ "dataId": key, "group": GROUP, "tenant": "", "md5": md5 });
        let contexts: Vec<Value> = held.iter().map(context).collect();
        self.listens += 1;
        let number = self.listens;
        self.notes.push_back(Note::Listening { number, held });
        let body = json!({ "listen": true, "configListenContexts": contexts });
        let call = self.line.ask(now, "ConfigBatchListenRequest", body);
        self.in_flight.insert(call, Op::Listen { number });
    }

    fn follow(&mut self, now: Instant) {
        while let Some(news) = self.line.next_news() {
            match news {
                News::Up => {
                    let keys = self.habits.keys.clone();
                    if !self.habits.only_publishes {
                        self.listen(now, &keys);
                    }
                    self.act.get_or_insert(now);
                }
                News::Lost => {
                    self.forget_calls();
                    self.notes.push_back(Note::Deaf);
                }
                News::Reply { call, payload } => self.reply(now, call, &payload),
                News::Pushed(payload) => {
                    if kind(&payload) == "ConfigChangeNotifyRequest" {
                        let key = text(&json(&payload), "dataId").to_owned();
                        self.outdate(now, &key);
                        self.notes.push_back(Note::Told { key });
                    }
                }
            }
        }
    }

    fn forget_calls(&mut self) {
        for op in std::mem::take(&mut self.in_flight).into_values() {
            match op {
                Op::Asked { number, .. } => {
                    self.notes.push_back(Note::Answered { number, outcome: Outcome::Unknown });
                }
                Op::Listen { .. } => {}
            }
        }
    }

    fn outdate(&mut self, now: Instant, key: &str) {
        self.outdated.insert(key.to_owned());
        self.act = Some(now);
    }

    fn reply(&mut self, now: Instant, call: CallId, payload: &Payload) {
        let Some(op) = self.in_flight.remove(&call) else { return };
        let body = json(payload);
        match op {
            Op::Listen { number } => {
                if body["success"] != true {
                    if self.line.is_up() {
                        let keys = self.habits.keys.clone();
                        self.listen(now, &keys);
                    }
                    return;
                }
                let changed = body["changedConfigs"].as_array().into_iter().flatten();
                let changed: Vec<String> =
                    changed.map(|changed| text(changed, "dataId").to_owned()).collect();
                for key in &changed {
                    self.outdate(now, key);
                }
                let stale = is_stale(payload);
                self.notes.push_back(Note::Listened { number, changed, stale });
            }
            Op::Asked { number, key, ask } => {
                let outcome = outcome(&ask, &body, is_stale(payload));
                if let Outcome::Found(content) | Outcome::FoundStale(content) = &outcome {
                    let md5 = content.as_deref().map(md5_of).unwrap_or_default();
                    if md5 != text(&body, "md5") {
                        self.notes
                            .push_back(Note::Broken(format!("{key}: md5 of another content")));
                    }
                    self.held.insert(key.clone(), md5);
                    if !self.habits.only_publishes {
                        self.listen(now, &[key]);
                    }
                } else if ask == Ask::Query {
                    self.outdate(now, &key);
                }
                self.notes.push_back(Note::Answered { number, outcome });
            }
        }
    }
}

/// Whether an answer says that it is worth less than was asked for.
fn is_stale(payload: &Payload) -> bool {
    let headers = payload.metadata.as_ref().map(|metadata| &metadata.headers);
    headers
        .and_then(|headers| headers.get("x-trine-consistency"))
        .is_some_and(|level| level == "stale")
}

/// What an answer says of the request. Only words that promise "nothing changed" are taken as a refusal.
fn outcome(ask: &Ask, body: &Value, stale: bool) -> Outcome {
    let found =
        |content| if stale { Outcome::FoundStale(content) } else { Outcome::Found(content) };
    let message = text(body, "message");
    if body["success"] == true {
        return match ask {
            Ask::Query => found(Some(text(body, "content").to_owned())),
            Ask::Publish { .. } | Ask::Remove => Outcome::Done,
        };
    }
    let absent = *ask == Ask::Query && body["errorCode"] == 300 && message.contains("not exist");
    if absent {
        found(None)
    } else if message.starts_with("Cas publish fail") {
        Outcome::Conflict
    } else if ["nothing was", "starting", "unregistered", "Unknown", "not found", "Not Found"]
        .iter()
        .any(|words| message.contains(words))
    {
        Outcome::Refused(message.to_owned())
    } else {
        Outcome::Unknown
    }
}

pub(crate) fn md5_of(content: &str) -> String {
    Md5::digest(content.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
