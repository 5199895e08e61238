//! Tables of what is refused, with the exact words. No refused request asks anything of a plane.

use super::*;

fn refusal(command: &str) -> String {
    let transcript = run(&format!("setup\n{command}"));
    assert!(!transcript.contains("ask "), "{command}: {transcript}");
    let (_, answer) = transcript.trim_end().split_once(" 1 ").expect("an answer to call 1");
    answer.to_owned()
}

#[test]
fn bad_instances_over_http() {
    let port = "400 - | Param 'port' is illegal, the value should be between 0 and 65535.";
    let weight = "400 text/plain;charset=UTF-8 | instance format invalid: The weights range from 0.0 to 10000.0";
    let illegal = |name: &str| {
        format!(
            "400 - | Param '{name}' is illegal, illegal characters should not appear in the param."
        )
    };
    let long = |name: &str, most: usize| {
        format!("400 - | Param '{name}' is illegal, the param length should not exceed {most}.")
    };
    let required =
        |name: &str| format!("400 text/plain;charset=UTF-8 | Param '{name}' is required.");
    let base = "serviceName=fx1&ip=10.1.1.1&port=8080";
    for (parameters, expected) in [
        (String::new(), required("serviceName")),
        ("serviceName=fx1".into(), required("ip")),
        ("serviceName=fx1&ip=10.1.1.1".into(), required("port")),
        ("serviceName=fx1&ip=&port=8080".into(), required("ip")),
        ("serviceName=G@@&ip=1.1.1.1&port=8080".into(), required("serviceName")),
        ("serviceName=fx1&ip=10.1.1.1&port=abc".into(), port.into()),
        ("serviceName=fx1&ip=10.1.1.1&port=-1".into(), port.into()),
        ("serviceName=fx1&ip=10.1.1.1&port=65536".into(), port.into()),
        ("serviceName=fx1&ip=10.1.1.1&port=88%2048".into(), port.into()),
        (format!("{base}&weight=-1"), weight.into()),
        (format!("{base}&weight=20000"), weight.into()),
        (format!("{base}&weight=NaN"), weight.into()),
        (format!("{base}&weight=1e309"), weight.into()),
        (format!("{base}&weight=heavy"), weight.into()),
        (format!("{base}&clusterName=a,b"), illegal("cluster")),
        (format!("{base}&namespaceId=no/such%20ns!"), illegal("namespaceId/tenant")),
        (format!("{base}&namespaceId={}", "n".repeat(500)), long("namespaceId/tenant", 64)),
        (format!("{base}&groupName=a%40b"), illegal("group")),
        ("serviceName=a@@b@@c&ip=10.1.1.1&port=8080".into(), illegal("serviceName")),
        ("serviceName=a%20b&ip=10.1.1.1&port=8080".into(), illegal("serviceName")),
        ("serviceName=%E4%B8%AD&ip=10.1.1.1&port=8080".into(), illegal("serviceName")),
        ("serviceName=a%00b&ip=10.1.1.1&port=8080".into(), illegal("serviceName")),
        (format!("serviceName={}&ip=10.1.1.1&port=8080", "s".repeat(513)), long("serviceName", 512)),
        ("serviceName=fx1&ip=10.1%201.1&port=8080".into(), illegal("ip")),
        (format!("{base}&metadata=%7B%22k%22%3A%22{}%22%7D", "m".repeat(65_536)), long("Metadata", 65_536)),
        (format!("{base}&metadata=%7B%22k%22%3A%22{}%22%7D", "m".repeat(900_000)), long("Metadata", 65_536)),
        (
            format!("{base}&app=%FF%FE"),
            "400 text/plain;charset=UTF-8 | a parameter is not UTF-8: send parameters percent-encoded in UTF-8".into(),
        ),
    ] {
        let command = format!("http POST /nacos/v1/ns/instance | {parameters}");
        let command = if parameters.is_empty() { command.replace(" | ", "") } else { command };
        let shown: String = parameters.chars().take(120).collect();
        assert_eq!(refusal(&command), expected, "{shown}");
    }
}

