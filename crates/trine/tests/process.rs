//! The real process: told to stop, without descriptors, in a crowd, and what it leaves in its log and on its disk.
#![allow(missing_docs, clippy::disallowed_methods)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long anything that must happen may take. Nothing waits this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(110);
const PASSWORD: &str = "Pa55-of-this-test-only";
/// Content that must not be in a log.
const CONTENT: &str = "c0ntent-that-no-log-shows";

struct Process {
    child: Child,
    api: SocketAddr,
}

impl Process {
    /// `files` is how many files it may have open; its log goes to a file.
    fn start(files: Option<u32>, arguments: &str, log: &Path) -> Self {
        let limit = files.map_or_else(String::new, |files| format!("ulimit -n {files}; "));
        let line = format!("{limit}exec '{}' server {arguments}", env!("CARGO_BIN_EXE_trine"));
        let mut child = Command::new("sh")
            .args(["-c", &line])
            .stdout(Stdio::piped())
            .stderr(fs::File::create(log).expect("a log"))
            .spawn()
            .expect("a shell");
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

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.api).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    fn ask(&self, verb: &str, target: &str, body: &str) -> (u16, String) {
        exchange(&mut self.connect(), verb, target, body).expect("an answer")
    }

    fn metric(&self, name: &str) -> f64 {
        let (_, page) = self.ask("GET", "/metrics", "");
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
    }

    fn signal(&self, name: &str) {
        let told = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(told.expect("kill").success());
    }

    fn ended(mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of one that has ended: nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn request(verb: &str, target: &str, headers: &str, body: &str) -> String {
    format!(
        "{verb} {target} HTTP/1.1\r\nhost: t\r\n{headers}\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn exchange(stream: &mut TcpStream, verb: &str, target: &str, body: &str) -> Option<(u16, String)> {
    stream.write_all(request(verb, target, "", body).as_bytes()).ok()?;
    answer(stream)
}

/// The next answer; `None` when the connection ends instead.
fn answer(stream: &mut TcpStream) -> Option<(u16, String)> {
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

fn poll(process: &Process, data_id: &str) -> TcpStream {
    let mut stream = process.connect();
    let body = format!("Listening-Configs={data_id}%02g%02%01");
    let asked =
        request("POST", "/nacos/v1/cs/configs/listener", "Long-Pulling-Timeout: 120000\r\n", &body);
    stream.write_all(asked.as_bytes()).expect("sent");
    stream
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "did not happen: {what}");
        // Asking costs the server more than waiting does.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn told_to_stop_it_answers_what_waits_keeps_what_it_acknowledged_and_ends_with_zero() {
    let place = tempfile::tempdir().expect("a directory");
    let (data, log) = (place.path().join("data"), place.path().join("log"));
    let arguments = format!(
        "--listen-api 127.0.0.1:0 --auth off --stop-timeout 10s --data '{}'",
        data.display()
    );
    let process = Process::start(None, &arguments, &log);
    let mut held = poll(&process, "held");
    until("the poll is held", || process.metric("trine_config_listeners") == 1.0);
    // Somebody publishes all the time, on a connection that is kept.
    let mut writer = process.connect();
    let writing = std::thread::spawn(move || {
        let mut acknowledged = 0;
        for value in 1_u64.. {
            let body = format!("dataId=k&group=g&content={value}");
            match exchange(&mut writer, "POST", "/nacos/v1/cs/configs", &body) {
                Some((200, _)) => acknowledged = value,
                Some((status, body)) => assert_eq!(status, 503, "{body}"),
                None => break,
            }
        }
        acknowledged
    });
    // One that was never accepted would be reset.
    let mut idle = process.connect();
    assert!(exchange(&mut idle, "GET", "/livez", "").is_some_and(|(status, _)| status == 200));
    process.signal("-TERM");
    let begun = Instant::now();
    assert_eq!(answer(&mut held), Some((200, String::new())), "nothing has changed");
    assert_eq!(idle.read(&mut [0]).expect("closed in order"), 0);
    let acknowledged = writing.join().expect("it wrote until the end");
    assert_eq!(process.ended().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let process = Process::start(None, &arguments, &log);
    let (status, value) = process.ask("GET", "/nacos/v1/cs/configs?dataId=k&group=g", "");
    assert!(status == 200 && value.parse::<u64>().expect("a number") >= acknowledged, "{value}");
    process.signal("-TERM");
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn neither_log_nor_disk_shows_a_password_nor_a_log_any_content() {
    let place = tempfile::tempdir().expect("a directory");
    let (data, log) = (place.path().join("data"), place.path().join("log"));
    let given = place.path().join("password");
    fs::write(&given, PASSWORD).expect("a file");
    let arguments = format!(
        "--listen-api 127.0.0.1:0 --admin-password-file '{}' --log-level trace --data '{}'",
        given.display(),
        data.display()
    );
    let process = Process::start(None, &arguments, &log);
    let login = |password: &str| {
        let body = format!("username=nacos&password={password}");
        process.ask("POST", "/nacos/v1/auth/login", &body)
    };
    let (status, answer) = login(PASSWORD);
    assert_eq!(status, 200);
    let token = answer.split("accessToken\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.expect("a token").to_owned();
    assert_eq!(login(&format!("{PASSWORD}x")).0, 403);
    let user = format!("username=ann%1b%5b2J&password={PASSWORD}&accessToken={token}");
    process.ask("POST", "/nacos/v1/auth/users", &user);
    let body = format!("dataId=k&group=g&content={CONTENT}&accessToken={token}");
    assert_eq!(process.ask("POST", "/nacos/v1/cs/configs", &body).0, 200);
    let with_password =
        format!("/nacos/v1/cs/configs?dataId=k&group=g&username=nacos&password={PASSWORD}");
    assert_eq!(process.ask("GET", &with_password, "").0, 200);
    process.signal("-TERM");
    assert_eq!(process.ended().code(), Some(0));
    let written = fs::read_to_string(&log).expect("a log of text");
    assert!(written.contains("\"msg\":\"stopping\""), "not a terminal, so JSON: {written}");
    for line in written.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        assert!(line["ts"].is_string() && line["level"].is_string() && line["msg"].is_string());
    }
    for secret in [PASSWORD, CONTENT, &token, "\u{1b}"] {
        assert!(!written.contains(secret), "{secret:?} is in the log");
    }
    let mut on_disk = Vec::new();
    read_all(&data, &mut on_disk);
    let holds = |text: &str| on_disk.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(holds(CONTENT), "the disk was looked at");
    assert!(!holds(PASSWORD) && !holds(&token), "hashes alone are kept");
}

fn read_all(directory: &Path, bytes: &mut Vec<u8>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, bytes);
        } else {
            bytes.extend(fs::read(&path).expect("a file"));
        }
    }
}

#[test]
fn without_descriptors_it_waits_and_accepts_again_when_some_are_free() {
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("log");
    let arguments = "--listen-api 127.0.0.1:0 --auth off --memory --limits-connections 10000";
    let process = Process::start(Some(100), arguments, &log);
    let mut crowd: Vec<TcpStream> = (0..150).map(|_| process.connect()).collect();
    until("the server runs out of descriptors", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("could not be accepted"))
    });
    // Who is in is served meanwhile.
    assert_eq!(exchange(&mut crowd[0], "GET", "/livez", "").expect("an answer").0, 200);
    drop(crowd);
    assert_eq!(process.ask("GET", "/readyz", "").0, 200);
    let lines = fs::read_to_string(&log).expect("a log");
    assert!(lines.lines().count() < 20, "a refusal is not told each time: {lines}");
    process.signal("-TERM");
    assert_eq!(process.ended().code(), Some(0));
}

