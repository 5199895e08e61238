//! Whatever arrives, in whatever order: no panic, at most one answer per call, and text that is JSON where it says so.

use super::*;
use proptest::{collection::vec, prelude::*, sample::select};

const TYPES: [&str; 20] = [
    "ServerCheckRequest",
    "HealthCheckRequest",
    "InstanceRequest",
    "BatchInstanceRequest",
    "PersistentInstanceRequest",
    "ServiceQueryRequest",
    "ServiceListRequest",
    "SubscribeServiceRequest",
    "ConfigQueryRequest",
    "ConfigPublishRequest",
    "ConfigRemoveRequest",
    "ConfigBatchListenRequest",
    "ConfigFuzzyWatchRequest",
    "ConfigFuzzyWatchSyncResponse",
    "ConnectionSetupRequest",
    "NotifySubscriberResponse",
    "ClientDetectionResponse",
    "DistroDataRequest",
    "NoSuchRequest",
    "",
];

const PATHS: [&str; 14] = [
    "/nacos/v1/ns/instance",
    "/nacos/v1/ns/instance/metadata/batch",
    "/nacos/v1/ns/health/instance",
    "/nacos/v1/ns/instance/list",
    "/nacos/v1/ns/instance/beat",
    "/nacos/v1/ns/service",
    "/nacos/v1/ns/service/list",
    "/nacos/v1/cs/configs",
    "/nacos/v1/cs/configs/listener",
    "/nacos/v1/auth/login",
    "/nacos/v1/auth/roles",
    "/nacos/v1/console/namespaces",
    "/nacos/v1/ns/operator/metrics",
    "/nacos/v1/x",
];

const NAMES: [&str; 28] = [
    "ephemeral",
    "enabled",
    "instances",
    "selector",
    "serviceName",
    "groupName",
    "namespaceId",
    "ip",
    "port",
    "weight",
    "metadata",
    "beat",
    "clusterName",
    "clusters",
    "dataId",
    "group",
    "tenant",
    "content",
    "Listening-Configs",
    "username",
    "password",
    "role",
    "pageNo",
    "pageSize",
    "accessToken",
    "healthyOnly",
    "show",
    "protectThreshold",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            "a",
            "public",
            "-1",
            "1",
            "8080",
            "18446744073709551616",
            "NaN",
            "{}",
            "{\"a\":1}",
            "a@@b",
            "true",
            "WATCH",
            "public>>*>>*"
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,12}",
        any::<String>(),
        // Lines of a long poll, more or less.
        vec(select(vec!["a", "G", "\u{1}", "\u{2}", "\u{2}\u{2}", ""]), 0..12)
            .prop_map(|parts| parts.concat()),
    ]
}

