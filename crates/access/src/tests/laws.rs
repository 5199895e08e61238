//! Applying is deterministic, equals a naive model, and the rows restore to the same state.

use super::{hash, key, namespace, permission};
use crate::{
    ADMINISTRATOR, ADMINISTRATOR_ROLE, Access, Change, Command, Input, Namespace, Outcome, Output,
    Permission, Secret, View,
};
use base::{LogIndex, Now, Revision, Row};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

fn pick(texts: &'static [&'static str]) -> impl Strategy<Value = Arc<str>> + Clone {
    proptest::sample::select(texts).prop_map(Arc::from)
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let user = pick(&["nacos", "ann", "bob"]);
    let role = pick(&["ROLE_ADMIN", "devs", "ops"]);
    let password_hash = pick(&["x", "y"]).prop_map(|seed| hash(&seed));
    let right = (pick(&["*", "a:*"]), pick(&["r", "w"])).prop_map(|(r, a)| permission(&r, &a));
    let id = pick(&["n", "m"]);
    let content = pick(&["one", "two"]).prop_map(|name| namespace(&name));
    let change = prop_oneof![
        (1..3u8, proptest::option::of(password_hash.clone())).prop_map(|(byte, password_hash)| {
            Change::Initialize { token_key: key(byte), password_hash }
        }),
        password_hash
            .clone()
            .prop_map(|password_hash| Change::CreateAdministrator { password_hash }),
        (user.clone(), password_hash.clone())
            .prop_map(|(name, password_hash)| Change::CreateUser { name, password_hash }),
        (user.clone(), password_hash)
            .prop_map(|(name, password_hash)| Change::SetPassword { name, password_hash }),
        user.clone().prop_map(|name| Change::RemoveUser { name }),
        (user.clone(), role.clone()).prop_map(|(user, role)| Change::Grant { user, role }),
        (proptest::option::weighted(0.8, user), role.clone())
            .prop_map(|(user, role)| Change::Revoke { user, role }),
        (role.clone(), right.clone())
            .prop_map(|(role, permission)| Change::Permit { role, permission }),
        (role, right).prop_map(|(role, permission)| Change::Forbid { role, permission }),
        (id.clone(), content.clone())
            .prop_map(|(id, namespace)| Change::CreateNamespace { id, namespace }),
        (id.clone(), content).prop_map(|(id, namespace)| Change::UpdateNamespace { id, namespace }),
        id.prop_map(|id| Change::RemoveNamespace { id }),
    ];
    proptest::collection::vec(change, 1..80)
}

/// The rules again, on lists; it decides what changed by comparing with the copy from before.
#[derive(Clone, Default, PartialEq)]
struct Model {
    key: Option<Secret>,
    users: Vec<(Arc<str>, Arc<str>)>,
    roles: Vec<(Arc<str>, Arc<str>)>,
    rights: Vec<(Arc<str>, Permission)>,
    namespaces: Vec<(Arc<str>, Namespace)>,
}

impl Model {
    fn has_user(&self, name: &str) -> bool {
        self.users.iter().any(|(user, _)| user.as_ref() == name)
    }

    fn has_administrator(&self) -> bool {
        self.roles.iter().any(|(_, role)| role.as_ref() == ADMINISTRATOR_ROLE)
    }

    fn administrator(&mut self, password_hash: &Arc<str>) {
        self.users.retain(|(user, _)| user.as_ref() != ADMINISTRATOR);
        self.users.push((ADMINISTRATOR.into(), password_hash.clone()));
        self.roles.push((ADMINISTRATOR.into(), ADMINISTRATOR_ROLE.into()));
    }

    fn apply(&mut self, change: &Change) -> Outcome {
        let before = self.clone();
        if let Err(outcome) = self.change(change) {
            *self = before;
            return outcome;
        }
        if before.has_administrator() && !self.has_administrator() {
            *self = before;
            return Outcome::LastAdministrator;
        }
        if *self == before { Outcome::Unchanged } else { Outcome::Changed }
    }

