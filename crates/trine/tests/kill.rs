//! The real process, killed without warning while it is written to.
#![allow(missing_docs, clippy::disallowed_methods)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How often the process is killed.
const KILLS: u32 = 100;
/// Keys that are written in turn.
const KEYS: u64 = 16;
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);

struct Process {
    child: Child,
    api: SocketAddr,
}

impl Process {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_trine"))
            .args(["server", "--listen-api", "127.0.0.1:0", "--auth", "off", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary is built");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut api = None;
        for line in lines.map_while(Result::ok) {
            if let Some(rest) = line.trim().strip_prefix("nacos ") {
                api = rest.split_whitespace().next().and_then(|text| text.parse().ok());
            }
            if line.trim().starts_with("ready") {
                break;
            }
        }
        Self { child, api: api.expect("the banner names the door once the node is ready") }
    }

    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ran");
    }
}

/// One HTTP/1.1 exchange on a connection that is kept open; `None` when it broke off.
fn exchange(stream: &mut TcpStream, request: &str) -> Option<(u16, String)> {
    stream.write_all(request.as_bytes()).ok()?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.trim().parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some((status, String::from_utf8(body).ok()?))
}

fn publish(stream: &mut TcpStream, key: u64, value: u64) -> Option<(u16, String)> {
    // Long enough for several sectors, so that half a value would show.
    let content = format!("{value}-{}-{value}", "x".repeat(2000));
    let body = format!("dataId=k{key}&group=g&content={content}");
    let request = format!(
        "POST /nacos/v1/cs/configs HTTP/1.1\r\nhost: t\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(stream, &request)
}

/// The value of a key; 0 if it has none.
fn read(stream: &mut TcpStream, key: u64) -> u64 {
    let request =
        format!("GET /nacos/v1/cs/configs?dataId=k{key}&group=g HTTP/1.1\r\nhost: t\r\n\r\n");
    let (status, body) = exchange(stream, &request).expect("the node serves");
    if status == 404 {
        return 0;
    }
    assert_eq!(status, 200, "{body}");
    let parts: Vec<&str> = body.split('-').collect();
    assert!(
        parts.len() == 3 && parts[0] == parts[2] && parts[1].len() == 2000,
        "half a value: {body}"
    );
    parts[0].parse().expect("a number")
}

/// Every acknowledged publish is there after each of a hundred kills, and none is there by half.
#[test]
fn acknowledged_publishes_survive_a_hundred_kills() {
    let data = tempfile::tempdir().expect("a directory");
    // Per key: the last acknowledged value, and the greatest that was sent.
    let mut ledger: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut value = 0;
    for round in 0..KILLS {
        let process = Process::start(data.path());
        let mut stream = TcpStream::connect(process.api).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        for (&key, &(acknowledged, sent)) in &ledger {
            let found = read(&mut stream, key);
            assert!(
                (acknowledged..=sent).contains(&found),
                "round {round}: k{key} is {found}, acknowledged {acknowledged}, sent {sent}"
            );
        }
        let api = process.api;
        let until = Instant::now() + Duration::from_millis(20 + u64::from(round * 7 % 60));
        let writer = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(api).expect("it listens");
            let mut wrote = Vec::new();
            loop {
                value += 1;
                let key = value % KEYS;
                match publish(&mut stream, key, value) {
                    Some((200, body)) if body == "true" => wrote.push((key, value, true)),
                    Some(other) => panic!("refused: {other:?}"),
                    None => {
                        wrote.push((key, value, false));
                        return (value, wrote);
                    }
                }
            }
        });
        while Instant::now() < until {
            std::thread::yield_now();
        }
        process.kill();
        let (last, wrote) =
            writer.join().expect("the writer saw only acknowledgements and the end");
        value = last;
        for (key, value, acknowledged) in wrote {
            let entry = ledger.entry(key).or_default();
            entry.1 = value;
            if acknowledged {
                entry.0 = value;
            }
        }
    }
    let acknowledged: u64 =
        ledger.values().map(|(acknowledged, _)| *acknowledged).max().unwrap_or(0);
    assert!(acknowledged > u64::from(KILLS), "too few publishes to show anything: {acknowledged}");
}
