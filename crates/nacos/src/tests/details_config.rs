//! Details of configs that real clients and scripts rely on: one test per line of the list that was recorded.

use super::*;

#[test]
fn every_verb_works_with_all_parameters_in_the_query_and_an_empty_body() {
    check(
        &run(r#"
        config public/G/a 1 text x
        http POST /nacos/v1/cs/configs?dataId=a&group=G&content=x%26y%3D1&type=yaml
        answer q1 published
        http DELETE /nacos/v1/cs/configs?dataId=a&group=G
        answer q2 removed
        http PUT /nacos/v1/console/namespaces?namespace=n1&namespaceShowName=x&namespaceDesc=d
        answer q3 changed
        http PUT /nacos/v1/auth/users?username=ann&newPassword=password2
        answer q4 hashed
        answer q5 changed
        "#),
        r#"
        ask q1 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "a" }, content: "x&y=1", cas_md5: None, details: Details { content_type: "yaml", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 1 200 application/json;charset=UTF-8 | true
        ask q2 Config(Remove { key: ConfigKey { namespace: "public", group: "G", data_id: "a" }, author: Author { user: "", address: "10.0.0.9" } })
        http 2 200 application/json;charset=UTF-8 | true
        ask q3 Access(Change(UpdateNamespace { id: "n1", namespace: Namespace { name: "x", description: "d" } }))
        http 3 200 application/json | true
        ask q4 Hash(Password(..))
        ask q5 Access(Change(SetPassword { name: "ann", password_hash: .. }))
        http 4 200 application/json | {"code":200,"message":null,"data":"update user ok!"}
        "#,
    );
}

#[test]
fn configs_with_a_slash_at_the_end_equals_configs() {
    let asked = |path: &str| {
        let script = format!(
            "config public/G/a 1 text x\nhttp GET {path}?dataId=a&group=G\nhttp POST {path}?dataId=a&group=G&content=x\nanswer q1 published\nhttp DELETE {path}?dataId=a&group=G"
        );
        run(&script)
    };
    let plain = asked("/nacos/v1/cs/configs");
    assert!(plain.starts_with("http 1 200") && plain.contains("http 2 200"), "{plain}");
    assert_eq!(asked("/nacos/v1/cs/configs/"), plain);
}

#[test]
fn delete_of_an_unknown_config_is_200_true() {
    for (path, told) in [
        ("/nacos/v1/cs/configs", "| true"),
        ("/nacos/v2/cs/config", r#"| {"code":0,"message":"success","data":true}"#),
    ] {
        let mut stage = Stage::new(Login::Open);
        stage.command(&format!("http DELETE {path}?dataId=never&group=G"));
        assert!(matches!(stage.session.poll(), Some(Output::Ask { .. })));
        let outcome = config::Outcome::Removed { existed: false };
        let answer = Answer::Config(config::Reply::Outcome(outcome));
        stage.step(Input::Answer { id: RequestId(1), answer });
        let transcript = shown(&stage.session.poll().unwrap());
        assert!(transcript.ends_with(told), "{transcript}");
    }
}

#[test]
fn a_publish_without_content_is_not_2xx() {
    for path in ["/nacos/v1/cs/configs", "/nacos/v2/cs/config"] {
        for rest in ["", "&content=", "&content=%20%0a"] {
            let transcript = run(&format!("http POST {path}?dataId=a&group=G{rest}"));
            let status: u16 = transcript.split(' ').nth(2).unwrap().parse().unwrap();
            assert!(status >= 400, "{path} {rest}: {transcript}");
            assert!(!transcript.contains("ask"), "{transcript}");
        }
    }
}

#[test]
fn a_grpc_publish_without_a_tenant_is_of_the_empty_tenant_and_succeeds() {
    let transcript = run(r#"
        setup
        unary ConfigPublishRequest {"requestId":"1","dataId":"a","group":"G","content":"x"}
        answer q1 published
        config public/G/a 1 text x
        unary ConfigQueryRequest {"requestId":"2","dataId":"a","group":"G","tenant":""}
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        http GET /nacos/v1/cs/configs?dataId=a&group=G&tenant=
    "#);
    assert!(transcript.contains(r#"key: ConfigKey { namespace: "public""#), "{transcript}");
    assert!(transcript.contains(r#"ConfigPublishResponse {"resultCode":200,"errorCode":0"#));
    assert_eq!(transcript.matches(r#""content":"x""#).count(), 1, "{transcript}");
    assert_eq!(transcript.matches("| x").count(), 2, "{transcript}");
}

#[test]
fn the_encrypted_data_key_of_a_publish_comes_back_in_the_query() {
    let mut stage = Stage::new(Login::Open);
    stage.command("setup");
    let asked = play(
        &mut stage,
        r#"unary ConfigPublishRequest {"dataId":"cipher-a","group":"G","content":"x","additionMap":{"encryptedDataKey":"key+1/="}}"#,
    );
    assert!(asked.contains(r#"encrypted_data_key: "key+1/=""#), "{asked}");
    let mut entry = entry("public/G/cipher-a 1 text x");
    entry.details.encrypted_data_key = "key+1/=".into();
    stage.scene.configs.insert(entry.key.clone(), entry.into());
    let answer = play(&mut stage, r#"unary ConfigQueryRequest {"dataId":"cipher-a","group":"G"}"#);
    assert!(answer.contains(r#""encryptedDataKey":"key+1/=""#), "{answer}");
    stage.command("http GET /nacos/v1/cs/configs?dataId=cipher-a&group=G");
    let Some(Output::Http { response, .. }) = stage.session.poll() else { panic!("no answer") };
    assert_eq!(response.headers()["encrypted-data-key"], "key+1/=");
}

#[test]
fn a_beta_publish_is_answered_true_and_the_normal_content_stays_unpublished() {
    let transcript = run(r#"
        http POST /nacos/v1/cs/configs betaips=1.2.3.4,5.6.7.8 | dataId=a&group=G&content=b
        answer q1 published
        gray beta:1.2.3.4,5.6.7.8 public/G/a m text b
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        http GET /nacos/v1/cs/configs?beta=true&dataId=a&group=G
        http GET /nacos/v1/cs/configs?beta=true&dataId=other&group=G
        http DELETE /nacos/v1/cs/configs?beta=true&dataId=a&group=G
        answer q2 removed
    "#);
    assert!(transcript.starts_with("ask q1 Config(PublishGray"), "{transcript}");
    for told in [
        "http 1 200 application/json;charset=UTF-8 | true",
        "http 2 404 ",
        r#"| {"code":200,"message":"query beta ok","data":{"id":"9","dataId":"a","group":"G","content":"b""#,
        r#"| {"code":200,"message":"query beta ok","data":null}"#,
        r#"| {"code":200,"message":"stop beta ok","data":true}"#,
    ] {
        assert!(transcript.contains(told), "{told}\n{transcript}");
    }
}

#[test]
fn show_all_has_id_type_app_name_desc_and_md5() {
    let mut stage = Stage::new(Login::Open);
    let mut entry = entry("#21 public/G/a m1 yaml x");
    entry.details.app_name = "shop".into();
    entry.details.description = "what for".into();
    stage.scene.configs.insert(entry.key.clone(), entry.into());
    let transcript = play(&mut stage, "http GET /nacos/v1/cs/configs?dataId=a&group=G&show=all");
    let json: serde_json::Value =
        serde_json::from_str(transcript.split_once(" | ").unwrap().1).unwrap();
    for (name, value) in [
        ("id", "21"),
        ("type", "yaml"),
        ("appName", "shop"),
        ("desc", "what for"),
        ("md5", "m1"),
        ("content", "x"),
    ] {
        assert_eq!(json[name], value, "{name}");
    }
}

#[test]
fn searches_take_stars_and_an_empty_name_means_any() {
    for (query, count) in [
        ("search=accurate&dataId=app.yaml&group=G", 1),
        ("search=accurate&dataId=app.yaml&group=", 2),
        ("search=accurate&dataId=&group=", 3),
        ("search=blur&dataId=app*&group=", 2),
        ("search=blur&dataId=*.yaml&group=G", 1),
        ("search=blur&dataId=*o*&group=", 1),
        ("search=blur&dataId=&group=", 3),
        ("search=blur&dataId=pp*&group=", 0),
    ] {
        let transcript = run(&format!(
            "config #1 public/G/app.yaml m text x\nconfig #2 public/H/app.yaml m text y\nconfig #3 public/G/other m text z\nhttp GET /nacos/v1/cs/configs?{query}&pageNo=1&pageSize=9"
        ));
        let json: serde_json::Value =
            serde_json::from_str(transcript.split_once(" | ").unwrap().1).unwrap();
        assert_eq!(json["totalCount"], count, "{query}: {transcript}");
        let items = json["pageItems"].as_array().unwrap();
        assert_eq!(items.len(), count, "{query}");
        for item in items {
            assert!(item["id"].is_string() && item["content"].is_string(), "{item}");
            assert!(item["appName"].is_string(), "{item}");
        }
    }
}

#[test]
fn a_namespace_that_was_never_created_can_be_published_into_isolated() {
    let transcript = run(r#"
        http POST /nacos/v1/cs/configs?dataId=a&group=G&tenant=never&content=x
        answer q1 published
        config never/G/a 1 text x
        http GET /nacos/v1/cs/configs?dataId=a&group=G&tenant=never
        http GET /nacos/v1/cs/configs?dataId=a&group=G
    "#);
    assert!(transcript.contains("http 1 200 application/json;charset=UTF-8 | true"));
    assert!(transcript.contains("http 2 200") && transcript.contains("http 3 404"), "{transcript}");
}

/// The official import counts what it left untouched as published: here it never does.
#[test]
fn an_import_with_abort_or_skip_counts_only_what_it_published() {
    // Each policy with its counts is in `transfer::each_policy_counts_what_it_did`; this is the line's own case.
    let archive = pack(&[("G/a".into(), "1".into())]);
    for policy in ["ABORT", "SKIP"] {
        let mut stage = Stage::new(Login::Open);
        let body = [
            &b"--x\r\ncontent-disposition: form-data; name=file\r\n\r\n"[..],
            &archive,
            b"\r\n--x--",
        ]
        .concat();
        let request =
            http::Request::post(format!("/nacos/v1/cs/configs?import=true&policy={policy}"))
                .header("content-type", "multipart/form-data; boundary=x")
                .body(Bytes::from(body));
        stage.step(Input::Http { call: CallId(1), request: request.unwrap() });
        let Some(Output::Ask { ask: Ask::Inspect(bytes), id }) = stage.session.poll() else {
            panic!("the archive is inspected first")
        };
        stage.step(Input::Answer { id, answer: Answer::Inspected(Archive::inspect(bytes)) });
        let transcript = play(&mut stage, "answer q2 conflict");
        assert!(
            transcript.contains(r#"cas_md5: Some("")"#),
            "only what is not there: {transcript}"
        );
        assert!(transcript.contains(r#""succCount":0,"#), "{transcript}");
    }
}

/// A client that was given a beta version is told of its changes, and of nothing that others see.
#[test]
fn the_long_poll_of_a_beta_client_compares_its_own_md5() {
    let poll = |md5: &str| {
        run(&format!(
            "config public/G/a formal text x\ngray beta:10.0.0.9 public/G/a beta text y\nhttp POST /nacos/v1/cs/configs/listener | Listening-Configs=a%02G%02{md5}%01"
        ))
    };
    assert_eq!(poll("beta"), "http 1 200 application/json;charset=UTF-8 linearizable@7\n");
    let mut stage = Stage::new(Login::Open);
    play(&mut stage, "config public/G/a formal text x\ngray beta:10.0.0.9 public/G/a beta text y");
    stage.command("http POST /nacos/v1/cs/configs/listener | Listening-Configs=a%02G%02formal%01");
    let Some(Output::Http { response, .. }) = stage.session.poll() else { panic!("no answer") };
    assert_eq!(response.headers()["probe-modify-response"], "a:G;");
}
