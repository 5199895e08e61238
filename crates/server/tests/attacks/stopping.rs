//! The end of a server: clients are asked to go elsewhere, and are closed when they do not.

use crate::{
    calls::{Client, kind},
    setup::{Target, soon},
    wire::{connect, read_reply, request},
};
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_clients_are_asked_to_go_and_polls_are_answered() {
    let target = Target::start().await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        let client = Client::connect(target.grpc, &target.token).await;
        let stream = client.set_up().await;
        clients.push((client, stream));
    }
    let mut poll = connect(target.api).await;
    let headers = format!("accessToken: {}\r\nLong-Pulling-Timeout: 30000\r\n", target.token);
    let body = "Listening-Configs=a%02g%02%01";
    let asked = request("POST", "/nacos/v1/cs/configs/listener", &headers, body);
    poll.write_all(asked.as_bytes()).await.expect("sent");
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