    fn change(&mut self, change: &Change) -> Result<(), Outcome> {
        let unless = |wrong: bool, outcome| if wrong { Err(outcome) } else { Ok(()) };
        match change.clone() {
            Change::Initialize { token_key, password_hash } => {
                self.key.get_or_insert(token_key);
                if let Some(hash) = password_hash
                    && !self.has_administrator()
                {
                    self.administrator(&hash);
                }
            }
            Change::CreateAdministrator { password_hash } => {
                unless(self.has_administrator(), Outcome::Exists("administrator"))?;
                self.administrator(&password_hash);
            }
            Change::CreateUser { name, password_hash } => {
                unless(self.has_user(&name), Outcome::Exists("user"))?;
                self.users.push((name, password_hash));
            }
            Change::SetPassword { name, password_hash } => {
                let user = self.users.iter_mut().find(|(user, _)| *user == name);
                user.ok_or(Outcome::Unknown("user"))?.1 = password_hash;
            }
            Change::RemoveUser { name } => {
                self.users.retain(|(user, _)| *user != name);
                self.roles.retain(|(user, _)| *user != name);
            }
            Change::Grant { user, role } => {
                unless(!self.has_user(&user), Outcome::Unknown("user"))?;
                if !self.roles.contains(&(user.clone(), role.clone())) {
                    self.roles.push((user, role));
                }
            }
            Change::Revoke { user, role } => {
                self.roles
                    .retain(|(u, r)| *r != role || user.as_ref().is_some_and(|user| u != user));
                if user.is_none() {
                    self.rights.retain(|(r, _)| *r != role);
                }
            }
            Change::Permit { role, permission } => {
                if !self.rights.contains(&(role.clone(), permission.clone())) {
                    let held = self.roles.iter().any(|(_, r)| *r == role);
                    unless(!held, Outcome::Unknown("role"))?;
                    self.rights.push((role, permission));
                }
            }
            Change::Forbid { role, permission } => {
                self.rights.retain(|right| *right != (role.clone(), permission.clone()));
            }
            Change::CreateNamespace { id, namespace } => {
                let exists = self.namespaces.iter().any(|(other, _)| *other == id);
                unless(exists, Outcome::Exists("namespace"))?;
                self.namespaces.push((id, namespace));
            }
            Change::UpdateNamespace { id, namespace } => {
                let stored = self.namespaces.iter_mut().find(|(other, _)| *other == id);
                stored.ok_or(Outcome::Unknown("namespace"))?.1 = namespace;
            }
            Change::RemoveNamespace { id } => self.namespaces.retain(|(other, _)| *other != id),
        }
        Ok(())
    }

    fn view(&self, revision: u64) -> View {
        let mut view =
            View { revision: Revision(revision), token_key: self.key.clone(), ..View::empty() };
        for (name, password_hash) in self.users.iter().cloned() {
            view.users.insert(name, crate::User { password_hash });
        }
        for (user, role) in self.roles.iter().cloned() {
            view.roles.entry(user).or_default().insert(role);
        }
        for (role, right) in self.rights.iter().cloned() {
            view.permissions.entry(role).or_default().insert(right);
        }
        view.namespaces.extend(self.namespaces.iter().cloned());
        view
    }
}

