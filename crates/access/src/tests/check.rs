//! What is malformed is refused, in words, and proposes nothing.

use super::{hash, key, namespace, permission, request};
use crate::{Access, Change, Command, Output, Reply, Request, Secret};
use base::Now;
use std::sync::Arc;

fn refusal(change: Change) -> Option<String> {
    match request(&mut Access::default(), Now::START, Request::Change(change)) {
        Output::Propose { .. } => None,
        Output::Reply { reply: Reply::Refused(why), .. } => Some(why),
        other => panic!("{other:?}"),
    }
}

fn user(name: &str) -> Change {
    Change::CreateUser { name: name.into(), password_hash: hash("x") }
}

#[test]
fn names() {
    for name in ["a", "Ann.B_c@d-e", &"x".repeat(64)] {
        assert_eq!(refusal(user(name)), None, "{name}");
    }
    for name in ["", "a b", "a/b", "ä", "a\0", "a:b", "../x", "a\r\nb", &"x".repeat(65)] {
        let why = refusal(user(name)).expect(name);
        assert!(why.starts_with("user name ") && !why.contains(char::is_control), "{why}");
    }
    let role = |role: &str| Change::Grant { user: "a".into(), role: role.into() };
    assert_eq!(refusal(role("ROLE_ADMIN")), None);
    assert_eq!(refusal(role("运维")), None);
    for name in ["", " ", "a b", "a\0", &"x".repeat(65)] {
        assert!(refusal(role(name)).is_some(), "{name:?}");
    }
}

#[test]
fn password_hashes() {
    let good = hash("x");
    let with =
        |hash: &str| refusal(Change::SetPassword { name: "a".into(), password_hash: hash.into() });
    for prefix in ["$2a$04$", "$2b$10$", "$2y$14$"] {
        assert_eq!(with(&format!("{prefix}{}", &good[7..])), None, "{prefix}");
    }
    for prefix in ["$2a$03$", "$2a$15$", "$2a$31$", "$2x$10$", "$1a$10$", "$2a$1x$", "$2a$+9$"] {
        let why = with(&format!("{prefix}{}", &good[7..])).expect(prefix);
        assert!(!why.contains(&good[7..]), "the hash is not repeated: {why}");
    }
    for bad in ["", "secret", &good[..59], &format!("{good}x"), &format!("{}ü", &good[..58])] {
        assert!(with(bad).is_some(), "{bad}");
    }
    assert!(with(&format!("{} ", &good[..59])).is_some());
}

#[test]
fn namespaces() {
    let create = |id: &str, name: &str| Change::CreateNamespace {
        id: id.into(),
        namespace: namespace(name),
    };
    for id in ["a", "prod-1_X", &"x".repeat(64), "public2"] {
        assert_eq!(refusal(create(id, "n")), None, "{id}");
    }
    for id in ["", "public", "a b", "a.b", "a:b", "ä", &"x".repeat(65)] {
        assert!(refusal(create(id, "n")).is_some(), "{id}");
        assert!(refusal(Change::RemoveNamespace { id: id.into() }).is_some(), "{id}");
    }
    assert!(refusal(create("a", " ")).is_some());
    assert!(refusal(create("a", &"x".repeat(257))).is_some());
}

#[test]
fn rights_and_keys() {
    let permit = |resource: &str, action: &str| {
        refusal(Change::Permit { role: "r".into(), permission: permission(resource, action) })
    };
    assert_eq!(permit("public:*:*", "rw"), None);
    for action in ["", "R", "wr", "x", "rw "] {
        assert!(permit("public:*:*", action).is_some(), "{action:?}");
    }
    for resource in ["", "a\0b", &"*".repeat(1025)] {
        assert!(permit(resource, "r").is_some());
    }
    for bytes in [0, 31, 33] {
        let token_key = Secret::new(vec![0; bytes]);
        assert!(refusal(Change::Initialize { token_key, password_hash: None }).is_some());
    }
    let bad = Some(Arc::from("secret"));
    assert!(refusal(Change::Initialize { token_key: key(1), password_hash: bad }).is_some());
}

#[test]
fn nothing_secret_is_printed() {
    let secret = hash("SECRET");
    let (name, password_hash): (Arc<str>, _) = ("ann".into(), Arc::clone(&secret));
    for change in [
        Change::Initialize { token_key: key(123), password_hash: Some(secret.clone()) },
        Change::CreateAdministrator { password_hash: secret.clone() },
        Change::CreateUser { name: name.clone(), password_hash: secret.clone() },
        Change::SetPassword { name, password_hash },
    ] {
        let mut access = Access::default();
        let asked = Request::Change(change.clone());
        let mut printed = format!("{asked:?}");
        let proposal = request(&mut access, Now::START, asked);
        printed += &format!("{proposal:#?}");
        access.apply(base::LogIndex(1), &Command { change: change.clone(), at_ms: 0 });
        let user = Change::CreateUser { name: "ann".into(), password_hash: secret.clone() };
        printed += &format!(
            "{:?}",
            access.apply(base::LogIndex(2), &Command { change: user, at_ms: 0 }).outcome
        );
        printed += &format!("{access:?}");
        while let Some(output) = access.poll() {
            printed += &format!("{output:?}");
        }
        assert!(printed.contains("password_hash"), "it prints something");
        assert!(!printed.contains("$2a$") && !printed.contains("SECRET"), "{printed}");
        assert!(!printed.contains("123"), "{printed}");
    }
}
