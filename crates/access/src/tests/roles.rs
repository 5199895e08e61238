//! Who may do what: the whole matrix, and the patterns of rights.

use super::{apply, company, permission, view};
use crate::{Action, Change, Denied, Outcome, Principal, Resource};
use std::fmt::Write;

fn config(namespace: &str, group: &str, data_id: &str) -> Resource {
    let (namespace, group, data_id) = (namespace.into(), group.into(), data_id.into());
    Resource::Config { namespace, group, data_id }
}

fn service(namespace: &str, group: &str, name: &str) -> Resource {
    let (namespace, group, name) = (namespace.into(), group.into(), name.into());
    Resource::Service { namespace, group, name }
}

#[test]
fn every_principal_on_every_resource() {
    let mut access = company();
    for (index, (resource, action)) in
        [("public:*:*", "r"), ("prod:G:config/app-*", "rw")].into_iter().enumerate()
    {
        let permission = permission(resource, action);
        apply(&mut access, 10 + index as u64, Change::Permit { role: "devs".into(), permission });
    }
    let principals = [
        ("anonymous", Principal::Anonymous),
        ("gone", Principal::User("gone".into())),
        ("guest", Principal::User("guest".into())),
        ("dev", Principal::User("dev".into())),
        ("nacos", Principal::User("nacos".into())),
        ("open", Principal::Open),
    ];
    let resources = [
        ("service public", service("public", "G", "s")),
        ("service prod", service("prod", "G", "s")),
        ("config public", config("public", "G", "c")),
        ("config prod app-1", config("prod", "G", "app-1")),
        ("config prod other", config("prod", "G", "other")),
        ("config prod *", config("prod", "G", "*")),
        ("namespaces", Resource::Namespaces),
        ("password of dev", Resource::Password("dev".into())),
        ("password of nacos", Resource::Password("nacos".into())),
        ("accounts", Resource::Accounts),
        ("server", Resource::Server),
    ];
    let mut matrix = String::new();
    write!(matrix, "{:18}", "").expect("a String");
    for (name, _) in &principals {
        write!(matrix, "{name:>10}").expect("a String");
    }
    for (name, resource) in &resources {
        write!(matrix, "\n{name:18}").expect("a String");
        for (_, principal) in &principals {
            let cell: String = [(Action::Read, 'r'), (Action::Write, 'w')]
                .map(|(action, letter)| match view(&access).allows(principal, action, resource) {
                    Ok(()) => letter,
                    Err(Denied::NotLoggedIn) => '?',
                    Err(Denied::NotPermitted) => '-',
                })
                .into_iter()
                .collect();
            write!(matrix, "{cell:>10}").expect("a String");
        }
    }
    let expected = "
                   anonymous      gone     guest       dev     nacos      open
service public            ??        ??        --        r-        rw        rw
service prod              ??        ??        --        --        rw        rw
config public             ??        ??        --        r-        rw        rw
config prod app-1         ??        ??        --        rw        rw        rw
config prod other         ??        ??        --        --        rw        rw
config prod *             ??        ??        --        --        rw        rw
namespaces                ??        ??        r-        r-        rw        rw
password of dev           ??        ??        --        rw        rw        rw
password of nacos         ??        ??        --        --        rw        rw
accounts                  ??        ??        --        --        rw        rw
server                    ??        ??        r-        r-        rw        rw";
    assert_eq!(matrix, expected.trim_start_matches('\n'), "\n{matrix}");
}

#[test]
fn patterns_of_rights() {
    let public_s = service("public", "G", "s");
    let prod_c = config("prod", "G", "c");
    for (pattern, action, resource, read, write) in [
        ("public:*:*", "r", &public_s, true, false),
        ("public:*:*", "w", &public_s, false, true),
        ("public:*:*", "rw", &public_s, true, true),
        ("public:*:*", "rw", &prod_c, false, false),
        (":*:*", "rw", &public_s, true, true),
        (":G:naming/s", "rw", &public_s, true, true),
        (":*:*", "rw", &prod_c, false, false),
        ("*:*:*", "rw", &prod_c, true, true),
        ("*", "rw", &prod_c, true, true),
        ("prod:G:config/*", "rw", &prod_c, true, true),
        ("prod:G:naming/*", "rw", &prod_c, false, false),
        ("prod:G:*/*", "rw", &prod_c, true, true),
        ("prod:H:*", "rw", &prod_c, false, false),
        ("pro:*:*", "rw", &prod_c, false, false),
        ("prod:G:config/.", "rw", &prod_c, false, false),
        ("public", "rw", &public_s, false, false),
    ] {
        let mut access = company();
        let permission = permission(pattern, action);
        let applied = apply(&mut access, 10, Change::Permit { role: "devs".into(), permission });
        assert_eq!(applied.outcome, Outcome::Changed);
        let dev = Principal::User("dev".into());
        let allowed = [Action::Read, Action::Write]
            .map(|action| view(&access).allows(&dev, action, resource).is_ok());
        assert_eq!(allowed, [read, write], "{pattern} {action} {resource:?}");
    }
}

#[test]
fn a_namespace_that_begins_like_public_is_not_public() {
    let mut access = company();
    let permission = permission(":*:*", "rw");
    apply(&mut access, 10, Change::Permit { role: "devs".into(), permission });
    let dev = Principal::User("dev".into());
    for namespace in ["public-2", "publi", "", "xpublic"] {
        let resource = config(namespace, "G", "c");
        let denied = view(&access).allows(&dev, Action::Read, &resource);
        assert_eq!(denied, Err(Denied::NotPermitted), "{namespace}");
    }
}
