//! Messages of gRPC that lie about themselves.

use crate::{
    calls::{Client, End, Open, STREAM, UNARY, message, prefixed, setup},
    setup::{SHORT, Target, soon},
};
use bytes::Bytes;
use prost::Message;
use serde_json::json;
use server::Limits;
use std::{pin::Pin, task::Poll};

const INVALID: Option<u16> = Some(3);
const TOO_SLOW: Option<u16> = Some(4);
const EXHAUSTED: Option<u16> = Some(8);
const UNIMPLEMENTED: Option<u16> = Some(12);

#[tokio::test]
async fn frames_that_lie_end_their_call_and_nothing_else() {
    let target = Target::start().await;
    let good = message("ServerCheckRequest", "{}", "");
    let longer = prefixed(0, good.len() + 100, &good[5..]);
    let huge = prefixed(0, 11 << 20, &vec![0; 11 << 20]);
    let cases = [
        (UNARY, prefixed(1, good.len() - 5, &good[5..]), UNIMPLEMENTED),
        (UNARY, prefixed(255, good.len() - 5, &good[5..]), UNIMPLEMENTED),
        (UNARY, prefixed(0, u32::MAX as usize, b"x"), EXHAUSTED),
        (UNARY, huge.clone(), EXHAUSTED),
        (STREAM, huge, EXHAUSTED),
        (UNARY, longer, INVALID),
        (UNARY, good.slice(..3), INVALID),
        (UNARY, Bytes::new(), INVALID),
        (UNARY, prefixed(0, 4, b"\xff\xff\xff\xff"), INVALID),
        (STREAM, prefixed(0, 4, b"\xff\xff\xff\xff"), INVALID),
        (STREAM, prefixed(0, u32::MAX as usize, b"x"), EXHAUSTED),
        ("/Request/other", good.clone(), UNIMPLEMENTED),
        ("/", good.clone(), UNIMPLEMENTED),
        ("//Request/request", good.clone(), UNIMPLEMENTED),
    ];
    for door in target.doors() {
        let client = Client::connect(door, "").await;
        for (path, bytes, status) in &cases {
            let end = client.raw(path, bytes.clone()).await;
            assert_eq!(end.status, *status, "{path} {:?}", bytes.slice(..bytes.len().min(20)));
            assert!(end.messages.is_empty());
        }
        let end = client.raw(UNARY, good.clone()).await;
        assert_eq!(end.json()["resultCode"], 200, "the connection lives");
    }
    assert!(target.rejected(base::Limit::GrpcMessage).await >= 8);
    target.unharmed().await;
}

#[tokio::test]
async fn half_a_message_is_not_waited_for_without_end() {
    let target = Target::within(Limits { body_timeout: SHORT, ..Limits::default() }).await;
    let good = message("ServerCheckRequest", "{}", "");
    for door in target.doors() {
        let client = Client::connect(door, "").await;
        for (path, bytes) in
            [(UNARY, good.slice(..9)), (UNARY, Bytes::new()), (STREAM, Bytes::new())]
        {
            let end = client.open(path, bytes, false).await.end().await;
            assert_eq!(end.status, TOO_SLOW, "{path}");
        }
        // A stream may be silent between messages, not within one.
        let mut open = client.open(STREAM, setup(), false).await;
        open.send.send_data(good.slice(..9), false).expect("sent");
        let End { status, .. } = open.end().await;
        assert!(status == TOO_SLOW || status.is_none(), "{status:?}");
    }
    target.unharmed().await;
}

#[tokio::test]
async fn half_messages_on_all_streams_stay_within_the_budget_of_their_connection() {
    let budget = 4 << 20;
    let limits = Limits { connection_body_bytes_max: budget, ..Limits::default() };
    let target = Target::within(limits).await;
    let client = Client::connect(target.grpc, "").await;
    let half = prefixed(0, 10 << 20, &vec![0; 256 << 10]);
    let mut calls = Vec::new();
    for _ in 0..32 {
        calls.push(client.begin(UNARY, half.clone(), false).await);
    }
    // Half of them fit; the first that does not is refused while the others wait.
    let first = std::future::poll_fn(|context| {
        for (response, _) in &mut calls {
            if let Poll::Ready(response) = Pin::new(response).poll(context) {
                return Poll::Ready(response);
            }
        }
        Poll::Pending
    });
    let response = soon("a refusal", first).await.expect("an answer");
    assert_eq!(response.headers()["grpc-status"], "8");
    target.serves().await;
    assert!(target.rejected(base::Limit::ConnectionBodies).await >= 1);
    drop((calls, response));
    // The budget comes back.
    let whole = prefixed(0, 3 << 20, &vec![0xff; 3 << 20]);
    let ends = async { while client.raw(UNARY, whole.clone()).await.status != INVALID {} };
    soon("room", ends).await;
    drop(client);
    target.unharmed().await;
}

