//! Strangers at the peer door. TLS is rustls's to test; here it is who gets through it, and what it costs to try.

use crate::setup::{PASSWORD, PATIENCE, SHORT, Target};
use base::Limit;
use cluster::Secret;
use server::{ClusterSettings, Limits, Settings};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn target(limits: Limits) -> (Target, SocketAddr) {
    let mut settings = Settings::in_memory(PASSWORD, limits);
    settings.listen.peer = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let secret = Secret::new(&[7; 32]).expect("long enough");
    settings.cluster = ClusterSettings { secret: Some(secret), ..ClusterSettings::default() };
    let target = Target::of(settings).await;
    let peer = target.running.peer.expect("open: there is a secret");
    (target, peer)
}

/// Waits until the other side has closed; what it still said is of no interest.
async fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    // Closed or reset: gone.
    let _ = ended.expect("it is closed");
}

#[tokio::test]
async fn junk_at_the_peer_door_ends_its_connection_and_nothing_else() {
    let (target, peer) = target(Limits::default()).await;
    let hello = [0x16, 3, 1, 0xff, 0xff, 1, 0, 0xff, 0xfb];
    for junk in [&b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"TRNP\x01D", &hello, &[0; 4096]]
    {
        let mut stream = TcpStream::connect(peer).await.expect("it listens");
        stream.write_all(junk).await.expect("room");
        stream.shutdown().await.expect("open");
        closed(stream).await;
    }
    target.unharmed().await;
}

#[tokio::test]
async fn a_stranger_who_says_nothing_is_closed() {
    let limits = Limits { peer_handshake_timeout: SHORT, ..Limits::default() };
    let (target, peer) = target(limits).await;
    let stream = TcpStream::connect(peer).await.expect("it listens");
    closed(stream).await;
    assert_eq!(target.rejected(Limit::PeerHandshakeTimeout).await, 1);
    target.unharmed().await;
}

#[tokio::test]
async fn strangers_crowd_out_strangers_and_no_node() {
    let limits = Limits { peer_handshakes_max: 3, ..Limits::default() };
    let (target, peer) = target(limits).await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(TcpStream::connect(peer).await.expect("it listens"));
    }
    // The oldest two had to go; the others have time.
    let young = waiting.split_off(2);
    for old in waiting {
        closed(old).await;
    }
    assert_eq!(target.rejected(Limit::PeerHandshakes).await, 2);
    drop(young);
    target.unharmed().await;
}
