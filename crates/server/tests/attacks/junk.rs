//! Bytes that are nothing we know, on both doors.

use crate::{
    setup::{SHORT, Target},
    wire::{connect, read_to_end},
};
use server::Limits;
use std::net::SocketAddr;
use tokio::{io::AsyncWriteExt, task::JoinSet};

/// A generator whose bytes are the same in each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// What comes back of it: nothing, or a refusal, and then the end.
async fn is_refused(door: SocketAddr, bytes: &[u8]) {
    let mut socket = connect(door).await;
    // The server may close before it read everything.
    let _ = socket.write_all(bytes).await;
    let answer = read_to_end(&mut socket).await;
    if answer.starts_with(b"HTTP/1.") {
        assert_eq!(answer[9], b'4', "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn junk_is_refused_and_the_connection_closed() {
    let target =
        Target::within(Limits { head_timeout: SHORT, close_timeout: SHORT, ..Limits::default() })
            .await;
    let mut attacks: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\0".repeat(1000),
        b"A".repeat(1 << 20),
        b"*1\r\n$4\r\nPING\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nhost".to_vec(),
        b"GET / HTTP/1.1\r\nho st: x\r\n\r\n".to_vec(),
        b"G\x1b[2JT / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(),
        b"PRI * HT".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), noise(7, 4096)].concat(),
        // Two opinions on where the body ends: a proxy before us may have the other one.
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"
            .to_vec(),
    ];
    attacks.extend((0..64).map(|seed| noise(seed, 200)));
    for door in target.doors() {
        let mut refusals = JoinSet::new();
        for attack in attacks.clone() {
            refusals.spawn(async move { is_refused(door, &attack).await });
        }
        refusals.join_all().await;
    }
    target.unharmed().await;
}

#[tokio::test]
async fn whoever_hangs_up_in_the_middle_leaves_nothing_behind() {
    let target = Target::start().await;
    let whole = b"POST /nacos/v1/cs/configs?dataId=half&group=g HTTP/1.1\r\nhost: x\r\n\
        content-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\n\r\ncontent=x";
    for door in target.doors() {
        for length in (0..whole.len()).step_by(7) {
            let mut socket = connect(door).await;
            socket.write_all(&whole[..length]).await.expect("sent");
        }
    }
    assert_eq!(target.config("half").await.status, 404);
    target.unharmed().await;
}
