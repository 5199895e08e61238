//! Instances, lists, subscriptions and pushes.

use super::*;

#[test]
fn a_grpc_client_checks_sets_up_registers_and_reads_its_own_write() {
    check(
        &run(r#"
        unary ServerCheckRequest {"requestId":"1"}
        unary HealthCheckRequest {"requestId":"2"}
        open
        stream ConnectionSetupRequest {"clientVersion":"Nacos-Rust-Client:0.8.0"}
        unary HealthCheckRequest {"requestId":"3"}
        unary InstanceRequest {"requestId":"4","namespace":"","serviceName":"s","groupName":"DEFAULT_GROUP","type":"registerInstance","instance":{"ip":"10.9.0.1","port":8080}}
        service s@70 10.9.0.1:8080
        answer q1 done
        unary ServiceQueryRequest {"requestId":"5","serviceName":"s","cluster":"","healthyOnly":false}
        "#),
        r#"
        unary 1 ServerCheckResponse {"resultCode":200,"errorCode":0,"requestId":"1","connectionId":"1795232693996_10.0.0.9_5000","supportAbilityNegotiation":true,"success":true}
        unary 2 ErrorResponse {"resultCode":500,"errorCode":301,"message":"Connection is unregistered.","requestId":"2","success":false}
        tell Opened { agent: "Nacos-Rust-Client:0.8.0" }
        unary 3 HealthCheckResponse {"resultCode":200,"errorCode":0,"requestId":"3","success":true}
        ask q1 Naming(Register { client: me, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "s" }, instance: Instance { ip: "10.9.0.1", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: true, metadata: {}, instance_id: None } })
        unary 4 InstanceResponse {"resultCode":200,"errorCode":0,"requestId":"4","type":"registerInstance","success":true}
        unary 5 QueryServiceResponse {"resultCode":200,"errorCode":0,"requestId":"5","serviceInfo":{"name":"s","groupName":"DEFAULT_GROUP","clusters":"","cacheMillis":10000,"hosts":[{"instanceId":"10.9.0.1#8080#DEFAULT#DEFAULT_GROUP@@s","ip":"10.9.0.1","port":8080,"weight":8.0,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@s","metadata":{},"ipDeleteTimeout":30000,"instanceIdGenerator":"simple","instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000}],"lastRefTime":70,"checksum":"","allIPs":false,"allIps":false,"reachProtectionThreshold":false,"valid":true},"success":true}
        "#,
    );
}

#[test]
fn abilities_are_told_to_those_who_sent_theirs_and_to_nobody_else() {
    check(
        &run(r#"
        open
        stream ConnectionSetupRequest {"clientVersion":"Nacos-Java-Client:v3.1.1","abilityTable":{},"labels":{"AppName":"shop"}}
        stream SetupAckResponse {"requestId":"1"}
        "#),
        r#"
        tell Opened { agent: "Nacos-Java-Client:v3.1.1" }
        stream SetupAckRequest {"headers":{},"requestId":"1","abilityTable":{"supportPersistentInstanceByGrpc":false,"fuzzyWatch":false,"lock":false,"mcp":false},"module":"internal"}
        "#,
    );
    check(
        &run("open\nstream ConnectionSetupRequest {\"abilityTable\":null}"),
        "tell Opened { agent: \"\" }",
    );
}

/// Three changes while the first push is unconfirmed: only the newest follows, and only once. An ack of another type
/// counts. A push that is never confirmed is sent again, as the newest view then is.
#[test]
fn pushes_are_conflated_confirmed_and_repeated() {
    let info = |version: u64, hosts: &str| {
        format!(
            r#""serviceInfo":{{"name":"s","groupName":"DEFAULT_GROUP","clusters":"","cacheMillis":10000,"hosts":[{hosts}],"lastRefTime":{version},"checksum":"","allIPs":false,"allIps":false,"reachProtectionThreshold":false,"valid":true}}"#
        )
    };
    let push = |request: u64, version: u64| {
        format!(
            r#"stream NotifySubscriberRequest {{"headers":{{}},"requestId":"{request}",{},"module":"naming"}}"#,
            info(version, "")
        )
    };
    let told = |version: u64| {
        format!(
            "tell Acknowledged {{ service: ServiceKey {{ namespace: \"public\", group: \"DEFAULT_GROUP\", name: \"s\" }}, version: {version} }}"
        )
    };
    check(
        &run(r#"
        setup
        unary SubscribeServiceRequest {"requestId":"1","serviceName":"s","subscribe":true,"clusters":""}
        answer q1 done
        push s@10
        push s@11
        push s@12
        wait 900
        stream SomethingElseResponse {"requestId":"1"}
        wait 5000
        push s@13
        wait 1000
        stream NotifySubscriberResponse {"requestId":"3"}
        unary SubscribeServiceRequest {"requestId":"2","serviceName":"s","subscribe":false}
        push s@14
        answer q2 done
        push s@15
        "#),
        &[
            r#"ask q1 Naming(Subscribe { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "s" }, clusters: [], subscriber: Subscriber { address: "10.0.0.9:5000", agent: "Test:1", application: "" } })"#,
            &format!(r#"unary 1 SubscribeServiceResponse {{"resultCode":200,"errorCode":0,"message":"success","requestId":"1",{},"success":true}}"#, info(1, "")),
            &push(1, 10),
            &told(10),
            &push(2, 12),
            &push(3, 13),
            &told(13),
            "tell Heard",
            r#"ask q2 Naming(Unsubscribe { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "s" } })"#,
            &format!(r#"unary 2 SubscribeServiceResponse {{"resultCode":200,"errorCode":0,"message":"success","requestId":"2",{},"success":true}}"#, info(14, "")),
        ]
        .join("\n"),
    );
}

#[test]
fn silence_is_asked_about_and_then_ends_the_connection() {
    check(
        &run(r#"
        setup
        wait 19999
        wait 1
        stream ClientDetectionResponse {"requestId":"1"}
        wait 20000
        wait 4999
        wait 1
        unary HealthCheckRequest {}
        "#),
        r#"
        stream ClientDetectionRequest {"headers":{},"requestId":"1","module":"internal"}
        tell Heard
        stream ClientDetectionRequest {"headers":{},"requestId":"2","module":"internal"}
        close silent: no answer to the detection request
        "#,
    );
    let idle_http = Stage::new(Login::Open);
    assert_eq!(idle_http.session.deadline(), None, "a connection without a setup owns nothing");
}
