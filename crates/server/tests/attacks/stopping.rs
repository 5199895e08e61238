//! The end of a server: clients are asked to go elsewhere, and are closed when they do not.

use crate::{
    calls::{Client, Open, kind},
    crowds,
    setup::{Target, soon},
    wire::read_reply,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_clients_are_asked_to_go_and_polls_are_answered() {
    let target = Target::start().await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let client = Client::connect(target.grpc, &target.token).await;
        let stream = client.set_up().await;
        clients.push((client, stream));
    }
    let mut poll = crowds::poll(&target, "a").await;
    // It waits for its answer; before, its connection would be idle, and closed without one.
    crowds::until_listeners(&target, 1).await;
    target.quiet(51).await;
    let api = target.api;
    let stopping = tokio::spawn(target.running.stop());
    let reply = soon("an answer", read_reply(&mut poll)).await.expect("an answer");
    assert_eq!((reply.status, reply.text()), (200, String::new()));
    for (client, mut stream) in clients {
        let asked = async {
            while kind(&stream.next().await.expect("the stream lives")) != "ConnectResetRequest" {}
        };
        soon("it is asked to go", asked).await;
        // Some SDKs know no such request: for them the connection is closed.
        soon("its connection is closed", client.connection).await.expect("no panic");
    }
    soon("the stop", stopping).await.expect("no panic");
    assert!(tokio::net::TcpStream::connect(api).await.is_err(), "the door is closed");
}

/// What a client is told when it is asked to go.
async fn told(stream: &mut Open) -> String {
    let asked = async {
        loop {
            let payload = stream.next().await.expect("the stream lives");
            if kind(&payload) == "ConnectResetRequest" {
                let body = payload.body.expect("it has one").value;
                return String::from_utf8(body.into()).expect("JSON");
            }
        }
    };
    soon("it is asked to go", asked).await
}

/// An operator sends all clients but one to another node, and one by its name; nobody is forced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn surplus_clients_are_asked_to_go_where_the_operator_says() {
    let target = Target::start().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = Client::connect(target.grpc, &target.token).await;
        let stream = client.set_up().await;
        clients.push((client, stream));
    }
    let ask = async |query: &str| {
        let path = format!("/nacos/v2/core/loader/{query}");
        target.normal("GET", &path, "").await.text()
    };
    let shown = ask("current").await;
    assert_eq!(shown.matches("\"connectionId\"").count(), 3, "{shown}");
    assert!(ask("cluster").await.contains("\"sdkConCount\":\"3\""));
    assert_eq!(ask("reloadCurrent?count=1&redirectAddress=10.0.0.2:8848").await, "success");
    for (_, stream) in &mut clients[1..] {
        let text = told(stream).await;
        assert!(text.contains(r#""serverIp":"10.0.0.2","serverPort":"8848""#), "{text}");
    }
    // The oldest may stay: what it is asked first is the question by its name, and there is no other member to name.
    let name = shown.split('"').nth(1).expect("a name");
    assert_eq!(ask(&format!("reloadClient?connectionId={name}")).await, "success");
    let text = told(&mut clients[0].1).await;
    assert!(!text.contains("serverIp"), "{text}");
}
