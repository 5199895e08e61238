//! Clients of the registry, over HTTP and over gRPC, that live all the time; and a look at the lists of all nodes meanwhile.

use crate::{http::exchange, process::PATIENCE};
use nacos_sdk::api::{
    naming::{NamingService, NamingServiceBuilder, ServiceInstance},
    props::ClientProps,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

const SERVICE: &str = "rolled";
/// Clients that beat, in turn one by one: each about every second.
const BEATING: u16 = 8;
const PACE: Duration = Duration::from_millis(120);
/// The port of a client that beats less often than an orphan is listed: here not at all.
const SLOW: u16 = 50;
/// Clients over gRPC have ports from this one on.
const STREAMING: u16 = 100;

/// The longest that an SDK may take to come back before the lists do without its client: an orphan is listed for 15 s, and
/// some of them are over before the SDK gives up its connection.
const AWAY_MAX: Duration = Duration::from_secs(10);

/// When clients over gRPC were answered last, by port.
type Contacts = Arc<Mutex<BTreeMap<u16, Instant>>>;

/// Who did not list whom, and when.
type Missing = (SocketAddr, Vec<u16>, String);

/// Clients that go on until they are stopped.
pub struct Registered {
    nodes: Vec<SocketAddr>,
    ports: Vec<u16>,
    stop: Arc<AtomicBool>,
    beats: JoinHandle<()>,
    looks: Vec<JoinHandle<Vec<Missing>>>,
    /// The applications over gRPC run here.
    runtime: Runtime,
}

impl Registered {
    /// Registers instances and waits until all nodes list them.
    pub fn start(nodes: &[SocketAddr], with_slow: bool) -> Self {
        let mut ports: Vec<u16> = (1..=BEATING).collect();
        for port in 1..=BEATING {
            register(nodes, port, "");
        }
        if with_slow {
            register_slow(nodes);
            ports.push(SLOW);
        }
        let runtime = Runtime::new().expect("threads");
        let contacts = Contacts::default();
        for port in STREAMING..STREAMING + 3 {
            ports.push(port);
            let naming = runtime.block_on(stream(nodes, port));
            runtime.spawn(resolve(naming, port, contacts.clone()));
        }
        until_all_are_listed(nodes, &ports);
        let stop = Arc::new(AtomicBool::new(false));
        let look = |node: &SocketAddr| {
            let (node, ports, stop) = (*node, ports.clone(), stop.clone());
            let contacts = contacts.clone();
            std::thread::spawn(move || look(node, &ports, &contacts, &stop))
        };
        let looks = nodes.iter().map(look).collect();
        let beats = {
            let (nodes, stop) = (nodes.to_vec(), stop.clone());
            std::thread::spawn(move || beat(&nodes, &stop))
        };
        Self { nodes: nodes.to_vec(), ports, stop, beats, looks, runtime }
    }

    /// Ends it. All were listed by all nodes that served, and in the end all are, also those whose SDK was away for long.
    pub fn judge(self) {
        until_all_are_listed(&self.nodes, &self.ports);
        let nodes = self.nodes.clone();
        let missing = self.stop();
        for (_, ports, _) in &missing {
            explain(nodes[0], ports[0]);
        }
        assert!(missing.is_empty(), "not listed: {missing:#?}");
    }

    /// Which nodes did not list which of them, and when.
    fn stop(self) -> Vec<Missing> {
        self.stop.store(true, Ordering::Relaxed);
        self.beats.join().expect("a client does not panic");
        let looks = self.looks.into_iter();
        let missing = looks.flat_map(|look| look.join().expect("a client does not panic"));
        let missing = missing.collect();
        self.runtime.shutdown_background();
        missing
    }
}

fn until_all_are_listed(nodes: &[SocketAddr], ports: &[u16]) {
    let began = Instant::now();
    while nodes.iter().any(|node| missing(*node, ports) != Some(Vec::new())) {
        assert!(began.elapsed() < PATIENCE, "they are not listed everywhere");
    }
}

/// Prints what the nodes know of why it was missing.
fn explain(node: SocketAddr, port: u16) {
    let (server, address) = (format!("http://{node}"), format!("10.0.0.9:{port}"));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_trine"));
    command.args(["explain", "instance", SERVICE, &address, "--server", &server]);
    let story = command.output().expect("the binary is built");
    println!(
        "{}{}",
        String::from_utf8_lossy(&story.stdout),
        String::from_utf8_lossy(&story.stderr)
    );
}

fn place(port: u16) -> String {
    format!("serviceName={SERVICE}&ip=10.0.0.9&port={port}")
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// As SDKs do: at the next node what one does not answer.
fn register(nodes: &[SocketAddr], port: u16, more: &str) {
    let form = format!("{}{more}", place(port));
    let answers = (0..nodes.len()).map(|turn| nodes[(usize::from(port) + turn) % nodes.len()]);
    let mut answers = answers.map(|node| exchange(node, "POST", "/nacos/v1/ns/instance", &form));
    assert!(answers.any(|answer| answer.is_some_and(|answer| answer.status == 200)));
}

/// Registers a client that beats less often than an orphan is listed.
pub fn register_slow(nodes: &[SocketAddr]) {
    let times =
        r#"{"preserved.heart.beat.timeout":"600000","preserved.ip.delete.timeout":"900000"}"#;
    register(nodes, SLOW, &format!("&metadata={}", escaped(times)));
}

/// Whether a node that serves lists it.
pub fn lists_slow(node: SocketAddr) -> bool {
    missing(node, &[SLOW]) == Some(Vec::new())
}

async fn stream(nodes: &[SocketAddr], port: u16) -> NamingService {
    let first = usize::from(port) % nodes.len();
    let mut nodes = nodes.to_vec();
    nodes.rotate_left(first);
    let addresses: Vec<String> = nodes.iter().map(SocketAddr::to_string).collect();
    let props = ClientProps::new().server_addr(addresses.join(",")).app_name("cluster");
    let naming = NamingServiceBuilder::new(props).build().await.expect("connected");
    let instance = ServiceInstance {
        ip: "10.0.0.9".to_owned(),
        port: i32::from(port),
        ..ServiceInstance::default()
    };
    naming.register_instance(SERVICE.to_owned(), None, instance).await.expect("registered");
    naming
}

/// An application that uses its client: this one notices only when it is used, or some ten seconds later, that it has lost its
/// connection, and a restart of three nodes is over by then.
async fn resolve(naming: NamingService, port: u16, contacts: Contacts) {
    let mut pace = tokio::time::interval(PACE);
    loop {
        pace.tick().await;
        // Its answer is not what is judged here, and it fails while there is no connection.
        let answer = naming.get_all_instances(SERVICE.to_owned(), None, Vec::new(), false).await;
        if answer.is_ok() {
            contacts.lock().expect("nobody panics").insert(port, Instant::now());
        }
    }
}

fn beat(nodes: &[SocketAddr], stop: &AtomicBool) {
    let mut turn: u16 = 0;
    while !stop.load(Ordering::Relaxed) {
        turn = turn.wrapping_add(1);
        let port = turn % BEATING + 1;
        // Half of them say all of themselves with each beat, the others not.
        let full = format!(
            r#"{{"serviceName":"{SERVICE}","ip":"10.0.0.9","port":{port},"weight":1.0,"cluster":"DEFAULT"}}"#
        );
        let full = if port.is_multiple_of(2) {
            format!("&beat={}", escaped(&full))
        } else {
            String::new()
        };
        let form = format!("{}{full}", place(port));
        let answer = (0..nodes.len()).find_map(|more| {
            let node = nodes[(usize::from(turn) + more) % nodes.len()];
            exchange(node, "PUT", "/nacos/v1/ns/instance/beat", &form)
                .filter(|answer| answer.status == 200)
        });
        if answer.is_some_and(|answer| answer.body.contains("20404")) {
            println!("port {port} is told that it is unknown");
            register(nodes, port, "");
        }
        std::thread::park_timeout(PACE);
    }
}

/// Clients that their SDK leaves without a connection for too long are nobody's fault here, until they are listed again.
fn look(node: SocketAddr, ports: &[u16], contacts: &Contacts, stop: &AtomicBool) -> Vec<Missing> {
    let began = Instant::now();
    let mut away = BTreeSet::new();
    let mut found: Vec<(Vec<u16>, Duration, Duration)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let mut missing = missing(node, ports).unwrap_or_default();
        away.retain(|port| missing.contains(port));
        for (port, at) in &*contacts.lock().expect("nobody panics") {
            if missing.contains(port) && at.elapsed() > AWAY_MAX {
                away.insert(*port);
            }
        }
        missing.retain(|port| !away.contains(port));
        let at = began.elapsed();
        match found.last_mut() {
            Some((last, _, until)) if *last == missing => *until = at,
            Some(_) | None => found.push((missing, at, at)),
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let missing = found.into_iter().filter(|(missing, ..)| !missing.is_empty());
    missing.map(|(ports, from, to)| (node, ports, format!("from {from:?} to {to:?}"))).collect()
}

/// Which of these a node does not list; `None` if it does not serve.
fn missing(node: SocketAddr, ports: &[u16]) -> Option<Vec<u16>> {
    let target = format!("/nacos/v1/ns/instance/list?serviceName={SERVICE}");
    let answer = exchange(node, "GET", &target, "").filter(|answer| answer.status == 200)?;
    let list: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    let hosts = list["hosts"].as_array()?;
    let listed = |port: &u16| hosts.iter().any(|host| host["port"] == *port);
    Some(ports.iter().filter(|port| !listed(port)).copied().collect())
}
