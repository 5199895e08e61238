//! Limits, set small and reached: the written answer, the counter, and others go on.

use crate::{
    calls::{Client, UNARY, message},
    setup::{SHORT, Target, soon},
    wire::{ask_with, connect, read_reply, read_to_end, request},
};
use base::Limit;
use serde_json::json;
use server::Limits;
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpSocket};

const POLL: &str = "/nacos/v1/cs/configs/listener";

#[tokio::test]
async fn one_address_has_its_share_of_connections() {
    let limits = Limits { connections_per_address_max: 3, ..Limits::default() };
    let target = Target::within(limits).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 7], 0).into()).expect("an address of this machine");
        held.push(socket.connect(target.api).await.expect("the door is open"));
    }
    target.quiet(3).await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 7], 0).into()).expect("an address of this machine");
    let mut fourth = socket.connect(target.grpc).await.expect("the door is open");
    let answer = read_to_end(&mut fourth).await;
    assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
    // From another address there is room.
    target.serves().await;
    assert_eq!(target.rejected(Limit::ConnectionsPerAddress).await, 1);
    drop(held);
    target.unharmed().await;
}

#[tokio::test]
async fn bodies_have_their_limits() {
    let target = Target::within(Limits {
        request_body_bytes_max: 2 << 10,
        config_body_bytes_max: 4 << 10,
        config_content_bytes_max: 4 << 10,
        ..Limits::default()
    })
    .await;
    let padding = "x".repeat(3 << 10);
    let form = format!("serviceName=s&ip=10.0.0.1&port=80&padding={padding}");
    assert_eq!(target.normal("POST", "/nacos/v1/ns/instance", &form).await.status, 413);
    target.publish("fits", &padding).await;
    let form = format!("group=g&dataId=no&content={padding}{padding}");
    assert_eq!(target.normal("POST", "/nacos/v1/cs/configs", &form).await.status, 413);
    assert_eq!(target.config("no").await.status, 404);
    assert_eq!(target.rejected(Limit::RequestBody).await, 1);
    assert_eq!(target.rejected(Limit::ConfigBody).await, 1);
    target.unharmed().await;
}

#[tokio::test]
async fn a_config_has_its_limit_over_every_door() {
    let limits = Limits { config_content_bytes_max: 1_000, ..Limits::default() };
    let target = Target::within(limits).await;
    target.publish("fits", &"x".repeat(1_000)).await;
    let form = format!("group=g&dataId=no&content={}", "x".repeat(1_001));
    let reply = target.normal("POST", "/nacos/v1/cs/configs", &form).await;
    assert_eq!(reply.status, 413, "{}", reply.text());
    assert!(reply.text().contains("over the limit of 1000"), "{}", reply.text());
    let client = Client::connect(target.grpc, &target.token).await;
    let stream = client.set_up().await;
    let publish = json!({"dataId": "no", "group": "g", "content": "x".repeat(1_001)});
    let answer = client.ask("ConfigPublishRequest", publish).await.json();
    assert_eq!(answer["success"], false, "{answer}");
    assert_eq!(target.config("no").await.status, 404);
    assert_eq!(target.rejected(Limit::ConfigContent).await, 2);
    drop((stream, client));
    target.unharmed().await;
}

