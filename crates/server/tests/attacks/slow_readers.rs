//! Subscribers that do not read.

use crate::{
    calls::{Client, Open, STREAM, UNARY, body, message, setup},
    setup::{SHORT, Target, soon},
};
use bytes::Bytes;
use h2::{SendStream, client::ResponseFuture};
use serde_json::json;
use server::Limits;
use std::collections::BTreeSet;

async fn subscribe(client: &Client, name: &str) {
    let request = json!({"serviceName": name, "groupName": "DEFAULT_GROUP", "subscribe": true});
    let answer = client.ask("SubscribeServiceRequest", request).await.json();
    assert_eq!(answer["resultCode"], 200, "{answer}");
}

/// Subscribes without waiting for the answer: the window for answers is closed, too.
async fn ask_for(client: &Client, name: &str) -> Option<(ResponseFuture, SendStream<Bytes>)> {
    let request = json!({"serviceName": name, "groupName": "DEFAULT_GROUP", "subscribe": true});
    let asked = message("SubscribeServiceRequest", &request.to_string(), &client.token);
    client.try_begin(UNARY, asked, true).await
}

/// A service with so many instances that its list is about as many bytes long times 350.
async fn fill(client: &Client, name: &str, instances: u32) {
    let all: Vec<_> = (0..instances)
        .map(|n| json!({"ip": format!("10.1.{}.{}", n / 250, n % 250 + 1), "port": 80}))
        .collect();
    let request = json!({"serviceName": name, "groupName": "DEFAULT_GROUP",
        "type": "batchRegisterInstance", "instances": all});
    let answer = client.ask("BatchInstanceRequest", request).await.json();
    assert_eq!(answer["resultCode"], 200, "{answer}");
}

async fn change(target: &Target, name: &str, port: u32) {
    let form = format!("serviceName={name}&ip=10.9.9.9&port={port}");
    assert_eq!(target.normal("POST", "/nacos/v1/ns/instance", &form).await.status, 200);
}

#[tokio::test]
async fn changes_are_conflated_for_who_does_not_read_and_reach_who_does() {
    let target = Target::start().await;
    let owner = Client::connect(target.grpc, &target.token).await;
    let owners = owner.set_up().await;
    fill(&owner, "busy", 100).await;
    let slow = Client::with_window(target.grpc, &target.token, 0).await;
    let (slow_stream, slow_sender) = {
        let (response, send) = slow.begin(STREAM, setup(), false).await;
        (soon("a head", response).await.expect("a head"), send)
    };
    let held = ask_for(&slow, "busy").await;
    let reader = Client::connect(target.grpc, &target.token).await;
    let mut stream = reader.set_up().await;
    subscribe(&reader, "busy").await;
    // Each list is some 30 KB: sent one by one, these would be far over what may wait for a connection.
    for port in 1..=100 {
        change(&target, "busy", port).await;
    }
    let last = async {
        loop {
            let push = body(&stream.next().await.expect("the stream lives"));
            let answer = json!({"requestId": push["requestId"], "resultCode": 200}).to_string();
            let answer = message("NotifySubscriberResponse", &answer, "");
            stream.send.send_data(answer, false).expect("sent");
            let hosts = push["serviceInfo"]["hosts"].as_array().map_or(0, Vec::len);
            if hosts == 200 {
                return;
            }
        }
    };
    soon("the last list", last).await;
    assert!(!slow.connection.is_finished(), "one push waits for it, not a hundred");
    drop((slow_stream, slow_sender, held, slow, stream, reader, owners, owner));
    target.unharmed().await;
}

/// Reads and confirms pushes until each of these services has so many instances.
async fn read_until(stream: &mut Open, services: &[String], instances: usize) {
    let mut missing: BTreeSet<&str> = services.iter().map(String::as_str).collect();
    while !missing.is_empty() {
        let push = body(&stream.next().await.expect("the stream lives"));
        let answer = json!({"requestId": push["requestId"], "resultCode": 200}).to_string();
        let answer = message("NotifySubscriberResponse", &answer, "");
        stream.send.send_data(answer, false).expect("sent");
        let info = &push["serviceInfo"];
        if info["hosts"].as_array().map_or(0, Vec::len) == instances {
            missing.remove(info["name"].as_str().unwrap_or_default());
        }
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("service{number}")).collect()
}

#[tokio::test]
async fn many_changes_in_one_moment_do_not_close_a_client_that_reads() {
    let target = Target::start().await;
    let services = names(49);
    let (owner, other) = (
        Client::connect(target.grpc, &target.token).await,
        Client::connect(target.grpc, &target.token).await,
    );
    let (owners, others) = (owner.set_up().await, other.set_up().await);
    for name in &services {
        fill(&owner, name, 200).await;
        let one = json!({"serviceName": name, "groupName": "DEFAULT_GROUP",
            "type": "registerInstance", "instance": {"ip": "10.9.9.9", "port": 1}});
        let answer = other.ask("InstanceRequest", one).await.json();
        assert_eq!(answer["resultCode"], 200, "{answer}");
    }
    let reader = Client::connect(target.grpc, &target.token).await;
    let mut stream = reader.set_up().await;
    let acting = async {
        for name in &services {
            subscribe(&reader, name).await;
        }
        // Its end changes all lists at once: some 2 MB for everybody who wants to see them.
        drop((others, other));
    };
    let reading = read_until(&mut stream, &services, 200);
    soon("all lists", async { tokio::join!(acting, reading) }).await;
    drop((stream, reader, owners, owner));
    target.unharmed().await;
}

#[tokio::test]
async fn who_lets_too_much_wait_for_too_long_is_closed_and_no_one_else() {
    let target = Target::within(Limits {
        stream_patience: SHORT,
        close_timeout: SHORT,
        ..Limits::default()
    })
    .await;
    let owner = Client::connect(target.grpc, &target.token).await;
    let owners = owner.set_up().await;
    let services = names(9);
    for name in &services {
        fill(&owner, name, 1_000).await;
    }
    let slow = Client::with_window(target.grpc, &target.token, 0).await;
    let (response, sender) = slow.begin(STREAM, setup(), false).await;
    let head = soon("a head", response).await.expect("a head");
    let mut held = Vec::new();
    for name in &services {
        held.push(ask_for(&slow, name).await);
    }
    let reader = Client::connect(target.grpc, &target.token).await;
    let mut stream = reader.set_up().await;
    // One list: less than may wait, so that it is not closed itself on a machine that lets it wait.
    subscribe(&reader, &services[0]).await;
    change(&target, &services[0], 1).await;
    soon("the list", read_until(&mut stream, &services[..1], 1_001)).await;
    // It has some time, and then the next push ends it: each new subscription brings one.
    for number in 0..100 {
        if slow.connection.is_finished() {
            break;
        }
        held.push(ask_for(&slow, &format!("late{number}")).await);
        tokio::time::sleep(SHORT / 10).await;
    }
    soon("it is closed", slow.connection).await.expect("no panic");
    change(&target, &services[0], 2).await;
    soon("the list", read_until(&mut stream, &services[..1], 1_002)).await;
    drop((head, sender, held, slow.send, stream, reader, owners, owner));
    assert!(target.rejected(base::Limit::PushBytes).await >= 1);
    target.unharmed().await;
}
