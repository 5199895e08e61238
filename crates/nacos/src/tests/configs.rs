//! Configs: query, publish, remove, listening over gRPC, long polls.

use super::*;

#[test]
fn configs_over_grpc_answer_as_recorded() {
    check(
        &run(r#"
        setup
        unary ConfigQueryRequest {"requestId":"1","dataId":"nope","group":"G","tenant":""}
        unary ConfigPublishRequest {"requestId":"2","dataId":"gc","group":"G","tenant":"","content":"v1","additionMap":{"type":"text","tag":""}}
        config public/G/gc 6654 text v1
        answer q1 published
        unary ConfigQueryRequest {"requestId":"4","dataId":"gc","group":"G","tenant":""}
        unary ConfigQueryRequest {"requestId":"5","dataId":"gc","group":"G","tenant":"public"}
        unary ConfigPublishRequest {"requestId":"9","dataId":"gc","group":"G","content":"v2","casMd5":"0000","additionMap":null}
        answer q2 conflict
        unary ConfigPublishRequest {"requestId":"10","dataId":"gc","group":"G","tenant":"","content":"","additionMap":{}}
        unary ConfigPublishRequest {"requestId":"11","dataId":"gc","group":"G","tenant":"","additionMap":{}}
        unary ConfigPublishRequest {"requestId":"12","dataId":"bad id!","group":"G","tenant":"","content":"x"}
        unary ConfigPublishRequest {"requestId":"13","dataId":"gc3","group":"","tenant":"","content":"x"}
        unary ConfigPublishRequest {"requestId":"14","dataId":"gcbeta","group":"G","content":"x","additionMap":{"betaIps":"1.2.3.4"}}
        answer q3 published
        unary ConfigQueryRequest {"requestId":"16","dataId":"gc","group":"G","tag":"t1"}
        unary ConfigQueryRequest {"requestId":"17","dataId":"","group":"G","tenant":""}
        unary ConfigRemoveRequest {"requestId":"18","dataId":"gc","group":"G","tenant":""}
        answer q4 removed
        "#),
        r#"
        unary 1 ConfigQueryResponse {"resultCode":500,"errorCode":300,"message":"config data not exist","requestId":"1","lastModified":0,"beta":false,"success":false}
        ask q1 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "gc" }, content: "v1", cas_md5: None, details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        unary 2 ConfigPublishResponse {"resultCode":200,"errorCode":0,"requestId":"2","success":true}
        unary 3 ConfigQueryResponse {"resultCode":200,"errorCode":0,"requestId":"4","content":"v1","encryptedDataKey":"","contentType":"text","md5":"6654","lastModified":1795232693996,"beta":false,"success":true}
        unary 4 ConfigQueryResponse {"resultCode":200,"errorCode":0,"requestId":"5","content":"v1","encryptedDataKey":"","contentType":"text","md5":"6654","lastModified":1795232693996,"beta":false,"success":true}
        ask q2 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "gc" }, content: "v2", cas_md5: Some("0000"), details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        unary 5 ConfigPublishResponse {"resultCode":500,"errorCode":500,"message":"Cas publish fail, server md5 may have changed.","requestId":"9","success":false}
        unary 6 ConfigPublishResponse {"resultCode":500,"errorCode":400,"message":"content is blank : ","requestId":"10","success":false}
        unary 7 ConfigPublishResponse {"resultCode":500,"errorCode":400,"message":"content is blank : null","requestId":"11","success":false}
        unary 8 ConfigPublishResponse {"resultCode":500,"errorCode":400,"message":"Param check invalid:Param 'dataId' is illegal, illegal characters should not appear in the param.","requestId":"12","success":false}
        unary 9 ConfigPublishResponse {"resultCode":500,"errorCode":400,"message":"invalid group : ","requestId":"13","success":false}
        ask q3 Config(PublishGray { key: ConfigKey { namespace: "public", group: "G", data_id: "gcbeta" }, rule: Beta("1.2.3.4"), content: "x", cas_md5: None, details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        unary 10 ConfigPublishResponse {"resultCode":200,"errorCode":0,"requestId":"14","success":true}
        unary 11 ConfigQueryResponse {"resultCode":500,"errorCode":300,"message":"config data not exist","requestId":"16","lastModified":0,"beta":false,"success":false}
        unary 12 ConfigQueryResponse {"resultCode":500,"errorCode":300,"message":"config data not exist","requestId":"17","lastModified":0,"beta":false,"success":false}
        ask q4 Config(Remove { key: ConfigKey { namespace: "public", group: "G", data_id: "gc" }, author: Author { user: "", address: "10.0.0.9" } })
        unary 13 ConfigRemoveResponse {"resultCode":200,"errorCode":0,"requestId":"18","success":true}
        "#,
    );
}

/// What differs is named in the client's own words: `""`, nothing and `public` are one namespace inside, and stay
/// three outside. A notification that is not confirmed comes again, and stops once the client no longer listens.
#[test]
fn listeners_hear_of_changes_in_their_own_words() {
    check(
        &run(r#"
        setup
        unary ConfigBatchListenRequest {"requestId":"6","listen":true,"configListenContexts":[{"group":"G","md5":"","dataId":"a","tenant":""},{"group":"G","md5":"1","dataId":"b"},{"group":"G","md5":"1","dataId":"b","tenant":"public"}]}
        answer q1 listening public/G/a public/G/b
        notify 0 public/G/b 2
        stream NotifySubscriberResponse {"requestId":"1"}
        wait 3000
        wait 2000
        stream ConfigChangeNotifyResponse {"requestId":"3"}
        unary ConfigBatchListenRequest {"requestId":"7","listen":false,"configListenContexts":[{"group":"G","dataId":"b","tenant":""}]}
        unary ConfigBatchListenRequest {"requestId":"8","listen":false,"configListenContexts":[{"group":"G","dataId":"b","tenant":"public"}]}
        answer q2 listening
        notify 0 public/G/b 3
        unary ConfigBatchListenRequest {"requestId":"9","listen":true,"configListenContexts":[]}
        "#),
        r#"
        ask q1 Config(Listen { listener: 0, items: [(ConfigKey { namespace: "public", group: "G", data_id: "a" }, ""), (ConfigKey { namespace: "public", group: "G", data_id: "b" }, "1"), (ConfigKey { namespace: "public", group: "G", data_id: "b" }, "1")], audience: Audience { addresses: ["10.0.0.9"], tag: None } })
        unary 1 ConfigChangeBatchListenResponse {"resultCode":200,"errorCode":0,"requestId":"6","changedConfigs":[{"group":"G","dataId":"a","tenant":""},{"group":"G","dataId":"b"},{"group":"G","dataId":"b","tenant":"public"}],"success":true}
        stream ConfigChangeNotifyRequest {"headers":{},"requestId":"1","dataId":"b","group":"G","module":"config"}
        stream ConfigChangeNotifyRequest {"headers":{},"requestId":"2","dataId":"b","group":"G","tenant":"public","module":"config"}
        stream ConfigChangeNotifyRequest {"headers":{},"requestId":"3","dataId":"b","group":"G","tenant":"public","module":"config"}
        tell Heard
        unary 2 ConfigChangeBatchListenResponse {"resultCode":200,"errorCode":0,"requestId":"7","changedConfigs":[],"success":true}
        ask q2 Config(Unlisten { listener: 0, keys: [ConfigKey { namespace: "public", group: "G", data_id: "b" }] })
        unary 3 ConfigChangeBatchListenResponse {"resultCode":200,"errorCode":0,"requestId":"8","changedConfigs":[],"success":true}
        unary 4 ConfigChangeBatchListenResponse {"resultCode":200,"errorCode":0,"requestId":"9","changedConfigs":[],"success":true}
        "#,
    );
}

#[test]
fn configs_over_http_answer_as_recorded() {
    check(
        &run(r#"
        http POST /nacos/v1/cs/configs | dataId=fx.yaml&group=G&content=a%3A+1&type=yaml
        config public/G/fx.yaml 270f yaml a: 1
        answer q1 published
        http GET /nacos/v1/cs/configs/?dataId=fx.yaml&group=G
        http GET /nacos/v1/cs/configs?dataId=fx.yaml&group=G&show=all
        http GET /nacos/v1/cs/configs?dataId=nope&group=G
        http GET /nacos/v1/cs/configs?dataId=fx.yaml
        http POST /nacos/v1/cs/configs casmd5=000 | dataId=fx.yaml&group=G&content=c
        answer q2 conflict
        http POST /nacos/v1/cs/configs | dataId=fx.yaml&group=G&content=
        http POST /nacos/v1/cs/configs | dataId=fx.yaml&group=G
        http POST /nacos/v1/cs/configs | dataId=okid&group=G&tenant=bad+tenant!&content=x
        http GET /nacos/v1/cs/configs?beta=true&dataId=fx.yaml&group=G
        http GET /nacos/v1/cs/configs?exportV2=true&ids=x
        http PATCH /nacos/v1/cs/configs
        http DELETE /nacos/v1/cs/configs?dataId=never-there&group=G
        answer q3 removed
        http POST /nacos/v1/cs/configs?dataId=d&group=G&content=x
        answer q4 no-leader
        "#),
        r#"
        ask q1 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "fx.yaml" }, content: "a: 1", cas_md5: None, details: Details { content_type: "yaml", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 1 200 application/json;charset=UTF-8 | true
        http 2 200 text/plain;charset=UTF-8 linearizable@7 | a: 1
        http 3 200 application/json;charset=UTF-8 linearizable@7 | {"id":"9","dataId":"fx.yaml","group":"G","content":"a: 1","md5":"270f","encryptedDataKey":"","tenant":"","appName":"","type":"yaml","createTime":1795232693996,"modifyTime":1795232693996,"createUser":"","createIp":"","desc":"","use":"","effect":"","schema":"","configTags":""}
        http 4 404 application/json;charset=UTF-8 linearizable@7 | config data not exist
        http 5 500 text/plain;charset=UTF-8 | caused: Required request parameter &#39;group&#39; for method parameter type String is not present;
        ask q2 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "fx.yaml" }, content: "c", cas_md5: Some("000"), details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 6 500 text/plain;charset=UTF-8 | caused: Cas publish fail, server md5 may have changed.;
        http 7 400 text/plain;charset=UTF-8 | caused: content is blank : ;
        http 8 500 text/plain;charset=UTF-8 | caused: Required request parameter &#39;content&#39; for method parameter type String is not present;
        http 9 400 application/json;charset=UTF-8 | Param 'namespaceId/tenant' is illegal, illegal characters should not appear in the param.
        http 10 200 application/json;charset=UTF-8 linearizable@7 | {"code":200,"message":"query beta ok","data":null}
        http 11 400 text/plain;charset=UTF-8 | caused: invalid ids : numbers are taken;
        http 12 405 application/json;charset=UTF-8 | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":405,"error":"Method Not Allowed","message":"Request method 'PATCH' not supported","path":"/nacos/v1/cs/configs"}
        ask q3 Config(Remove { key: ConfigKey { namespace: "public", group: "G", data_id: "never-there" }, author: Author { user: "", address: "10.0.0.9" } })
        http 13 200 application/json;charset=UTF-8 | true
        ask q4 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "d" }, content: "x", cas_md5: None, details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 14 503 text/plain;charset=UTF-8 | no leader is known: nothing was written; try again, or another node
        "#,
    );
}

/// As recorded: the beta publish is answered `true` and leaves the formal content as it is; shown and stopped by name.
#[test]
fn gray_versions_over_http_answer_as_recorded() {
    check(
        &run(r#"
        http POST /nacos/v1/cs/configs betaips=1.2.3.4 | dataId=fx.yaml&group=G&content=beta-content
        answer q1 published
        gray beta:1.2.3.4 public/G/fx.yaml 9a41 text beta-content
        http GET /nacos/v1/cs/configs?beta=true&dataId=fx.yaml&group=G
        http GET /nacos/v1/cs/configs?dataId=fx.yaml&group=G
        http DELETE /nacos/v1/cs/configs?beta=true&dataId=fx.yaml&group=G
        answer q2 removed
        http POST /nacos/v1/cs/configs casmd5=1 | dataId=fx.yaml&group=G&content=c&tag=blue
        answer q3 too-many-versions
        http POST /nacos/v1/cs/configs | dataId=fx.yaml&group=G&content=c&tag=seventeen-letters
        http POST /nacos/v1/cs/configs | dataId=fx.yaml&group=G&content=c&tag=a+b
        http DELETE /nacos/v1/cs/configs?dataId=fx.yaml&group=G&tag=blue
        answer q4 removed
        "#),
        r#"
        ask q1 Config(PublishGray { key: ConfigKey { namespace: "public", group: "G", data_id: "fx.yaml" }, rule: Beta("1.2.3.4"), content: "beta-content", cas_md5: None, details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 1 200 application/json;charset=UTF-8 | true
        http 2 200 application/json;charset=UTF-8 linearizable@7 | {"code":200,"message":"query beta ok","data":{"id":"9","dataId":"fx.yaml","group":"G","content":"beta-content","md5":"9a41","encryptedDataKey":null,"tenant":"","appName":"","type":null,"betaIps":"1.2.3.4"}}
        http 3 404 application/json;charset=UTF-8 linearizable@7 | config data not exist
        ask q2 Config(RemoveGray { key: ConfigKey { namespace: "public", group: "G", data_id: "fx.yaml" }, name: Beta, author: Author { user: "", address: "10.0.0.9" } })
        http 4 200 application/json;charset=UTF-8 | {"code":200,"message":"stop beta ok","data":true}
        ask q3 Config(PublishGray { key: ConfigKey { namespace: "public", group: "G", data_id: "fx.yaml" }, rule: Tag("blue"), content: "c", cas_md5: Some("1"), details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        http 5 400 text/plain;charset=UTF-8 | caused: gray config version is over max count :10;
        http 6 400 text/plain;charset=UTF-8 | caused: too long tag, over 16;
        http 7 400 text/plain;charset=UTF-8 | caused: invalid tag : a b;
        ask q4 Config(RemoveGray { key: ConfigKey { namespace: "public", group: "G", data_id: "fx.yaml" }, name: Tag("blue"), author: Author { user: "", address: "10.0.0.9" } })
        http 8 200 application/json;charset=UTF-8 | true
        "#,
    );
}

/// Beta before tag before formal; a tag that is asked for by name and not there is never answered with the formal one.
#[test]
fn every_client_sees_its_own_version() {
    check(
        &run(r#"
        config public/G/a 1 text formal
        gray tag:blue public/G/a 2 text tagged
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        http GET /nacos/v1/cs/configs?dataId=a&group=G vipserver-tag=blue
        http GET /nacos/v1/cs/configs?dataId=a&group=G vipserver-tag=red
        http GET /nacos/v1/cs/configs?dataId=a&group=G&tag=blue
        http GET /nacos/v1/cs/configs?dataId=a&group=G&tag=red vipserver-tag=blue
        http POST /nacos/v1/cs/configs/listener vipserver-tag=blue long-pulling-timeout=30000 long-pulling-timeout-no-hangup=true | Listening-Configs=a%02G%021%01
        http POST /nacos/v1/cs/configs/listener vipserver-tag=blue long-pulling-timeout=30000 | Listening-Configs=a%02G%022%01
        gray beta:10.0.0.8,10.0.0.9 public/G/a 3 text beta
        http GET /nacos/v1/cs/configs?dataId=a&group=G&tag=blue
        http GET /nacos/v1/cs/configs?dataId=a&group=G&show=all
        "#),
        r#"
        http 1 200 text/plain;charset=UTF-8 linearizable@7 | formal
        http 2 200 text/plain;charset=UTF-8 linearizable@7 | tagged
        http 3 200 text/plain;charset=UTF-8 linearizable@7 | formal
        http 4 200 text/plain;charset=UTF-8 linearizable@7 | tagged
        http 5 404 application/json;charset=UTF-8 linearizable@7 | config data not exist
        http 6 200 application/json;charset=UTF-8 linearizable@7 | a%02G%01\n
        ask q1 Config(Listen { listener: 8, items: [(ConfigKey { namespace: "public", group: "G", data_id: "a" }, "2")], audience: Audience { addresses: ["10.0.0.9"], tag: Some("blue") } })
        http 8 200 text/plain;charset=UTF-8 linearizable@7 | beta
        http 9 200 application/json;charset=UTF-8 linearizable@7 | {"id":"9","dataId":"a","group":"G","content":"formal","md5":"1","encryptedDataKey":"","tenant":"","appName":"","type":"text","createTime":1795232693996,"modifyTime":1795232693996,"createUser":"","createIp":"","desc":"","use":"","effect":"","schema":"","configTags":""}
        "#,
    );
}

/// Over gRPC the tag is a label of the connection or a header of the request, and the client's own address counts too.
#[test]
fn gray_versions_over_grpc_follow_labels_headers_and_addresses() {
    let mut stage = Stage::new(Login::Open);
    stage.step(Input::StreamOpened);
    let mut setup = payload(
        r#"ConnectionSetupRequest {"clientVersion":"Test:1","labels":{"Vipserver-Tag":"blue"}}"#,
    );
    setup.metadata.as_mut().unwrap().client_ip = "172.17.0.5".into();
    stage.step(Input::StreamPayload(setup));
    while stage.session.poll().is_some() {}
    check(
        &play(
            &mut stage,
            r#"
        config public/G/a 1 text formal
        gray tag:blue public/G/a 2 text tagged
        gray tag:red public/G/a 3 text other
        unary ConfigQueryRequest {"dataId":"a","group":"G"}
        unary ConfigQueryRequest @Vipserver-Tag=red {"dataId":"a","group":"G"}
        unary ConfigQueryRequest {"dataId":"a","group":"G","tag":"green"}
        unary ConfigBatchListenRequest @Vipserver-Tag=red {"configListenContexts":[{"group":"G","md5":"3","dataId":"a"}]}
        answer q1 listening
        gray beta:172.17.0.5 public/G/a 4 text beta
        unary ConfigQueryRequest {"dataId":"a","group":"G"}
        unary ConfigRemoveRequest {"dataId":"a","group":"G","tag":"red"}
        "#,
        ),
        r#"
        unary 1 ConfigQueryResponse {"resultCode":200,"errorCode":0,"content":"tagged","encryptedDataKey":"","contentType":"text","md5":"2","lastModified":1795232693996,"tag":"blue","beta":false,"success":true}
        unary 2 ConfigQueryResponse {"resultCode":200,"errorCode":0,"content":"other","encryptedDataKey":"","contentType":"text","md5":"3","lastModified":1795232693996,"tag":"red","beta":false,"success":true}
        unary 3 ConfigQueryResponse {"resultCode":500,"errorCode":300,"message":"config data not exist","lastModified":0,"beta":false,"success":false}
        ask q1 Config(Listen { listener: 0, items: [(ConfigKey { namespace: "public", group: "G", data_id: "a" }, "3")], audience: Audience { addresses: ["10.0.0.9", "172.17.0.5"], tag: Some("red") } })
        unary 4 ConfigChangeBatchListenResponse {"resultCode":200,"errorCode":0,"changedConfigs":[],"success":true}
        unary 5 ConfigQueryResponse {"resultCode":200,"errorCode":0,"content":"beta","encryptedDataKey":"","contentType":"text","md5":"4","lastModified":1795232693996,"beta":true,"success":true}
        ask q2 Config(RemoveGray { key: ConfigKey { namespace: "public", group: "G", data_id: "a" }, name: Tag("red"), author: Author { user: "", address: "10.0.0.9" } })
        "#,
    );
}

#[test]
fn the_headers_of_a_config_are_nacos_s() {
    let mut stage = Stage::new(Login::Open);
    stage.command("config public/G/x.json abcd json {}");
    stage.command("http GET /nacos/v1/cs/configs?dataId=x.json&group=G&tenant=public");
    let Some(Output::Http { response, .. }) = stage.session.poll() else { panic!("no answer") };
    for (name, value) in [
        ("content-type", "application/json;charset=UTF-8"),
        ("config-type", "json"),
        ("content-md5", "abcd"),
        ("encrypted-data-key", ""),
        ("cache-control", "no-cache,no-store"),
        ("last-modified", "Sat, 21 Nov 2026 03:44:53 GMT"),
        ("x-trine-consistency", "linearizable"),
        ("x-trine-index", "7"),
        ("x-trine-served-by", "n1"),
    ] {
        assert_eq!(response.headers()[name], value, "{name}");
    }
    for (gray, name, value) in [("tag:b:c", "tag", "b%3Ac"), ("beta:10.0.0.9", "isBeta", "true")] {
        stage.command(&format!("gray {gray} public/G/x.json abcd json {{}}"));
        stage.command("http GET /nacos/v1/cs/configs?dataId=x.json&group=G vipserver-tag=b:c");
        let Some(Output::Http { response, .. }) = stage.session.poll() else { panic!("no answer") };
        assert_eq!(response.headers()[name], value, "{name}");
    }
}

/// Held until a key differs, half a second before the client gives up, or until it hangs up; each end is told to the
/// plane, and what comes after it has no effect.
#[test]
fn long_polls_are_held_answered_and_released() {
    let poll =
        "http POST /nacos/v1/cs/configs/listener long-pulling-timeout=30000 | Listening-Configs=";
    check(
        &run(&format!(
            "
            {poll}a%02G%021%01b%02G%02%02ns%01
            answer q1 listening ns/G/b
            {poll}a%02G%021%01
            answer q3 listening
            wait 29499
            wait 1
            notify 3 public/G/a 2
            {poll}a%02G%021%02public%01
            answer q5 listening
            notify 4 public/G/a 2
            {poll}a%02G%021%01
            drop 4
            answer q7 listening
            {poll}a%02G%021%01
            answer q9 listening
            drain
            "
        )),
        r#"
        ask q1 Config(Listen { listener: 2, items: [(ConfigKey { namespace: "public", group: "G", data_id: "a" }, "1"), (ConfigKey { namespace: "ns", group: "G", data_id: "b" }, "")], audience: Audience { addresses: ["10.0.0.9"], tag: None } })
        http 1 200 application/json;charset=UTF-8 linearizable@7 | b%02G%02ns%01\n
        ask q2 Config(Unlisten { listener: 2, keys: [] })
        ask q3 Config(Listen { listener: 3, items: [(ConfigKey { namespace: "public", group: "G", data_id: "a" }, "1")], audience: Audience { addresses: ["10.0.0.9"], tag: None } })
        http 2 200 application/json;charset=UTF-8 linearizable@7
        ask q4 Config(Unlisten { listener: 3, keys: [] })
        ask q5 Config(Listen { listener: 4, items: [(ConfigKey { namespace: "public", group: "G", data_id: "a" }, "1")], audience: Audience { addresses: ["10.0.0.9"], tag: None } })
        http 3 200 application/json;charset=UTF-8 linearizable@7 | a%02G%02public%01\n
        ask q6 Config(Unlisten { listener: 4, keys: [] })
        ask q7 Config(Listen { listener: 5, items: [(ConfigKey { namespace: "public", group: "G", data_id: "a" }, "1")], audience: Audience { addresses: ["10.0.0.9"], tag: None } })
        ask q8 Config(Unlisten { listener: 5, keys: [] })
        ask q9 Config(Listen { listener: 6, items: [(ConfigKey { namespace: "public", group: "G", data_id: "a" }, "1")], audience: Audience { addresses: ["10.0.0.9"], tag: None } })
        http 5 200 application/json;charset=UTF-8 linearizable@7
        ask q10 Config(Unlisten { listener: 6, keys: [] })
        "#,
    );
}

#[test]
fn polls_that_do_not_hang_compare_at_once() {
    let target = "http POST /nacos/v1/cs/configs/listener";
    check(
        &run(&format!(
            "
            config public/G/a 1 text x
            {target} long-pulling-timeout=30000 long-pulling-timeout-no-hangup=true | Listening-Configs=a%02G%021%01
            {target} long-pulling-timeout=30000 long-pulling-timeout-no-hangup=true | Listening-Configs=a%02G%020%01
            {target} | Listening-Configs=a%02G%020%01
            {target}
            {target} | Listening-Configs=garbage
            "
        )),
        r#"
        http 1 200 application/json;charset=UTF-8 linearizable@7
        http 2 200 application/json;charset=UTF-8 linearizable@7 | a%02G%01\n
        http 3 200 application/json;charset=UTF-8 linearizable@7
        http 4 400 text/plain;charset=UTF-8 | caused: invalid probeModify;
        http 5 500 application/json;charset=UTF-8 | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":500,"error":"Internal Server Error","message":"invalid probeModify","path":"/nacos/v1/cs/configs/listener"}
        "#,
    );
}

/// A read waits for fresh views when it must; with no leader it is served all the same, and marked stale.
#[test]
fn reads_wait_for_freshness_and_say_what_they_are_worth() {
    check(
        &run(r"
        fresh no
        config public/G/a 1 text old
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        config public/G/a 1 text new
        answer q1 fresh
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        answer q2 stale
        "),
        r"
        ask q1 Fresh(Linearizable)
        http 1 200 text/plain;charset=UTF-8 linearizable@7 | new
        ask q2 Fresh(Linearizable)
        http 2 200 text/plain;charset=UTF-8 stale@7 | new
        ",
    );
}

/// "Not found" is taken for "deleted": a node that has not read its disk never says so.
#[test]
fn a_starting_node_is_not_ready_and_never_empty() {
    check(
        &run(r#"
        setup
        state starting
        unary ServerCheckRequest {"requestId":"1"}
        unary ConfigQueryRequest {"requestId":"2","dataId":"a","group":"G"}
        unary ServiceQueryRequest {"requestId":"3","serviceName":"s"}
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        http GET /nacos/v1/ns/instance/list?serviceName=s
        http GET /nacos/v1/console/health/readiness
        http GET /nacos/v1/console/health/liveness
        "#),
        r#"
        unary 1 ErrorResponse {"resultCode":500,"errorCode":300,"message":"server is starting, please try again later!","requestId":"1","success":false}
        unary 2 ErrorResponse {"resultCode":500,"errorCode":300,"message":"server is starting, please try again later!","requestId":"2","success":false}
        unary 3 ErrorResponse {"resultCode":500,"errorCode":300,"message":"server is starting, please try again later!","requestId":"3","success":false}
        http 4 503 text/plain;charset=UTF-8 | server is starting, please try again later!
        http 5 503 text/plain;charset=UTF-8 | server is starting, please try again later!
        http 6 503 text/plain;charset=UTF-8 | the node is starting
        http 7 200 text/plain;charset=UTF-8 | OK
        "#,
    );
}

/// Some clients confirm no notification of a key that they have forgotten: they are told five times, not for ever; a new
/// change begins anew.
#[test]
fn a_notification_that_nobody_confirms_ends() {
    let mut stage = Stage::new(Login::Open);
    stage.command("setup");
    let listen = r#"{"configListenContexts":[{"group":"G","md5":"1","dataId":"a"}]}"#;
    stage.command(&format!("unary ConfigBatchListenRequest {listen}"));
    stage.command("answer q1 listening");
    for _ in 0..2 {
        stage.command("notify 0 public/G/a 2");
        let mut told = 0;
        for _ in 0..100 {
            // The client lives; it only says nothing of this.
            stage.command("unary HealthCheckRequest {}");
            stage.command("wait 1000");
            let outputs = std::iter::from_fn(|| stage.session.poll());
            told += outputs.filter(|o| shown(o).contains("ConfigChangeNotifyRequest")).count();
        }
        assert_eq!(told, 5);
    }
}

#[test]
fn polls_are_held_within_limits() {
    for (asked, held_ms) in [
        ("30000", 29_500),
        ("10000", 10_000),
        ("3000", 10_000),
        ("86400000", 120_000),
        ("x", 29_500),
    ] {
        let mut stage = Stage::new(Login::Open);
        stage.command(&format!(
            "http POST /nacos/v1/cs/configs/listener long-pulling-timeout={asked} | Listening-Configs=a%02G%021%01"
        ));
        stage.command("answer q1 listening");
        let due = BEGIN.instant.after(Duration::from_millis(held_ms));
        assert_eq!(stage.session.deadline(), Some(due), "{asked}");
    }
}

#[test]
fn one_connection_listens_to_ten_thousand_keys_and_no_more() {
    let contexts = |from: usize, to: usize| {
        let all: Vec<String> =
            (from..to).map(|n| format!(r#"{{"group":"G","dataId":"d{n}","md5":""}}"#)).collect();
        format!(r#"unary ConfigBatchListenRequest {{"configListenContexts":[{}]}}"#, all.join(","))
    };
    let refused = "this connection listens to 10000 keys already: use a second connection";
    let script = format!(
        "setup\n{}\nanswer q1 listening\n{}\n{}",
        contexts(0, 10_000),
        contexts(10_000, 10_001),
        contexts(9_999, 10_000)
    );
    let transcript = run(&script);
    assert_eq!(transcript.matches(refused).count(), 1, "a known key is no further one");
    assert!(transcript.trim_end().lines().last().unwrap().starts_with("ask q2"));
    let lines = "a%02G%021%01".repeat(10_001);
    let poll = run(&format!("http POST /nacos/v1/cs/configs/listener | Listening-Configs={lines}"));
    assert_eq!(poll, format!("http 1 400 text/plain;charset=UTF-8 | caused: {refused};\n"));
}

/// A node that came back alone serves what it has, and says of nothing else that it does not exist.
#[test]
fn what_a_node_that_is_behind_does_not_have_is_not_said_to_be_missing() {
    check(
        &run(r#"
        setup
        state behind
        config public/G/b 1 text here
        unary ConfigQueryRequest {"requestId":"1","dataId":"a","group":"G"}
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        http GET /nacos/v2/cs/config?dataId=a&group=G
        http GET /nacos/v3/client/cs/config?dataId=a&groupName=G
        http GET /nacos/v1/cs/configs?dataId=b&group=G&beta=true
        http GET /nacos/v1/cs/configs/catalog?dataId=a&group=G
        http GET /nacos/v1/cs/configs?dataId=b&group=G
        "#),
        r#"
        unary 1 ErrorResponse {"resultCode":500,"errorCode":300,"message":"server is starting, please try again later!","requestId":"1","success":false}
        http 2 503 text/plain;charset=UTF-8 | server is starting, please try again later!
        http 3 503 application/json | {"code":30000,"message":"server error","data":"server is starting, please try again later!"}
        http 4 503 text/plain;charset=UTF-8 | server is starting, please try again later!
        http 5 503 text/plain;charset=UTF-8 | server is starting, please try again later!
        http 6 503 text/plain;charset=UTF-8 | server is starting, please try again later!
        http 7 200 text/plain;charset=UTF-8 linearizable@7 | here
        "#,
    );
}
