//! Who may do what: tokens, passwords, logins, doors.

use super::*;

#[test]
fn without_a_proof_nothing_is_served_and_the_words_are_nacos_s() {
    check(
        &run_locked(
            r#"
        setup
        http GET /nacos/v1/ns/instance/list?serviceName=x
        http POST /nacos/v1/cs/configs?accessToken=forged | dataId=x&group=G&content=x
        http GET /nacos/v1/cs/configs?dataId=x&group=G user-agent=Nacos-Server
        unary ConfigQueryRequest {"requestId":"1","dataId":"x","group":"G"}
        unary InstanceRequest @accessToken=forged {"requestId":"2","serviceName":"s","type":"registerInstance","instance":{"ip":"1.1.1.1","port":1}}
        http GET /nacos/v1/console/health/liveness
        http GET /nacos/v1/console/server/state
        "#,
        ),
        r#"
        http 1 403 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":403,"error":"Forbidden","message":"user not found!","path":"/nacos/v1/ns/instance/list"}
        http 2 403 application/json;charset=UTF-8 | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":403,"error":"Forbidden","message":"token invalid!","path":"/nacos/v1/cs/configs"}
        http 3 403 application/json;charset=UTF-8 | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":403,"error":"Forbidden","message":"user not found!","path":"/nacos/v1/cs/configs"}
        unary 4 ConfigQueryResponse {"resultCode":500,"errorCode":403,"message":"user not found!","requestId":"1","success":false}
        unary 5 InstanceResponse {"resultCode":500,"errorCode":403,"message":"token invalid!","requestId":"2","success":false}
        http 6 200 text/plain;charset=UTF-8 | OK
        http 7 403 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":403,"error":"Forbidden","message":"user not found!","path":"/nacos/v1/console/server/state"}
        "#,
    );
}

/// Right, wrong and unknown take the same steps; only the last word differs.
#[test]
fn a_login_tells_nobody_who_exists() {
    let mut stage = Stage::new(Login::Required);
    let transcript = play(
        &mut stage,
        r"
        user nacos ROLE_ADMIN
        http POST /nacos/v1/auth/users/login?username=nacos | password=wrong
        answer q1 proceed
        answer q2 verified no
        answer q3 noted
        http POST /nacos/v1/auth/login?username=nobody&password=x
        answer q4 proceed
        answer q5 verified no
        answer q6 noted
        http POST /nacos/v3/auth/user/login | username=nacos&password=x
        answer q7 wait
        http POST /nacos/v1/auth/login | username=nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn&password=x
        ",
    );
    check(
        &transcript,
        r#"
        ask q1 Access(Attempt { user: "nacos", address: "10.0.0.9" })
        ask q2 Verify { user: "nacos", password: Password(..), hash: Some("hash-of-nacos") }
        ask q3 Access(Attempted { user: "nacos", address: "10.0.0.9", right: false })
        http 1 403 text/plain;charset=UTF-8 | user not found!
        ask q4 Access(Attempt { user: "nobody", address: "10.0.0.9" })
        ask q5 Verify { user: "nobody", password: Password(..), hash: None }
        ask q6 Access(Attempted { user: "nobody", address: "10.0.0.9", right: false })
        http 2 403 text/plain;charset=UTF-8 | user not found!
        ask q7 Access(Attempt { user: "nacos", address: "10.0.0.9" })
        http 3 403 text/plain;charset=UTF-8 | too many failed logins: try again in 2 s
        http 4 403 text/plain;charset=UTF-8 | user not found!
        "#,
    );
}

