//! A client of the registry over HTTP v1, as SDKs before 2.0: its instances live by the beats it sends.

use crate::{
    line::{CALL_TIMEOUT, Heard, Send},
    naming_client::seen,
    note::{End, Note, Offer},
    persistent::Wish,
    servers::Servers,
    udp_subscriber::UDP_PORT,
};
use base::{Duration, Instant, Rng};
use bytes::Bytes;
use http::Method;
use nacos::CallId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

const BEAT_INTERVAL: Duration = Duration::from_secs(5);
const RECONNECT_DELAY: Duration = Duration::from_millis(200);
/// How often a settled client asks for every list.
const SETTLED_INTERVAL: Duration = Duration::from_secs(5);
/// The code of a beat that was taken.
const BEAT_TAKEN: u16 = 10_200;

/// How busy the client is, and with what.
#[derive(Clone, Debug)]
pub struct BeatHabits {
    /// The services in each of which it may have one instance that lives by beats.
    pub services: Vec<String>,
    /// Those in each of which it may have a persistent one.
    pub persistent: Vec<String>,
    /// Mean time between two things it does.
    pub pause: Duration,
}

#[derive(Debug)]
pub(crate) enum Op {
    Register(Offer),
    Beat(Offer),
    Deregister(Offer),
    List {
        service: String,
        asked: Instant,
    },
    /// A persistent instance is to be listed, or no longer.
    Wish {
        offer: Offer,
        listed: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down { retry: Instant },
    Connecting { since: Instant },
    Up,
    Ended,
}

#[derive(Debug)]
pub(crate) struct BeatClient {
    servers: Servers,
    pub(crate) ip: String,
    pub(crate) rng: Rng,
    pub(crate) habits: BeatHabits,
    state: State,
    calls: u64,
    in_flight: BTreeMap<CallId, (Instant, Op)>,
    next_port: u16,
    /// What it offers: whether the server has confirmed it, and when its next beat is due.
    offers: BTreeMap<Offer, (bool, Instant)>,
    pub(crate) wishes: BTreeMap<Offer, Wish>,
    /// Newest version of each service, and when it came: datagrams and answers overtake each other.
    pub(crate) known: BTreeMap<String, (u64, Instant)>,
    act: Instant,
    settled: bool,
    pub(crate) sends: VecDeque<Send>,
    pub(crate) notes: VecDeque<Note>,
}

impl BeatClient {
    pub(crate) fn new(
        index: usize,
        now: Instant,
        rng: Rng,
        servers: Servers,
        habits: BeatHabits,
    ) -> Self {
        Self {
            servers,
            ip: format!("10.0.{index}.1"),
            rng,
            habits,
            state: State::Down { retry: now },
            calls: 0,
            in_flight: BTreeMap::new(),
            next_port: 8000,
            offers: BTreeMap::new(),
            wishes: BTreeMap::new(),
            known: BTreeMap::new(),
            act: now,
            settled: false,
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
        match self.state {
            State::Ended => None,
            State::Down { retry } => Some(retry),
            State::Connecting { since } => Some(since.after(CALL_TIMEOUT)),
            State::Up => {
                let beats = self.offers.values().map(|(_, due)| *due);
                let calls = self.in_flight.values().map(|(due, _)| *due);
                beats.chain(calls).chain(self.wishes_due()).chain([self.act]).min()
            }
        }
    }

    pub(crate) fn settle(&mut self, now: Instant) {
        self.settled = true;
        self.act = now;
    }

    /// An owner over HTTP is never seen to hang up: its beats stop.
    pub(crate) fn die(&mut self, silent: bool) {
        for offer in std::mem::take(&mut self.offers).into_keys() {
            self.notes.push_back(Note::Leaving(offer.clone()));
            self.notes.push_back(Note::Left(offer, End::Beatless));
        }
        if !silent && self.state != State::Ended {
            self.sends.push_back(Send::Hangup);
        }
        self.state = State::Ended;
    }

    pub(crate) fn unsettled(&self) -> Option<String> {
        let waits = self.offers.iter().find(|(_, (confirmed, _))| !confirmed);
        let waits = waits.map(|(offer, _)| offer).or_else(|| self.unanswered_wish());
        waits.map(|offer| format!("{offer:?} is not confirmed; {:?}", self.state))
    }

    /// What the server has confirmed to it.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &Offer> {
        let confirmed = self.offers.iter().filter(|(_, (confirmed, _))| *confirmed);
        confirmed.map(|(offer, _)| offer).chain(self.wishes_granted())
    }

