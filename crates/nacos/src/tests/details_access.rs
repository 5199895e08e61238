//! Details of users, roles and permissions that real clients and scripts rely on: one test per line of the list that was
//! recorded, and what of it is not copied.

use super::*;

#[test]
fn users_roles_and_permissions_answer_200_with_their_texts() {
    for (request, answers, told) in [
        (
            "POST /nacos/v1/auth/users | username=u2&password=password2",
            "hashed changed",
            "create user ok!",
        ),
        (
            "PUT /nacos/v1/auth/users | username=u2&newPassword=password3",
            "hashed changed",
            "update user ok!",
        ),
        ("DELETE /nacos/v1/auth/users?username=u2", "changed", "delete user ok!"),
        ("POST /nacos/v1/auth/roles | role=r2&username=u2", "changed", "add role ok!"),
        ("DELETE /nacos/v1/auth/roles?role=r2&username=u2", "changed", "delete role of user ok!"),
        ("DELETE /nacos/v1/auth/roles?role=r2", "changed", "delete role ok!"),
        (
            "POST /nacos/v1/auth/permissions | role=r2&resource=:*:*&action=r",
            "changed",
            "add permission ok!",
        ),
        (
            "DELETE /nacos/v1/auth/permissions?role=r2&resource=:*:*&action=r",
            "changed",
            "delete permission ok!",
        ),
    ] {
        let transcript = answered(request, answers);
        let expected =
            format!(r#"200 application/json | {{"code":200,"message":null,"data":"{told}"}}"#);
        assert!(transcript.trim_end().ends_with(&expected), "{request}: {transcript}");
    }
}

fn answered(request: &str, answers: &str) -> String {
    let mut script = format!("http {request}\n");
    for (number, answer) in answers.split(' ').enumerate() {
        script.push_str(&format!("answer q{} {answer}\n", number + 1));
    }
    run(&script)
}

#[test]
fn deleting_what_is_not_there_is_200_too() {
    for request in [
        "DELETE /nacos/v1/auth/users?username=nobody",
        "DELETE /nacos/v1/auth/roles?role=none&username=nobody",
        "DELETE /nacos/v1/auth/roles?role=none",
        "DELETE /nacos/v1/auth/permissions?role=none&resource=:*:*&action=r",
    ] {
        let transcript = answered(request, "unknown-account");
        assert!(
            transcript.contains(r#"http 1 200 application/json | {"code":200"#),
            "{transcript}"
        );
    }
}

#[test]
fn a_user_that_exists_is_not_created_again() {
    let transcript =
        answered("POST /nacos/v1/auth/users | username=u2&password=password2", "hashed exists");
    assert!(
        transcript
            .ends_with("http 1 400 text/plain;charset=UTF-8 | caused: user 'u2' already exist!;\n"),
        "{transcript}"
    );
}

#[test]
fn a_new_user_can_log_in_at_once() {
    let transcript = run_locked(
        "
        http POST /nacos/v1/auth/login | username=u2&password=password2
        answer q1 proceed
        answer q2 verified no
        answer q3 noted
        user u2 r2
        http POST /nacos/v1/auth/login | username=u2&password=password2
        answer q4 proceed
        answer q5 verified yes
        answer q6 noted
        ",
    );
    assert!(transcript.contains("http 1 403 "), "{transcript}");
    assert!(
        transcript.contains(r#"http 2 200 application/json | {"accessToken":"#),
        "{transcript}"
    );
    assert!(transcript.contains(r#""globalAdmin":false,"username":"u2"}"#), "{transcript}");
}

/// A user with a role that has one right.
fn with_right(resource: &str, action: &str) -> Stage {
    let mut stage = Stage::new(Login::Required);
    stage.command("setup");
    stage.command("user u2 r2");
    stage.command("remember u2 pw");
    permit(&mut stage, resource, action);
    stage
}

fn permit(stage: &mut Stage, resource: &str, action: &str) {
    let permission = access::Permission { resource: resource.into(), action: action.into() };
    stage.scene.access.permissions.entry("r2".into()).or_default().insert(permission);
}

#[test]
fn a_new_permission_counts_at_once() {
    let mut stage = with_right("other:*:*", "rw");
    let get = "http GET /nacos/v1/cs/configs?dataId=a&group=G&tenant=ns1&username=u2&password=pw";
    assert!(play(&mut stage, get).contains("authorization failed!"));
    permit(&mut stage, "ns1:*:*", "r");
    assert!(play(&mut stage, get).contains("404"), "it may look, and finds nothing");
}

#[test]
fn r_w_and_rw_of_a_namespace_are_what_they_say_at_both_doors() {
    for (action, reads, writes) in [("r", true, false), ("w", false, true), ("rw", true, true)] {
        let mut stage = with_right("ns1:*:*", action);
        let transcript = play(
            &mut stage,
            r#"
            unary ConfigQueryRequest @username=u2 @password=pw {"dataId":"a","group":"G","tenant":"ns1"}
            unary ConfigPublishRequest @username=u2 @password=pw {"dataId":"a","group":"G","tenant":"ns1","content":"x"}
            http GET /nacos/v2/cs/config?dataId=a&group=G&namespaceId=ns1&username=u2&password=pw
            http POST /nacos/v1/cs/configs?username=u2&password=pw | dataId=a&group=G&tenant=ns1&content=x
            unary ConfigQueryRequest @username=u2 @password=pw {"dataId":"a","group":"G","tenant":"ns2"}
            unary ConfigPublishRequest @username=u2 @password=pw {"dataId":"a","group":"G","content":"x"}
            "#,
        );
        let denied = transcript.matches("authorization failed!").count();
        let expected = 2 + 2 * usize::from(!reads) + 2 * usize::from(!writes);
        assert_eq!(denied, expected, "{action}: {transcript}");
        assert_eq!(transcript.matches("ask ").count(), 2 * usize::from(writes), "{action}");
        assert_eq!(transcript.contains("config data not exist"), reads, "{action}: {transcript}");
    }
}

#[test]
fn a_denied_grpc_read_is_error_code_403_and_a_denied_publish_is_refused() {
    let mut stage = with_right("ns1:*:*", "r");
    check(
        &play(
            &mut stage,
            r#"
            unary ConfigQueryRequest @username=u2 @password=pw {"requestId":"1","dataId":"a","group":"G"}
            unary ConfigPublishRequest @username=u2 @password=pw {"requestId":"2","dataId":"a","group":"G","tenant":"ns1","content":"x"}
            unary ConfigRemoveRequest @username=u2 @password=pw {"requestId":"3","dataId":"a","group":"G","tenant":"ns1"}
            "#,
        ),
        r#"
        unary 1 ConfigQueryResponse {"resultCode":500,"errorCode":403,"message":"authorization failed!","requestId":"1","success":false}
        unary 2 ConfigPublishResponse {"resultCode":500,"errorCode":403,"message":"authorization failed!","requestId":"2","success":false}
        unary 3 ConfigRemoveResponse {"resultCode":500,"errorCode":403,"message":"authorization failed!","requestId":"3","success":false}
        "#,
    );
}

#[test]
fn a_listener_without_a_read_permission_never_gets_content() {
    let mut stage = with_right("ns1:*:*", "w");
    let transcript = play(
        &mut stage,
        r#"
        config ns1/G/a m1 text secret
        unary ConfigBatchListenRequest @username=u2 @password=pw {"listen":true,"configListenContexts":[{"dataId":"a","group":"G","tenant":"ns1","md5":"0"}]}
        unary ConfigFuzzyWatchRequest @username=u2 @password=pw {"groupKeyPattern":"ns1>>G>>*","watchType":"WATCH","initializing":true}
        notify 0 ns1/G/a m2
        exists ns1/G/b
        unary ConfigQueryRequest @username=u2 @password=pw {"dataId":"a","group":"G","tenant":"ns1"}
        http POST /nacos/v1/cs/configs/listener?username=u2&password=pw | Listening-Configs=a%02G%020%02ns1%01
        "#,
    );
    assert_eq!(transcript.matches("authorization failed!").count(), 4, "{transcript}");
    for never in ["secret", "stream ", "ask ", "changedConfigs"] {
        assert!(!transcript.contains(never), "{never}: {transcript}");
    }
}

/// Officially such a login is answered with the other user's token, even with a wrong password.
#[test]
fn a_login_that_carries_another_user_s_token_proves_nothing_by_it() {
    let mut stage = Stage::new(Login::Required);
    play(&mut stage, "user nacos ROLE_ADMIN\nuser u2 r2\nremember nacos secret123");
    stage.command("http POST /nacos/v1/auth/login | username=nacos&password=secret123");
    let Some(Output::Http { response, .. }) = stage.session.poll() else { panic!("no answer") };
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    let token = body["accessToken"].as_str().unwrap();
    for path in ["/nacos/v1/auth/login", "/nacos/v1/auth/users/login", "/nacos/v3/auth/user/login"]
    {
        let mut other = Stage::new(Login::Required);
        let transcript = play(
            &mut other,
            &format!(
                "user nacos ROLE_ADMIN\nuser u2 r2\nhttp POST {path}?accessToken={token} | username=u2&password=wrong\nanswer q1 proceed\nanswer q2 verified no\nanswer q3 noted"
            ),
        );
        assert!(transcript.contains(r#"Verify { user: "u2""#), "{transcript}");
        assert!(transcript.contains("http 1 403 text/plain;charset=UTF-8 | user not found!"));
        assert!(!transcript.contains(token), "{transcript}");
    }
}

/// Officially the list of users shows their hashes.
#[test]
fn the_list_of_users_shows_no_hashes() {
    let transcript = run("
        user ann r
        http GET /nacos/v1/auth/users?search=accurate&pageNo=1&pageSize=9
        http GET /nacos/v1/auth/users?search=blur&username=a*&pageNo=1&pageSize=9
    ");
    assert_eq!(
        transcript.matches(r#""pageItems":[{"username":"ann"}]"#).count(),
        2,
        "{transcript}"
    );
    assert!(!transcript.contains("hash-of"), "{transcript}");
}
