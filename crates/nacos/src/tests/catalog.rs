//! The catalog, clusters, clients and what else operators look at; and the registry of v3's API for clients. Answers as
//! recorded on official 2.5.1, those of v3 on 3.0.3.

use super::{registry::Registry, *};

#[test]
fn the_catalog_answers_as_recorded() {
    check(
        &run("
        service fx1@50 10.1.1.1:8080 10.1.1.66:8080! 10.1.1.67:8080/C2-
        service fxp@51 10.1.1.3:8080°
        service svc1@52 m=1
        http GET /nacos/v1/ns/catalog/services?pageNo=1&pageSize=10&withInstances=false
        http GET /nacos/v1/ns/catalog/services?pageNo=1&pageSize=1&withInstances=false&hasIpCount=true&serviceNameParam=x&groupNameParam=FAULT
        http GET /nacos/v1/ns/catalog/services?pageNo=1&pageSize=10&serviceNameParam=fxp
        http GET /nacos/v1/ns/catalog/services
        http GET /nacos/v1/ns/catalog/instances?serviceName=fx1&clusterName=C2&pageNo=1&pageSize=10
        http GET /nacos/v1/ns/catalog/instances?serviceName=fx1&pageNo=4&pageSize=1
        http GET /nacos/v1/ns/catalog/instances?serviceName=fx1&clusterName=C3&pageNo=1&pageSize=1
        http GET /nacos/v1/ns/catalog/instances?serviceName=nope&pageNo=1&pageSize=1
        http GET /nacos/v2/ns/catalog/instances?serviceName=fxp&pageNo=1&pageSize=10
        http GET /nacos/v1/ns/catalog/service?serviceName=fx1
        answer q1 clusters C2! C3/
        http GET /nacos/v1/ns/catalog/service?serviceName=nope
        http GET /nacos/v1/ns/service/names?namespaceId=public
        http GET /nacos/v1/ns/service/names?expr=fx
        http GET /nacos/v1/ns/service/names?namespaceId=other
        http GET /nacos/v1/ns/service/selector/types
        http GET /nacos/v1/ns/instance/statuses?key=public%23%23DEFAULT_GROUP%40%40fx1
        http GET /nacos/v1/ns/instance/statuses
        http GET /nacos/v2/ns/instance/statuses/DEFAULT_GROUP%40%40fxp
        http GET /nacos/v2/ns/instance/statuses/a%20b
        "),
        r#"
        http 1 200 application/json stale@7 | {"count":3,"serviceList":[{"name":"fx1","groupName":"DEFAULT_GROUP","clusterCount":2,"ipCount":3,"healthyInstanceCount":2,"triggerFlag":"false"},{"name":"fxp","groupName":"DEFAULT_GROUP","clusterCount":1,"ipCount":1,"healthyInstanceCount":1,"triggerFlag":"false"},{"name":"svc1","groupName":"DEFAULT_GROUP","clusterCount":0,"ipCount":0,"healthyInstanceCount":0,"triggerFlag":"false"}]}
        http 2 200 application/json stale@7 | {"count":2,"serviceList":[{"name":"fx1","groupName":"DEFAULT_GROUP","clusterCount":2,"ipCount":3,"healthyInstanceCount":2,"triggerFlag":"false"}]}
        http 3 200 application/json stale@7 | [{"serviceName":"fxp","groupName":"DEFAULT_GROUP","clusterMap":{"DEFAULT":{"hosts":[{"instanceId":"10.1.1.3#8080#DEFAULT#DEFAULT_GROUP@@fxp","ip":"10.1.1.3","port":8080,"weight":8.0,"healthy":true,"enabled":true,"ephemeral":false,"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@fxp","metadata":{},"ipDeleteTimeout":30000,"instanceIdGenerator":"simple","instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000}]}},"metadata":{},"protectThreshold":0.0}]
        http 4 400 text/plain;charset=UTF-8 | Param 'pageNo' is required.
        http 5 200 application/json stale@7 | {"list":[{"instanceId":"10.1.1.67#8080#C2#DEFAULT_GROUP@@fx1","ip":"10.1.1.67","port":8080,"weight":8.0,"healthy":true,"enabled":false,"ephemeral":true,"clusterName":"C2","serviceName":"DEFAULT_GROUP@@fx1","metadata":{},"ipDeleteTimeout":30000,"instanceIdGenerator":"simple","instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000}],"count":1}
        http 6 200 application/json stale@7 | {"list":[],"count":3}
        http 7 404 text/plain;charset=UTF-8 | cluster C3 is not found!
        http 8 404 text/plain;charset=UTF-8 | service DEFAULT_GROUP@@nope is not found!
        http 9 200 application/json stale@7 | {"code":0,"message":"success","data":{"instances":[{"instanceId":"10.1.1.3#8080#DEFAULT#DEFAULT_GROUP@@fxp","ip":"10.1.1.3","port":8080,"weight":8.0,"healthy":true,"enabled":true,"ephemeral":false,"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@fxp","metadata":{},"ipDeleteTimeout":30000,"instanceIdGenerator":"simple","instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000}],"count":1}}
        ask q1 Naming(Clusters { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "fx1" } })
        http 10 200 application/json stale@7 | {"service":{"name":"fx1","groupName":"DEFAULT_GROUP","protectThreshold":0.0,"selector":{"type":"none","contextType":"NONE"},"metadata":{}},"clusters":[{"serviceName":"DEFAULT_GROUP@@fx1","name":"C2","healthChecker":{"type":"NONE"},"defaultPort":80,"defaultCheckPort":80,"useIPPort4Check":true,"metadata":{}},{"serviceName":"DEFAULT_GROUP@@fx1","name":"C3","healthChecker":{"type":"HTTP","path":"/alive","headers":"","expectedResponseCode":204},"defaultPort":80,"defaultCheckPort":80,"useIPPort4Check":true,"metadata":{}},{"serviceName":"DEFAULT_GROUP@@fx1","name":"DEFAULT","healthChecker":{"type":"TCP"},"defaultPort":80,"defaultCheckPort":80,"useIPPort4Check":true,"metadata":{}}]}
        http 11 404 text/plain;charset=UTF-8 | service DEFAULT_GROUP@@nope is not found!
        http 12 200 application/json stale@7 | {"META-INF/services":{"public":["DEFAULT_GROUP@@fx1","DEFAULT_GROUP@@fxp","DEFAULT_GROUP@@svc1"]},"count":3}
        http 13 200 application/json stale@7 | {"META-INF/services":{"public":["DEFAULT_GROUP@@fx1","DEFAULT_GROUP@@fxp"]},"count":2}
        http 14 200 application/json stale@7 | {"META-INF/services":{"other":[]},"count":0}
        http 15 200 application/json stale@7 | {"code":200,"message":null,"data":["label","none"]}
        http 16 200 application/json stale@7 | {"ips":["10.1.1.1:8080_true","10.1.1.66:8080_false","10.1.1.67:8080_true"]}
        http 17 400 text/plain;charset=UTF-8 | Param 'key' is required.
        http 18 200 application/json stale@7 | {"code":0,"message":"success","data":{"ips":["10.1.1.3:8080_true"]}}
        http 19 400 - | Param 'serviceName' is illegal, illegal characters should not appear in the param.
        "#,
    );
}

#[test]
fn a_service_of_v2_is_shown_with_its_clusters() {
    check(
        &run("
        service s2@50 threshold=0.1 10.1.1.1:8080
        http GET /nacos/v2/ns/service?serviceName=s2
        answer q1 clusters C2/
        http GET /nacos/v2/ns/service?serviceName=nope
        http GET /nacos/v2/ns/service
        "),
        r#"
        ask q1 Naming(Clusters { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "s2" } })
        http 1 200 application/json stale@7 | {"code":0,"message":"success","data":{"namespace":"public","serviceName":"s2","groupName":"DEFAULT_GROUP","clusterMap":{"C2":{"clusterName":"C2","healthChecker":{"type":"HTTP","path":"/alive","headers":"","expectedResponseCode":204},"healthyCheckPort":80,"useInstancePortForCheck":true,"metadata":{}},"DEFAULT":{"clusterName":"DEFAULT","healthChecker":{"type":"TCP"},"healthyCheckPort":80,"useInstancePortForCheck":true,"metadata":{}}},"metadata":{},"protectThreshold":0.1,"selector":{"type":"none","contextType":"NONE"},"ephemeral":true}}
        http 2 400 application/json | {"code":21008,"message":"service not exist","data":"service not found, namespace: public, serviceName: DEFAULT_GROUP@@nope"}
        http 3 400 application/json | {"code":10000,"message":"parameter missing","data":"Required request parameter 'serviceName' for method parameter type String is not present"}
        "#,
    );
}

#[test]
fn clusters_are_described_and_switches_shown_as_recorded() {
    check(
        &run(r#"
        http PUT /nacos/v1/ns/cluster | serviceName=s&clusterName=C1&checkPort=80&useInstancePort4Check=true&healthChecker={"type":"TCP"}&metadata=zone=a
        answer q1 agreed
        http PUT /nacos/v1/ns/cluster | serviceName=s&clusterName=C1&checkPort=8080&useInstancePort4Check=false&healthChecker={"type":"HTTP","path":"/alive","expectedResponseCode":204}
        answer q2 full
        http PUT /nacos/v1/ns/cluster | serviceName=s&clusterName=C1&checkPort=80&useInstancePort4Check=true&healthChecker={"type":"MYSQL"}
        http PUT /nacos/v1/ns/cluster | serviceName=s&clusterName=C1&checkPort=80&useInstancePort4Check=true&healthChecker={"type":"PING"}
        http PUT /nacos/v1/ns/cluster | serviceName=s&clusterName=C1&checkPort=80&useInstancePort4Check=true&healthChecker={"type":"HTTP","expectedResponseCode":9999}
        http PUT /nacos/v1/ns/cluster | serviceName=s&clusterName=C1&checkPort=80&useInstancePort4Check=true
        http PUT /nacos/v1/ns/cluster | serviceName=s&clusterName=C1&checkPort=x&useInstancePort4Check=true&healthChecker={"type":"NONE"}
        http GET /nacos/v1/ns/health/checkers
        http GET /nacos/v1/ns/health/server
        answer q3 counts
        http GET /nacos/v1/ns/operator/switches
        http GET /nacos/v2/ns/ops/switches
        http GET /nacos/v1/ns/operator/distro/client?ip=10.0.0.1&port=80
        http PUT /nacos/v1/ns/operator/log?logName=a&logLevel=b
        http GET /nacos/v1/ns/raft/leader
        "#),
        r#"
        ask q1 Naming(UpdateCluster { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "s" }, cluster_name: "C1", settings: ClusterSettings { checker: Tcp, check_port: 80, checks_instance_port: true, metadata: {"zone": "a"} } })
        http 1 200 text/plain;charset=UTF-8 | ok
        ask q2 Naming(UpdateCluster { service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "s" }, cluster_name: "C1", settings: ClusterSettings { checker: Http { path: "/alive", headers: "", expected_code: 204 }, check_port: 8080, checks_instance_port: false, metadata: {} } })
        http 2 507 text/plain;charset=UTF-8 | there are 9 edited instances already: remove some
        http 3 501 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":501,"error":"Not Implemented","message":"not served yet: the health checker MYSQL","path":"/nacos/v1/ns/cluster"}
        http 4 400 text/plain;charset=UTF-8 | Param 'healthChecker' is illegal: its type is one of HTTP, NONE, TCP.
        http 5 400 text/plain;charset=UTF-8 | Param 'healthChecker' is illegal: expectedResponseCode is no HTTP status.
        http 6 400 text/plain;charset=UTF-8 | Param 'healthChecker' is required.
        http 7 400 - | Param 'port' is illegal, the value should be between 0 and 65535.
        http 8 200 application/json stale@7 | {"HTTP":{"type":"HTTP","path":"","headers":"","expectedResponseCode":200},"NONE":{"type":"NONE"},"TCP":{"type":"TCP"}}
        ask q3 Naming(Count)
        http 9 200 application/json stale@7 | {"msg":"Hello! I am Nacos-Naming and healthy! total services: 3, local port:8848"}
        http 10 200 application/json stale@7 | {"masters":null,"adWeightMap":{},"defaultPushCacheMillis":10000,"clientBeatInterval":5000,"defaultCacheMillis":3000,"distroThreshold":0.7,"healthCheckEnabled":true,"autoChangeHealthCheckEnabled":true,"distroEnabled":true,"enableStandalone":true,"pushEnabled":true,"checkTimes":3,"httpHealthParams":{"max":5000,"min":500,"factor":0.85},"tcpHealthParams":{"max":5000,"min":1000,"factor":0.75},"mysqlHealthParams":{"max":3000,"min":2000,"factor":0.65},"incrementalList":[],"serverStatusSynchronizationPeriodMillis":2000,"serviceStatusSynchronizationPeriodMillis":5000,"disableAddIP":false,"sendBeatOnly":false,"lightBeatEnabled":true,"limitedUrlMap":{},"distroServerExpiredMillis":10000,"pushGoVersion":"0.1.0","pushJavaVersion":"0.1.0","pushPythonVersion":"0.4.3","pushCVersion":"1.0.12","pushCSharpVersion":"0.9.0","enableAuthentication":false,"overriddenServerStatus":null,"defaultInstanceEphemeral":true,"healthCheckWhiteList":[],"name":"00-00---000-NACOS_SWITCH_DOMAIN-000---00-00","checksum":null}
        http 11 200 application/json stale@7 | {"code":0,"message":"success","data":{"masters":null,"adWeightMap":{},"defaultPushCacheMillis":10000,"clientBeatInterval":5000,"defaultCacheMillis":3000,"distroThreshold":0.7,"healthCheckEnabled":true,"autoChangeHealthCheckEnabled":true,"distroEnabled":true,"enableStandalone":true,"pushEnabled":true,"checkTimes":3,"httpHealthParams":{"max":5000,"min":500,"factor":0.85},"tcpHealthParams":{"max":5000,"min":1000,"factor":0.75},"mysqlHealthParams":{"max":3000,"min":2000,"factor":0.65},"incrementalList":[],"serverStatusSynchronizationPeriodMillis":2000,"serviceStatusSynchronizationPeriodMillis":5000,"disableAddIP":false,"sendBeatOnly":false,"lightBeatEnabled":true,"limitedUrlMap":{},"distroServerExpiredMillis":10000,"pushGoVersion":"0.1.0","pushJavaVersion":"0.1.0","pushPythonVersion":"0.4.3","pushCVersion":"1.0.12","pushCSharpVersion":"0.9.0","enableAuthentication":false,"overriddenServerStatus":null,"defaultInstanceEphemeral":true,"healthCheckWhiteList":[],"name":"00-00---000-NACOS_SWITCH_DOMAIN-000---00-00","checksum":null}}
        http 12 200 application/json stale@7 | {"responsibleServer":"10.0.0.1:8848"}
        http 13 501 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":501,"error":"Not Implemented","message":"not served yet: PUT /nacos/v1/ns/operator/log","path":"/nacos/v1/ns/operator/log"}
        http 14 501 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":501,"error":"Not Implemented","message":"no such api:GET:/nacos/v1/ns/raft/leader","path":"/nacos/v1/ns/raft/leader"}
        "#,
    );
}

#[test]
fn metadata_of_many_instances_changes_at_once_in_v2() {
    let mut registry = Registry::new();
    registry.http("POST /nacos/v2/ns/instance?serviceName=f2&ip=10.2.1.1&port=8080");
    let batch = "/nacos/v2/ns/instance/metadata/batch";
    for verb in ["PUT", "DELETE"] {
        let request =
            format!("{verb} {batch}?serviceName=f2&metadata=k=v&consistencyType=ephemeral");
        let expected = r#"200 application/json | {"code":0,"message":"success","data":{"updated":["10.2.1.1:8080:unknown:DEFAULT:ephemeral"]}}"#;
        assert_eq!(registry.http(&request), expected);
        let list = registry.http("GET /nacos/v2/ns/instance/list?serviceName=f2");
        assert_eq!(list.contains(r#""metadata":{"k":"v"}"#), verb == "PUT", "{list}");
    }
}

/// The recorded body has 1000 bytes, of which 900 were kept.
#[test]
fn the_switches_have_as_many_bytes_as_recorded() {
    let shown = run("http GET /nacos/v1/ns/operator/switches");
    let (_, json) = shown.trim_end().split_once(" | ").unwrap();
    assert_eq!(json.len(), 1_000, "{json}");
    serde_json::from_str::<serde_json::Value>(json).expect("JSON");
}

#[test]
fn operators_look_at_clients_from_both_sides() {
    let mut registry = Registry::new();
    registry.say(
        r#"c1 setup
        c1 unary BatchInstanceRequest {"serviceName":"s","type":"batchRegisterInstance","instances":[{"ip":"10.0.0.1","port":80},{"ip":"10.0.0.1","port":81,"clusterName":"C1"}]}
        c1 unary SubscribeServiceRequest {"serviceName":"t","subscribe":true}
        c1 http POST /nacos/v2/ns/instance?serviceName=s&ip=10.0.0.2&port=80
        c1 http POST /nacos/v2/ns/instance?serviceName=p&ip=10.0.0.3&port=80&ephemeral=false"#,
    );
    let mut transcript = String::new();
    for page in [
        "list",
        "?clientId=1-0-1",
        "?clientId=10.0.0.2:80%23true",
        "?clientId=10.0.0.3:80%23false",
        "?clientId=nope",
        "?clientId=10.0.0.9:80%23true",
        "publish/list?clientId=1-0-1",
        "publish/list?clientId=10.0.0.2:80%23true",
        "publish/list?clientId=10.0.0.3:80%23false",
        "publish/list?clientId=nope",
        "publish/list",
        "subscribe/list?clientId=1-0-1",
        "subscribe/list?clientId=10.0.0.2:80%23true",
        "service/publisher/list?serviceName=s",
        "service/publisher/list?serviceName=s&ip=10.0.0.1&port=81",
        "service/publisher/list?serviceName=p",
        "service/publisher/list?serviceName=nope",
        "service/subscriber/list?serviceName=t",
        "service/subscriber/list?serviceName=t&port=1",
    ] {
        let separator = if page.starts_with('?') { "" } else { "/" };
        let answer = registry.http(&format!("GET /nacos/v2/ns/client{separator}{page}"));
        writeln!(transcript, "{page} -> {answer}").unwrap();
    }
    check(
        &transcript,
        r#"
        list -> 200 application/json | {"code":0,"message":"success","data":["1-0-1","10.0.0.2:80#true","10.0.0.3:80#false"]}
        ?clientId=1-0-1 -> 200 application/json | {"code":0,"message":"success","data":{"clientId":"1-0-1","ephemeral":true,"clientType":"connection","appName":"","version":"Test:1","clientIp":"10.0.0.1","clientPort":5000}}
        ?clientId=10.0.0.2:80%23true -> 200 application/json | {"code":0,"message":"success","data":{"clientId":"10.0.0.2:80#true","ephemeral":true,"clientType":"ipPort","clientIp":"10.0.0.2","clientPort":80}}
        ?clientId=10.0.0.3:80%23false -> 200 application/json | {"code":0,"message":"success","data":{"clientId":"10.0.0.3:80#false","ephemeral":false,"clientType":"ipPort","clientIp":"10.0.0.3","clientPort":80}}
        ?clientId=nope -> 404 application/json | {"code":20004,"message":"resource not found","data":"clientId [ nope ] not exist"}
        ?clientId=10.0.0.9:80%23true -> 404 application/json | {"code":20004,"message":"resource not found","data":"clientId [ 10.0.0.9:80#true ] not exist"}
        publish/list?clientId=1-0-1 -> 200 application/json | {"code":0,"message":"success","data":[{"namespace":"public","group":"DEFAULT_GROUP","serviceName":"s","registeredInstance":{"ip":"10.0.0.1","port":80,"cluster":"DEFAULT"}},{"namespace":"public","group":"DEFAULT_GROUP","serviceName":"s","registeredInstance":{"ip":"10.0.0.1","port":81,"cluster":"C1"}}]}
        publish/list?clientId=10.0.0.2:80%23true -> 200 application/json | {"code":0,"message":"success","data":[{"namespace":"public","group":"DEFAULT_GROUP","serviceName":"s","registeredInstance":{"ip":"10.0.0.2","port":80,"cluster":"DEFAULT"}}]}
        publish/list?clientId=10.0.0.3:80%23false -> 200 application/json | {"code":0,"message":"success","data":[{"namespace":"public","group":"DEFAULT_GROUP","serviceName":"p","registeredInstance":{"ip":"10.0.0.3","port":80,"cluster":"DEFAULT"}}]}
        publish/list?clientId=nope -> 404 application/json | {"code":20004,"message":"resource not found","data":"clientId [ nope ] not exist"}
        publish/list -> 400 application/json | {"code":10000,"message":"parameter missing","data":"Required request parameter 'clientId' for method parameter type String is not present"}
        subscribe/list?clientId=1-0-1 -> 200 application/json | {"code":0,"message":"success","data":[{"namespace":"public","group":"DEFAULT_GROUP","serviceName":"t","subscriberInfo":{"app":"","agent":"Test:1","addr":"10.0.0.1:5000"}}]}
        subscribe/list?clientId=10.0.0.2:80%23true -> 200 application/json | {"code":0,"message":"success","data":[]}
        service/publisher/list?serviceName=s -> 200 application/json stale@7 | {"code":0,"message":"success","data":[{"clientId":"1-0-1","ip":"10.0.0.1","port":80,"clusterName":"DEFAULT"},{"clientId":"1-0-1","ip":"10.0.0.1","port":81,"clusterName":"C1"},{"clientId":"10.0.0.2:80#true","ip":"10.0.0.2","port":80,"clusterName":"DEFAULT"}]}
        service/publisher/list?serviceName=s&ip=10.0.0.1&port=81 -> 200 application/json stale@7 | {"code":0,"message":"success","data":[{"clientId":"1-0-1","ip":"10.0.0.1","port":81,"clusterName":"C1"}]}
        service/publisher/list?serviceName=p -> 200 application/json stale@7 | {"code":0,"message":"success","data":[{"clientId":"10.0.0.3:80#false","ip":"10.0.0.3","port":80,"clusterName":"DEFAULT"}]}
        service/publisher/list?serviceName=nope -> 200 application/json stale@7 | {"code":0,"message":"success","data":[]}
        service/subscriber/list?serviceName=t -> 200 application/json stale@7 | {"code":0,"message":"success","data":[{"clientId":"1-0-1","ip":"10.0.0.1","port":5000}]}
        service/subscriber/list?serviceName=t&port=1 -> 200 application/json stale@7 | {"code":0,"message":"success","data":[]}
        "#,
    );
}

#[test]
fn the_list_of_clients_is_put_together_from_pieces() {
    let mut registry = Registry::new();
    for n in 0..1_100 {
        let (a, b) = (n / 200, n % 200);
        registry
            .http(&format!("POST /nacos/v1/ns/instance?serviceName=s{b}&ip=10.0.{a}.{b}&port=80"));
    }
    let list = registry.http("GET /nacos/v2/ns/client/list");
    assert_eq!(list.matches("#true").count(), 1_100);
}

/// Clients are in all namespaces: who may not change the server may not list them.
#[test]
fn only_administrators_list_clients_and_turn_switches() {
    for request in [
        "GET /nacos/v2/ns/client/list",
        "GET /nacos/v2/ns/client?clientId=1-0-1",
        "GET /nacos/v2/ns/client/publish/list?clientId=1-0-1",
        "GET /nacos/v2/ns/client/subscribe/list?clientId=1-0-1",
        "PUT /nacos/v1/ns/operator/switches?entry=pushEnabled&value=false",
    ] {
        let (path, query) = request.split_once('?').map_or((request, ""), |(p, q)| (p, q));
        let asked = |user: &str| {
            run_locked(&format!(
                "user {user} {}\nremember {user} pw\nhttp {path}?{query}&username={user}&password=pw",
                if user == "root" { "ROLE_ADMIN" } else { "guests" }
            ))
        };
        assert!(asked("guest").starts_with("http 1 403"), "{request}: {}", asked("guest"));
        assert!(asked("root").starts_with("ask q1 "), "{request}: {}", asked("root"));
    }
}

#[test]
fn the_registry_of_v3_for_clients_answers_as_recorded() {
    let mut registry = Registry::new();
    let mut transcript = String::new();
    for request in [
        r#"POST /nacos/v3/client/ns/instance | serviceName=f3&ip=10.3.1.1&port=8080&metadata={"a":"b"}"#,
        "POST /nacos/v3/client/ns/instance | serviceName=f3&ip=10.3.1.1&port=8080&heartBeat=true",
        "POST /nacos/v3/client/ns/instance | serviceName=f3&ip=10.3.1.50&port=8080&heartBeat=true",
        "POST /nacos/v3/client/ns/instance | serviceName=f3",
        "POST /nacos/v3/client/ns/instance",
        "POST /nacos/v3/client/ns/instance | serviceName=f3&ip=10.3.1.1&port=abc",
        "POST /nacos/v3/client/ns/instance | serviceName=f3&ip=10.3.1.1&port=8080&clusterName=a,b",
        "POST /nacos/v3/client/ns/instance | serviceName=f3&ip=10.3.1.1&port=8080&weight=-5",
        "POST /nacos/v3/client/ns/instance | serviceName=f3&ip=10.3.1.1&port=8080&ephemeral=false",
        "POST /nacos/v3/client/ns/instance | serviceName=f3p&ip=10.3.1.2&port=8080&ephemeral=false",
        "GET /nacos/v3/client/ns/instance/list?serviceName=f3",
        "GET /nacos/v3/client/ns/instance/list?serviceName=f3&healthyOnly=true&clusterName=NOPE",
        "GET /nacos/v3/client/ns/instance/list?serviceName=nope",
        "GET /nacos/v3/client/ns/instance/list",
        "DELETE /nacos/v3/client/ns/instance?serviceName=f3&ip=10.3.1.99&port=8080",
        "DELETE /nacos/v3/client/ns/instance?serviceName=nope&ip=10.3.1.1&port=8080",
    ] {
        writeln!(transcript, "{}", registry.http(request)).unwrap();
    }
    check(
        &transcript,
        r#"
        200 application/json | {"code":0,"message":"success","data":"ok"}
        200 application/json | {"code":0,"message":"success","data":"ok"}
        200 application/json | {"code":21003,"message":"instance not found","data":null}
        400 application/json | {"code":10000,"message":"parameter missing","data":"Required parameter 'ip' type String is not present"}
        400 application/json | {"code":10000,"message":"parameter missing","data":"Required parameter 'serviceName' type String is not present"}
        400 - | Param 'port' is illegal, the value should be between 0 and 65535.
        400 - | Param 'cluster' is illegal, illegal characters should not appear in the param.
        400 application/json | {"code":21001,"message":"weight error","data":"instance format invalid: The weights range from 0.0 to 10000.0"}
        400 application/json | {"code":30000,"message":"server error","data":"errCode: 400, errMsg: Current service DEFAULT_GROUP@@f3 is ephemeral service, can't register persistent instance. "}
        200 application/json | {"code":0,"message":"success","data":"ok"}
        200 application/json stale@7 | {"code":0,"message":"success","data":[{"ip":"10.3.1.1","port":8080,"weight":1.0,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"DEFAULT","serviceName":"DEFAULT_GROUP@@f3","metadata":{"a":"b"},"ipDeleteTimeout":30000,"instanceHeartBeatInterval":5000,"instanceHeartBeatTimeOut":15000}]}
        200 application/json stale@7 | {"code":0,"message":"success","data":[]}
        200 application/json stale@7 | {"code":0,"message":"success","data":[]}
        400 application/json | {"code":10000,"message":"parameter missing","data":"Required parameter 'serviceName' type String is not present"}
        200 application/json | {"code":0,"message":"success","data":"ok"}
        200 application/json | {"code":0,"message":"success","data":"ok"}
        "#,
    );
}