#[test]
fn a_right_password_gives_a_token_that_opens_every_door() {
    let mut stage = Stage::new(Login::Required);
    play(&mut stage, "user nacos ROLE_ADMIN\nremember nacos secret123");
    stage.command("http POST /nacos/v1/auth/login | username=nacos&password=secret123");
    let Some(Output::Http { response, .. }) = stage.session.poll() else { panic!("no answer") };
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let token = body["accessToken"].as_str().unwrap().to_owned();
    assert_eq!(body["tokenTtl"], 18_000);
    assert_eq!(body["globalAdmin"], true);
    assert_eq!(body["username"], "nacos");
    assert_eq!(response.headers()["authorization"], format!("Bearer {token}"));
    let list = "/nacos/v1/ns/service/list?pageNo=1&pageSize=10";
    let script = format!(
        "setup
        http GET {list}&accessToken={token}
        http GET {list} accesstoken={token}
        http GET {list} authorization=Bearer_{token}
        unary ServiceListRequest @accessToken={token} {{\"requestId\":\"1\"}}"
    );
    let served = r#"200 application/json stale@7 | {"count":0,"doms":[]}"#;
    let transcript = play(&mut stage, &script);
    assert_eq!(transcript.matches(served).count(), 3, "{transcript}");
    assert!(transcript.contains(r#"ServiceListResponse {"resultCode":200"#), "{transcript}");
}

/// Some SDKs never log in and send name and password with each request.
#[test]
fn a_password_on_a_request_is_checked_once_and_then_remembered() {
    check(
        &run_locked(
            r"
            user nacos ROLE_ADMIN
            http GET /nacos/v1/ns/service/list?pageNo=1&pageSize=9&username=nacos&password=pw
            answer q1 proceed
            answer q2 verified yes
            answer q3 noted
            http GET /nacos/v1/ns/service/list?pageNo=1&pageSize=9&username=nacos&password=bad
            answer q4 proceed
            answer q5 verified no
            answer q6 noted
            remember nacos pw
            http GET /nacos/v1/ns/service/list?pageNo=1&pageSize=9&username=nacos&password=pw
            ",
        ),
        r#"
        ask q1 Access(Attempt { user: "nacos", address: "10.0.0.9" })
        ask q2 Verify { user: "nacos", password: Password(..), hash: Some("hash-of-nacos") }
        ask q3 Access(Attempted { user: "nacos", address: "10.0.0.9", right: true })
        http 1 200 application/json stale@7 | {"count":0,"doms":[]}
        ask q4 Access(Attempt { user: "nacos", address: "10.0.0.9" })
        ask q5 Verify { user: "nacos", password: Password(..), hash: Some("hash-of-nacos") }
        ask q6 Access(Attempted { user: "nacos", address: "10.0.0.9", right: false })
        http 2 403 application/json | {"timestamp":"2026-11-21T03:44:53.996+00:00","status":403,"error":"Forbidden","message":"user not found!","path":"/nacos/v1/ns/service/list"}
        http 3 200 application/json stale@7 | {"count":0,"doms":[]}
        "#,
    );
}

#[test]
fn a_user_without_a_right_is_refused_at_both_doors() {
    let mut stage = Stage::new(Login::Required);
    let transcript = play(
        &mut stage,
        r#"
        setup
        user u2 r2
        remember u2 pw
        http POST /nacos/v1/cs/configs?username=u2&password=pw | dataId=x&group=G&content=x
        unary ConfigBatchListenRequest @username=u2 @password=pw {"requestId":"1","listen":true,"configListenContexts":[{"dataId":"x","group":"G"}]}
        http POST /nacos/v1/cs/configs/listener?username=u2&password=pw long-pulling-timeout=30000 | Listening-Configs=a%02G%021%01
        http GET /nacos/v1/auth/users?username=u2&password=pw&search=accurate&pageNo=1&pageSize=10
        "#,
    );
    assert_eq!(transcript.matches("authorization failed!").count(), 4, "{transcript}");
    assert!(!transcript.contains("ask"), "{transcript}");
}

#[test]
fn on_an_open_door_any_password_is_welcome_and_a_right_one_gives_a_real_token() {
    let transcript = run(r"
        http POST /nacos/v1/auth/login?username=who&password=x
        answer q1 proceed
        answer q2 verified no
        answer q3 noted
        user nacos ROLE_ADMIN
        remember nacos pw
        http POST /nacos/v1/auth/login?username=nacos&password=pw
    ");
    assert!(
        transcript.contains(r#"{"accessToken":"AUTH_DISABLED","tokenTtl":18000,"globalAdmin":true,"username":"who"}"#),
        "{transcript}"
    );
    assert!(transcript.contains(r#""tokenTtl":18000,"globalAdmin":true,"username":"nacos"}"#));
    assert_eq!(transcript.matches("AUTH_DISABLED").count(), 1, "{transcript}");
}

#[test]
fn the_first_administrator_is_made_once() {
    check(
        &run_locked(
            r"
            http POST /nacos/v1/auth/users/admin | password=short
            http POST /nacos/v1/auth/users/admin | password=secret123
            answer q1 hashed
            answer q2 changed
            user nacos ROLE_ADMIN
            http POST /nacos/v1/auth/users/admin | password=secret456
            ",
        ),
        r#"
        http 1 400 text/plain;charset=UTF-8 | caused: invalid password: 8 characters to 72 bytes are taken;
        ask q1 Hash(Password(..))
        ask q2 Access(Change(CreateAdministrator { password_hash: .. }))
        http 2 200 application/json | {"username":"nacos","password":"secret123"}
        http 3 409 text/plain;charset=UTF-8 | caused: have admin user cannot use it;
        "#,
    );
}

#[test]
fn accounts_and_namespaces_answer_as_recorded() {
    check(
        &run(r"
        http POST /nacos/v1/auth/users | username=u2&password=password2
        answer q1 hashed
        answer q2 changed
        http POST /nacos/v1/auth/permissions | role=r2&resource=:*:*&action=r
        answer q3 changed
        http POST /nacos/v1/auth/permissions | role=r2&resource=:*:*&action=all
        user u2 r2
        http GET /nacos/v1/auth/roles?search=blur&username=u*&pageNo=1&pageSize=10
        http GET /nacos/v1/console/namespaces
        http POST /nacos/v1/console/namespaces | customNamespaceId=ns1&namespaceName=n1&namespaceDesc=d
        answer q4 changed
        http POST /nacos/v1/console/namespaces | customNamespaceId=ns1&namespaceName=n1
        answer q5 exists
        "),
        r#"
        ask q1 Hash(Password(..))
        ask q2 Access(Change(CreateUser { name: "u2", password_hash: .. }))
        http 1 200 application/json | {"code":200,"message":null,"data":"create user ok!"}
        ask q3 Access(Change(Permit { role: "r2", permission: Permission { resource: ":*:*", action: "r" } }))
        http 2 200 application/json | {"code":200,"message":null,"data":"add permission ok!"}
        http 3 400 text/plain;charset=UTF-8 | caused: invalid action: r, w or rw are taken;
        http 4 200 application/json linearizable@7 | {"totalCount":1,"pageNumber":1,"pagesAvailable":1,"pageItems":[{"role":"r2","username":"u2"}]}
        http 5 200 application/json linearizable@7 | {"code":200,"message":null,"data":[{"namespace":"","namespaceShowName":"public","namespaceDesc":"Default Namespace","quota":200,"configCount":0,"type":0}]}
        ask q4 Access(Change(CreateNamespace { id: "ns1", namespace: Namespace { name: "n1", description: "d" } }))
        http 6 200 application/json | true
        ask q5 Access(Change(CreateNamespace { id: "ns1", namespace: Namespace { name: "n1", description: "" } }))
        http 7 200 application/json | false
        "#,
    );
}