#[test]
fn instances_that_nacos_takes_are_taken() {
    for parameters in [
        "ip=host-name&port=0",
        "ip=300.1.1.1&port=65535",
        "ip=%5B%3A%3A1%5D&port=8080",
        "ip=::1&port=8080&weight=0",
        "ip=1.1.1.1&port=8080&weight=10000&metadata=",
        "ip=1.1.1.1&port=8080&namespaceId=never-created",
    ] {
        let transcript =
            run(&format!("http POST /nacos/v1/ns/instance?serviceName=s&{parameters}"));
        assert!(transcript.starts_with("ask q1 Naming(Register"), "{parameters}: {transcript}");
    }
}

#[test]
fn bad_metadata_is_named_and_tokens_never_are() {
    let text = refusal(
        "http POST /nacos/v1/ns/instance?accessToken=secret | serviceName=s&ip=1.1.1.1&port=1&metadata=notjson",
    );
    assert_eq!(
        text,
        r#"500 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":500,"error":"Internal Server Error","message":"Server failed, caused: ErrCode:400, ErrMsg:metadata format incorrect:notjson;caused: metadata format incorrect:notjson;","path":"/nacos/v1/ns/instance"}"#
    );
}

#[test]
fn bad_configs_over_http() {
    let illegal = |name: &str| {
        format!(
            "400 application/json;charset=UTF-8 | Param '{name}' is illegal, illegal characters should not appear in the param."
        )
    };
    for (parameters, expected) in [
        ("dataId=&group=G&content=x".to_owned(), "400 text/plain;charset=UTF-8 | caused: invalid dataId : ;".to_owned()),
        ("dataId=d&group=+&content=x".into(), "400 text/plain;charset=UTF-8 | caused: invalid group : ;".into()),
        ("dataId=../d&group=G&content=x".into(), illegal("dataId")),
        ("dataId=a%00&group=G&content=x".into(), illegal("dataId")),
        ("dataId=%F0%9F%98%80&group=G&content=x".into(), illegal("dataId")),
        ("dataId=d&group=bad/group&content=x".into(), illegal("group")),
        (
            format!("dataId={}&group=G&content=x", "d".repeat(257)),
            "400 application/json;charset=UTF-8 | Param 'dataId' is illegal, the param length should not exceed 256.".into(),
        ),
        (
            "dataId=d&group=G&content=x&encryptedDataKey=a%0D%0AX-Evil:1".into(),
            "400 text/plain;charset=UTF-8 | caused: invalid encryptedDataKey : control characters;".into(),
        ),
        (
            "dataId=d&group=G&content=%FF".into(),
            "400 text/plain;charset=UTF-8 | a parameter is not UTF-8: send parameters percent-encoded in UTF-8".into(),
        ),
    ] {
        assert_eq!(refusal(&format!("http POST /nacos/v1/cs/configs | {parameters}")), expected, "{parameters}");
    }
    let kept = run("http POST /nacos/v1/cs/configs | dataId=d&group=G&content=%EF%BF%BD");
    assert!(kept.contains("content: \"\u{fffd}\""), "who writes U+FFFD means it: {kept}");
}

#[test]
fn bodies_over_their_limit_are_413() {
    for (path, bytes_max) in [
        ("/nacos/v1/cs/configs", 10 << 20),
        ("/nacos/v1/cs/configs/", 10 << 20),
        ("/nacos/v1/ns/instance", 1 << 20),
    ] {
        assert_eq!(Limits::default().of_body(path), bytes_max);
        let mut stage = Stage::new(Login::Required);
        let request = http::Request::post(path).body(vec![b'x'; bytes_max + 1].into()).unwrap();
        stage.step(Input::Http { call: CallId(1), request });
        let Some(Output::Http { response, .. }) = stage.session.poll() else { panic!("no answer") };
        assert_eq!(response.status(), 413, "{path}");
    }
}

