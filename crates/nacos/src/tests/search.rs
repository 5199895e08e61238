//! Search, removal by ids, history.

use super::*;

#[test]
fn searches_answer_as_recorded() {
    check(
        &run(r#"
        config #21 public/G/fx.yaml 270f yaml a: 1
        config #22 public/G/other 11 text b
        config #23 ns1/H/fx.json 22 json {}
        http GET /nacos/v1/cs/configs?search=accurate&dataId=fx.yaml&group=G&pageNo=1&pageSize=10
        http GET /nacos/v1/cs/configs?search=blur&dataId=fx*&group=&pageNo=1&pageSize=10
        http GET /nacos/v1/cs/configs?search=accurate&dataId=fx*&group=&pageNo=1&pageSize=10
        http GET /nacos/v1/cs/configs?search=blur&dataId=&group=&pageNo=2&pageSize=1
        http GET /nacos/v1/cs/configs?search=blur&dataId=&group=&tenant=ns1&types=json,xml&pageNo=1&pageSize=1
        http GET /nacos/v1/cs/configs?search=blur&dataId=&group=&config_detail=*1&pageNo=1&pageSize=9
        http GET /nacos/v1/cs/configs?search=blur&dataId=&group=&config_tags=t&pageNo=1&pageSize=9
        http GET /nacos/v1/cs/configs?search=blur&dataId=&group=&pageSize=9
        http GET /nacos/v1/cs/configs?search=blur&group=&pageNo=1&pageSize=9
        http GET /nacos/v1/cs/configs?search=odd&dataId=&group=&pageNo=1&pageSize=9
        http GET /nacos/v1/cs/history/configs?tenant=ns1
        "#),
        r#"
        http 1 200 application/json;charset=UTF-8 linearizable@7 | {"totalCount":1,"pageNumber":1,"pagesAvailable":1,"pageItems":[{"id":"21","dataId":"fx.yaml","group":"G","content":"a: 1","md5":null,"encryptedDataKey":null,"tenant":"","appName":"","type":"yaml"}]}
        http 2 200 application/json;charset=UTF-8 linearizable@7 | {"totalCount":1,"pageNumber":1,"pagesAvailable":1,"pageItems":[{"id":"21","dataId":"fx.yaml","group":"G","content":"a: 1","md5":null,"encryptedDataKey":"","tenant":"","appName":"","type":"yaml"}]}
        http 3 400 application/json;charset=UTF-8 | Param 'dataId' is illegal, illegal characters should not appear in the param.
        http 4 200 application/json;charset=UTF-8 linearizable@7 | {"totalCount":2,"pageNumber":2,"pagesAvailable":2,"pageItems":[{"id":"22","dataId":"other","group":"G","content":"b","md5":null,"encryptedDataKey":"","tenant":"","appName":"","type":"text"}]}
        http 5 200 application/json;charset=UTF-8 linearizable@7 | {"totalCount":1,"pageNumber":1,"pagesAvailable":1,"pageItems":[{"id":"23","dataId":"fx.json","group":"H","content":"{}","md5":null,"encryptedDataKey":"","tenant":"ns1","appName":"","type":"json"}]}
        http 6 200 application/json;charset=UTF-8 linearizable@7 | {"totalCount":1,"pageNumber":1,"pagesAvailable":1,"pageItems":[{"id":"21","dataId":"fx.yaml","group":"G","content":"a: 1","md5":null,"encryptedDataKey":"","tenant":"","appName":"","type":"yaml"}]}
        http 7 200 application/json;charset=UTF-8 linearizable@7 | {"totalCount":0,"pageNumber":1,"pagesAvailable":0,"pageItems":[]}
        http 8 500 text/plain;charset=UTF-8 | caused: Required request parameter &#39;pageNo&#39; for method parameter type int is not present;
        http 9 500 text/plain;charset=UTF-8 | caused: Required request parameter &#39;dataId&#39; for method parameter type String is not present;
        http 10 400 text/plain;charset=UTF-8 | caused: invalid search : odd: accurate or blur is taken;
        http 11 200 application/json;charset=UTF-8 linearizable@7 | [{"id":"23","dataId":"fx.json","group":"H","content":null,"md5":null,"encryptedDataKey":null,"tenant":"ns1","appName":"","type":"json","lastModified":1795232693996}]
        "#,
    );
}

/// Ids are those that lists show. Each config needs its own right; without one of them nothing is removed.
#[test]
fn configs_are_removed_by_their_ids() {
    check(
        &run(r#"
        config #21 public/G/a 1 text x
        config #23 ns1/H/b 2 text y
        http DELETE /nacos/v1/cs/configs?delType=ids&ids=21,23,99
        answer q1 removed
        answer q2 removed
        http DELETE /nacos/v1/cs/configs?delType=ids&ids=99
        http DELETE /nacos/v1/cs/configs?delType=ids&ids=one
        http DELETE /nacos/v1/cs/configs?delType=ids
        "#),
        r#"
        ask q1 Config(Remove { key: ConfigKey { namespace: "ns1", group: "H", data_id: "b" }, author: Author { user: "", address: "10.0.0.9" } })
        ask q2 Config(Remove { key: ConfigKey { namespace: "public", group: "G", data_id: "a" }, author: Author { user: "", address: "10.0.0.9" } })
        http 1 200 application/json;charset=UTF-8 | {"code":200,"message":null,"data":true}
        http 2 200 application/json;charset=UTF-8 | {"code":200,"message":null,"data":true}
        http 3 400 text/plain;charset=UTF-8 | caused: invalid ids : numbers are taken;
        http 4 500 text/plain;charset=UTF-8 | caused: Required request parameter &#39;ids&#39; for method parameter type List is not present;
        "#,
    );
}

#[test]
fn ids_of_others_are_not_removed() {
    let mut stage = Stage::new(Login::Required);
    stage.command("user ann team");
    stage.command("remember ann pw");
    let permission = access::Permission { resource: "public:*:*".into(), action: "rw".into() };
    stage.scene.access.permissions.entry("team".into()).or_default().insert(permission);
    check(
        &play(
            &mut stage,
            r#"
            config #21 public/G/a 1 text x
            config #23 ns1/H/b 2 text y
            http DELETE /nacos/v1/cs/configs?delType=ids&ids=21,23&username=ann&password=pw
            http DELETE /nacos/v1/cs/configs?delType=ids&ids=21
            http DELETE /nacos/v1/cs/configs?delType=ids&ids=21&username=ann&password=pw
            http GET /nacos/v1/cs/configs?search=blur&dataId=&group=&tenant=ns1&pageNo=1&pageSize=9&username=ann&password=pw
            "#,
        ),
        r#"
        http 1 403 application/json;charset=UTF-8 | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":403,"error":"Forbidden","message":"authorization failed!","path":"/nacos/v1/cs/configs"}
        http 2 403 application/json;charset=UTF-8 | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":403,"error":"Forbidden","message":"user not found!","path":"/nacos/v1/cs/configs"}
        ask q1 Config(Remove { key: ConfigKey { namespace: "public", group: "G", data_id: "a" }, author: Author { user: "ann", address: "10.0.0.9" } })
        http 4 403 application/json;charset=UTF-8 | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":403,"error":"Forbidden","message":"authorization failed!","path":"/nacos/v1/cs/configs"}
        "#,
    );
}

/// The row of an update shows what it replaced, so that publishing what it shows goes back; versions do not mix.
#[test]
fn history_shows_what_a_change_replaced() {
    let key = r#"key: ConfigKey { namespace: "public", group: "G", data_id: "fx.yaml" }"#;
    let row = |id: u64, md5: &str, content: &str, op: &str, extra: &str| {
        format!(
            r#"{{"id":"{id}","lastId":-1,"dataId":"fx.yaml","group":"G","tenant":"","appName":"","md5":{md5},"content":{content},"srcIp":"","srcUser":null,"opType":"{op}         ",{extra},"createdTime":"2026-11-21T03:44:53.996+00:00","lastModifiedTime":"2026-11-21T03:44:53.996+00:00","encryptedDataKey":{}}}"#,
            if md5 == "null" { "null" } else { "\"\"" }
        )
    };
    let gray = r#""publishType":"gray","grayName":"beta","extInfo":"{\"gray_name\":\"beta\",\"gray_rule\":\"{\\\"type\\\":\\\"beta\\\",\\\"expr\\\":\\\"1.2.3.4\\\",\\\"version\\\":\\\"1.0.0\\\",\\\"priority\\\":\\\"2147483647\\\"}\"}""#;
    let formal = r#""publishType":"formal","grayName":"","extInfo":"{\"type\":\"yaml\"}""#;
    let head = "200 application/json;charset=UTF-8 linearizable@7";
    check(
        &run(r#"
        http GET /nacos/v1/cs/history?search=accurate&dataId=fx.yaml&group=G&pageNo=1&pageSize=2
        answer q1 page 3 D|5|beta:1.2.3.4|public/G/fx.yaml m5 yaml g;I|4|beta:1.2.3.4|public/G/fx.yaml m4 yaml g
        http GET /nacos/v1/cs/history?dataId=fx.yaml&group=G&nid=8
        answer q2 history U|8||public/G/fx.yaml m8 yaml new;U|7|beta:1.2.3.4|public/G/fx.yaml m7 yaml g
        answer q3 history I|3||public/G/fx.yaml m3 yaml old
        http GET /nacos/v1/cs/history?dataId=fx.yaml&group=G&nid=3
        answer q4 history I|3||public/G/fx.yaml m3 yaml old
        http GET /nacos/v1/cs/history?dataId=fx.yaml&group=G&nid=6
        answer q5 history I|3||public/G/fx.yaml m3 yaml old
        http GET /nacos/v1/cs/history?dataId=fx.yaml&group=G&nid=8
        answer q6 history U|8||public/G/fx.yaml m8 yaml new
        answer q7 history
        http GET /nacos/v1/cs/history/previous?dataId=fx.yaml&group=G&id=9
        answer q8 history U|8||public/G/fx.yaml m8 yaml new;U|6||public/G/fx.yaml m6 yaml mid
        http GET /nacos/v1/cs/history/previous?dataId=fx.yaml&group=G&id=1
        answer q9 history U|8||public/G/fx.yaml m8 yaml new
        answer q10 history
        http GET /nacos/v1/cs/history?dataId=fx.yaml&group=G
        http GET /nacos/v1/cs/history?dataId=fx.yaml&group=G&nid=x
        "#),
        &[
            format!("ask q1 Config(HistoryPage {{ {key}, offset: 0, limit: 2 }})"),
            format!(
                r#"http 1 {head} | {{"totalCount":3,"pageNumber":1,"pagesAvailable":2,"pageItems":[{},{}]}}"#,
                row(5, "null", "null", "D", gray),
                row(4, "null", "null", "I", gray)
            ),
            format!("ask q2 Config(History {{ {key}, before: Some(Revision(9)), limit: 4 }})"),
            format!("ask q3 Config(History {{ {key}, before: Some(Revision(7)), limit: 4 }})"),
            format!("http 2 {head} | {}", row(8, "\"m3\"", "\"old\"", "U", formal)),
            format!("ask q4 Config(History {{ {key}, before: Some(Revision(4)), limit: 4 }})"),
            format!("http 3 {head} | {}", row(3, "\"m3\"", "\"old\"", "I", formal)),
            format!("ask q5 Config(History {{ {key}, before: Some(Revision(7)), limit: 4 }})"),
            "http 4 404 text/plain;charset=UTF-8 | certain config history for nid = 6 not exist"
                .to_owned(),
            format!("ask q6 Config(History {{ {key}, before: Some(Revision(9)), limit: 4 }})"),
            format!("ask q7 Config(History {{ {key}, before: Some(Revision(8)), limit: 4 }})"),
            "http 5 404 text/plain;charset=UTF-8 | certain config history for nid = 8 not exist"
                .to_owned(),
            format!("ask q8 Config(History {{ {key}, before: None, limit: 4 }})"),
            format!("http 6 {head} | {}", row(8, "\"m6\"", "\"mid\"", "U", formal)),
            format!("ask q9 Config(History {{ {key}, before: None, limit: 4 }})"),
            format!("ask q10 Config(History {{ {key}, before: Some(Revision(8)), limit: 4 }})"),
            "http 7 404 text/plain;charset=UTF-8 | previous config history for id = 1 not exist"
                .to_owned(),
            "http 8 500 text/plain;charset=UTF-8 | caused: Required request parameter &#39;nid&#39; for method parameter type Long is not present;".to_owned(),
            "http 9 400 text/plain;charset=UTF-8 | caused: invalid nid : x: a number that a list shows is taken;".to_owned(),
        ]
        .join("\n"),
    );
}