#[tokio::test]
async fn payloads_that_are_not_what_they_say_are_answered_in_nacos_words() {
    let target = Target::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested = format!("{{\"requestId\":\"1\",\"x\":{deep}}}");
    let huge_number = "{\"requestId\":1e999}".to_owned();
    for door in target.doors() {
        let client = Client::connect(door, &target.token).await;
        // Before the setup: refused, and the connection lives.
        let end = client.ask("ServiceListRequest", json!({})).await;
        assert_eq!(end.json()["errorCode"], 301);
        let open = client.set_up().await;
        for json in
            ["", "{", "null", "[]", "\u{0}", "{\"requestId\":[]}", &deep, &nested, &huge_number]
        {
            let bytes = message("InstanceRequest", json, &target.token);
            let answer = client.raw(UNARY, bytes).await.json();
            assert_ne!(answer["resultCode"], 200, "{json:.40}");
        }
        for kind in [
            "",
            "NoSuchRequest",
            "instancerequest",
            "NotifySubscriberRequest",
            &"x".repeat(1 << 16),
        ] {
            let answer = client.ask(kind, json!({})).await.json();
            assert_eq!(answer["errorCode"], 302, "{kind:.40}");
        }
        // No metadata, no body, only unknown fields.
        for bytes in [&b""[..], b"\x08\x01", b"\x1a\x00", b"\x12\x00"] {
            let end = client.raw(UNARY, prefixed(0, bytes.len(), bytes)).await;
            assert_eq!(end.json()["errorCode"], 302, "{bytes:?}");
        }
        // Groups within groups, deeper than any message of ours.
        let deep = b"\x0b".repeat(100_000);
        let end = client.raw(UNARY, prefixed(0, deep.len(), &deep)).await;
        assert_eq!(end.status, INVALID);
        let end = client.ask("HealthCheckRequest", json!({})).await;
        assert_eq!(end.json()["resultCode"], 200, "the connection lives");
        drop(open);
    }
    target.unharmed().await;
}

#[tokio::test]
async fn a_payload_without_the_right_is_refused_on_a_connection_that_is_set_up() {
    let target = Target::start().await;
    let (kind, publish) =
        ("ConfigPublishRequest", json!({"dataId": "stolen", "group": "g", "content": "x"}));
    let forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJuYWNvcyIsImV4cCI6OTk5OTk5OTk5OX0.";
    for token in ["", "null", forged] {
        let client = Client::connect(target.grpc, token).await;
        let open = client.set_up().await;
        let answer = client.ask(kind, publish.clone()).await.json();
        assert_eq!(answer["errorCode"], 403, "{answer}");
        // Words of servers mean nothing from a client.
        for kind in ["DistroDataRequest", "MemberReportRequest", "ConfigChangeClusterSyncRequest"] {
            assert_eq!(client.ask(kind, json!({})).await.json()["errorCode"], 502);
        }
        drop(open);
    }
    assert_eq!(target.config("stolen").await.status, 404);
    target.unharmed().await;
}

#[tokio::test]
async fn a_payload_in_pieces_of_one_byte_is_one_payload() {
    let target = Target::start().await;
    let client = Client::connect(target.grpc, "").await;
    let good = message("ServerCheckRequest", "{}", "");
    let (response, mut send) = client.begin(UNARY, Bytes::new(), false).await;
    for at in 0..good.len() {
        send.send_data(good.slice(at..=at), at + 1 == good.len()).expect("sent");
    }
    let end = Open::answered(response, send).await.end().await;
    assert_eq!(end.json()["resultCode"], 200);
    assert!(nacos::Payload::decode(&good[5..]).is_ok());
    drop(client);
    target.unharmed().await;
}
