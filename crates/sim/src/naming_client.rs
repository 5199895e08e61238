//! A client of the registry over gRPC. After a lost connection it offers and subscribes again, as SDKs do.

use crate::{
    line::{Heard, Line, News, Send},
    note::{End, Note, Offer, Seen},
    payload::{json, kind, text},
    servers::Servers,
};
use base::{Duration, Instant, Rng};
use nacos::{CallId, Payload};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How often a settled client asks for every list.
const SETTLED_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug)]
enum Op {
    Register(Offer),
    Deregister(Offer),
    Subscribe { service: String, asked: Instant },
    List { service: String, asked: Instant },
}

/// How busy the client is, and with what.
#[derive(Clone, Debug)]
pub struct NamingHabits {
    /// The services it uses.
    pub services: Vec<String>,
    /// Services that it only looks at.
    pub watched: Vec<String>,
    /// Mean time between two things it does.
    pub pause: Duration,
    /// Whether it does only what it is told.
    pub quiet: bool,
}

#[derive(Debug)]
pub(crate) struct NamingClient {
    ip: String,
    rng: Rng,
    line: Line,
    habits: NamingHabits,
    next_port: u16,
    /// What it offers, at most one instance per service: a second registration would replace the first. And whether
    /// the server confirmed it on this connection.
    offers: BTreeMap<Offer, bool>,
    subscriptions: BTreeSet<String>,
    in_flight: BTreeMap<CallId, Op>,
    /// The newest list of each service that it subscribes to.
    known: BTreeMap<String, Seen>,
    act: Option<Instant>,
    settled: bool,
    notes: VecDeque<Note>,
}

impl NamingClient {
    pub(crate) fn new(
        index: usize,
        now: Instant,
        mut rng: Rng,
        servers: Servers,
        habits: NamingHabits,
    ) -> Self {
        let line = Line::new(format!("naming{index}"), now, rng.fork(), servers);
        Self {
            ip: format!("10.0.{index}.1"),
            rng,
            line,
            habits,
            next_port: 8000,
            offers: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            known: BTreeMap::new(),
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
        let act = self.act.filter(|_| self.line.is_up());
        [self.line.deadline(), act].into_iter().flatten().min()
    }

    pub(crate) fn hear(&mut self, now: Instant, heard: Heard) {
        self.line.hear(now, heard);
        self.follow(now);
    }

    pub(crate) fn wake(&mut self, now: Instant) {
        self.line.wake(now);
        if self.line.is_up() && self.act.is_some_and(|at| at <= now) {
            self.act(now);
        }
        self.follow(now);
    }

    /// Changes nothing from now on; only looks.
    pub(crate) fn settle(&mut self, now: Instant) {
        self.settled = true;
        self.act = Some(now);
    }

    pub(crate) fn die(&mut self, silent: bool) {
        let end = if silent { End::Silent } else { End::HungUp };
        for offer in std::mem::take(&mut self.offers).into_keys() {
            self.notes.push_back(Note::Leaving(offer.clone()));
            self.notes.push_back(Note::Left(offer, end));
        }
        self.line.end(silent);
        self.act = None;
    }

    /// Offers an instance of this service, if the line is up.
    pub(crate) fn register(&mut self, now: Instant, service: &str) {
        self.next_port += 1;
        let address = format!("{}:{}", self.ip, self.next_port);
        let offer = Offer { service: service.to_owned(), address };
        self.offers.insert(offer.clone(), false);
        if self.line.is_up() {
            self.ask_register(now, offer);
        }
    }

    /// Whether everything it wants is so; else what is missing.
    pub(crate) fn unsettled(&self) -> Option<String> {
        if let Some((offer, _)) = self.offers.iter().find(|(_, confirmed)| !**confirmed) {
            let (service, address) = (&offer.service, &offer.address);
            return Some(format!(
                "{} waits to register {address} in {service}; line {}",
                self.ip,
                self.line.status()
            ));
        }
        (!self.line.is_up())
            .then(|| format!("{} is not connected: {}", self.ip, self.line.status()))
    }

    /// The newest list of each service that it subscribes to.
    pub(crate) fn known(&self) -> &BTreeMap<String, Seen> {
        &self.known
    }

    /// What the server has confirmed to it.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(|(_, confirmed)| **confirmed).map(|(offer, _)| offer)
    }

    fn act(&mut self, now: Instant) {
        if self.habits.quiet {
            self.act = None;
            return;
        }
        if self.settled {
            for service in [&self.habits.services[..], &self.habits.watched].concat() {
                self.list(now, service);
            }
            self.act = Some(now.after(SETTLED_INTERVAL));
            return;
        }
        let pause = self.habits.pause.as_nanos() as u64;
        self.act = Some(now.after(Duration::from_nanos(1 + self.rng.below(2 * pause))));
        let service = self.any_service();
        let watched = self.habits.watched.len() as u64;
        let looked_at = match self.rng.below(4) {
            0 if watched > 0 => self.habits.watched[self.rng.below(watched) as usize].clone(),
            _ => service.clone(),
        };
        match self.rng.below(10) {
            0..=2 if !self.offers.keys().any(|offer| offer.service == service) => {
                self.register(now, &service);
            }
            3..=4 => self.deregister_any(now),
            5..=6 => self.subscribe(now, looked_at),
            _ => self.list(now, looked_at),
        }
    }

    fn any_service(&mut self) -> String {
        let index = self.rng.below(self.habits.services.len() as u64) as usize;
        self.habits.services[index].clone()
    }

