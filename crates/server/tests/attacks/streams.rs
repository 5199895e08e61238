//! The stream of a gRPC connection: none, two, one that ends too early.

use crate::{
    calls::{Client, STREAM, body, kind, message, setup},
    setup::{Target, soon},
};
use serde_json::json;

async fn subscribe(client: &Client, name: &str) {
    let request = json!({"serviceName": name, "groupName": "DEFAULT_GROUP", "subscribe": true});
    let answer = client.ask("SubscribeServiceRequest", request).await.json();
    assert_eq!(answer["resultCode"], 200, "{answer}");
}

async fn register(target: &Target, name: &str, port: u16) {
    let form = format!("serviceName={name}&ip=10.0.0.9&port={port}");
    assert_eq!(target.normal("POST", "/nacos/v1/ns/instance", &form).await.status, 200);
}

#[tokio::test]
async fn two_setups_are_one_client() {
    let target = Target::start().await;
    let client = Client::connect(target.grpc, &target.token).await;
    let mut open = client.set_up().await;
    for _ in 0..100 {
        open.send.send_data(setup(), false).expect("sent");
    }
    subscribe(&client, "twice").await;
    register(&target, "twice", 1).await;
    let push = soon("a push", async {
        loop {
            let message = open.next().await.expect("the stream lives");
            if kind(&message) == "NotifySubscriberRequest"
                && body(&message)["serviceInfo"]["hosts"].as_array().is_some_and(|h| !h.is_empty())
            {
                return body(&message);
            }
        }
    });
    assert_eq!(push.await["serviceInfo"]["hosts"][0]["port"], 1);
    drop((open, client));
    target.unharmed().await;
}

#[tokio::test]
async fn a_second_stream_takes_over_and_the_first_one_ends() {
    let target = Target::start().await;
    let client = Client::connect(target.grpc, &target.token).await;
    let first = client.set_up().await;
    subscribe(&client, "moved").await;
    let mut second = client.open(STREAM, setup(), false).await;
    assert_eq!(first.end().await.status, Some(0), "told that it is over");
    for port in 1..=5 {
        register(&target, "moved", port).await;
        let seen = async {
            loop {
                let message = second.next().await.expect("the stream lives");
                let push = body(&message);
                let answer = json!({"requestId": push["requestId"], "resultCode": 200});
                let answer = message_back(&answer.to_string());
                second.send.send_data(answer, false).expect("sent");
                let hosts = push["serviceInfo"]["hosts"].as_array().map_or(0, Vec::len);
                if hosts == usize::from(port) {
                    return;
                }
            }
        };
        soon("the push of each change", seen).await;
    }
    drop((second, client));
    target.unharmed().await;
}

fn message_back(json: &str) -> bytes::Bytes {
    message("NotifySubscriberResponse", json, "")
}

#[tokio::test]
async fn as_many_streams_as_fit_leave_one_that_is_fed() {
    let target = Target::start().await;
    let client = Client::connect(target.grpc, &target.token).await;
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(client.open(STREAM, setup(), false).await);
    }
    let mut last = streams.pop().expect("two hundred");
    for stream in streams {
        assert_eq!(stream.end().await.status, Some(0));
    }
    let registered = async {
        while client.ask("HealthCheckRequest", json!({})).await.json()["resultCode"] != 200 {}
    };
    soon("registered", registered).await;
    subscribe(&client, "fed").await;
    register(&target, "fed", 1).await;
    soon("a push", last.next()).await.expect("the stream lives");
    drop((last, client));
    target.unharmed().await;
}

#[tokio::test]
async fn a_stream_that_ends_before_it_said_anything_is_ended() {
    let target = Target::start().await;
    let client = Client::connect(target.grpc, &target.token).await;
    for _ in 0..300 {
        let open = client.open(STREAM, bytes::Bytes::new(), true).await;
        assert_eq!(open.end().await.status, Some(0));
    }
    let end = client.ask("ServerCheckRequest", json!({})).await;
    assert_eq!(end.json()["resultCode"], 200, "the connection lives");
    drop(client);
    target.unharmed().await;
}

#[tokio::test]
async fn a_client_that_ends_its_stream_is_gone_with_its_instances() {
    let target = Target::start().await;
    let client = Client::connect(target.grpc, &target.token).await;
    let mut open = client.set_up().await;
    let register = json!({"serviceName": "gone", "groupName": "DEFAULT_GROUP",
        "type": "registerInstance", "instance": {"ip": "10.0.0.1", "port": 1}});
    let answer = client.ask("InstanceRequest", register).await.json();
    assert_eq!(answer["resultCode"], 200, "{answer}");
    let list = "/nacos/v1/ns/instance/list?serviceName=gone";
    assert!(target.normal("GET", list, "").await.text().contains("10.0.0.1"));
    open.send.send_data(bytes::Bytes::new(), true).expect("sent");
    target.quiet(0).await;
    assert!(!target.normal("GET", list, "").await.text().contains("10.0.0.1"));
    drop((open, client));
    target.unharmed().await;
}

#[tokio::test]
async fn answers_to_questions_that_were_never_asked_are_ignored() {
    let target = Target::start().await;
    let client = Client::connect(target.grpc, &target.token).await;
    let mut open = client.set_up().await;
    for id in ["0", "1", "-1", "18446744073709551616", "x", ""] {
        let json = json!({"requestId": id, "resultCode": 200}).to_string();
        for kind in ["NotifySubscriberResponse", "ConfigChangeNotifyResponse", "x", ""] {
            open.send.send_data(message(kind, &json, ""), false).expect("sent");
        }
    }
    let end = client.ask("HealthCheckRequest", json!({})).await;
    assert_eq!(end.json()["resultCode"], 200, "the connection lives");
    drop((open, client));
    target.unharmed().await;
}
