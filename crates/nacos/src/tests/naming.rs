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
        stream SetupAckRequest {"headers":{},"requestId":"1","abilityTable":{"supportPersistentInstanceByGrpc":true,"fuzzyWatch":true,"lock":true,"mcp":false},"module":"internal"}
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

#[test]
fn instances_over_http_answer_as_recorded() {
    let host = |ip: &str, cluster: &str| {
        format!(
            r#"{{"instanceId":"{ip}#8080#{cluster}#DEFAULT_GROUP@@fx1","ip":"{ip}","port":8080,"weight":8.0,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"{cluster}","serviceName":"DEFAULT_GROUP@@fx1","metadata":{{}},"ipDeleteTimeout":30000,"instanceIdGenerator":"simple","instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000}}"#
        )
    };
    let list = |clusters: &str, hosts: &str, protected: bool| {
        format!(
            r#"200 application/json stale@7 | {{"name":"DEFAULT_GROUP@@fx1","groupName":"DEFAULT_GROUP","clusters":"{clusters}","cacheMillis":10000,"hosts":[{hosts}],"lastRefTime":50,"checksum":"","allIPs":false,"allIps":false,"reachProtectionThreshold":{protected},"valid":true}}"#
        )
    };
    let transcript = run(r#"
        http POST /nacos/v1/ns/instance | serviceName=fx1&ip=10.1.1.1&port=8080&ephemeral=true&metadata={"a":"b"}
        answer q1 done
        http POST /nacos/v1/ns/instance?serviceName=G@@fx1&ip=10.1.1.2&port=8080&clusterName=C2&weight=2.5&enable=false&metadata=k=v,l=w
        answer q2 done
        http POST /nacos/v1/ns/instance | serviceName=fxp&ip=10.1.1.3&port=8080&ephemeral=false
        answer q3 agreed
        service fx1@50 threshold=0.5 10.1.1.1:8080 10.1.1.2:8080/C2 10.1.1.3:8080/C2! 10.1.1.4:8080-
        http GET /nacos/v1/ns/instance/list?serviceName=DEFAULT_GROUP%40%40fx1&clusters=C2&healthyOnly=true
        http GET /nacos/v1/ns/instance/list?serviceName=fx1&healthyOnly=true
        http GET /nacos/v1/ns/instance/list?serviceName=does-not-exist
        http GET /nacos/v1/ns/instance?serviceName=fx1&ip=10.1.1.1&port=8080
        http GET /nacos/v1/ns/instance?serviceName=fx1&ip=10.1.1.99&port=8080
        http GET /nacos/v1/ns/instance?serviceName=nope&ip=10.1.1.99&port=8080
        http DELETE /nacos/v1/ns/instance?serviceName=fx1&ip=10.1.1.2&port=8080&clusterName=C2
        answer q4 done
        http GET /nacos/v1/ns/operator/push/state
    "#);
    check(
        &transcript,
        &[
            r#"ask q1 Naming(Register { client: Address { ip: "10.1.1.1", port: 8080 }, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, instance: Instance { ip: "10.1.1.1", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: true, metadata: {"a": "b"}, instance_id: None } })"#,
            "http 1 200 text/plain;charset=UTF-8 | ok",
            r#"ask q2 Naming(Register { client: Address { ip: "10.1.1.2", port: 8080 }, service: ServiceKey { namespace: "public", group: "G", name: "fx1" }, instance: Instance { ip: "10.1.1.2", port: 8080, cluster_name: "C2", weight: 2.5, healthy: true, enabled: false, ephemeral: true, metadata: {"k": "v", "l": "w"}, instance_id: None } })"#,
            "http 2 200 text/plain;charset=UTF-8 | ok",
            r#"ask q3 Naming(RegisterPersistent { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fxp" }, instance: Instance { ip: "10.1.1.3", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: false, metadata: {}, instance_id: None } })"#,
            "http 3 200 text/plain;charset=UTF-8 | ok",
            // Half of C2 is healthy, and a threshold of a half protects: the unhealthy one is shown as healthy.
            &format!("http 4 {}", list("C2", &format!("{},{}", host("10.1.1.2", "C2"), host("10.1.1.3", "C2")), true)),
            &format!("http 5 {}", list("", &format!("{},{}", host("10.1.1.1", "DEFAULT"), host("10.1.1.2", "C2")), false)),
            r#"http 6 200 application/json stale@7 | {"name":"DEFAULT_GROUP@@does-not-exist","groupName":"DEFAULT_GROUP","clusters":"","cacheMillis":10000,"hosts":[],"lastRefTime":50,"checksum":"","allIPs":false,"allIps":false,"reachProtectionThreshold":false,"valid":true}"#,
            r#"http 7 200 application/json stale@7 | {"service":"DEFAULT_GROUP@@fx1","ip":"10.1.1.1","port":8080,"clusterName":"DEFAULT","weight":8.0,"healthy":true,"instanceId":"10.1.1.1#8080#DEFAULT#DEFAULT_GROUP@@fx1","metadata":{}}"#,
            "http 8 404 text/plain;charset=UTF-8 | no matched ip found!",
            "http 9 404 text/plain;charset=UTF-8 | no ips found for cluster DEFAULT in service DEFAULT_GROUP@@nope",
            r#"ask q4 Naming(Deregister { client: Address { ip: "10.1.1.2", port: 8080 }, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, ip: "10.1.1.2", port: 8080, cluster_name: "C2" })"#,
            "http 10 200 text/plain;charset=UTF-8 | ok",
            r#"http 11 501 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":501,"error":"Not Implemented","message":"not served yet: GET /nacos/v1/ns/operator/push/state","path":"/nacos/v1/ns/operator/push/state"}"#,
        ]
        .join("\n"),
    );
}

#[test]
fn beats_tell_unknown_instances_to_register_again() {
    check(
        &run(r#"
        http PUT /nacos/v1/ns/instance/beat?serviceName=DEFAULT_GROUP%40%40fx1&beat=%7B%22ip%22%3A%2210.1.1.66%22%2C%22port%22%3A8080%2C%22cluster%22%3A%22DEFAULT%22%2C%22weight%22%3A1.0%2C%22metadata%22%3Anull%7D
        answer q1 known yes
        http PUT /nacos/v1/ns/instance/beat?serviceName=nope&ip=10.1.1.88&port=8080
        answer q2 known no
        http PUT /nacos/v1/ns/instance/beat
        http PUT /nacos/v1/ns/instance/beat?serviceName=fx1&beat=%7Bnotjson&accessToken=secret
        "#),
        r#"
        ask q1 Naming(Beat { client: Address { ip: "10.1.1.66", port: 8080 }, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" }, full: Some(Instance { ip: "10.1.1.66", port: 8080, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: true, metadata: {}, instance_id: None }), ip: "10.1.1.66", port: 8080, cluster_name: "DEFAULT" })
        http 1 200 application/json | {"clientBeatInterval":5000,"code":10200,"lightBeatEnabled":true}
        ask q2 Naming(Beat { client: Address { ip: "10.1.1.88", port: 8080 }, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "nope" }, full: None, ip: "10.1.1.88", port: 8080, cluster_name: "DEFAULT" })
        http 2 200 application/json | {"clientBeatInterval":5000,"code":20404,"lightBeatEnabled":true}
        http 3 400 text/plain;charset=UTF-8 | Param 'serviceName' is required.
        http 4 500 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":500,"error":"Internal Server Error","message":"Server failed, caused: errCode: 101, errMsg: Nacos deserialize for class [com.alibaba.nacos.naming.healthcheck.RsInfo] failed, cause error[key must be a string at line 1 column 2].  ;caused: key must be a string at line 1 column 2;","path":"/nacos/v1/ns/instance/beat"}
        "#,
    );
}

#[test]
fn services_and_metrics_answer_as_recorded() {
    check(
        &run(r"
        http POST /nacos/v1/ns/service | serviceName=svc1
        answer q1 agreed
        service svc1@9 10.0.0.1:1/C1
        http GET /nacos/v1/ns/service?serviceName=svc1
        answer q2 clusters
        http GET /nacos/v1/ns/service?serviceName=nope
        http GET /nacos/v1/ns/service/list?pageNo=1&pageSize=10
        http GET /nacos/v1/ns/service/list
        http DELETE /nacos/v1/ns/service?serviceName=svc1
        answer q3 not-empty DEFAULT_GROUP@@svc1
        http GET /nacos/v1/ns/operator/metrics
        http GET /nacos/v1/ns/operator/metrics?onlyStatus=false
        answer q4 counts
        http GET /nacos/actuator/health
        http GET /nacos/serverlist
        "),
        r#"
        ask q1 Naming(CreateService { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "svc1" }, metadata: ServiceMetadata { protect_threshold: 0.0, metadata: {}, selector: Selector { kind: "none", expression: None }, kind: None } })
        http 1 200 text/plain;charset=UTF-8 | ok
        ask q2 Naming(Clusters { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "svc1" } })
        http 2 200 application/json stale@7 | {"namespaceId":"public","groupName":"DEFAULT_GROUP","name":"svc1","protectThreshold":0.0,"metadata":{},"selector":{"type":"none","contextType":"NONE"},"clusters":[{"name":"C1","healthChecker":{"type":"TCP"},"metadata":{}}]}
        http 3 400 text/plain;charset=UTF-8 | service not found, namespace: public, serviceName: DEFAULT_GROUP@@nope
        http 4 200 application/json stale@7 | {"count":1,"doms":["svc1"]}
        http 5 400 text/plain;charset=UTF-8 | Param 'pageNo' is required.
        ask q3 Naming(RemoveService { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "svc1" } })
        http 6 400 text/plain;charset=UTF-8 | Service DEFAULT_GROUP@@svc1 is not empty, can't be delete. Please unregister instance first
        http 7 200 application/json stale@7 | {"status":"UP"}
        ask q4 Naming(Count)
        http 8 200 application/json stale@7 | {"status":"UP","serviceCount":3,"instanceCount":0,"subscribeCount":0,"clientCount":0,"connectionBasedClientCount":0,"ephemeralIpPortClientCount":0,"persistentIpPortClientCount":0,"responsibleClientCount":0,"responsibleInstanceCount":0}
        http 9 200 application/json | {"status":"UP"}
        http 10 200 text/plain;charset=UTF-8 | 10.0.0.1:8848\n
        "#,
    );
}

#[test]
fn batches_replace_and_refuse_what_lives_longer_than_the_connection() {
    check(
        &run(r#"
        setup
        unary BatchInstanceRequest {"requestId":"6","serviceName":"gx","type":"batchRegisterInstance","instances":[{"ip":"10.9.0.2","port":1,"clusterName":"C2","weight":2}]}
        answer q1 done
        unary BatchInstanceRequest {"requestId":"8","serviceName":"gx","type":"batchRegisterInstance","instances":[]}
        unary BatchInstanceRequest {"requestId":"9","serviceName":"gx","type":"batchRegisterInstance","instances":[{"ip":"10.9.0.2","port":1,"ephemeral":false}]}
        "#),
        r#"
        ask q1 Naming(RegisterBatch { client: me, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "gx" }, instances: [Instance { ip: "10.9.0.2", port: 1, cluster_name: "C2", weight: 2.0, healthy: true, enabled: true, ephemeral: true, metadata: {}, instance_id: None }] })
        unary 1 BatchInstanceResponse {"resultCode":200,"errorCode":0,"requestId":"6","type":"batchRegisterInstance","success":true}
        ask q2 Naming(RegisterBatch { client: me, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "gx" }, instances: [] })
        unary 3 BatchInstanceResponse {"resultCode":500,"errorCode":400,"message":"Batch registration does not allow persistent instance registration!","requestId":"9","success":false}
        "#,
    );
}

