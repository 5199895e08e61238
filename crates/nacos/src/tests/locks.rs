//! `LockOperationRequest`.

use super::*;

fn request(id: u8, key: &str, rest: &str) -> String {
    format!(
        r#"unary LockOperationRequest {{"requestId":"{id}","lockInstance":{{"key":"{key}","lockType":"NACOS_LOCK"{rest}}}"#
    )
}

#[test]
fn a_lock_is_acquired_and_released_in_nacos_s_words() {
    let acquire = |id, rest| request(id, "a", rest) + r#","lockOperationEnum":"ACQUIRE"}"#;
    let release = |id| request(id, "a", "") + r#","lockOperationEnum":"RELEASE"}"#;
    let script = [
        "setup".to_owned(),
        acquire(1, r#","expiredTime":1000,"params":{"x":[1]}"#),
        "answer q1 granted".into(),
        acquire(2, r#","expiredTime":-1"#),
        "answer q2 lock-held".into(),
        acquire(3, r#","expiredTime":9999999"#),
        "answer q3 lock-unknown".into(),
        acquire(4, r#","expiredTime":0"#),
        "answer q4 locks-full".into(),
        release(5),
        "answer q5 released".into(),
        release(6),
        "answer q6 not-held".into(),
    ]
    .join("\n");
    check(
        &run(&script),
        r#"
        ask q1 Lock(Acquire { key: "a", owner: "nacos-1-0-4-1", ttl: 1s, wait: 0ns })
        unary 1 LockOperationResponse {"resultCode":200,"errorCode":0,"requestId":"1","result":true,"success":true}
        ask q2 Lock(Acquire { key: "a", owner: "nacos-1-0-4-2", ttl: 30s, wait: 0ns })
        unary 2 LockOperationResponse {"resultCode":200,"errorCode":0,"requestId":"2","result":false,"success":true}
        ask q3 Lock(Acquire { key: "a", owner: "nacos-1-0-4-3", ttl: 1800s, wait: 0ns })
        unary 3 LockOperationResponse {"resultCode":500,"errorCode":500,"message":"the outcome of the write is unknown: read before you write again","requestId":"3","success":false}
        ask q4 Lock(Acquire { key: "a", owner: "nacos-1-0-4-4", ttl: 100ms, wait: 0ns })
        unary 4 LockOperationResponse {"resultCode":500,"errorCode":0,"message":"there are 100000 locks already","requestId":"4","result":false,"success":false}
        ask q5 Lock(Release { key: "a", token: None })
        unary 5 LockOperationResponse {"resultCode":200,"errorCode":0,"requestId":"5","result":true,"success":true}
        ask q6 Lock(Release { key: "a", token: None })
        unary 6 LockOperationResponse {"resultCode":200,"errorCode":0,"requestId":"6","result":false,"success":true}
        "#,
    );
}

#[test]
fn what_is_no_lock_is_refused_in_nacos_s_words() {
    check(
        &run(r#"
        setup
        unary LockOperationRequest {"requestId":"1","lockInstance":{"key":"a","lockType":"OTHER"},"lockOperationEnum":"ACQUIRE"}
        unary LockOperationRequest {"requestId":"2","lockInstance":{"key":"a","lockType":"NACOS_LOCK"},"lockOperationEnum":"EXPIRE"}
        unary LockOperationRequest {"requestId":"3","lockInstance":{"key":"a"},"lockOperationEnum":"RELEASE"}
        unary LockOperationRequest {"requestId":"4","lockOperationEnum":"RELEASE"}
        unary LockOperationRequest {"requestId":"5","lockInstance":{"key":"","lockType":"NACOS_LOCK"},"lockOperationEnum":"RELEASE"}
        answer q1 lock-refused
        "#),
        r#"
        unary 1 LockOperationResponse {"resultCode":500,"errorCode":0,"message":"lockType: OTHER is not exist.","requestId":"1","result":false,"success":false}
        unary 2 LockOperationResponse {"resultCode":500,"errorCode":0,"message":"There is no Handler of such operations!","requestId":"2","result":false,"success":false}
        unary 3 LockOperationResponse {"resultCode":500,"errorCode":0,"message":"lockType or lockKey is null.","requestId":"3","result":false,"success":false}
        unary 4 LockOperationResponse {"resultCode":500,"errorCode":0,"message":"lockType or lockKey is null.","requestId":"4","result":false,"success":false}
        ask q1 Lock(Release { key: "", token: None })
        unary 5 LockOperationResponse {"resultCode":500,"errorCode":0,"message":"key is empty","requestId":"5","result":false,"success":false}
        "#,
    );
}

#[test]
fn a_lock_needs_a_right_of_its_own() {
    let mut stage = Stage::new(Login::Required);
    let grants =
        [("all", "grpc/lock"), ("one", "lock/a*"), ("other", "lock/b"), ("ns", "public:*:*")];
    for (name, resource) in grants {
        stage.scene.user(name, name);
        let right = access::Permission { resource: resource.into(), action: "rw".into() };
        stage.scene.access.permissions.entry(name.into()).or_default().insert(right);
        stage.scene.remembered.push((name.into(), "pw".into()));
    }
    for (name, allowed) in [("all", true), ("one", true), ("other", false), ("ns", false)] {
        let line = format!(
            r#"unary LockOperationRequest @username={name} @password=pw {{"requestId":"1","lockInstance":{{"key":"ab","lockType":"NACOS_LOCK"}},"lockOperationEnum":"RELEASE"}}"#
        );
        let transcript = play(&mut stage, &format!("setup\n{line}"));
        assert_eq!(transcript.contains("Lock(Release"), allowed, "{name}: {transcript}");
        assert_eq!(transcript.contains("authorization failed!"), !allowed, "{name}: {transcript}");
    }
}