#[test]
fn paths_that_are_none() {
    assert!(serves("/nacos") && serves("/nacos/v1/x") && !serves("/nacosx") && !serves("/v1"));
    let framework = |status: u16, error: &str, message: &str, path: &str| {
        let kind = if path.contains("/cs/") {
            "application/json;charset=UTF-8"
        } else {
            "application/json"
        };
        format!(
            r#"{status} {kind} | {{"timestamp":"2026-11-21T03:44:53.996+00:00","status":{status},"error":"{error}","message":"{message}","path":"{path}"}}"#
        )
    };
    let no_api =
        |path: &str| framework(501, "Not Implemented", &format!("no such api:GET:{path}"), path);
    let not_found = |path: &str| framework(404, "Not Found", "No message available", path);
    for (path, expected) in [
        ("/nacos/v1/ns/nothing", no_api("/nacos/v1/ns/nothing")),
        ("/nacos/v1/ns/raft/leader", no_api("/nacos/v1/ns/raft/leader")),
        ("/nacos/nothing", not_found("/nacos/nothing")),
        ("/nacos", not_found("/nacos")),
        ("/nacos/v1/core/cluster/node/self", not_found("/nacos/v1/core/cluster/node/self")),
        ("/nacos/v1/cs/ops/derby", not_found("/nacos/v1/cs/ops/derby")),
        (
            "/nacos/v1/cs/metrics/cluster",
            framework(
                501,
                "Not Implemented",
                "not served yet: GET /nacos/v1/cs/metrics/cluster",
                "/nacos/v1/cs/metrics/cluster",
            ),
        ),
        (
            "/nacos/v2/ns/client/nothing",
            framework(
                501,
                "Not Implemented",
                "not served yet: GET /nacos/v2/ns/client/nothing",
                "/nacos/v2/ns/client/nothing",
            ),
        ),
    ] {
        assert_eq!(refusal(&format!("http GET {path}")), expected, "{path}");
    }
}

/// Authorization hangs on the operation, not on the path: no spelling of a path gets around it.
#[test]
fn no_spelling_of_a_path_opens_it() {
    for path in [
        "/nacos/v1/cs/configs",
        "/nacos/v1/cs/configs/",
        "/nacos/v1/cs/configs//",
        "/nacos//v1/cs/configs",
        "/nacos/v1/cs/configs;a=b",
        "/nacos/v1/cs/%63onfigs",
        "/nacos/v1/cs/CONFIGS",
        "/nacos/./v1/cs/configs",
        "/nacos/x/../v1/cs/configs",
        "/nacos/v1/auth/users/../../cs/configs",
        "/nacos/v1/auth/users",
        "/nacos/v1/auth/users/",
        "/nacos/v1/console/namespaces",
        "/nacos/v1/console/server/state",
        "/nacos/v1/ns/operator/metrics",
    ] {
        let target = format!("{path}?dataId=a&group=G&pageNo=1&pageSize=9&search=accurate");
        for agent in ["curl", "Nacos-Server"] {
            let script =
                format!("config public/G/a 1 text secret\nhttp GET {target} user-agent={agent}");
            let transcript = run_locked(&script);
            let refused = ["http 1 403", "http 1 404", "http 1 501"]
                .iter()
                .any(|r| transcript.starts_with(r));
            assert!(refused && !transcript.contains("secret"), "{path}: {transcript}");
        }
    }
}

