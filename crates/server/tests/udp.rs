//! A client of 1.x as it is on the wire: lists over HTTP, changes by UDP, confirmations by UDP.
#![allow(missing_docs, clippy::disallowed_methods)]

use server::{Auth, Limits, Settings};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

/// How long anything that must happen may take. Nothing waits this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(30);

async fn http(server: SocketAddr, method: &str, target: &str) -> String {
    let mut socket = TcpStream::connect(server).await.expect("accepted");
    let request = format!(
        "{method} /nacos/v1/ns/{target} HTTP/1.1\r\nhost: trine\r\nconnection: close\r\n\
         user-agent: Nacos-Java-Client:v1.4.8\r\ncontent-length: 0\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.expect("in time").expect("text");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{target}: {answer}");
    answer
}

/// The next push, and where it came from.
async fn push(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut bytes = vec![0; 65_536];
    let arrived = tokio::time::timeout(PATIENCE, socket.recv_from(&mut bytes));
    let (len, from) = arrived.await.expect("a push in time").expect("received");
    (String::from_utf8(bytes[..len].to_vec()).expect("short pushes are plain"), from)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_arrives_by_udp_and_is_confirmed() {
    let running = server::start(Settings {
        auth: Auth::Off,
        ..Settings::in_memory("a password of these tests", Limits::default())
    })
    .await
    .expect("free ports");
    tokio::time::timeout(PATIENCE, running.ready()).await.expect("ready");
    let server = running.api.expect("open");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let port = socket.local_addr().expect("bound").port();

    // Another machine's address, as SDKs send it that are not sure of their own.
    let poll = format!("instance/list?serviceName=s&clientIP=10.9.9.9&udpPort={port}");
    let list = http(server, "GET", &poll).await;
    assert!(list.contains(r#""hosts":[]"#), "{list}");
    http(server, "POST", "instance?serviceName=s&ip=10.0.0.1&port=80").await;
    // What the service was before may be pushed as well, if the registration took longer than the push window.
    let (mut first, mut from) = push(&socket).await;
    if first.contains(r#"\"hosts\":[]"#) {
        (first, from) = push(&socket).await;
    }
    assert!(
        first.starts_with(r#"{"type":"dom","data":"{\"name\":\"DEFAULT_GROUP@@s\""#),
        "{first}"
    );
    assert!(first.contains(r#"\"ip\":\"10.0.0.1\""#), "{first}");

    let (_, stamp) = first.rsplit_once(r#""lastRefTime":"#).expect("stamped");
    let stamp = stamp.trim_end_matches('}');
    let ack = format!(r#"{{"type": "push-ack", "lastRefTime":"{stamp}", "data":""}}"#);
    socket.send_to(ack.as_bytes(), from).await.expect("sent");

    http(server, "DELETE", "instance?serviceName=s&ip=10.0.0.1&port=80").await;
    let (second, _) = push(&socket).await;
    assert!(second.contains(r#"\"hosts\":[]"#), "{second}");
    assert!(!second.ends_with(&format!("{stamp}}}")), "another stamp: {second}");

    let subscribers = http(server, "GET", "service/subscribers?serviceName=s").await;
    assert!(subscribers.contains(&format!("127.0.0.1:{port}")), "{subscribers}");
    running.stop().await;
}
