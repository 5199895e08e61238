//! Three real processes that form one cluster.

use crate::status::is_current;
use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU8, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long anything that must happen may take. Nothing waits this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);
const API_PORT: u16 = 8848;
const PEER_PORT: u16 = 7848;

/// Where a node runs.
#[derive(Clone, Debug)]
pub struct Home {
    /// Its address; its own alone, so that every node has the usual ports.
    pub ip: Ipv4Addr,
    /// The network namespace, if it is not the test's own.
    pub netns: Option<String>,
}

/// What a node is told of the others when it is started.
enum Told<'a> {
    /// All that it was told at the first start.
    Everything,
    /// It knows by itself, or need not.
    Nothing,
    /// Flags with which it is invited.
    Invited(&'a [&'a str]),
}

/// Runs the command line to its end: its exit code, what it wrote and what it said.
pub fn trine(line: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_trine"))
        .args(line)
        .stdin(Stdio::null())
        .output()
        .expect("the binary is built");
    let text = |bytes| String::from_utf8(bytes).expect("plain text");
    (done.status.code(), text(done.stdout), text(done.stderr))
}

/// One node: a directory that outlives its processes.
pub struct Node {
    pub home: Home,
    pub data: PathBuf,
    process: Option<Process>,
}

struct Process {
    child: Child,
    /// That it serves; broken off when it ended.
    ready: Receiver<()>,
}

/// All nodes, and what they share.
pub struct Cluster {
    pub nodes: Vec<Node>,
    /// How many of them found the cluster: the first ones.
    founders: usize,
    directory: TempDir,
}

/// Addresses of a loopback network that no other test uses: of this process and this call.
fn loopback_homes(len: usize) -> Vec<Home> {
    static CALLS: AtomicU8 = AtomicU8::new(1);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let [.., high, low] = std::process::id().to_be_bytes();
    let home = |k: usize| {
        let last = u8::try_from(k + 1).expect("few nodes") + call * 8;
        Home { ip: Ipv4Addr::new(127, 64 | (high & 63), low, last), netns: None }
    };
    (0..len).map(home).collect()
}

impl Cluster {
    /// Nodes on loopback that do not run yet.
    pub fn on_loopback(len: usize) -> Self {
        Self::new(loopback_homes(len))
    }

