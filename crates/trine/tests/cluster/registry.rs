//! A client of the registry that beats over HTTP through all nodes in turn, and looks at the lists of all of them meanwhile.

use crate::http::exchange;
use std::{
    net::SocketAddr,
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Between two rounds of a beat and a look at all lists.
const PACE: Duration = Duration::from_millis(100);

/// A client that goes on until it is stopped.
pub struct Beats {
    stop: Sender<()>,
    client: JoinHandle<Vec<String>>,
}

impl Beats {
    /// Registers an instance and waits until all nodes list it.
    pub fn start(nodes: &[SocketAddr]) -> Self {
        let nodes = nodes.to_vec();
        let place = "serviceName=rolled&ip=10.0.0.9&port=80";
        let registered = exchange(nodes[0], "POST", "/nacos/v1/ns/instance", place);
        assert!(registered.is_some_and(|answer| answer.status == 200), "it is registered");
        let began = Instant::now();
        while nodes.iter().any(|node| is_listed(*node) != Some(true)) {
            assert!(began.elapsed() < crate::process::PATIENCE, "it is not listed everywhere");
        }
        let (stop, stopped) = channel();
        let client = std::thread::spawn(move || {
            let mut missing = Vec::new();
            let mut turn = 0;
            while stopped.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                turn += 1;
                // What fails is tried at the next node in the next round, as SDKs do.
                let beat = format!("{place}&beat=%7B%7D");
                let _ =
                    exchange(nodes[turn % nodes.len()], "PUT", "/nacos/v1/ns/instance/beat", &beat);
                for node in &nodes {
                    if is_listed(*node) == Some(false) {
                        missing.push(format!("{node} after {:?}", began.elapsed()));
                    }
                }
            }
            missing
        });
        Self { stop, client }
    }

    /// Ends it; which nodes did not list it, and when.
    pub fn stop(self) -> Vec<String> {
        drop(self.stop);
        self.client.join().expect("a client does not panic")
    }
}

/// Whether a node lists it; `None` if it does not serve.
fn is_listed(node: SocketAddr) -> Option<bool> {
    let answer = exchange(node, "GET", "/nacos/v1/ns/instance/list?serviceName=rolled", "")?;
    (answer.status == 200).then(|| answer.body.contains("10.0.0.9"))
}