fn restored(tables: &BTreeMap<(u8, Vec<u8>), Vec<u8>>, piece: usize) -> Access {
    let row = |((table, key), value): (&(u8, Vec<u8>), &Vec<u8>)| Row {
        table: *table,
        key: key.clone(),
        value: Some(value.clone()),
    };
    let rows: Vec<Row> = tables.iter().rev().map(row).collect();
    let mut access = Access::default();
    for rows in rows.chunks(piece) {
        access.step(Now::START, Input::Restore(rows.to_vec()));
        assert!(matches!(access.poll(), Some(Output::Publish(_))), "once per piece");
        assert_eq!(access.poll(), None);
    }
    access
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn apply_equals_the_model_and_its_rows_are_the_state(changes in changes(), piece in 1..9usize) {
        let (mut one, mut two, mut model) = (Access::default(), Access::default(), Model::default());
        let (mut tables, mut revision) = (BTreeMap::new(), 0);
        for (at, change) in changes.into_iter().enumerate() {
            let index = at as u64 + 1;
            let outcome = model.apply(&change);
            if outcome == Outcome::Changed {
                revision = index;
            }
            let command = Command { change, at_ms: 0 };
            let applied = one.apply(LogIndex(index), &command);
            prop_assert_eq!(&applied, &two.apply(LogIndex(index), &command));
            prop_assert_eq!(&applied.outcome, &outcome, "{:?}", command);
            prop_assert_eq!(applied.rows.is_empty(), outcome != Outcome::Changed);
            prop_assert_eq!(one.view().as_ref(), &model.view(revision));
            for row in applied.rows {
                match row.value {
                    Some(value) => tables.insert((row.table, row.key), value),
                    None => tables.remove(&(row.table, row.key)),
                };
            }
            two = restored(&tables, piece);
            prop_assert_eq!(one.view(), two.view());
        }
    }

    #[test]
    fn junk_rows_halt_and_never_panic(table in 0..6u8, key: Vec<u8>, mut value: Vec<u8>) {
        value.insert(0, 1);
        let mut access = Access::default();
        access.step(Now::START, Input::Restore(vec![Row { table, key, value: Some(value) }]));
        prop_assert!(matches!(access.poll(), Some(Output::Halt(_))));
    }
}

#[test]
fn every_table_has_a_limit() {
    let mut access = Access::default();
    let text = |number: usize| Arc::<str>::from(number.to_string());
    let mut index = 0;
    let mut fill = |what, limit, change: &dyn Fn(Arc<str>) -> Change| {
        for number in 0..=limit {
            index += 1;
            let outcome = super::apply(&mut access, index, change(text(number))).outcome;
            let expected =
                if number < limit { Outcome::Changed } else { Outcome::Full { what, limit } };
            assert_eq!(outcome, expected, "{what} {number}");
        }
    };
    let user = || Arc::<str>::from("0");
    fill("users", crate::USERS_MAX, &|name| Change::CreateUser { name, password_hash: hash("x") });
    fill("roles of the user", crate::ROLES_MAX, &|role| Change::Grant { user: user(), role });
    fill("rights", crate::PERMISSIONS_MAX, &|resource| Change::Permit {
        role: "7".into(),
        permission: permission(&resource, "r"),
    });
    fill("namespaces", crate::NAMESPACES_MAX, &|id| Change::CreateNamespace {
        id,
        namespace: namespace("n"),
    });
}

#[test]
fn half_a_restore_allows_nobody_anything() {
    let mut whole = Access::default();
    let applied = super::apply(
        &mut whole,
        1,
        Change::Initialize { token_key: key(7), password_hash: Some(hash("x")) },
    );
    let token = whole.view().issue("nacos", 0, crate::TOKEN_TTL).expect("there is a key");
    let (users, rest): (Vec<Row>, Vec<Row>) =
        applied.rows.into_iter().partition(|row| row.table == 1);
    assert_eq!(users.len(), 1);
    let mut access = Access::default();
    access.step(Now::START, Input::Restore(rest));
    assert!(!access.view().is_administrator(ADMINISTRATOR));
    assert_eq!(access.view().authenticate(&token, 0), Err(crate::TokenError::UnknownUser));
    access.step(Now::START, Input::Restore(users));
    assert!(access.view().is_administrator(ADMINISTRATOR));
    assert_eq!(access.view(), whole.view());
    access.step(Now::START, Input::Reset);
    assert_eq!(**access.view(), View::empty());
}
