//! Guessing passwords.

use crate::{
    setup::{PASSWORD, Target},
    wire::{Reply, ask, connect, read_reply, request},
};
use std::net::SocketAddr;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};

const LOGIN: &str = "/nacos/v1/auth/login";

const DEFAULTS: &[(&str, &str)] = &[
    ("nacos", "nacos"),
    ("nacos", "Nacos"),
    ("nacos", "nacos123"),
    ("nacos", "123456"),
    ("nacos", ""),
    ("admin", "admin"),
    ("admin", "123456"),
    ("admin", "nacos"),
    ("admin", "password"),
    ("root", "root"),
    ("root", "123456"),
    ("test", "test"),
    ("guest", "guest"),
    ("user", "user"),
    ("dev", "dev"),
    ("trine", "trine"),
    ("default", "default"),
    ("", ""),
    ("serverIdentity", "security"),
    ("nacos", "SecretKey012345678901234567890123456789012345678901234567890123456789"),
];

/// Logins come from an address of their own, so that what they cost is theirs.
async fn from(last: u8, door: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).expect("an address of this machine");
    socket.connect(door).await.expect("the door is open")
}

async fn log_in(socket: &mut TcpStream, user: &str, password: &str) -> Reply {
    let body = format!("username={user}&password={password}");
    let request = request("POST", LOGIN, "", &body);
    socket.write_all(request.as_bytes()).await.expect("sent");
    read_reply(socket).await.expect("an answer")
}

#[tokio::test]
async fn twenty_default_passwords_are_refused_and_then_slowed_down() {
    let target = Target::start().await;
    let mut throttled = 0;
    for (user, password) in DEFAULTS {
        let body = format!("username={user}&password={password}");
        let reply = ask(target.api, "POST", LOGIN, &body).await;
        assert_eq!(reply.status, 403, "{user}/{password}");
        throttled += usize::from(reply.text().starts_with("too many failed logins"));
    }
    for path in ["/nacos/v1/auth/users/login", "/nacos/v3/auth/user/login"] {
        let reply = ask(target.api, "POST", path, "username=admin&password=admin").await;
        assert_eq!(reply.status, 403);
    }
    assert!(throttled > 0, "whoever guesses on is told to wait");
    assert!(target.rejected(base::Limit::LoginFailures).await >= 1);
    target.unharmed().await;
}

#[tokio::test]
async fn an_unknown_user_reads_the_same() {
    let target = Target::start().await;
    let mut texts = Vec::new();
    for user in ["nacos", "nobody"] {
        let mut socket = from(10, target.api).await;
        let reply = log_in(&mut socket, user, "wrong").await;
        assert_eq!(reply.status, 403);
        texts.push(format!("{}{}", without_date(&reply.head), reply.text()));
    }
    assert_eq!(texts[0], texts[1]);
    target.unharmed().await;
}

fn without_date(head: &str) -> String {
    head.lines().filter(|line| !line.starts_with("date:")).collect()
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_flood_of_logins_from_one_address_delays_no_login_from_another() {
    let target = Target::start().await;
    let mut flood = Vec::new();
    for number in 0..200 {
        let mut socket = from(20, target.api).await;
        let body = format!("username=user{number}&password=wrong");
        let request = request("POST", LOGIN, "", &body);
        socket.write_all(request.as_bytes()).await.expect("sent");
        flood.push(socket);
    }
    // All of them are in the queue or refused when the last one was looked at.
    target.quiet(200).await;
    let mut socket = connect(target.api).await;
    let reply = log_in(&mut socket, "nacos", &PASSWORD.replace(' ', "+")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let (mut answered, mut refused) = (0, 0);
    for socket in &mut flood {
        let mut status = [0; 12];
        match socket.try_read(&mut status) {
            Ok(_) if status.ends_with(b"503") => refused += 1,
            Ok(_) => answered += 1,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
    assert!(refused > 0, "what is too much is refused");
    assert!(answered < 32, "{answered} of 64 had their turn before the other address");
    // What their connections asked for is forgotten with them: the next one does not wait for it, either.
    drop((flood, socket));
    assert!(target.rejected(base::Limit::PasswordChecks).await >= 1);
    target.unharmed().await;
}

#[tokio::test]
async fn names_that_would_break_lines_come_back_escaped_or_not_at_all() {
    let target = Target::start().await;
    for user in ["%0d%0aset-cookie:+x=1", "%1b%5b2J", "%00", "a%0aINFO+logged+in", "%e2%80%ae"] {
        let body = format!("username={user}&password=x");
        let reply = ask(target.api, "POST", LOGIN, &body).await;
        assert!(reply.status == 403, "{}", reply.status);
        assert!(!reply.head.contains("set-cookie"), "{}", reply.head);
        assert!(!reply.body.iter().any(|byte| *byte < b' '), "{}", reply.text());
    }
    for path in ["/nacos/%0d%0aset-cookie:x", "/nacos/%1b[2J", "/nacos/<script>alert(1)</script>"] {
        let reply = ask(target.api, "GET", path, "").await;
        assert!(reply.status >= 400 && !reply.head.contains("set-cookie"), "{}", reply.head);
        assert!(!reply.head.contains("text/html"), "{}", reply.head);
        assert!(!reply.body.iter().any(|byte| *byte < b' '), "{}", reply.text());
    }
    target.unharmed().await;
}
