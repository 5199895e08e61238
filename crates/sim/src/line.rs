//! An SDK's end of one connection: check, stream, setup, keepalive, and a new connection when this one is lost.

use crate::payload::{build, json, kind, text};
use crate::servers::Servers;
use base::{Duration, Instant, Rng};
use bytes::Bytes;
use nacos::{CallId, Payload};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// An answer that takes longer counts as lost, and the connection with it.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(3);
/// How often an idle client shows that it is there.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
/// From the loss of a connection to the next try: at least this, and at most twice as long.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// What a client tells the network.
#[derive(Debug)]
pub(crate) enum Send {
    Connect {
        machine: usize,
    },
    Hangup,
    Unary {
        call: CallId,
        payload: Payload,
    },
    OpenStream,
    Stream(Payload),
    Http {
        call: CallId,
        request: http::Request<Bytes>,
    },
    /// Over UDP.
    Datagram(Bytes),
}

/// What the network tells a client.
#[derive(Debug)]
pub(crate) enum Heard {
    Connected,
    Closed,
    Unary { call: CallId, payload: Payload },
    Stream(Payload),
    Http { call: CallId, response: http::Response<Bytes> },
}

/// What the line tells the client that owns it.
#[derive(Debug)]
pub(crate) enum News {
    /// Requests may be made from now on; nothing of an earlier connection holds any more.
    Up,
    /// The connection is gone. The outcome of everything in flight is unknown.
    Lost,
    Reply {
        call: CallId,
        payload: Payload,
    },
    /// A request of the server, already confirmed.
    Pushed(Payload),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down {
        retry: Instant,
    },
    Connecting {
        since: Instant,
    },
    Checking {
        since: Instant,
    },
    SettingUp {
        since: Instant,
    },
    Up,
    /// For good.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Line {
    name: String,
    servers: Servers,
    rng: Rng,
    state: State,
    calls: u64,
    /// Calls in flight, with the moment when they count as lost.
    pending: BTreeMap<CallId, Instant>,
    health: Option<CallId>,
    health_due: Instant,
    sends: VecDeque<Send>,
    news: VecDeque<News>,
}

impl Line {
    pub(crate) fn new(name: String, now: Instant, rng: Rng, servers: Servers) -> Self {
        Self {
            name,
            servers,
            rng,
            state: State::Down { retry: now },
            calls: 0,
            pending: BTreeMap::new(),
            health: None,
            health_due: now,
            sends: VecDeque::new(),
            news: VecDeque::new(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(crate) fn next_send(&mut self) -> Option<Send> {
        self.sends.pop_front()
    }

    pub(crate) fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// What it waits for, in words.
    pub(crate) fn status(&self) -> String {
        format!("{:?}, {} calls in flight", self.state, self.pending.len())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Ended => None,
            State::Down { retry } => Some(retry),
            State::Connecting { since }
            | State::Checking { since }
            | State::SettingUp { since } => Some(since.after(CALL_TIMEOUT)),
            State::Up => self.pending.values().copied().chain([self.health_due]).min(),
        }
    }

    /// Asks the server something; only while the line is up.
    pub(crate) fn ask(&mut self, now: Instant, kind: &str, mut body: Value) -> CallId {
        self.calls += 1;
        let call = CallId(self.calls);
        body["requestId"] = self.calls.to_string().into();
        self.pending.insert(call, now.after(CALL_TIMEOUT));
        self.sends.push_back(Send::Unary { call, payload: build(kind, &body) });
        call
    }

    /// Goes away for good; a silent one leaves the server to find out.
    pub(crate) fn end(&mut self, silent: bool) {
        if !silent && self.state != State::Ended {
            self.sends.push_back(Send::Hangup);
        }
        self.state = State::Ended;
        self.pending.clear();
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
            State::Connecting { since }
            | State::Checking { since }
            | State::SettingUp { since } => {
                if since.after(CALL_TIMEOUT) <= now {
                    self.lose(now, true);
                }
            }
            State::Up => {
                if self.pending.values().any(|due| *due <= now) {
                    self.lose(now, true);
                } else if self.health_due <= now {
                    self.health_due = now.after(HEALTH_INTERVAL);
                    if self.health.is_none() {
                        self.health = Some(self.ask(now, "HealthCheckRequest", json!({})));
                    }
                }
            }
        }
    }

    pub(crate) fn hear(&mut self, now: Instant, heard: Heard) {
        match (self.state, heard) {
            (State::Ended | State::Down { .. }, _) => {}
            (_, Heard::Closed) => self.lose(now, false),
            (State::Connecting { .. }, Heard::Connected) => {
                self.state = State::Checking { since: now };
                self.ask(now, "ServerCheckRequest", json!({}));
            }
            (_, Heard::Connected) => {}
            (State::Checking { .. }, Heard::Unary { call, payload }) => {
                self.pending.remove(&call);
                if kind(&payload) == "ServerCheckResponse" && json(&payload)["success"] == true {
                    self.state = State::SettingUp { since: now };
                    self.sends.push_back(Send::OpenStream);
                    let setup = json!({
                        "clientVersion": format!("Trine-Sim:{}", self.name),
                        "labels": { "source": "sdk", "AppName": self.name },
                        "tenant": "",
                        "abilityTable": {},
                    });
                    self.sends.push_back(Send::Stream(build("ConnectionSetupRequest", &setup)));
                } else {
                    self.lose(now, true);
                }
            }
            (_, Heard::Unary { call, payload }) => self.reply(now, call, payload),
            (_, Heard::Stream(payload)) => self.stream(now, payload),
            (_, Heard::Http { .. }) => unreachable!("nothing was asked over HTTP"),
        }
    }

    fn reply(&mut self, now: Instant, call: CallId, payload: Payload) {
        if self.pending.remove(&call).is_none() {
            return;
        }
        // 301: the server does not know this connection (any more).
        let unregistered = json(&payload)["errorCode"] == 301;
        let health = self.health == Some(call);
        if health {
            self.health = None;
        } else {
            self.news.push_back(News::Reply { call, payload });
        }
        if unregistered {
            self.lose(now, true);
        }
    }

    fn stream(&mut self, now: Instant, payload: Payload) {
        let confirmed = match kind(&payload) {
            "SetupAckRequest" => "SetupAckResponse",
            "ClientDetectionRequest" => "ClientDetectionResponse",
            "NotifySubscriberRequest" => "NotifySubscriberResponse",
            "ConfigChangeNotifyRequest" => "ConfigChangeNotifyResponse",
            "ConnectResetRequest" => return self.lose(now, true),
            _ => return,
        };
        let request = json(&payload);
        let body = json!({
            "requestId": text(&request, "requestId"), "resultCode": 200, "success": true,
        });
        self.sends.push_back(Send::Stream(build(confirmed, &body)));
        if confirmed == "SetupAckResponse" {
            if !self.is_up() {
                self.state = State::Up;
                self.health_due = now.after(HEALTH_INTERVAL);
                self.news.push_back(News::Up);
            }
        } else if confirmed != "ClientDetectionResponse" {
            self.news.push_back(News::Pushed(payload));
        }
    }

    fn lose(&mut self, now: Instant, hang_up: bool) {
        let was_up = self.is_up();
        if hang_up {
            self.sends.push_back(Send::Hangup);
        }
        self.servers.next();
        self.pending.clear();
        self.health = None;
        let jitter = self.rng.below(RECONNECT_DELAY.as_nanos() as u64);
        let delay = RECONNECT_DELAY + Duration::from_nanos(jitter);
        self.state = State::Down { retry: now.after(delay) };
        if was_up {
            self.news.push_back(News::Lost);
        }
    }
}