#[test]
fn ten_thousand_polls_wait_in_bounded_memory_and_disturb_nobody() {
    const POLLS: usize = 10_000;
    /// Of one waiting poll: its connection, its request, what the planes hold of it.
    const POLL_BYTES_MAX: f64 = 48.0 * 1024.0;
    let place = tempfile::tempdir().expect("a directory");
    let log = place.path().join("log");
    let arguments = "--listen-api 127.0.0.1:0 --auth off --memory";
    let process = Process::start(None, arguments, &log);
    let before = process.metric("process_resident_memory_bytes");
    let mut polls: Vec<TcpStream> = (0..POLLS).map(|_| poll(&process, "watched")).collect();
    until("all polls are held", || process.metric("trine_config_listeners") == POLLS as f64);
    let each = (process.metric("process_resident_memory_bytes") - before) / POLLS as f64;
    assert!(each < POLL_BYTES_MAX, "{each} bytes a poll");
    let mut slowest = Duration::ZERO;
    for round in 0..20 {
        let begun = Instant::now();
        let body = format!("serviceName=s&ip=10.0.0.1&port={}", round + 1);
        assert_eq!(process.ask("POST", "/nacos/v1/ns/instance", &body).0, 200);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let body = "dataId=watched&group=g&content=now";
    assert_eq!(process.ask("POST", "/nacos/v1/cs/configs", body).0, 200);
    for poll in &mut polls {
        let (status, text) = answer(poll).expect("an answer");
        assert!(status == 200 && text.starts_with("watched%02g"), "{status} {text}");
    }
    assert_eq!(process.metric("trine_config_listeners"), 0.0);
}