fn json() -> impl Strategy<Value = String> {
    let fields = select(vec![
        "requestId",
        "serviceName",
        "groupName",
        "namespace",
        "type",
        "instance",
        "instances",
        "ip",
        "port",
        "weight",
        "metadata",
        "dataId",
        "group",
        "tenant",
        "content",
        "additionMap",
        "listen",
        "configListenContexts",
        "groupKeyPattern",
        "watchType",
        "receivedGroupKeys",
        "md5",
        "subscribe",
        "clusters",
        "pageNo",
        "pageSize",
        "labels",
        "abilityTable",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such numbers", |n| n.is_finite())
            .prop_map(|n| n.to_string()),
        value().prop_map(|text| serde_json::Value::from(text).to_string()),
        select(vec!["\"registerInstance\"", "\"batchRegisterInstance\"", "\"s\"", "\"1\""])
            .prop_map(str::to_owned),
    ];
    let tree = leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((fields.clone(), inner), 0..8).prop_map(|pairs| {
                let pairs: Vec<String> =
                    pairs.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    });
    prop_oneof![9 => tree, 1 => any::<String>()]
}

#[derive(Clone, Debug)]
enum Move {
    Unary(&'static str, String),
    Stream(&'static str, String),
    Http(&'static str, &'static str, Vec<(&'static str, String)>, bool),
    Raw(&'static str, Vec<u8>),
    Opened,
    Answer(u64, &'static str),
    Push(u64),
    Notify(u64),
    Existence(bool),
    Drop(u64),
    Wait(u64),
    Drain,
}

fn moves() -> impl Strategy<Value = Move> {
    let answers = select(vec![
        "done",
        "known no",
        "counts",
        "agreed",
        "edited",
        "edited a:1/b",
        "persistent-service s",
        "no-such-service s",
        "full",
        "listening",
        "watching",
        "too-many-patterns",
        "listening public/G/a",
        "published",
        "removed",
        "conflict",
        "too-large",
        "no-leader",
        "fresh",
        "proceed",
        "wait",
        "noted",
        "changed",
        "exists",
        "verified yes",
        "verified no",
        "hashed",
    ]);
    prop_oneof![
        4 => (select(&TYPES[..]), json()).prop_map(|(kind, json)| Move::Unary(kind, json)),
        2 => (select(&TYPES[..]), json()).prop_map(|(kind, json)| Move::Stream(kind, json)),
        4 => (
            select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
            select(&PATHS[..]),
            vec((select(&NAMES[..]), value()), 0..8),
            any::<bool>(),
        )
            .prop_map(|(verb, path, pairs, long)| Move::Http(verb, path, pairs, long)),
        1 => (select(&PATHS[..]), vec(any::<u8>(), 0..64)).prop_map(|(path, body)| Move::Raw(path, body)),
        1 => Just(Move::Opened),
        5 => (1_u64..8, answers).prop_map(|(id, answer)| Move::Answer(id, answer)),
        1 => (1_u64..9).prop_map(Move::Push),
        1 => (0_u64..9).prop_map(Move::Notify),
        1 => any::<bool>().prop_map(Move::Existence),
        1 => (1_u64..9).prop_map(Move::Drop),
        2 => (0_u64..31_000).prop_map(Move::Wait),
        1 => Just(Move::Drain),
    ]
}

fn make(stage: &mut Stage, step: &Move) {
    let grpc = |kind: &str, json: &str| Payload {
        metadata: Some(Metadata { r#type: kind.into(), ..Metadata::default() }),
        body: Some(Any { type_url: String::new(), value: json.to_owned().into() }),
    };
    match step {
        Move::Unary(kind, json) => {
            let call = stage.next_call();
            stage.step(Input::Unary { call, payload: grpc(kind, json) });
        }
        Move::Stream(kind, json) => stage.step(Input::StreamPayload(grpc(kind, json))),
        Move::Http(verb, path, pairs, long) => {
            let query =
                form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            let mut request = http::Request::builder().method(*verb).uri(format!("{path}?{query}"));
            if *long {
                request = request.header("long-pulling-timeout", "30000");
            }
            let call = stage.next_call();
            stage.step(Input::Http { call, request: request.body(Bytes::new()).unwrap() });
        }
        Move::Raw(path, body) => {
            let request = http::Request::post(*path).body(body.clone().into()).unwrap();
            let call = stage.next_call();
            stage.step(Input::Http { call, request });
        }
        Move::Opened => stage.step(Input::StreamOpened),
        Move::Answer(id, what) => {
            stage.step(Input::Answer { id: RequestId(*id), answer: answer(what) });
        }
        Move::Push(version) => stage.command(&format!("push s@{version} 1.1.1.1:1")),
        Move::Notify(listener) => stage.command(&format!("notify {listener} public/G/a 5")),
        Move::Existence(true) => stage.command("exists public/G/a"),
        Move::Existence(false) => stage.command("gone public/G/a"),
        Move::Drop(call) => stage.step(Input::Dropped(CallId(*call))),
        Move::Wait(ms) => stage.command(&format!("wait {ms}")),
        Move::Drain => stage.step(Input::Drain),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_arrives_breaks_a_session(
        steps in vec(moves(), 0..40),
        locked in any::<bool>(),
        set_up in any::<bool>(),
    ) {
        let mut stage = Stage::new(if locked { Login::Required } else { Login::Open });
        stage.scene.user("a", "ROLE_ADMIN");
        if set_up {
            stage.command("setup");
        }
        let mut answered = std::collections::BTreeSet::new();
        for step in &steps {
            make(&mut stage, step);
            while let Some(output) = stage.session.poll() {
                match output {
                    Output::Http { call, response } => {
                        prop_assert!(answered.insert(call), "two answers to {call:?}");
                        let kind = response.headers().get("content-type");
                        if kind.is_some_and(|kind| kind == "application/json") && !response.body().is_empty() {
                            let json = serde_json::from_slice::<serde_json::Value>(response.body());
                            prop_assert!(json.is_ok(), "{:?}", response);
                        }
                    }
                    Output::Unary { call, payload } => {
                        prop_assert!(answered.insert(call), "two answers to {call:?}");
                        let body = &payload.body.as_ref().unwrap().value;
                        let json: serde_json::Value = serde_json::from_slice(body).unwrap();
                        prop_assert_eq!(json["success"] == true, json["resultCode"] == 200);
                        prop_assert_eq!(json["success"] == true, json["errorCode"] == 0);
                        let nulls = json.as_object().unwrap().values().filter(|v| v.is_null()).count();
                        prop_assert_eq!(nulls, 0);
                    }
                    Output::Stream(payload) => {
                        let json: serde_json::Value =
                            serde_json::from_slice(&payload.body.unwrap().value).unwrap();
                        prop_assert!(json["headers"].is_object() && json["requestId"].is_string());
                        prop_assert!(json["module"].is_string());
                    }
                    Output::Ask { .. } | Output::Tell(_) | Output::Close(_) => {}
                }
            }
        }
    }
}
