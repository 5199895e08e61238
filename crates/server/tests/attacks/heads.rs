//! Heads of HTTP/1.1 requests: slow, endless, too large.

use crate::{
    setup::{SHORT, Target, soon},
    wire::{ask_with, connect, read_reply, read_to_end, request},
};
use server::Limits;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off_however_it_trickles() {
    let target = Target::within(Limits { head_timeout: SHORT, ..Limits::default() }).await;
    for door in target.doors() {
        let begun = Instant::now();
        let mut socket = connect(door).await;
        socket.write_all(b"GET / HTTP/1.1\r\nx: ").await.expect("sent");
        let trickle = async {
            while socket.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon("the connection ends", trickle).await;
        assert!(begun.elapsed() >= SHORT, "not before its time");
    }
    target.unharmed().await;
}

#[tokio::test]
async fn a_connection_that_asks_once_and_then_sits_there_is_closed() {
    let limits = Limits { head_timeout: SHORT, idle_timeout: SHORT, ..Limits::default() };
    let target = Target::within(limits).await;
    let mut socket = connect(target.api).await;
    let ask = request("GET", "/nacos/v1/console/health/liveness", "", "");
    socket.write_all(ask.as_bytes()).await.expect("sent");
    assert_eq!(read_reply(&mut socket).await.expect("an answer").status, 200);
    assert_eq!(read_to_end(&mut socket).await, b"");
    target.unharmed().await;
}

#[tokio::test]
async fn too_much_head_is_431_and_too_long_a_line_414() {
    let target = Target::start().await;
    let path = "/nacos/v1/console/health/liveness";
    let cases = [
        (path.to_owned(), format!("x: {}\r\n", "a".repeat(70_000)), &[431][..]),
        (path.to_owned(), "x: a\r\n".repeat(20_000), &[431]),
        (path.to_owned(), format!("{}: x\r\n", "a".repeat(70_000)), &[431, 400]),
        (format!("{path}?{}", "a".repeat(70_000)), String::new(), &[414, 431]),
        (format!("{path}?{}", "a".repeat(60_000)), String::new(), &[200]),
    ];
    for door in target.doors() {
        for (line, headers, expected) in &cases {
            let reply = ask_with(door, "GET", line, headers, "").await;
            assert!(expected.contains(&reply.status), "{} for {:.50}", reply.status, headers);
        }
    }
    target.unharmed().await;
}

#[tokio::test]
async fn a_thousand_requests_in_one_piece_are_answered_one_after_the_other() {
    let target = Target::start().await;
    let mut socket = connect(target.api).await;
    let ask = request("GET", "/nacos/v1/console/health/liveness", "", "");
    let (mut reader, mut writer) = socket.split();
    let many = ask.repeat(1000);
    let sending = writer.write_all(many.as_bytes());
    let reading = async {
        let mut bytes = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        while bytes.windows(12).filter(|window| window == b"HTTP/1.1 200").count() < 1000 {
            let length = tokio::io::AsyncReadExt::read(&mut reader, &mut piece).await;
            match length.expect("open") {
                0 => panic!("closed after {} bytes", bytes.len()),
                length => bytes.extend_from_slice(&piece[..length]),
            }
        }
    };
    let (sent, ()) = soon("all answers", async { tokio::join!(sending, reading) }).await;
    sent.expect("sent");
    drop(socket);
    target.unharmed().await;
}