#[test]
fn bad_grpc_requests_answer_as_recorded() {
    let own = |kind: &str, code: u16, message: &str, id: &str| {
        format!(
            r#"{kind} {{"resultCode":500,"errorCode":{code},"message":"{message}","requestId":"{id}","success":false}}"#
        )
    };
    let port =
        "Param check invalid:Param 'port' is illegal, the value should be between 0 and 65535.";
    let deserialize = r#"ErrorResponse {"resultCode":500,"errorCode":502,"message":"errCode: 101, errMsg: Nacos deserialize failed.  ","success":false}"#;
    for (request, expected) in [
        (r#"InstanceRequest {"requestId":"11","serviceName":"gx","type":"wrongType","instance":{"ip":"10.9.0.1","port":8080}}"#, r#"ErrorResponse {"resultCode":400,"errorCode":400,"message":"Unsupported request type wrongType","requestId":"11","success":false}"#.to_owned()),
        (r#"InstanceRequest {"requestId":"12","serviceName":"","type":"registerInstance","instance":{"ip":"","port":-5}}"#, own("InstanceResponse", 400, port, "12")),
        (r#"InstanceRequest {"requestId":"13","serviceName":"gx","type":"registerInstance","instance":{"ip":"10.9.0.1","port":99999}}"#, own("InstanceResponse", 400, port, "13")),
        (r#"InstanceRequest {"requestId":"13","serviceName":"gx","type":"registerInstance","instance":{"ip":"10.9.0.1","port":80.5}}"#, own("InstanceResponse", 400, port, "13")),
        (r#"InstanceRequest {"requestId":"14","serviceName":"gx","type":"registerInstance"}"#, r#"ErrorResponse {"resultCode":400,"errorCode":400,"message":"Instance can not be null.","requestId":"14","success":false}"#.into()),
        (r#"InstanceRequest {"requestId":"15","serviceName":"gx","type":"registerInstance","instance":{"ip":"1.1.1.1","port":1,"clusterName":"a,b"}}"#, own("InstanceResponse", 400, "Param check invalid:Param 'cluster' is illegal, illegal characters should not appear in the param.", "15")),
        (r#"InstanceRequest {"requestId":"16"}"#, own("ErrorResponse", 500, "Param 'serviceName' is illegal, serviceName is blank", "16")),
        ("InstanceRequest {bad json", deserialize.to_owned()),
        ("InstanceRequest", deserialize.to_owned()),
        (r#"InstanceRequest {"requestId":"1","instance":[[[]]]}"#, r#"ErrorResponse {"resultCode":500,"errorCode":502,"message":"errCode: 101, errMsg: Nacos deserialize failed.  ","requestId":"1","success":false}"#.into()),
        (r#"NoSuchRequest {"requestId":"20"}"#, own("ErrorResponse", 302, "RequestHandler Not Found", "20")),
        (r#"NotifySubscriberRequest {"requestId":"26"}"#, own("ErrorResponse", 302, "RequestHandler Not Found", "26")),
        (r#"QueryMcpServerRequest {"requestId":"25"}"#, own("ErrorResponse", 302, "RequestHandler Not Found", "25")),
        (r#"ServerLoaderInfoRequest {"requestId":"21"}"#, own("ErrorResponse", 502, " invoke ServerLoaderInfoRequest from sdk is forbidden", "21")),
        (r#"DistroDataRequest {"requestId":"27"}"#, own("ErrorResponse", 502, " invoke DistroDataRequest from sdk is forbidden", "27")),
    ] {
        assert_eq!(refusal(&format!("unary {request}")), expected, "{request}");
    }
}

#[test]
fn at_its_limits_a_connection_says_so() {
    let mut stage = Stage::new(Login::Open);
    for n in 0..=CALLS_MAX {
        stage.command("http DELETE /nacos/v1/ns/instance?serviceName=s&ip=1.1.1.1&port=1");
        let output = shown(&stage.session.poll().expect("a question or an answer"));
        if n < CALLS_MAX {
            assert!(output.starts_with("ask"), "{output}");
        } else {
            let overloaded = "overloaded: nothing was done; try again in a moment";
            assert_eq!(output, format!("http 1025 503 text/plain;charset=UTF-8 | {overloaded}"));
        }
    }
    let many = "a=1&".repeat(1_001);
    assert_eq!(
        refusal(&format!("http POST /nacos/v1/ns/instance | {many}")),
        "400 text/plain;charset=UTF-8 | more than 1000 parameters: send fewer in one request"
    );
    let deep =
        format!(r#"unary InstanceRequest {{"instance":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert!(refusal(&deep).contains("Nacos deserialize failed"));
}
