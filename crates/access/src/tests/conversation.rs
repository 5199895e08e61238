//! Scripts and their transcripts. Each change is proposed and applied at once. Verbs:
//!
//! `init KEY [HASH]`, `admin HASH`, `user NAME HASH`, `password NAME HASH`, `remove NAME`, `grant USER ROLE`,
//! `revoke USER|* ROLE`, `permit ROLE PATTERN ACTION`, `forbid ROLE PATTERN ACTION`, `namespace ID NAME`,
//! `rename ID NAME`, `drop ID`, `attempt USER ADDRESS`, `right|wrong USER ADDRESS`, `wait SECONDS`, `restart`.

use super::{connection, hash, key, namespace, permission};
use crate::{Access, Change, Input, Output, Reply, Request};
use base::{Duration, LogIndex, Now, RequestId, Row};
use std::{collections::BTreeMap, fmt::Write};

struct Scene {
    access: Access,
    now: Now,
    index: u64,
    tables: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    transcript: String,
}

fn conversation(expected: &str) {
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut scene = Scene {
        access: Access::default(),
        now: Now::START,
        index: 0,
        tables: BTreeMap::new(),
        transcript: String::new(),
    };
    for line in expected.iter().filter_map(|line| line.strip_prefix("> ")) {
        writeln!(scene.transcript, "> {line}").expect("a String");
        scene.line(line);
        scene.drain();
    }
    let transcript: Vec<&str> = scene.transcript.lines().collect();
    assert_eq!(transcript, expected, "\n{}", scene.transcript);
}

impl Scene {
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        if let Some(change) = change(&words) {
            return self.ask(Request::Change(change));
        }
        match words[..] {
            ["attempt", user, address] => {
                self.ask(Request::Attempt { user: user.into(), address: address.into() });
            }
            [how @ ("right" | "wrong"), user, address] => {
                let (user, address, right) = (user.into(), address.into(), how == "right");
                self.ask(Request::Attempted { user, address, right });
            }
            ["wait", seconds] => {
                let seconds = Duration::from_secs(seconds.parse().expect("a number"));
                self.now = self.now.after(seconds);
            }
            ["restart"] => {
                self.access = Access::default();
                let row = |((table, key), value): (&(u8, Vec<u8>), &Vec<u8>)| Row {
                    table: *table,
                    key: key.clone(),
                    value: Some(value.clone()),
                };
                let rows = self.tables.iter().map(row).collect();
                self.access.step(self.now, Input::Restore(rows));
            }
            _ => panic!("unknown command {line}"),
        }
    }

    fn ask(&mut self, request: Request) {
        let (from, id) = (connection(1), RequestId(1));
        self.access.step(self.now, Input::Request { from, id, request });
    }

    fn drain(&mut self) {
        while let Some(output) = self.access.poll() {
            let text = match output {
                Output::Propose { command, .. } => self.commit(&command),
                Output::Publish(_) => self.shown(),
                Output::Reply { reply: Reply::TooManyFailures { retry_after }, .. } => {
                    format!("too many failures, wait {retry_after:?}")
                }
                Output::Reply { reply, .. } => format!("{reply:?}"),
                Output::Halt(why) => format!("HALT {why}"),
                Output::Event(journal::Kind::Refused(why), subject) => format!("{subject}: {why}"),
                Output::Event(..) => continue,
            };
            writeln!(self.transcript, "{text}").expect("a String");
        }
    }

    fn commit(&mut self, command: &crate::Command) -> String {
        self.index += 1;
        let applied = self.access.apply(LogIndex(self.index), command);
        let rows = applied.rows.len();
        for row in applied.rows {
            match row.value {
                Some(value) => self.tables.insert((row.table, row.key), value),
                None => self.tables.remove(&(row.table, row.key)),
            };
        }
        format!("{:?}, {rows} rows", applied.outcome)
    }

    fn shown(&self) -> String {
        let view = self.access.view();
        let mut text = format!("view {}:", view.revision);
        for user in view.users.keys() {
            let roles: Vec<&str> =
                view.roles.get(user).into_iter().flatten().map(|role| role.as_ref()).collect();
            write!(text, " {user}({})", roles.join(" ")).expect("a String");
        }
        for (role, rights) in &view.permissions {
            write!(text, " {role}:{}", rights.len()).expect("a String");
        }
        for (id, namespace) in &view.namespaces {
            write!(text, " {id}={}", namespace.name).expect("a String");
        }
        text
    }
}

fn change(words: &[&str]) -> Option<Change> {
    Some(match *words {
        ["init", byte] => {
            let token_key = key(byte.parse().expect("a byte"));
            Change::Initialize { token_key, password_hash: None }
        }
        ["init", byte, seed] => {
            let token_key = key(byte.parse().expect("a byte"));
            Change::Initialize { token_key, password_hash: Some(hash(seed)) }
        }
        ["admin", seed] => Change::CreateAdministrator { password_hash: hash(seed) },
        ["user", name, seed] => Change::CreateUser { name: name.into(), password_hash: hash(seed) },
        ["password", name, seed] => {
            Change::SetPassword { name: name.into(), password_hash: hash(seed) }
        }
        ["remove", name] => Change::RemoveUser { name: name.into() },
        ["grant", user, role] => Change::Grant { user: user.into(), role: role.into() },
        ["revoke", "*", role] => Change::Revoke { user: None, role: role.into() },
        ["revoke", user, role] => Change::Revoke { user: Some(user.into()), role: role.into() },
        ["permit", role, pattern, action] => {
            Change::Permit { role: role.into(), permission: permission(pattern, action) }
        }
        ["forbid", role, pattern, action] => {
            Change::Forbid { role: role.into(), permission: permission(pattern, action) }
        }
        ["namespace", id, name] => {
            Change::CreateNamespace { id: id.into(), namespace: namespace(name) }
        }
        ["rename", id, name] => {
            Change::UpdateNamespace { id: id.into(), namespace: namespace(name) }
        }
        ["drop", id] => Change::RemoveNamespace { id: id.into() },
        _ => return None,
    })
}

