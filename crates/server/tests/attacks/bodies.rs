//! Bodies of HTTP/1.1 requests: too large, too slow, and answers that nobody reads.

use crate::{
    setup::{SHORT, Target, soon},
    wire::{connect, read_reply, read_to_end},
};
use server::Limits;
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const OVER: usize = nacos::CONFIG_BODY_BYTES_MAX + 1;

fn head(target: &Target, rest: &str) -> String {
    format!(
        "POST /nacos/v1/cs/configs?dataId=big&group=g HTTP/1.1\r\nhost: x\r\naccessToken: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n{rest}\r\n",
        target.token
    )
}

/// Sends until the server no longer takes it, while the answer is awaited: what it is.
async fn answer_while_sending(socket: TcpStream, piece: Vec<u8>) -> u16 {
    let socket = socket.into_std().expect("a socket");
    let second = socket.try_clone().expect("a second handle");
    let mut reader = TcpStream::from_std(socket).expect("a socket");
    let mut writer = TcpStream::from_std(second).expect("a socket");
    let sending = async { while writer.write_all(&piece).await.is_ok() {} };
    tokio::select! {
        biased;
        reply = soon("an answer", read_reply(&mut reader)) => reply.expect("an answer").status,
        () = sending => read_reply(&mut reader).await.expect("an answer, even if late").status,
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_at_once_and_nothing_is_stored() {
    let target = Target::start().await;
    for door in target.doors() {
        // Announced and not sent.
        let mut socket = connect(door).await;
        let announced = head(&target, &format!("content-length: {OVER}\r\n"));
        socket.write_all(announced.as_bytes()).await.expect("sent");
        assert_eq!(read_reply(&mut socket).await.expect("an answer").status, 413);
        // With the question whether it may be sent: nobody says it may.
        let mut socket = connect(door).await;
        let asked = head(&target, &format!("content-length: {OVER}\r\nexpect: 100-continue\r\n"));
        socket.write_all(asked.as_bytes()).await.expect("sent");
        assert_eq!(read_reply(&mut socket).await.expect("an answer").status, 413);
        // Announced and sent.
        let mut socket = connect(door).await;
        socket.write_all(announced.as_bytes()).await.expect("sent");
        assert_eq!(answer_while_sending(socket, vec![b'a'; 1 << 16]).await, 413);
        // Not announced.
        let mut socket = connect(door).await;
        let chunked = head(&target, "transfer-encoding: chunked\r\n");
        socket.write_all(chunked.as_bytes()).await.expect("sent");
        let piece = [b"10000\r\n".to_vec(), vec![b'a'; 1 << 16], b"\r\n".to_vec()].concat();
        assert_eq!(answer_while_sending(socket, piece).await, 413);
    }
    assert_eq!(target.config("big").await.status, 404);
    assert!(target.rejected(base::Limit::ConfigBody).await >= 8);
    target.unharmed().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_408_and_nothing_is_stored() {
    let target = Target::within(Limits { body_timeout: SHORT, ..Limits::default() }).await;
    for door in target.doors() {
        let mut socket = connect(door).await;
        let announced = head(&target, "content-length: 10000\r\n");
        socket.write_all(announced.as_bytes()).await.expect("sent");
        let trickle = async {
            while socket.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let mut byte = [0];
                if matches!(
                    tokio::time::timeout(Duration::ZERO, socket.peek(&mut byte)).await,
                    Ok(Ok(1))
                ) {
                    break;
                }
            }
        };
        soon("an answer", trickle).await;
        assert_eq!(read_reply(&mut socket).await.expect("an answer").status, 408);
    }
    assert_eq!(target.config("big").await.status, 404);
    assert!(target.rejected(base::Limit::BodyTimeout).await >= 2);
    target.unharmed().await;
}

#[tokio::test]
async fn a_body_that_is_slow_but_fast_enough_is_served() {
    let limits = Limits { body_timeout: SHORT, body_rate_min: 1, ..Limits::default() };
    let target = Target::within(limits).await;
    let mut socket = connect(target.api).await;
    let announced = head(&target, "content-length: 24\r\n");
    socket.write_all(announced.as_bytes()).await.expect("sent");
    for byte in b"content=aaaaaaaaaaaaaaaa" {
        socket.write_all(&[*byte]).await.expect("sent");
        tokio::time::sleep(SHORT / 12).await;
    }
    let reply = soon("an answer", read_reply(&mut socket)).await.expect("an answer");
    assert_eq!(reply.status, 200);
    drop(socket);
    target.unharmed().await;
}

#[tokio::test]
async fn many_large_bodies_at_once_are_503_beyond_the_budget() {
    let budget = nacos::CONFIG_BODY_BYTES_MAX;
    let target = Target::within(Limits { body_bytes_max: budget, ..Limits::default() }).await;
    let most = budget / 4 * 3;
    let announced = head(&target, &format!("content-length: {}\r\n", most + 1));
    let mut first = connect(target.api).await;
    first.write_all(announced.as_bytes()).await.expect("sent");
    // When all of it is written, at most what sockets buffer is not counted yet.
    first.write_all(&vec![b'a'; most]).await.expect("sent");
    let mut second = connect(target.api).await;
    second.write_all(announced.as_bytes()).await.expect("sent");
    assert_eq!(answer_while_sending(second, vec![b'a'; 1 << 16]).await, 503);
    drop(first);
    assert!(target.rejected(base::Limit::Bodies).await >= 1);
    target.unharmed().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_closed() {
    let limits = Limits {
        idle_timeout: SHORT,
        answer_timeout: SHORT,
        close_timeout: SHORT,
        ..Limits::default()
    };
    let target = Target::within(limits).await;
    target.publish("big", &"a".repeat(9 << 20)).await;
    let mut socket = connect(target.api).await;
    let ask = format!(
        "GET /nacos/v1/cs/configs?dataId=big&group=g HTTP/1.1\r\nhost: x\r\naccessToken: {}\r\n\r\n",
        target.token
    );
    socket.write_all(ask.as_bytes()).await.expect("sent");
    target.quiet(1).await;
    target.quiet(0).await;
    assert!(read_to_end(&mut socket).await.len() < 9 << 20, "it was cut off");
    // Once all of it lies in buffers, a connection whose client does not read looks idle.
    let unread = target.rejected(base::Limit::AnswerTimeout).await;
    assert!(unread + target.rejected(base::Limit::IdleTimeout).await >= 1);
    target.unharmed().await;
}
