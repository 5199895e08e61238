//! What operators ask about configs, besides their contents.

use super::*;

#[test]
fn what_is_said_of_a_config_is_shown_without_its_content() {
    check(
        &run(r#"
        config public/G/a 1 yaml secret
        http GET /nacos/v1/cs/configs/catalog?dataId=a&group=G
        http GET /nacos/v1/cs/configs/catalog?dataId=b&group=G
        http GET /nacos/v1/cs/configs/catalog?dataId=a
        "#),
        r#"
        http 1 200 application/json;charset=UTF-8 linearizable@7 | {"code":200,"message":null,"data":{"createTime":1795232693996,"modifyTime":1795232693996,"createUser":"","createIp":"","desc":"","use":"","effect":"","type":"yaml","schema":"","configTags":""}}
        http 2 200 application/json;charset=UTF-8 linearizable@7 | {"code":200,"message":null,"data":null}
        http 3 500 text/plain;charset=UTF-8 | caused: Required request parameter &#39;group&#39; for method parameter type String is not present;
        "#,
    );
}

#[test]
fn a_change_is_shown_with_the_contents_of_both_sides() {
    let transcript = run(r#"
        http GET /nacos/v2/cs/history/detail?dataId=a&group=G&nid=8
        answer q1 history U|8||public/G/a m8 yaml new;I|7||public/G/a m7 yaml old
        http GET /nacos/v2/cs/history/detail?dataId=a&group=G&nid=7
        answer q2 history I|7||public/G/a m7 yaml old
        http GET /nacos/v2/cs/history/detail?dataId=a&group=G&nid=9
        answer q3 history D|9||public/G/a m8 yaml new;U|8||public/G/a m8 yaml new
        http GET /nacos/v2/cs/history/detail?dataId=a&group=G&nid=5
        answer q4 history
    "#);
    let sides = |original: &str, updated: &str| {
        let side = |name: &str, md5: &str, content: &str, info: &str| match md5 {
            "" => format!(
                r#""{name}Md5":null,"{name}Content":null,"{name}EncryptedDataKey":null,"{info}":null"#
            ),
            md5 => format!(
                r#""{name}Md5":"{md5}","{name}Content":"{content}","{name}EncryptedDataKey":"","{info}":"{{\"type\":\"yaml\"}}""#
            ),
        };
        let of = |md5: &str| if md5 == "m7" { "old" } else { "new" }.to_owned();
        format!(
            "{},{}",
            side("original", original, &of(original), "originalExtInfo"),
            side("updated", updated, &of(updated), "updateExtInfo")
        )
    };
    for (original, updated) in [("m7", "m8"), ("", "m7"), ("m8", "")] {
        let shown = sides(original, updated);
        assert!(transcript.contains(&shown), "{shown}\n{transcript}");
    }
    assert!(transcript.contains(r#"http 4 404 application/json | {"code":20004"#), "{transcript}");
    assert!(transcript.contains("certain config history for nid = 5 not exist"), "{transcript}");
}

#[test]
fn listeners_are_shown_by_address_and_by_key() {
    check(
        &run(r#"
        http GET /nacos/v1/cs/configs/listener?dataId=a&group=G
        answer q1 listeners 5=10.0.0.1=m1 6=10.0.0.1=m1 7=10.0.0.1=m2 8=10.0.0.2=
        http GET /nacos/v1/cs/listener?ip=10.0.0.1
        answer q2 held public/G/a=m1 ns1/G/b=m2
        http GET /nacos/v1/cs/listener?ip=10.0.0.1&tenant=ns1
        answer q3 held public/G/a=m1 ns1/G/b=m2
        http GET /nacos/v1/cs/listener?ip=10.0.0.1&all=true
        answer q4 held public/G/a=m1 ns1/G/b=m2
        http GET /nacos/v1/cs/listener
        "#),
        r#"
        ask q1 Config(Listeners { key: ConfigKey { namespace: "public", group: "G", data_id: "a" } })
        http 1 200 application/json;charset=UTF-8 stale@7 | {"collectStatus":200,"lisentersGroupkeyStatus":{"10.0.0.1":"m1","10.0.0.1 (1-0-7)":"m2","10.0.0.2":""}}
        ask q2 Config(ListenersAt { address: "10.0.0.1" })
        http 2 200 application/json;charset=UTF-8 stale@7 | {"collectStatus":200,"lisentersGroupkeyStatus":{"a+G":"m1"}}
        ask q3 Config(ListenersAt { address: "10.0.0.1" })
        http 3 200 application/json;charset=UTF-8 stale@7 | {"collectStatus":200,"lisentersGroupkeyStatus":{"b+G+ns1":"m2"}}
        ask q4 Config(ListenersAt { address: "10.0.0.1" })
        http 4 200 application/json;charset=UTF-8 stale@7 | {"collectStatus":200,"lisentersGroupkeyStatus":{"a+G":"m1","b+G+ns1":"m2"}}
        http 5 500 text/plain;charset=UTF-8 | caused: Required request parameter &#39;ip&#39; for method parameter type String is not present;
        "#,
    );
}

/// Setting other limits is refused: nothing would keep them.
#[test]
fn capacity_counts_what_there_is() {
    let transcript = run(r#"
        config public/G/a 1 text x
        config ns1/G/b 1 text x
        config ns1/H/c 1 text x
        http GET /nacos/v1/cs/capacity?group=G
        http GET /nacos/v1/cs/capacity?tenant=ns1
        http GET /nacos/v1/cs/capacity
        http POST /nacos/v1/cs/capacity?group=G&quota=1
    "#);
    for told in [
        r#"http 1 200 application/json;charset=UTF-8 stale@7 | {"code":200,"message":null,"data":{"id":"0","quota":200,"usage":2,"maxSize":102400,"maxAggrCount":10000,"maxAggrSize":1024,"gmtCreate":null,"gmtModified":null,"group":"G"}}"#,
        r#""usage":2,"maxSize":102400,"maxAggrCount":10000,"maxAggrSize":1024,"gmtCreate":null,"gmtModified":null,"tenant":"ns1"}}"#,
        "http 3 400 text/plain;charset=UTF-8 | caused: group or tenant is needed;",
        "http 4 501 ",
    ] {
        assert!(transcript.contains(told), "{told}\n{transcript}");
    }
}

/// All forms of the console's namespaces in v1.
#[test]
fn namespaces_are_listed_shown_looked_up_changed_and_removed() {
    let mut stage = Stage::new(Login::Open);
    let namespace = access::Namespace { name: "n1".into(), description: "d".into() };
    stage.scene.access.namespaces.insert("ns1".into(), namespace);
    check(
        &play(
            &mut stage,
            r#"
            config ns1/G/a 1 text x
            http GET /nacos/v1/console/namespaces
            http GET /nacos/v1/console/namespaces?show=all&namespaceId=ns1
            http GET /nacos/v1/console/namespaces?show=all&namespaceId=
            http GET /nacos/v1/console/namespaces?show=all&namespaceId=nope
            http GET /nacos/v1/console/namespaces?checkNamespaceIdExist=true&customNamespaceId=ns1
            http GET /nacos/v1/console/namespaces?checkNamespaceIdExist=true&customNamespaceId=nope
            http PUT /nacos/v1/console/namespaces | namespace=ns1&namespaceShowName=x&namespaceDesc=y
            answer q1 changed
            http PUT /nacos/v1/console/namespaces | namespace=nope&namespaceShowName=x
            answer q2 unknown-account
            http DELETE /nacos/v1/console/namespaces?namespaceId=ns1
            answer q3 changed
            http DELETE /nacos/v1/console/namespaces?namespaceId=nope
            answer q4 unknown-account
            "#,
        ),
        r#"
        http 1 200 application/json linearizable@7 | {"code":200,"message":null,"data":[{"namespace":"","namespaceShowName":"public","namespaceDesc":"Default Namespace","quota":200,"configCount":0,"type":0},{"namespace":"ns1","namespaceShowName":"n1","namespaceDesc":"d","quota":200,"configCount":1,"type":2}]}
        http 2 200 application/json linearizable@7 | {"namespace":"ns1","namespaceShowName":"n1","namespaceDesc":"d","quota":200,"configCount":1,"type":2}
        http 3 200 application/json linearizable@7 | {"namespace":"","namespaceShowName":"public","namespaceDesc":"Default Namespace","quota":200,"configCount":0,"type":0}
        http 4 400 text/plain;charset=UTF-8 | caused: namespaceId [ nope ] not exist;
        http 5 200 application/json linearizable@7 | true
        http 6 200 application/json linearizable@7 | false
        ask q1 Access(Change(UpdateNamespace { id: "ns1", namespace: Namespace { name: "x", description: "y" } }))
        http 7 200 application/json | true
        ask q2 Access(Change(UpdateNamespace { id: "nope", namespace: Namespace { name: "x", description: "" } }))
        http 8 200 application/json | false
        ask q3 Access(Change(RemoveNamespace { id: "ns1" }))
        http 9 200 application/json | true
        ask q4 Access(Change(RemoveNamespace { id: "nope" }))
        http 10 200 application/json | true
        "#,
    );
}
