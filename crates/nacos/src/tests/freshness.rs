//! What reads of configs are worth, how fresh they are asked for.

use super::*;

/// As `run`, with all four headers of each answer.
fn stamped(script: &str) -> String {
    let mut stage = Stage::new(Login::Open);
    let mut transcript = String::new();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        stage.command(line);
        while let Some(output) = stage.session.poll() {
            if let Output::Http { response, .. } = &output {
                for name in ["consistency", "staleness-ms", "index", "served-by"] {
                    let value = response.headers().get(format!("x-trine-{name}"));
                    let value = value.map_or("-", |value| value.to_str().unwrap());
                    write!(transcript, "{value} ").unwrap();
                }
            }
            writeln!(transcript, "{}", shown(&output)).unwrap();
        }
    }
    transcript
}

#[test]
fn a_config_is_read_as_fresh_as_is_asked_for() {
    check(
        &stamped(
            "
        config public/G/a 1 text x
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        fresh no
        http GET /nacos/v1/cs/configs?dataId=a&group=G&consistency=stale
        http GET /nacos/v2/cs/config?dataId=a&group=G&consistency=bounded(2s)
        http GET /nacos/v1/cs/configs?dataId=a&group=G&consistency=bounded(1s)
        answer q1 fresh
        http GET /nacos/v1/cs/configs?dataId=a&group=G&consistency=bounded(1s)
        answer q2 stale
        http GET /nacos/v1/cs/configs?dataId=a&group=G&consistency=session
        http GET /nacos/v3/client/cs/config?dataId=a&groupName=G&consistency=session x-trine-index=8
        answer q3 fresh
        http GET /nacos/v1/cs/configs?dataId=a&group=G
        answer q4 stale
        http GET /nacos/v1/cs/configs?dataId=a&group=G&consistency=now
        http GET /nacos/v2/cs/config?dataId=a&group=G x-trine-index=seven
        service s@3 10.0.0.1:80
        http GET /nacos/v1/ns/service/list?pageNo=1&pageSize=9
        ",
        ),
        r#"
        linearizable 0 7 n1 http 1 200 text/plain;charset=UTF-8 linearizable@7 | x
        stale 1500 7 n1 http 2 200 text/plain;charset=UTF-8 stale@7 | x
        bounded(2000ms) 1500 7 n1 http 3 200 application/json;charset=UTF-8 bounded(2000ms)@7 | {"code":0,"message":"success","data":"x"}
        ask q1 Fresh(Bounded(1s))
        linearizable 0 7 n1 http 4 200 text/plain;charset=UTF-8 linearizable@7 | x
        ask q2 Fresh(Bounded(1s))
        stale unknown 7 n1 http 5 200 text/plain;charset=UTF-8 stale@7 | x
        session 1500 7 n1 http 6 200 text/plain;charset=UTF-8 session@7 | x
        ask q3 Fresh(Session)
        linearizable 0 7 n1 http 7 200 application/json linearizable@7 | {"code":0,"message":"success","data":{"resultCode":200,"errorCode":0,"message":null,"requestId":null,"content":"x","encryptedDataKey":"","contentType":"text","md5":"1","lastModified":1795232693996,"tag":null,"beta":false,"success":true}}
        ask q4 Fresh(Linearizable)
        stale unknown 7 n1 http 8 200 text/plain;charset=UTF-8 stale@7 | x
        - - - - http 9 400 text/plain;charset=UTF-8 | Param 'consistency' is illegal, it should be stale, bounded(500ms), session or linearizable.
        - - - - http 10 400 application/json | {"code":20002,"message":"parameter validate error","data":"Header 'x-trine-index' is illegal, it should be a number."}
        stale unknown 7 n1 http 11 200 application/json stale@7 | {"count":1,"doms":["s"]}
        "#,
    );
}

/// What was written is found by whoever sends the index of the write back, and by the same connection at once.
#[test]
fn a_write_tells_the_index_by_which_it_is_found() {
    check(
        &stamped(
            "
        http POST /nacos/v1/cs/configs | dataId=a&group=G&content=x
        answer q1 published
        http POST /nacos/v1/ns/instance | serviceName=s&ip=10.0.0.1&port=80
        answer q2 done
        ",
        ),
        r#"
        ask q1 Config(Publish { key: ConfigKey { namespace: "public", group: "G", data_id: "a" }, content: "x", cas_md5: None, details: Details { content_type: "text", encrypted_data_key: "", app_name: "", description: "", tags: "", usage: "", effect: "", schema: "" }, author: Author { user: "", address: "10.0.0.9" } })
        - - 7 n1 http 1 200 application/json;charset=UTF-8 | true
        ask q2 Naming(Register { client: Address { ip: "10.0.0.1", port: 80 }, service: ServiceKey { namespace: "public", group: "DEFAULT_GROUP", name: "s" }, instance: Instance { ip: "10.0.0.1", port: 80, cluster_name: "DEFAULT", weight: 1.0, healthy: true, enabled: true, ephemeral: true, metadata: {}, instance_id: None } })
        - - - - http 2 200 text/plain;charset=UTF-8 | ok
        "#,
    );
}