#[test]
fn the_first_start_sets_only_what_is_missing() {
    conversation(
        r#"
        > init 1
        Changed, 2 rows
        view r1:
        > init 2
        Unchanged, 0 rows
        > init 2 onetime
        Changed, 3 rows
        view r3: nacos(ROLE_ADMIN)
        > init 3 other
        Unchanged, 0 rows
        > admin other
        Exists("administrator"), 0 rows
        > restart
        view r3: nacos(ROLE_ADMIN)
        "#,
    );
}

#[test]
fn the_last_administrator_stays() {
    conversation(
        r#"
        > admin a
        Changed, 3 rows
        view r1: nacos(ROLE_ADMIN)
        > remove nacos
        LastAdministrator, 0 rows
        > revoke nacos ROLE_ADMIN
        LastAdministrator, 0 rows
        > revoke * ROLE_ADMIN
        LastAdministrator, 0 rows
        > user ann a
        Changed, 2 rows
        view r5: ann() nacos(ROLE_ADMIN)
        > grant ann ROLE_ADMIN
        Changed, 2 rows
        view r6: ann(ROLE_ADMIN) nacos(ROLE_ADMIN)
        > revoke * ROLE_ADMIN
        LastAdministrator, 0 rows
        > remove nacos
        Changed, 3 rows
        view r8: ann(ROLE_ADMIN)
        > remove ann
        LastAdministrator, 0 rows
        > restart
        view r8: ann(ROLE_ADMIN)
        "#,
    );
}

#[test]
fn users_roles_and_rights_come_and_go() {
    conversation(
        r#"
        > user ann a
        Changed, 2 rows
        view r1: ann()
        > user ann b
        Exists("user"), 0 rows
        > password bob a
        Unknown("user"), 0 rows
        > password ann a
        Unchanged, 0 rows
        > grant bob devs
        Unknown("user"), 0 rows
        > permit devs public:*:* r
        Unknown("role"), 0 rows
        > grant ann devs
        Changed, 2 rows
        view r7: ann(devs)
        > grant ann devs
        Unchanged, 0 rows
        > permit devs public:*:* r
        Changed, 2 rows
        view r9: ann(devs) devs:1
        > permit devs public:*:* w
        Changed, 2 rows
        view r10: ann(devs) devs:2
        > permit devs public:*:* w
        Unchanged, 0 rows
        > forbid devs public:*:* rw
        Unchanged, 0 rows
        > forbid devs public:*:* w
        Changed, 2 rows
        view r13: ann(devs) devs:1
        > remove ann
        Changed, 3 rows
        view r14: devs:1
        > remove ann
        Unchanged, 0 rows
        > revoke ann devs
        Unchanged, 0 rows
        > restart
        view r14: devs:1
        > revoke * devs
        Changed, 2 rows
        view r17:
        > revoke * devs
        Unchanged, 0 rows
        "#,
    );
}

#[test]
fn namespaces_come_and_go() {
    conversation(
        r#"
        > namespace prod Production
        Changed, 2 rows
        view r1: prod=Production
        > namespace prod Other
        Exists("namespace"), 0 rows
        > rename prod Production
        Unchanged, 0 rows
        > rename prod Live
        Changed, 2 rows
        view r4: prod=Live
        > rename dev Dev
        Unknown("namespace"), 0 rows
        > namespace public Mine
        Refused("namespace public: it always exists and cannot be changed")
        > drop dev
        Unchanged, 0 rows
        > drop prod
        Changed, 2 rows
        view r7:
        "#,
    );
}

#[test]
fn failures_delay_one_user_from_one_address_and_never_enter_the_log() {
    conversation(
        r#"
        > attempt ann 10.0.0.1
        Proceed
        > wrong ann 10.0.0.1
        Noted
        > wrong ann 10.0.0.1
        Noted
        > wrong ann 10.0.0.1
        Noted
        > wrong ann 10.0.0.1
        Noted
        > attempt ann 10.0.0.1
        Proceed
        > wrong ann 10.0.0.1
        access ann: too many failed logins from 10.0.0.1
        Noted
        > attempt ann 10.0.0.1
        too many failures, wait 60s
        > attempt ann 10.0.0.2
        Proceed
        > attempt bob 10.0.0.1
        Proceed
        > wait 60
        > attempt ann 10.0.0.1
        Proceed
        > wrong ann 10.0.0.1
        Noted
        > attempt ann 10.0.0.1
        too many failures, wait 120s
        > wait 120
        > right ann 10.0.0.1
        Noted
        > wrong ann 10.0.0.1
        Noted
        > attempt ann 10.0.0.1
        Proceed
        "#,
    );
}
