//! One look at everything that a host serves, at one moment: what an operator does after a restart.

use crate::{
    naming_client::seen,
    note::Seen,
    serve::address,
    world::{Happening, World},
};
use bytes::Bytes;
use host::{Arrival, Host, Sending};
use http::StatusCode;
use nacos::CallId;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

const OPERATOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 2, 0, 1)), 40_000);

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
        for key in &self.keys {
            let path = format!("/nacos/v1/cs/configs?dataId={key}&group=DEFAULT_GROUP");
            // What is answered later, or with an error, was not read.
            match get(path) {
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
            let path = format!(
                "/nacos/v1/ns/instance/list?serviceName=DEFAULT_GROUP@@{service}&healthyOnly=false"
            );
            let Some((StatusCode::OK, body)) = get(path) else { continue };
            let body = serde_json::from_slice(&body).unwrap_or_default();
            lists.extend(seen(&body).map(|seen| Seen { service: service.clone(), ..seen }));
        }
        host.close(now, connection, "the operator has seen enough");
        self.happened(Happening::Scanned { machine, configs, lists });
    }
}
