//! More connections than anybody needs.

use crate::{
    setup::{SHORT, Target, soon},
    wire::{connect, read_reply, read_to_end, request},
};
use server::Limits;
use std::time::{Duration, Instant};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// As many connections as were asked for, or what this machine's limit of open files allows: each one is two of them.
fn crowd(wanted: usize) -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    files.map_or(wanted, |files| wanted.min((files / 4) as usize))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_half_open_connections_leave_a_normal_client_alone() {
    let limits =
        Limits { head_timeout: Duration::from_secs(4), close_timeout: SHORT, ..Limits::default() };
    let target = Target::within(limits).await;
    let many = crowd(5_000);
    let mut sockets = Vec::new();
    let begun = Instant::now();
    for number in 0..many {
        let mut socket = connect(target.doors()[number % 2]).await;
        let begin: &[u8] = match number % 4 {
            0 => b"",
            1 => b"POST /nacos/v1/ns/instance HTTP/1.1\r\nhost:",
            2 => b"PRI * HTTP/2",
            _ => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        };
        socket.write_all(begin).await.expect("sent");
        sockets.push(socket);
    }
    let slowest = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let begun = Instant::now();
            target.serves().await;
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    };
    let slowest = slowest.await;
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    for socket in &mut sockets {
        read_to_end(socket).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(4), "not before their time");
    drop(sockets);
    target.unharmed().await;
}

/// Holds a poll for a config that does not exist yet.
pub async fn poll(target: &Target, data_id: &str) -> TcpStream {
    let mut socket = connect(target.api).await;
    let headers = format!("accessToken: {}\r\nLong-Pulling-Timeout: 30000\r\n", target.token);
    let body = format!("Listening-Configs={data_id}%02g%02%01");
    let request = request("POST", "/nacos/v1/cs/configs/listener", &headers, &body);
    socket.write_all(request.as_bytes()).await.expect("sent");
    socket
}

/// How many polls wait, as the node has it.
async fn listeners(target: &Target) -> usize {
    let page = target.normal("GET", "/metrics", "").await.text();
    let line = page.lines().find_map(|line| line.strip_prefix("trine_config_listeners "));
    line.expect("it is there").parse().expect("a number")
}

pub async fn until_listeners(target: &Target, wanted: usize) {
    let counted = async {
        while listeners(target).await != wanted {
            tokio::task::yield_now().await;
        }
    };
    soon("the number of listeners", counted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_polls_are_answered_on_a_change_and_forgotten_when_dropped() {
    let target = Target::start().await;
    let many = crowd(2_000);
    let mut polls = Vec::new();
    for _ in 0..many {
        polls.push(poll(&target, "watched").await);
    }
    until_listeners(&target, many).await;
    target.publish("watched", "now").await;
    for socket in &mut polls {
        let reply = soon("an answer", read_reply(socket)).await.expect("an answer");
        assert_eq!(reply.status, 200);
        assert!(reply.text().starts_with("watched%02g"), "{}", reply.text());
    }
    assert_eq!(listeners(&target).await, 0);
    drop(polls);
    let mut polls = Vec::new();
    for _ in 0..many {
        polls.push(poll(&target, "dropped").await);
    }
    until_listeners(&target, many).await;
    drop(polls);
    until_listeners(&target, 0).await;
    target.unharmed().await;
}

#[tokio::test]
async fn over_the_limit_of_connections_the_next_is_turned_away_and_the_one_after_is_not() {
    let limits = Limits { connections_max: 20, close_timeout: SHORT, ..Limits::default() };
    let target = Target::within(limits).await;
    let mut held = Vec::new();
    for number in 0..20 {
        held.push(connect(target.doors()[number % 2]).await);
    }
    target.quiet(20).await;
    for door in target.doors() {
        for _ in 0..5 {
            let answer = read_to_end(&mut connect(door).await).await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.ends_with("or elsewhere"), "{answer}");
        }
    }
    assert_eq!(target.running.connections_open(), 20);
    drop(held);
    target.quiet(0).await;
    assert!(target.rejected(base::Limit::Connections).await >= 10);
    target.unharmed().await;
}