    pub(crate) fn wake(&mut self, now: Instant) {
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
                if self.in_flight.values().any(|(due, _)| *due <= now) {
                    self.sends.push_back(Send::Hangup);
                    return self.lose(now);
                }
                let due: Vec<Offer> = self
                    .offers
                    .iter()
                    .filter(|(_, (_, due))| *due <= now)
                    .map(|(offer, _)| offer.clone())
                    .collect();
                for offer in due {
                    self.beat(now, offer);
                }
                self.ask_wishes(now);
                if self.act <= now {
                    self.act(now);
                }
            }
        }
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
        let jitter = self.rng.below(RECONNECT_DELAY.as_nanos() as u64);
        self.state =
            State::Down { retry: now.after(RECONNECT_DELAY + Duration::from_nanos(jitter)) };
        for (_, op) in std::mem::take(&mut self.in_flight).into_values() {
            self.failed(now, op);
        }
    }

    /// The outcome is unknown, or the server said no.
    fn failed(&mut self, now: Instant, op: Op) {
        match op {
            Op::Deregister(offer) => self.notes.push_back(Note::Left(offer, End::Beatless)),
            Op::Wish { offer, listed } => self.wish_answered(now, offer, listed, false),
            Op::Register(_) | Op::Beat(_) | Op::List { .. } => {}
        }
    }

    fn act(&mut self, now: Instant) {
        if self.settled {
            for service in self.lists() {
                self.list(now, service);
            }
            self.act = now.after(SETTLED_INTERVAL);
            return;
        }
        let pause = self.habits.pause.as_nanos() as u64;
        self.act = now.after(Duration::from_nanos(1 + self.rng.below(2 * pause)));
        let all = self.lists();
        let service = all[self.rng.below(all.len() as u64) as usize].clone();
        if self.habits.persistent.contains(&service) {
            return match self.rng.below(3) {
                0 => self.wish(now),
                _ => self.list(now, service),
            };
        }
        let own = self.offers.keys().find(|offer| offer.service == service).cloned();
        match (self.rng.below(10), own) {
            (0..=3, None) => self.register(now, service),
            (0..=1, Some(offer)) if self.offers[&offer].0 => self.deregister(now, offer),
            _ => self.list(now, service),
        }
    }

    /// All services that it uses.
    fn lists(&self) -> Vec<String> {
        self.habits.services.iter().chain(&self.habits.persistent).cloned().collect()
    }

    fn register(&mut self, now: Instant, service: String) {
        self.next_port += 1;
        let address = format!("{}:{}", self.ip, self.next_port);
        let offer = Offer { service, address };
        self.offers.insert(offer.clone(), (false, now.after(BEAT_INTERVAL)));
        self.ask_register(now, offer);
    }

    fn ask_register(&mut self, now: Instant, offer: Offer) {
        self.notes.push_back(Note::Registering(offer.clone()));
        let query = format!("{}&ephemeral=true", self.named(&offer));
        self.ask(now, Method::POST, "/nacos/v1/ns/instance", &query, Op::Register(offer));
    }

    fn deregister(&mut self, now: Instant, offer: Offer) {
        self.offers.remove(&offer);
        self.notes.push_back(Note::Leaving(offer.clone()));
        let query = format!("{}&ephemeral=true", self.named(&offer));
        self.ask(now, Method::DELETE, "/nacos/v1/ns/instance", &query, Op::Deregister(offer));
    }

    /// A full beat also registers what the server has forgotten.
    fn beat(&mut self, now: Instant, offer: Offer) {
        self.offers.get_mut(&offer).expect("only what is offered beats").1 =
            now.after(BEAT_INTERVAL);
        self.notes.push_back(Note::Registering(offer.clone()));
        let beat = json!({
            "cluster": "DEFAULT", "ip": self.ip, "port": port(&offer), "metadata": {},
            "scheduled": false, "serviceName": format!("DEFAULT_GROUP@@{}", offer.service),
            "weight": 1,
        });
        let escaped: String = beat.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        let query = format!("{}&beat={escaped}", self.named(&offer));
        self.ask(now, Method::PUT, "/nacos/v1/ns/instance/beat", &query, Op::Beat(offer));
    }

    fn list(&mut self, now: Instant, service: String) {
        let query = format!(
            "serviceName=DEFAULT_GROUP@@{service}&healthyOnly=false&udpPort={UDP_PORT}&clientIP={}",
            self.ip
        );
        let op = Op::List { service, asked: now };
        self.ask(now, Method::GET, "/nacos/v1/ns/instance/list", &query, op);
    }

    pub(crate) fn named(&self, offer: &Offer) -> String {
        let (ip, port, service) = (&self.ip, port(offer), &offer.service);
        format!("serviceName=DEFAULT_GROUP@@{service}&ip={ip}&port={port}")
    }

    pub(crate) fn ask(&mut self, now: Instant, method: Method, path: &str, query: &str, op: Op) {
        self.calls += 1;
        let call = CallId(self.calls);
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{path}?{query}"))
            .header("user-agent", "Nacos-Java-Client:v1.4.8")
            .body(Bytes::new())
            .expect("path and query are plain");
        self.in_flight.insert(call, (now.after(CALL_TIMEOUT), op));
        self.sends.push_back(Send::Http { call, request });
    }

    fn reply(&mut self, now: Instant, call: CallId, response: &http::Response<Bytes>) {
        let Some((_, op)) = self.in_flight.remove(&call) else { return };
        if !response.status().is_success() {
            return self.failed(now, op);
        }
        let body: Value = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        match op {
            Op::Register(offer) => self.confirmed(offer),
            Op::Beat(offer) if body["code"] == BEAT_TAKEN => self.confirmed(offer),
            Op::Beat(offer) => {
                if self.offers.contains_key(&offer) {
                    self.ask_register(now, offer);
                }
            }
            Op::Deregister(offer) => self.notes.push_back(Note::Left(offer, End::Deregistered)),
            Op::Wish { offer, listed } => self.wish_answered(now, offer, listed, true),
            Op::List { service, asked } => {
                let mut seen = seen(&body).expect("a list has hosts and a version");
                assert_eq!(seen.service, format!("DEFAULT_GROUP@@{service}"), "another service");
                seen.service = service;
                let (version, at) = self.known.get(&seen.service).copied().unwrap_or_default();
                if seen.version >= version || at < asked {
                    self.known.insert(seen.service.clone(), (seen.version.max(version), now));
                    self.notes.push_back(Note::Listed(asked, seen));
                }
            }
        }
    }

    fn confirmed(&mut self, offer: Offer) {
        if let Some((confirmed, _)) = self.offers.get_mut(&offer) {
            *confirmed = true;
            self.notes.push_back(Note::Registered(offer));
        }
    }
}

fn port(offer: &Offer) -> u16 {
    let port = offer.address.rsplit(':').next().and_then(|port| port.parse().ok());
    port.expect("made by `register`")
}
