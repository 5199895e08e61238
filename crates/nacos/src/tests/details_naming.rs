//! Details that clients and scripts of Nacos rely on, one test a line, each with the registry itself behind the edge.

use super::registry::Registry;

const OK: &str = "200 text/plain;charset=UTF-8 | ok";

/// Registers by gRPC as connection `who`.
fn by_grpc(registry: &mut Registry, who: u64, service: &str, ip: &str) {
    let heard = registry.say(&format!(
        r#"c{who} setup
        c{who} unary InstanceRequest {{"serviceName":"{service}","type":"registerInstance","instance":{{"ip":"{ip}","port":80}}}}"#
    ));
    assert!(heard.contains("\"success\":true"), "{heard}");
}

/// The addresses in a list.
fn listed(registry: &mut Registry, service: &str) -> Vec<String> {
    let list = registry.http(&format!("GET /nacos/v1/ns/instance/list?serviceName={service}"));
    let json = list.split_once(" | ").unwrap().1;
    let list: serde_json::Value = serde_json::from_str(json).unwrap();
    let hosts = list["hosts"].as_array().unwrap().iter();
    hosts.map(|host| format!("{}:{}", host["ip"].as_str().unwrap(), host["port"])).collect()
}

#[test]
fn all_verbs_work_with_all_parameters_in_the_query_and_an_empty_body() {
    let mut registry = Registry::new();
    let at = "serviceName=s&ip=10.0.0.1&port=80";
    for request in [
        format!("POST /nacos/v1/ns/instance?{at}"),
        format!("PUT /nacos/v1/ns/instance?{at}&weight=2"),
        format!("PATCH /nacos/v1/ns/instance?{at}&weight=3"),
        format!("DELETE /nacos/v1/ns/instance?{at}"),
        "POST /nacos/v1/ns/service?serviceName=t&protectThreshold=0.5".into(),
        "PUT /nacos/v1/ns/service?serviceName=t&protectThreshold=0.25".into(),
        "DELETE /nacos/v1/ns/service?serviceName=t".into(),
        "PUT /nacos/v1/ns/operator/switches?entry=pushEnabled&value=true".into(),
    ] {
        assert_eq!(registry.http(&request), OK, "{request}");
    }
}

#[test]
fn what_was_answered_is_in_the_next_list() {
    let mut registry = Registry::new();
    for n in 1..=20 {
        let instance = format!("serviceName=s&ip=10.0.0.{n}&port=80");
        assert_eq!(registry.http(&format!("POST /nacos/v1/ns/instance?{instance}")), OK);
        assert_eq!(listed(&mut registry, "s").len(), n, "after each answer");
        let instance = format!("serviceName=p&ip=10.0.0.{n}&port=80&ephemeral=false");
        assert_eq!(registry.http(&format!("POST /nacos/v1/ns/instance?{instance}")), OK);
        assert_eq!(listed(&mut registry, "p").len(), n, "persistent ones, too");
    }
}

#[test]
fn after_a_deregister_the_service_can_be_deleted() {
    let mut registry = Registry::new();
    for kind in ["", "&ephemeral=false"] {
        let instance = format!("serviceName=s&ip=10.0.0.1&port=80{kind}");
        for request in [
            format!("POST /nacos/v1/ns/instance?{instance}"),
            format!("DELETE /nacos/v1/ns/instance?{instance}"),
            "DELETE /nacos/v1/ns/service?serviceName=s".into(),
        ] {
            assert_eq!(registry.http(&request), OK, "{request}");
        }
    }
}

