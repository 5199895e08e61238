//! One look at everything that a host serves, at one moment: what an operator does after a restart.

use crate::{
    naming_client::seen,
    note::Seen,
    serve::address,
    world::{Happening, World},
};
use base::Duration;
use bytes::Bytes;
use host::{Arrival, Host, Sending};
use http::{Method, StatusCode};
use nacos::CallId;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

const OPERATOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 2, 0, 1)), 40_000);

/// What a host answered over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub text: String,
    /// Whether it says that it may be old.
    pub stale: bool,
}

impl World {
    /// Reads every config and every list of the run, before anybody else can say a word.
    pub(crate) fn scan(&mut self, machine: usize, host: &Arc<Host>) {
        let now = self.machines[machine].now(self.now);
        let connection = host.open(now, OPERATOR, address(machine, 8848), false);
        let mut calls = 0;
        let mut get = |path: String| -> Option<(StatusCode, Bytes)> {
            calls += 1;
            let request = http::Request::get(path).header("user-agent", "Trine-Sim-Scan");
            let request = request.body(Bytes::new()).expect("the path is plain");
            host.deliver(now, connection, Arrival::Http { call: CallId(calls), request });
            match host.take_sending(connection)? {
                Sending::Http { response, .. } => Some((response.status(), response.into_body())),
                _ => None,
            }
        };
        let mut configs = BTreeMap::new();
        // In a cluster a read asks the leader first: `look` waits for that.
        let keys = if self.machines.len() == 1 { self.keys.clone() } else { BTreeSet::new() };
        for key in &keys {
            // What is answered later, or with an error, was not read.
            match get(config_path(key)) {
                Some((StatusCode::OK, body)) => {
                    let content = String::from_utf8_lossy(&body).into_owned();
                    configs.insert(key.clone(), Some(content));
                }
                Some((StatusCode::NOT_FOUND, _)) => {
                    configs.insert(key.clone(), None);
                }
                Some(_) | None => {}
            }
        }
        let mut lists: Vec<Seen> = Vec::new();
        for service in &self.services {
            let Some((StatusCode::OK, body)) = get(list_path(service)) else { continue };
            let body = serde_json::from_slice(&body).unwrap_or_default();
            lists.extend(seen(&body).map(|seen| Seen { service: service.clone(), ..seen }));
        }
        host.close(now, connection, "the operator has seen enough");
        self.happened(Happening::Scanned { machine, configs, lists });
    }

    /// Asks a host over HTTP, and lets time pass until it has answered; `None` if it does not, in so long.
    pub fn ask(
        &mut self,
        machine: usize,
        method: Method,
        path: &str,
        limit: Duration,
    ) -> Option<Answer> {
        let host = self.machines[machine].host().cloned()?;
        let now = self.machines[machine].now(self.now);
        let connection = host.open(now, OPERATOR, address(machine, 8848), false);
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("user-agent", "Trine-Sim-Operator").body(Bytes::new());
        let request = request.expect("the path is plain");
        host.deliver(now, connection, Arrival::Http { call: CallId(1), request });
        self.after_machine(machine);
        let mut answer = None;
        self.run_until(limit, |_| {
            answer = answer.take().or_else(|| host.take_sending(connection));
            answer.is_some()
        });
        host.close(self.machines[machine].now(self.now), connection, "the operator is done");
        self.after_machine(machine);
        match answer? {
            Sending::Http { response, .. } => {
                let text = String::from_utf8_lossy(response.body()).into_owned();
                let level = response.headers().get("x-trine-consistency");
                let stale = level.is_some_and(|level| level == "stale");
                Some(Answer { status: response.status(), text, stale })
            }
            Sending::Unary { .. } | Sending::Events { .. } | Sending::Close => None,
        }
    }

    /// Asks a machine for a config, waiting so long for the answer.
    pub fn ask_config(&mut self, machine: usize, key: &str, limit: Duration) -> Option<Answer> {
        self.ask(machine, Method::GET, &config_path(key), limit)
    }

    /// Has a machine publish a config, waiting so long for the answer.
    pub fn publish(
        &mut self,
        machine: usize,
        key: &str,
        content: &str,
        limit: Duration,
    ) -> Option<Answer> {
        let path = format!("{}&content={content}", config_path(key));
        self.ask(machine, Method::POST, &path, limit)
    }

    /// One more look at everything that every host serves, all at one moment.
    pub fn look(&mut self) {
        let mut configs: BTreeMap<usize, BTreeMap<String, Option<String>>> = BTreeMap::new();
        if self.machines.len() > 1 {
            for machine in 0..self.machines.len() {
                for key in self.keys.clone() {
                    let answer = self.ask_config(machine, &key, Duration::from_secs(5));
                    let found = match answer {
                        Some(Answer { status: StatusCode::OK, text, stale: false }) => Some(text),
                        Some(Answer { status: StatusCode::NOT_FOUND, stale: false, .. }) => None,
                        other => {
                            self.violations.push(format!("m{machine} says of {key} {other:?}"));
                            continue;
                        }
                    };
                    configs.entry(machine).or_default().insert(key, found);
                }
            }
        }
        let before = self.history.len();
        for machine in 0..self.machines.len() {
            let host = self.machines[machine].host().filter(|host| host.is_ready()).cloned();
            if let Some(host) = host {
                self.scan(machine, &host);
            }
        }
        for (_, happening) in &mut self.history[before..] {
            if let Happening::Scanned { machine, configs: scanned, .. } = happening {
                scanned.append(configs.entry(*machine).or_default());
            }
        }
    }
}

fn config_path(key: &str) -> String {
    format!("/nacos/v1/cs/configs?dataId={key}&group=DEFAULT_GROUP")
}

fn list_path(service: &str) -> String {
    format!("/nacos/v1/ns/instance/list?serviceName=DEFAULT_GROUP@@{service}&healthyOnly=false")
}