#[tokio::test]
async fn metadata_has_its_limit() {
    let target = Target::within(Limits { metadata_chars_max: 10, ..Limits::default() }).await;
    let register =
        |metadata: &str| format!("serviceName=s&ip=10.0.0.1&port=80&metadata={metadata}");
    let reply = target.normal("POST", "/nacos/v1/ns/instance", &register("k%3D123456789")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = target.normal("POST", "/nacos/v1/ns/instance", &register("k%3D1234567890")).await;
    let said = "Param 'Metadata' is illegal, the param length should not exceed 10.";
    assert_eq!((reply.status, reply.text()), (400, said.to_owned()));
    let client = Client::connect(target.grpc, &target.token).await;
    let stream = client.set_up().await;
    let instance = json!({"ip": "10.0.0.2", "port": 80, "metadata": {"k": "1234567890"}});
    let batch = json!({"serviceName": "s", "groupName": "DEFAULT_GROUP",
        "type": "batchRegisterInstance", "instances": [instance]});
    let answer = client.ask("BatchInstanceRequest", batch).await.json();
    assert_eq!(answer["errorCode"], 400, "{answer}");
    assert_eq!(target.rejected(Limit::InstanceMetadata).await, 2);
    drop((stream, client));
    target.unharmed().await;
}

#[tokio::test]
async fn listeners_have_their_limit() {
    let target = Target::within(Limits { listeners_max: 2, ..Limits::default() }).await;
    let poll = |names: &[&str]| {
        let lines: String = names.iter().map(|name| format!("{name}%02g%02md5%01")).collect();
        format!("Listening-Configs={lines}")
    };
    let token = format!("accessToken: {}\r\nLong-Pulling-Timeout: 30000\r\n", target.token);
    let reply = ask_with(target.api, "POST", POLL, &token, &poll(&["a", "b"])).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = ask_with(target.api, "POST", POLL, &token, &poll(&["a", "b", "c"])).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    let client = Client::connect(target.grpc, &target.token).await;
    let stream = client.set_up().await;
    let contexts: Vec<_> =
        ["a", "b", "c"].iter().map(|name| json!({"dataId": name, "group": "g"})).collect();
    let listen = |count: usize| json!({"listen": true, "configListenContexts": contexts[..count]});
    let answer = client.ask("ConfigBatchListenRequest", listen(3)).await.json();
    assert_eq!(answer["errorCode"], 400, "{answer}");
    let answer = client.ask("ConfigBatchListenRequest", listen(2)).await.json();
    assert_eq!(answer["resultCode"], 200, "{answer}");
    assert_eq!(target.rejected(Limit::Listeners).await, 2);
    drop((stream, client));
    target.unharmed().await;
}

#[tokio::test]
async fn instances_and_subscriptions_of_a_connection_have_their_limits() {
    let limits = Limits { instances_max: 2, subscriptions_max: 2, ..Limits::default() };
    let target = Target::within(limits).await;
    let client = Client::connect(target.grpc, &target.token).await;
    let stream = client.set_up().await;
    for (number, wanted) in [(1, true), (2, true), (3, false)] {
        let name = format!("s{number}");
        let request = json!({"serviceName": name, "groupName": "g", "subscribe": true});
        let answer = client.ask("SubscribeServiceRequest", request).await.json();
        assert_eq!(answer["success"], wanted, "{answer}");
        let instance = json!({"ip": "10.0.0.1", "port": number});
        let request = json!({"serviceName": name, "groupName": "g", "type": "registerInstance",
            "instance": instance});
        let answer = client.ask("InstanceRequest", request).await.json();
        assert_eq!(answer["success"], wanted, "{answer}");
    }
    assert_eq!(target.rejected(Limit::Subscriptions).await, 1);
    assert_eq!(target.rejected(Limit::Instances).await, 1);
    drop((stream, client));
    target.unharmed().await;
}

#[tokio::test]
async fn a_poll_is_held_no_longer_than_the_limit() {
    let limits = Limits { long_poll_timeout: SHORT, ..Limits::default() };
    let target = Target::within(limits).await;
    let begun = std::time::Instant::now();
    let headers = format!("accessToken: {}\r\nLong-Pulling-Timeout: 30000\r\n", target.token);
    let body = "Listening-Configs=a%02g%02%01";
    let reply = ask_with(target.api, "POST", POLL, &headers, body).await;
    assert_eq!((reply.status, reply.text()), (200, String::new()));
    assert!((SHORT..Duration::from_secs(9)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    target.unharmed().await;
}

#[tokio::test]
async fn calls_of_one_connection_have_their_limit() {
    let target = Target::within(Limits { calls_max: 2, ..Limits::default() }).await;
    let client = Client::connect(target.api, &target.token).await;
    let poll = || async {
        let request = http::Request::post(format!("http://x{POLL}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accesstoken", &target.token)
            .header("long-pulling-timeout", "30000")
            .body(())
            .expect("a request");
        let mut ready = client.send.clone().ready().await.expect("the connection lives");
        let (response, mut send) = ready.send_request(request, false).expect("sent");
        send.send_data("Listening-Configs=a%02g%02%01".into(), true).expect("sent");
        (response, send)
    };
    let held = (poll().await, poll().await);
    let (third, sent) = poll().await;
    let third = soon("an answer", third).await.expect("an answer");
    assert_eq!(third.status(), 503);
    assert_eq!(target.rejected(Limit::Calls).await, 1);
    target.serves().await;
    drop((held, third, sent, client));
    target.unharmed().await;
}

#[tokio::test]
async fn fixed_limits_are_counted_too() {
    let target = Target::start().await;
    let long = format!("/nacos/v1/cs/configs?group=g&dataId={}", "x".repeat(257));
    assert_eq!(target.normal("GET", &long, "").await.status, 400);
    let many = "a=1&".repeat(1_001);
    assert_eq!(target.normal("POST", "/nacos/v1/ns/instance", &many).await.status, 400);
    let client = Client::connect(target.grpc, &target.token).await;
    let stream = client.set_up().await;
    let deep = format!("{{\"requestId\":\"1\",\"x\":{}{}}}", "[".repeat(65), "]".repeat(65));
    let deep = message("ServiceListRequest", &deep, &target.token);
    assert_eq!(client.raw(UNARY, deep).await.json()["success"], false);
    for limit in [Limit::NameLength, Limit::Parameters, Limit::JsonDepth] {
        assert_eq!(target.rejected(limit).await, 1, "{limit:?}");
    }
    drop((stream, client));
    target.unharmed().await;
}

/// Requests by route and code, clients by kind, pushes and their confirmations, and the names that dashboards know.
#[tokio::test]
async fn metrics_tell_what_happened_under_the_names_that_are_promised() {
    let target = Target::start().await;
    target.serves().await;
    let client = Client::connect(target.grpc, &target.token).await;
    let stream = client.set_up().await;
    let mut socket = connect(target.api).await;
    let asked = request("GET", "/nacos/v1/cs/configs?dataId=a&group=g", "", "");
    socket.write_all(asked.as_bytes()).await.expect("sent");
    assert_eq!(soon("an answer", read_reply(&mut socket)).await.expect("one").status, 403);
    let page = target.normal("GET", "/metrics", "").await;
    assert!(
        page.head.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{}",
        page.head
    );
    let text = page.text();
    for line in [
        "trine_ready 1",
        "trine_registry_services{namespace=\"public\"} 1",
        "trine_registry_instances{namespace=\"public\",health=\"healthy\"} 1",
        "trine_config_items{namespace=\"public\"} 1",
        "trine_config_publish_total{result=\"ok\"} 1",
        "trine_grpc_connections{sdk=\"attack\",version=\"\"} 1",
        "trine_auth_failures_total{reason=\"no_credential\"} 1",
        "trine_raft_is_leader 1",
        "trine_raft_apply_lag_entries 0",
        "trine_http_requests_total{plane=\"config\",method=\"POST\",route=\"/nacos/v1/cs/configs\",code=\"200\"} 1",
        "trine_http_requests_total{plane=\"config\",method=\"GET\",route=\"/nacos/v1/cs/configs\",code=\"403\"} 1",
        "trine_rejected_total{limit=\"connections\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
    }
    for begin in [
        "trine_build_info{version=\"",
        "trine_node_info{node=\"",
        "trine_http_request_duration_seconds_count{plane=\"registry\"",
        "trine_grpc_requests_total{type=\"HealthCheckRequest\",code=\"200\"}",
        "trine_registry_heartbeats_total",
        "trine_registry_expirations_total{reason=\"silent\"}",
        "trine_registry_subscribers",
        "trine_push_total{plane=\"registry\",result=\"acknowledged\"}",
        "trine_push_pending",
        "trine_push_ack_duration_seconds_count",
        "trine_config_listeners",
        "trine_raft_term",
        "trine_raft_commit_index",
        "trine_raft_fsync_duration_seconds_sum",
        "trine_journal_bytes",
        "trine_journal_oldest_seconds",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_cpu_seconds_total",
    ] {
        assert!(text.lines().any(|line| line.starts_with(begin)), "no `{begin}` in:\n{text}");
    }
    let legacy = target.normal("GET", "/nacos/actuator/prometheus", "").await.text();
    for line in [
        "nacos_monitor{module=\"naming\",name=\"serviceCount\"} 1",
        "nacos_monitor{module=\"naming\",name=\"ipCount\"} 1",
        "nacos_monitor{module=\"config\",name=\"configCount\"} 1",
        "nacos_monitor{module=\"core\",name=\"longConnection\"} 1",
    ] {
        assert!(legacy.lines().any(|found| found == line), "no `{line}` in:\n{legacy}");
    }
    drop((stream, client, socket));
    target.unharmed().await;
}