#[test]
fn a_new_service_counts_in_the_next_list_of_its_namespace_and_group_by_both_doors() {
    let mut registry = Registry::new();
    registry.say("c1 setup");
    let list = "GET /nacos/v1/ns/service/list?pageNo=1&pageSize=10";
    for (n, request) in [
        "POST /nacos/v1/ns/service?serviceName=empty",
        "POST /nacos/v1/ns/instance?serviceName=filled&ip=10.0.0.1&port=80",
    ]
    .iter()
    .enumerate()
    {
        registry.http(request);
        registry.http("POST /nacos/v1/ns/service?serviceName=other&groupName=G");
        registry.http("POST /nacos/v1/ns/service?serviceName=other&namespaceId=n");
        let count = format!("\"count\":{}", n + 1);
        assert!(registry.http(list).contains(&count), "{}", registry.http(list));
        let heard = registry.say(r#"c1 unary ServiceListRequest {"pageNo":1,"pageSize":10}"#);
        assert!(heard.contains(&count), "{heard}");
    }
    assert!(registry.http(&format!("{list}&groupName=G")).contains("\"count\":1"));
    assert!(registry.http(&format!("{list}&namespaceId=n")).contains("\"count\":1"));
}

#[test]
fn what_is_not_there_and_what_is_not_empty() {
    let mut registry = Registry::new();
    registry.http("POST /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80");
    let refused = registry.http("DELETE /nacos/v1/ns/service?serviceName=s");
    assert!(refused.starts_with("400 ") && refused.contains("is not empty"), "{refused}");
    let missing = registry.http("GET /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.2&port=80");
    assert!(missing.starts_with("404 "), "{missing}");
    let list = registry.http("GET /nacos/v1/ns/instance/list?serviceName=nope");
    assert!(list.starts_with("200 ") && list.contains(r#""name":"DEFAULT_GROUP@@nope""#), "{list}");
    assert!(list.contains(r#""hosts":[]"#), "{list}");
    let unknown = "DELETE /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.2&port=80";
    assert_eq!(registry.http(unknown), OK);
}

#[test]
fn weights_and_thresholds_are_floats_in_the_text() {
    let mut registry = Registry::new();
    registry.http("POST /nacos/v1/ns/service?serviceName=s&protectThreshold=0");
    registry.http("POST /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80&weight=8");
    for page in [
        "GET /nacos/v1/ns/instance/list?serviceName=s",
        "GET /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80",
        "GET /nacos/v2/ns/instance/list?serviceName=s",
        "GET /nacos/v3/client/ns/instance/list?serviceName=s",
        "GET /nacos/v1/ns/catalog/instances?serviceName=s&pageNo=1&pageSize=1",
        "GET /nacos/v1/ns/catalog/services?pageNo=1&pageSize=1",
    ] {
        let shown = registry.http(page);
        assert!(shown.contains(r#""weight":8.0"#), "{page}: {shown}");
    }
    for page in ["v1/ns/service", "v2/ns/service", "v1/ns/catalog/service"] {
        let shown = registry.http(&format!("GET /nacos/{page}?serviceName=s"));
        assert!(shown.contains(r#""protectThreshold":0.0"#), "{page}: {shown}");
    }
}

#[test]
fn put_changes_what_came_by_grpc_and_disabled_is_hidden() {
    let mut registry = Registry::new();
    by_grpc(&mut registry, 1, "s", "10.0.0.1");
    let put = "PUT /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80";
    assert_eq!(registry.http(&format!("{put}&weight=3&metadata=a=b")), OK);
    let query = r#"c1 unary ServiceQueryRequest {"serviceName":"s"}"#;
    let list = registry.say(query);
    assert!(list.contains(r#""weight":3.0"#) && list.contains(r#""metadata":{"a":"b"}"#), "{list}");
    assert_eq!(registry.http(&format!("{put}&enabled=false")), OK);
    let list = registry.say(query);
    assert!(list.contains(r#""hosts":[]"#), "{list}");
    let catalog = "GET /nacos/v1/ns/catalog/instances?serviceName=s&pageNo=1&pageSize=9";
    let shown = registry.http(catalog);
    assert!(shown.contains(r#""enabled":false"#), "operators see it: {shown}");
}

#[test]
fn patch_without_new_values_changes_nothing() {
    let mut registry = Registry::new();
    registry.http("POST /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80&weight=7");
    let list = "GET /nacos/v1/ns/instance/list?serviceName=s";
    let before = registry.http(list);
    for version in ["v1", "v2"] {
        let patch = format!("PATCH /nacos/{version}/ns/instance?serviceName=s&ip=10.0.0.1&port=80");
        assert!(registry.http(&patch).contains("ok"));
        assert_eq!(registry.http(list), before, "not even a new version");
    }
}

#[test]
fn a_cluster_name_with_a_comma_is_refused_by_both_doors_in_both_kinds() {
    let mut registry = Registry::new();
    registry.say("c1 setup");
    let text = "Param 'cluster' is illegal, illegal characters should not appear in the param.";
    for kind in ["true", "false"] {
        let request = format!(
            "POST /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80&clusterName=a,b&ephemeral={kind}"
        );
        assert_eq!(registry.http(&request), format!("400 - | {text}"));
    }
    for kind in ["InstanceRequest", "PersistentInstanceRequest"] {
        let heard = registry.say(&format!(
            r#"c1 unary {kind} {{"serviceName":"s","type":"registerInstance","instance":{{"ip":"10.0.0.1","port":80,"clusterName":"a,b"}}}}"#
        ));
        let refused = format!(r#""errorCode":400,"message":"Param check invalid:{text}""#);
        assert!(heard.contains(&refused), "{heard}");
    }
}

#[test]
fn subscribers_of_the_same_address_application_and_version_count_once() {
    let mut registry = Registry::new();
    for who in [1, 2] {
        registry.say(&format!(
            r#"c{who} setup
            c{who} unary SubscribeServiceRequest {{"serviceName":"s","subscribe":true}}"#
        ));
    }
    // The same client once more, over a connection that looks alike.
    registry.say(
        r#"c99 setup
        c99 unary SubscribeServiceRequest {"serviceName":"s","subscribe":true}
        c99 unary SubscribeServiceRequest {"serviceName":"s","subscribe":true}"#,
    );
    for aggregation in ["", "&aggregation=true", "&aggregation=false"] {
        let page = format!("GET /nacos/v1/ns/service/subscribers?serviceName=s{aggregation}");
        let list = registry.http(&page);
        assert!(list.contains(r#""count":3"#), "{list}");
        assert!(list.contains(r#""addrStr":"10.0.0.1:5000","agent":"Test:1""#), "{list}");
    }
    let page = "GET /nacos/v1/ns/service/subscribers?serviceName=s&pageNo=2&pageSize=2";
    let list = registry.http(page);
    assert!(list.contains("10.0.0.99") && !list.contains("10.0.0.2:"), "{list}");
}

#[test]
fn a_service_is_shown_as_it_was_described_with_its_label_selector() {
    let mut registry = Registry::new();
    let selector = "%7B%22type%22%3A%22label%22%2C%22expression%22%3A%22CONSUMER.label.A%20%3D%20PROVIDER.label.A%22%7D";
    let create = format!(
        "POST /nacos/v1/ns/service?serviceName=s&protectThreshold=0.5&metadata=m=1&selector={selector}"
    );
    assert_eq!(registry.http(&create), OK);
    let shown = registry.http("GET /nacos/v1/ns/service?serviceName=s");
    assert!(
        shown.ends_with(r#"{"namespaceId":"public","groupName":"DEFAULT_GROUP","name":"s","protectThreshold":0.5,"metadata":{"m":"1"},"selector":{"type":"label","expression":"CONSUMER.label.A = PROVIDER.label.A","contextType":"CMDB"},"clusters":[]}"#),
        "{shown}"
    );
    // It is kept and shown; who is asked for is decided by cluster names and health alone, as in Nacos without a CMDB.
    registry.http("POST /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80");
    assert_eq!(listed(&mut registry, "s"), ["10.0.0.1:80"]);
    assert_eq!(registry.http("PUT /nacos/v1/ns/service?serviceName=s&protectThreshold=0.1"), OK);
    let shown = registry.http("GET /nacos/v1/ns/service?serviceName=s");
    assert!(shown.contains(r#""selector":{"type":"none","contextType":"NONE"}"#), "{shown}");
}

#[test]
fn metrics_count_services_instances_and_clients_of_each_kind() {
    let mut registry = Registry::new();
    by_grpc(&mut registry, 1, "a", "10.0.0.1");
    registry.http("POST /nacos/v1/ns/instance?serviceName=b&ip=10.0.0.2&port=80");
    registry.http("POST /nacos/v1/ns/instance?serviceName=c&ip=10.0.0.3&port=80&ephemeral=false");
    let page = "GET /nacos/v1/ns/operator/metrics";
    assert!(registry.http(page).ends_with(r#" | {"status":"UP"}"#));
    let all = registry.http(&format!("{page}?onlyStatus=false"));
    assert!(
        all.ends_with(r#"{"status":"UP","serviceCount":3,"instanceCount":3,"subscribeCount":0,"clientCount":3,"connectionBasedClientCount":1,"ephemeralIpPortClientCount":1,"persistentIpPortClientCount":1,"responsibleClientCount":3,"responsibleInstanceCount":3}"#),
        "{all}"
    );
}

fn turn(registry: &mut Registry, entry: &str, value: &str) {
    let switch = format!("PUT /nacos/v1/ns/operator/switches?entry={entry}&value={value}");
    assert_eq!(registry.http(&switch), OK, "{entry}={value}");
    let shown = registry.http("GET /nacos/v1/ns/operator/switches");
    let text = match value {
        "" => format!(r#""{entry}":null"#),
        value if value.parse::<f64>().is_ok() || value == "true" || value == "false" => {
            format!(r#""{entry}":{value}"#)
        }
        value => format!(r#""{entry}":"{value}""#),
    };
    assert!(shown.contains(&text), "{text}: {shown}");
}

#[test]
fn the_switch_overridden_server_status_acts() {
    let mut registry = Registry::new();
    let (write, read) = (
        "POST /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80",
        "GET /nacos/v1/ns/instance/list?serviceName=s",
    );
    for (status, writes, reads) in [
        ("UP", true, true),
        ("DOWN", false, false),
        ("STARTING", false, false),
        ("PAUSED", false, false),
        ("READ_ONLY", false, true),
        ("WRITE_ONLY", true, false),
        ("", true, true),
    ] {
        turn(&mut registry, "overriddenServerStatus", status);
        let shown = if status.is_empty() { "UP" } else { status };
        let metrics = registry.http("GET /nacos/v1/ns/operator/metrics");
        assert!(metrics.ends_with(&format!(r#"{{"status":"{shown}"}}"#)), "{metrics}");
        for (request, served) in [(write, writes), (read, reads)] {
            let answer = registry.http(request);
            if served {
                assert!(answer.starts_with("200 "), "{status}: {answer}");
            } else {
                let text = format!("| server is {status} now, please try again later!");
                assert!(answer.starts_with("503 ") && answer.ends_with(&text), "{answer}");
            }
        }
    }
    let refused =
        registry.http("PUT /nacos/v1/ns/operator/switches?entry=overriddenServerStatus&value=GONE");
    assert!(refused.starts_with("400 "), "{refused}");
}

#[test]
fn the_switch_light_beat_acts() {
    let mut registry = Registry::new();
    let beat = "PUT /nacos/v1/ns/instance/beat?serviceName=s&ip=10.0.0.1&port=80";
    turn(&mut registry, "lightBeatEnabled", "false");
    assert!(registry.http(beat).contains(r#""lightBeatEnabled":false"#));
    turn(&mut registry, "lightBeatEnabled", "true");
    turn(&mut registry, "clientBeatInterval", "2000");
    let beaten = registry.http(beat);
    assert!(beaten.contains(r#""clientBeatInterval":2000,"code":20404"#), "{beaten}");
    assert!(beaten.contains(r#""lightBeatEnabled":true"#), "{beaten}");
}

#[test]
fn the_switch_push_acts() {
    let mut registry = Registry::new();
    registry.say(
        r#"c1 setup
        c1 unary SubscribeServiceRequest {"serviceName":"s","subscribe":true}
        wait 1000
        c1 stream NotifySubscriberResponse {"requestId":"1"}"#,
    );
    turn(&mut registry, "pushEnabled", "false");
    by_grpc(&mut registry, 2, "s", "10.0.0.2");
    assert_eq!(registry.say("wait 5000").matches("NotifySubscriberRequest").count(), 0);
    turn(&mut registry, "pushEnabled", "true");
    let heard = registry.say("wait 1000");
    assert_eq!(heard.matches("NotifySubscriberRequest").count(), 1, "{heard}");
    assert!(heard.contains("10.0.0.2"), "{heard}");
}

#[test]
fn the_switch_health_check_acts() {
    let mut registry = Registry::new();
    registry.http("POST /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80");
    let off = "PUT /nacos/v1/ns/operator/switches?entry=check&value=false";
    assert_eq!(registry.http(off), OK);
    registry.say("wait 120000");
    assert_eq!(listed(&mut registry, "s").len(), 1, "nobody judges it");
    turn(&mut registry, "healthCheckEnabled", "true");
    registry.say("wait 31000");
    assert_eq!(listed(&mut registry, "s").len(), 0);
    turn(&mut registry, "autoChangeHealthCheckEnabled", "false");
}

#[test]
fn a_switch_without_effect_is_not_taken() {
    let mut registry = Registry::new();
    let mut put = |entry| {
        registry.http(&format!("PUT /nacos/v1/ns/operator/switches?entry={entry}&value=5000"))
    };
    assert!(put("distroThreshold").starts_with("501 "));
    assert!(put("nonsense").starts_with("400 "));
    assert!(put("pushEnabled").starts_with("400 "));
    assert!(put("lightBeatEnabled&debug=true").starts_with("501 "));
    let refused = registry.http("PUT /nacos/v1/ns/operator/switches?entry=pushEnabled");
    assert_eq!(refused, "400 text/plain;charset=UTF-8 | Param 'value' is required.");
    let refused =
        registry.http("PUT /nacos/v2/ns/ops/switches?entry=clientBeatInterval&value=100000");
    assert!(refused.starts_with("400 ") && refused.contains("between 1000 and 7500"), "{refused}");
}

#[test]
fn a_namespace_that_was_never_created_can_be_registered_into_and_is_isolated() {
    let mut registry = Registry::new();
    let instance = "serviceName=s&ip=10.0.0.1&port=80&namespaceId=never-created";
    assert_eq!(registry.http(&format!("POST /nacos/v1/ns/instance?{instance}")), OK);
    assert_eq!(listed(&mut registry, "s").len(), 0);
    assert_eq!(listed(&mut registry, "s&namespaceId=never-created").len(), 1);
}

#[test]
fn an_instance_of_a_living_connection_never_expires() {
    let mut registry = Registry::new();
    registry.say(
        r#"c1 setup
        c1 unary InstanceRequest {"serviceName":"s","type":"registerInstance","instance":{"ip":"10.0.0.1","port":80,"metadata":{"preserved.ip.delete.timeout":"1000","preserved.heart.beat.timeout":"500"}}}"#,
    );
    for _ in 0..30 {
        registry.say("wait 4000\nc1 unary HealthCheckRequest {}");
    }
    assert_eq!(listed(&mut registry, "s").len(), 1);
    registry.say("c1 gone now");
    assert_eq!(listed(&mut registry, "s").len(), 0);
}

#[test]
fn the_last_deregister_pushes_an_empty_list_and_after_unsubscribe_nothing_is_pushed() {
    let mut registry = Registry::new();
    by_grpc(&mut registry, 1, "s", "10.0.0.1");
    registry.say(
        r#"c2 setup
        c2 unary SubscribeServiceRequest {"serviceName":"s","subscribe":true}
        wait 1000
        c2 stream NotifySubscriberResponse {"requestId":"1"}"#,
    );
    let deregister = r#"c1 unary InstanceRequest {"serviceName":"s","type":"deregisterInstance","instance":{"ip":"10.0.0.1","port":80}}"#;
    let heard = registry.say(&format!("{deregister}\nwait 1000"));
    assert!(heard.contains("c2 stream NotifySubscriberRequest"), "{heard}");
    assert!(heard.contains(r#""hosts":[]"#), "{heard}");
    registry.say(
        r#"c2 stream NotifySubscriberResponse {"requestId":"2"}
        c2 unary SubscribeServiceRequest {"serviceName":"s","subscribe":false}"#,
    );
    by_grpc(&mut registry, 3, "s", "10.0.0.3");
    assert!(!registry.say("wait 5000").contains("NotifySubscriberRequest"));
}

/// Two instances at one address, by gRPC and by HTTP: each lives as long as its own client.
#[test]
fn an_instance_stays_while_either_of_its_clients_lives() {
    let mut registry = Registry::new();
    by_grpc(&mut registry, 1, "s", "10.0.0.1");
    by_grpc(&mut registry, 2, "s", "10.0.0.1");
    registry.say("c1 gone now");
    assert_eq!(listed(&mut registry, "s").len(), 1);
    registry.say("c2 gone now");
    assert_eq!(listed(&mut registry, "s").len(), 0);
}

#[test]
fn names_and_lengths_are_limited_as_by_nacos() {
    let mut registry = Registry::new();
    let mut post = |parameters: String| {
        let answer = registry.http(&format!("POST /nacos/v1/ns/instance?{parameters}"));
        answer.starts_with("200 ")
    };
    let long = |n: usize| "a".repeat(n);
    let rest = "ip=10.0.0.1&port=80";
    for (name, most) in [("namespaceId", 64), ("groupName", 128), ("clusterName", 64)] {
        assert!(post(format!("serviceName=s&{rest}&{name}={}", long(most))), "{name}");
        assert!(!post(format!("serviceName=s&{rest}&{name}={}", long(most + 1))), "{name}");
    }
    assert!(post(format!("serviceName={}&{rest}", long(512))));
    assert!(!post(format!("serviceName={}&{rest}", long(513))));
    assert!(post(format!("serviceName=s&ip={}&port=80", long(128))));
    assert!(!post(format!("serviceName=s&ip={}&port=80", long(129))));
    assert!(post("serviceName=s&ip=10.0.0.1&port=0".into()));
    assert!(post("serviceName=s&ip=10.0.0.1&port=65535".into()));
    assert!(!post("serviceName=s&ip=10.0.0.1&port=65536".into()));
    assert!(post(format!("serviceName=s&{rest}&metadata=k={}", long(1_023))));
    assert!(!post(format!("serviceName=s&{rest}&metadata=k={}", long(1_024))));
    for name in ["a%20b", "%E4%B8%AD", "@a"] {
        assert!(!post(format!("serviceName={name}&{rest}")), "{name}");
    }
}