    /// Nodes that do not run yet.
    pub fn new(homes: Vec<Home>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("secret"), "a secret of this test, long enough")
            .expect("a file");
        let node = |(k, home)| Node {
            home,
            data: directory.path().join(format!("node-{k}")),
            process: None,
        };
        let nodes: Vec<Node> = homes.into_iter().enumerate().map(node).collect();
        Self { founders: nodes.len(), nodes, directory }
    }

    /// All of them run and serve.
    pub fn started(mut self) -> Self {
        for k in 0..self.nodes.len() {
            self.start(k);
        }
        self.wait_all_ready();
        self
    }

    /// Starts one, always with the same flags: the first start forms the cluster, each later one is a rejoin.
    pub fn start(&mut self, k: usize) {
        let data = self.nodes[k].data.clone();
        self.start_from(k, &data);
    }

    /// Starts one on another directory.
    pub fn start_from(&mut self, k: usize, data: &Path) {
        self.launch(k, data, &Told::Everything);
    }

    /// Starts one that was there before, with nothing said about the others.
    pub fn start_bare(&mut self, k: usize) {
        let data = self.nodes[k].data.clone();
        self.launch(k, &data, &Told::Nothing);
    }

    fn launch(&mut self, k: usize, data: &Path, told: &Told<'_>) {
        let ip = self.nodes[k].home.ip;
        let mut line = vec![env!("CARGO_BIN_EXE_trine").to_owned(), "server".to_owned()];
        let mut flag = |name: &str, value: String| line.extend([name.to_owned(), value]);
        flag("--data", data.display().to_string());
        flag("--auth", "off".to_owned());
        flag("--listen-api", format!("{ip}:{API_PORT}"));
        flag("--listen-peer", format!("{ip}:{PEER_PORT}"));
        flag("--listen-redis", String::new());
        match told {
            Told::Everything => {
                let secret = self.directory.path().join("secret");
                flag("--expect", self.founders.to_string());
                flag("--cluster-secret-file", secret.display().to_string());
                for node in &self.nodes[..self.founders] {
                    flag("--join", format!("{}:{PEER_PORT}", node.home.ip));
                }
            }
            Told::Nothing => {}
            Told::Invited(flags) => line.extend(flags.iter().map(|flag| (*flag).to_owned())),
        }
        if let Some(netns) = &self.nodes[k].home.netns {
            line.splice(0..0, ["ip", "netns", "exec", netns].map(str::to_owned));
        }
        let log = fs::File::options().create(true).append(true).open(self.log(k)).expect("a log");
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary is built");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (tell, ready) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.trim().starts_with("ready") {
                    // Whoever does not wait for it has lost interest.
                    let _ = tell.send(());
                }
            }
        });
        let earlier = self.nodes[k].process.replace(Process { child, ready });
        assert!(earlier.is_none(), "one process per node at a time");
    }

    /// Starts one more process on a copy of another's directory, at an address of its own; its number.
    pub fn start_twin(&mut self, copy: &Path) -> usize {
        let twin = self.add(copy.to_owned());
        self.start(twin);
        twin
    }

    /// Starts one more node, with nothing on its disk and what an invitation says; its number.
    pub fn start_invited(&mut self, flags: &[&str]) -> usize {
        let data = self.directory.path().join(format!("node-{}", self.nodes.len()));
        let k = self.add(data.clone());
        self.launch(k, &data, &Told::Invited(flags));
        k
    }

    /// One more node, at an address of its own, that does not run yet.
    fn add(&mut self, data: PathBuf) -> usize {
        let mut home = self.nodes.last().expect("there are nodes").home.clone();
        let [a, b, c, d] = home.ip.octets();
        home.ip = Ipv4Addr::new(a, b, c, d + 1);
        self.nodes.push(Node { home, data, process: None });
        self.nodes.len() - 1
    }

    /// Waits until one of these ends by itself; which one, its exit code and its log.
    pub fn wait_exit(&mut self, nodes: &[usize]) -> (usize, Option<i32>, String) {
        let began = Instant::now();
        loop {
            for k in nodes.iter().copied() {
                let process = self.nodes[k].process.as_mut().expect("it was started");
                let ended = process.ready.recv_timeout(Duration::from_millis(100));
                if ended == Err(RecvTimeoutError::Disconnected) {
                    let code = process.child.wait().expect("it ran").code();
                    self.nodes[k].process = None;
                    return (k, code, fs::read_to_string(self.log(k)).unwrap_or_default());
                }
            }
            assert!(began.elapsed() < PATIENCE, "they run on");
        }
    }

    /// Waits until a node answers with what all have agreed on, or ends by itself: its log then.
    pub fn wait_serves_or_ends(&mut self, k: usize) -> Option<String> {
        let began = Instant::now();
        while !is_current(self.api(k)) {
            let process = self.nodes[k].process.as_mut().expect("it was started");
            if process.child.try_wait().expect("it can be asked").is_some() {
                self.nodes[k].process = None;
                return Some(fs::read_to_string(self.log(k)).unwrap_or_default());
            }
            assert!(began.elapsed() < PATIENCE, "node {k} neither serves nor ends");
        }
        None
    }

    /// Waits until a node that was started serves.
    pub fn wait_ready(&self, k: usize) {
        let process = self.nodes[k].process.as_ref().expect("it was started");
        if process.ready.recv_timeout(PATIENCE).is_err() {
            let log = fs::read_to_string(self.log(k)).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(30).collect();
            panic!("node {k} is not ready; the end of its log:\n{tail:#?}");
        }
    }

    pub fn wait_all_ready(&self) {
        for k in 0..self.nodes.len() {
            self.wait_ready(k);
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self, k: usize) {
        if let Some(mut process) = self.nodes[k].process.take() {
            process.child.kill().expect("it runs");
            process.child.wait().expect("it ran");
        }
    }

    /// Told to stop; waits until it has.
    pub fn terminate(&mut self, k: usize) {
        self.signal(k, "TERM");
        let mut process = self.nodes[k].process.take().expect("it runs");
        let status = process.child.wait().expect("it ran");
        assert!(status.success(), "told to stop, it ended with {status}");
    }

    /// Sends a signal by name.
    pub fn signal(&self, k: usize, name: &str) {
        let process = self.nodes[k].process.as_ref().expect("it runs");
        let done = Command::new("kill")
            .args([&format!("-{name}"), &process.child.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(done.success(), "kill -{name}: {done}");
    }

    pub fn api(&self, k: usize) -> SocketAddr {
        SocketAddr::new(self.nodes[k].home.ip.into(), API_PORT)
    }

    pub fn apis(&self) -> Vec<SocketAddr> {
        (0..self.nodes.len()).map(|k| self.api(k)).collect()
    }

    pub fn log(&self, k: usize) -> PathBuf {
        self.directory.path().join(format!("node-{k}.log"))
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for k in 0..self.nodes.len() {
            self.kill(k);
        }
        if std::thread::panicking() {
            for k in 0..self.nodes.len() {
                let log = fs::read_to_string(self.log(k)).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(20).collect();
                eprintln!("node {k}, the end of its log, newest first:\n{}", tail.join("\n"));
            }
        }
    }
}