/// A drained client is asked to go; one that does not understand is cut off. A closed session takes nothing more.
#[test]
fn drained_clients_are_asked_and_then_cut_off() {
    check(
        &run(r"
        setup
        drain
        wait 3000
        drain
        open
        "),
        r#"
        stream ConnectResetRequest {"headers":{},"requestId":"1","module":"internal"}
        tell Moving
        close asked to use another node, and did not go by itself
        "#,
    );
    check(&run("setup\nclosed"), "close the client ended its stream");
    check(&run("open\nclosed"), "");
    // The end of a stream that was replaced is not the end.
    check(&run("setup\nopen\nclosed\nclosed"), "close the client ended its stream");
}

/// The setup is on its way when the stream is open: a request that overtook it waits a moment, and no longer.
#[test]
fn requests_that_overtake_their_setup_wait_for_it() {
    check(
        &run(r#"
        open
        unary HealthCheckRequest {"requestId":"1"}
        stream ConnectionSetupRequest {"clientVersion":"Go"}
        "#),
        r#"
        tell Opened { agent: "Go" }
        unary 1 HealthCheckResponse {"resultCode":200,"errorCode":0,"requestId":"1","success":true}
        "#,
    );
    check(
        &run(r#"
        open
        unary HealthCheckRequest {"requestId":"1"}
        unary HealthCheckRequest {"requestId":"2"}
        drop 1
        wait 299
        wait 1
        "#),
        r#"
        unary 2 ErrorResponse {"resultCode":500,"errorCode":301,"message":"Connection is unregistered.","requestId":"2","success":false}
        "#,
    );
}

/// Ten thousand subscriptions, all pushed twice: one push each in flight, every ack brings the next.
#[test]
fn many_subscriptions_do_not_slow_each_other_down() {
    let mut stage = Stage::new(Login::Open);
    stage.command("setup");
    let many = 10_000;
    for n in 0..many {
        stage.command(&format!("service s{n}@0"));
        stage.command(&format!(
            "unary SubscribeServiceRequest {{\"serviceName\":\"s{n}\",\"subscribe\":true}}"
        ));
        stage.command(&format!("answer q{} done", n + 1));
        stage.command(&format!("push s{n}@1"));
        stage.command(&format!("push s{n}@2"));
    }
    let sent = |stage: &mut Stage| {
        std::iter::from_fn(|| stage.session.poll())
            .filter(|output| matches!(output, Output::Stream(_)))
            .count()
    };
    assert_eq!(sent(&mut stage), many);
    for n in 1..=many {
        stage.command(&format!("stream NotifySubscriberResponse {{\"requestId\":\"{n}\"}}"));
    }
    assert_eq!(sent(&mut stage), many);
    stage.command("wait 4999");
    assert_eq!(sent(&mut stage), 0);
    stage.command("wait 1");
    stage.command("wait 1000");
    assert_eq!(sent(&mut stage), many, "what is not confirmed is sent again");
}

/// A failed second subscribe leaves the first one in force; a failed first one leaves nothing.
#[test]
fn a_subscription_is_what_the_plane_has_agreed_to() {
    let subscribe = r#"unary SubscribeServiceRequest {"serviceName":"s","subscribe":true}"#;
    let script = |answer: &str| {
        format!(
            "setup\n{subscribe}\nanswer q1 {answer}\n{subscribe}\nanswer q2 no-leader\npush s@9"
        )
    };
    assert_eq!(run(&script("done")).matches("NotifySubscriberRequest").count(), 1);
    assert_eq!(run(&script("no-leader")).matches("NotifySubscriberRequest").count(), 0);
}