    fn deregister_any(&mut self, now: Instant) {
        let confirmed: Vec<Offer> = self.offers().cloned().collect();
        if confirmed.is_empty() {
            return;
        }
        let offer = confirmed[self.rng.below(confirmed.len() as u64) as usize].clone();
        self.deregister(now, offer);
    }

    /// Takes back what the server has confirmed.
    pub(crate) fn deregister_all(&mut self, now: Instant) {
        let confirmed: Vec<Offer> = self.offers().cloned().collect();
        confirmed.into_iter().for_each(|offer| self.deregister(now, offer));
    }

    fn deregister(&mut self, now: Instant, offer: Offer) {
        self.offers.remove(&offer);
        self.notes.push_back(Note::Leaving(offer.clone()));
        let body = self.instance(&offer, "deregisterInstance");
        let call = self.line.ask(now, "InstanceRequest", body);
        self.in_flight.insert(call, Op::Deregister(offer));
    }

    fn ask_register(&mut self, now: Instant, offer: Offer) {
        self.notes.push_back(Note::Registering(offer.clone()));
        let body = self.instance(&offer, "registerInstance");
        let call = self.line.ask(now, "InstanceRequest", body);
        self.in_flight.insert(call, Op::Register(offer));
    }

    fn instance(&self, offer: &Offer, kind: &str) -> Value {
        let port: u16 = offer
            .address
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("made by `register`");
        json!({
            "namespace": "", "serviceName": offer.service, "groupName": "DEFAULT_GROUP",
            "type": kind,
            "instance": {
                "ip": self.ip, "port": port, "weight": 1.0, "healthy": true, "enabled": true,
                "ephemeral": true, "clusterName": "DEFAULT", "metadata": {},
            },
        })
    }

    pub(crate) fn subscribe(&mut self, now: Instant, service: String) {
        self.subscriptions.insert(service.clone());
        if !self.line.is_up() {
            return;
        }
        let body = json!({
            "namespace": "", "serviceName": service, "groupName": "DEFAULT_GROUP",
            "clusters": "", "subscribe": true,
        });
        let call = self.line.ask(now, "SubscribeServiceRequest", body);
        self.in_flight.insert(call, Op::Subscribe { service, asked: now });
    }

    pub(crate) fn list(&mut self, now: Instant, service: String) {
        let body = json!({
            "namespace": "", "serviceName": service, "groupName": "DEFAULT_GROUP",
            "cluster": "", "healthyOnly": false, "udpPort": 0,
        });
        let call = self.line.ask(now, "ServiceQueryRequest", body);
        self.in_flight.insert(call, Op::List { service, asked: now });
    }

    fn follow(&mut self, now: Instant) {
        while let Some(news) = self.line.next_news() {
            match news {
                News::Up => {
                    for offer in self.offers.keys().cloned().collect::<Vec<_>>() {
                        self.ask_register(now, offer);
                    }
                    for service in self.subscriptions.clone() {
                        self.subscribe(now, service);
                    }
                    self.act.get_or_insert(now);
                }
                News::Lost => {
                    for confirmed in self.offers.values_mut() {
                        *confirmed = false;
                    }
                    for op in std::mem::take(&mut self.in_flight).into_values() {
                        if let Op::Deregister(offer) = op {
                            // Nobody offers it on the next connection.
                            self.notes.push_back(Note::Left(offer, End::Silent));
                        }
                    }
                }
                News::Reply { call, payload } => self.reply(now, call, &payload),
                News::Pushed(payload) => {
                    let body = json(&payload);
                    if kind(&payload) == "NotifySubscriberRequest"
                        && let Some(seen) = seen(&body["serviceInfo"])
                    {
                        self.notes.push_back(Note::Pushed(seen.clone()));
                        self.learn(seen);
                    }
                }
            }
        }
    }

    fn learn(&mut self, seen: Seen) {
        let known = self.known.get(&seen.service);
        if known.is_none_or(|known| known.version <= seen.version) {
            self.known.insert(seen.service.clone(), seen);
        }
    }

    fn reply(&mut self, now: Instant, call: CallId, payload: &Payload) {
        let Some(op) = self.in_flight.remove(&call) else { return };
        let body = json(payload);
        let success = body["success"] == true;
        match op {
            Op::Register(offer) => {
                if success {
                    if let Some(confirmed) = self.offers.get_mut(&offer) {
                        *confirmed = true;
                        self.notes.push_back(Note::Registered(offer));
                    }
                } else if self.line.is_up() && self.offers.contains_key(&offer) {
                    self.ask_register(now, offer);
                }
            }
            Op::Deregister(offer) => {
                let end = if success { End::Deregistered } else { End::Silent };
                self.notes.push_back(Note::Left(offer, end));
            }
            Op::Subscribe { service, asked } => match seen(&body["serviceInfo"]) {
                Some(seen) if success => {
                    self.notes.push_back(Note::Listed(asked, seen.clone()));
                    self.learn(seen);
                }
                Some(_) | None if self.line.is_up() => self.subscribe(now, service),
                Some(_) | None => {}
            },
            Op::List { service, asked } => {
                if let Some(seen) = seen(&body["serviceInfo"]).filter(|_| success) {
                    assert_eq!(seen.service, service, "the list of another service");
                    self.notes.push_back(Note::Listed(asked, seen));
                }
            }
        }
    }
}

pub(crate) fn seen(info: &Value) -> Option<Seen> {
    let addresses = info["hosts"]
        .as_array()?
        .iter()
        .map(|host| format!("{}:{}", text(host, "ip"), host["port"]))
        .collect();
    let version = info["lastRefTime"].as_u64()?;
    Some(Seen { service: text(info, "name").to_owned(), version, addresses })
}
