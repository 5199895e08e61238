//! Applying is deterministic, equals a naive model, and the rows restore to the same state.

use super::conversation::{key, publish, publish_gray};
use crate::{
    Audience, Author, Command, Config, Entry, Gray, GrayName, GrayRule, HistoryRow, Input,
    Operation, Outcome, Output, Settings, history::Retention, md5_hex, rows,
};
use base::{ConnectionId, Duration, LogIndex, Now, RequestId, Revision, Row};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

const RETENTION: Retention = Retention {
    rows_max: 3,
    age_max: Duration::from_millis(40),
    bytes_max: 256 * 6 + 5000,
    pruned_max: 2,
};
const QUOTA: u64 = 3 * 512 + 2500;

#[derive(Clone, Debug)]
enum Change {
    Publish { key: u8, content: String, cas: Option<String> },
    Remove { key: u8 },
    PublishGray { key: u8, rule: GrayRule, content: String, cas: Option<String> },
    RemoveGray { key: u8, name: GrayName },
    Many(Vec<(u8, Option<String>, Option<String>)>),
}

fn gray_rules() -> impl Strategy<Value = GrayRule> {
    prop_oneof![
        "[12](,[34])?".prop_map(|addresses| GrayRule::Beta(addresses.into())),
        "[abc]".prop_map(|tag| GrayRule::Tag(tag.into())),
    ]
}

fn changes() -> impl Strategy<Value = Vec<(Change, u64)>> {
    let content = prop_oneof![Just("x".to_string()), Just("y".repeat(600)), Just("z".repeat(1900))];
    let cas = proptest::option::weighted(0.3, content.clone());
    let gray = (0..4u8, gray_rules(), content.clone(), cas.clone())
        .prop_map(|(key, rule, content, cas)| Change::PublishGray { key, rule, content, cas });
    let ungray = (0..4u8, gray_rules())
        .prop_map(|(key, rule)| Change::RemoveGray { key, name: rule.name() });
    let publish = (0..4u8, content, cas).prop_map(|(key, content, cas)| Change::Publish {
        key,
        content,
        cas,
    });
    let remove = (0..4u8).prop_map(|key| Change::Remove { key });
    let some = || prop_oneof![Just("x".to_string()), Just("y".repeat(600))];
    let one = (proptest::option::weighted(0.7, some()), proptest::option::weighted(0.2, some()));
    let many = proptest::collection::btree_map(0..4u8, one, 1..4).prop_map(|changes| {
        Change::Many(changes.into_iter().map(|(key, (to, cas))| (key, to, cas)).collect())
    });
    // Times go back now and then: another proposer, another clock.
    proptest::collection::vec(
        (prop_oneof![4 => publish, 1 => remove, 2 => gray, 1 => ungray, 2 => many], 0..120u64),
        1..60,
    )
}

fn command(change: &Change, at_ms: u64) -> Command {
    match change {
        Change::Publish { key, content, cas } => {
            let cas = cas.as_deref().map(md5_hex);
            let request = publish(&key.to_string(), content, cas.as_deref());
            let now = Now::START.after(Duration::from_millis(at_ms));
            proposed(&mut Config::new(Settings::default()), now, request)
        }
        Change::PublishGray { key, rule, content, cas } => {
            let cas = cas.as_deref().map(md5_hex);
            let request = publish_gray(&key.to_string(), rule.clone(), content, cas.as_deref());
            let now = Now::START.after(Duration::from_millis(at_ms));
            proposed(&mut Config::new(Settings::default()), now, request)
        }
        Change::Many(changes) => {
            let one = |(id, to, cas): &(u8, Option<String>, Option<String>)| crate::Change {
                key: key(&id.to_string()),
                cas_md5: cas.as_deref().map(|cas| md5_hex(cas).into()),
                to: to.as_deref().map(|to| (to.into(), crate::Details::default())),
            };
            let changes = changes.iter().map(one).collect();
            let author = Author { user: "bob".into(), ..Author::default() };
            let now = Now::START.after(Duration::from_millis(at_ms));
            let request = crate::Request::PublishMany { changes, author };
            proposed(&mut Config::new(Settings::default()), now, request)
        }
        Change::RemoveGray { key: id, name } => Command::RemoveGray {
            key: key(&id.to_string()),
            name: name.clone(),
            author: Author { user: "bob".into(), ..Author::default() },
            at_ms,
        },
        Change::Remove { key: id } => Command::Remove {
            key: key(&id.to_string()),
            author: Author { user: "bob".into(), ..Author::default() },
            at_ms,
        },
    }
}

fn proposed(config: &mut Config, now: Now, request: crate::Request) -> Command {
    let from = ConnectionId { node: base::NodeId(1), boot: base::HybridTime(0), counter: 1 };
    config.step(now, Input::Request { from, id: RequestId(1), request });
    match config.poll() {
        Some(Output::Propose { command, .. }) => command,
        other => panic!("not proposed: {other:?}"),
    }
}

fn small() -> Config {
    let mut config = Config::new(Settings::default());
    config.retention = RETENTION;
    config.contents_bytes_max = QUOTA;
    config
}

/// The rules again, without an index: everything is a list that is searched.
#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    grays: Vec<Gray>,
    history: Vec<HistoryRow>,
    /// The quota was looked at before.
    unlimited: bool,
}

impl Model {
    fn apply(&mut self, index: u64, command: &Command) -> Outcome {
        let revision = Revision(index);
        match command.clone() {
            Command::Publish { key, content, md5, cas_md5, details, author, at_ms } => {
                let old = self.entries.iter().find(|entry| entry.key == key).cloned();
                if let (Some(old), Some(cas)) = (&old, cas_md5)
                    && old.md5 != cas
                {
                    return Outcome::CasConflict { current_md5: old.md5.clone() };
                }
                let first = old.as_ref().map(|old| (old.created, old.created_ms));
                let (created, created_ms) = first.unwrap_or((revision, at_ms));
                let modified_ms = at_ms;
                #[rustfmt::skip]
                let entry = Entry {
                    key, content, md5, details: *details, revision, created, created_ms, modified_ms, author,
                };
                let after = self.weight() - old.as_ref().map_or(0, weight) + weight(&entry);
                if !self.unlimited
                    && after as u64 > QUOTA
                    && weight(&entry) > old.as_ref().map_or(0, weight)
                {
                    return Outcome::QuotaExceeded { bytes_max: QUOTA };
                }
                self.entries.retain(|other| other.key != entry.key);
                self.entries.push(entry.clone());
                let operation = if old.is_some() { Operation::Update } else { Operation::Insert };
                self.remember(HistoryRow { revision, operation, entry, gray: None });
                Outcome::Published(revision)
            }
            Command::PublishGray { key, rule, content, md5, cas_md5, details, author, at_ms } => {
                let same = |gray: &&Gray| gray.entry.key == key && gray.rule.name() == rule.name();
                let old = self.grays.iter().find(same).cloned();
                if let (Some(old), Some(cas)) = (&old, cas_md5)
                    && old.entry.md5 != cas
                {
                    return Outcome::CasConflict { current_md5: old.entry.md5.clone() };
                }
                let first = old.as_ref().map(|old| (old.entry.created, old.entry.created_ms));
                let (created, created_ms) = first.unwrap_or((revision, at_ms));
                let modified_ms = at_ms;
                #[rustfmt::skip]
                let entry = Entry {
                    key, content, md5, details: *details, revision, created, created_ms, modified_ms, author,
                };
                let gray = Gray { rule: rule.clone(), entry: entry.clone() };
                let before = old.as_ref().map_or(0, gray_weight);
                if (self.weight() - before + gray_weight(&gray)) as u64 > QUOTA
                    && gray_weight(&gray) > before
                {
                    return Outcome::QuotaExceeded { bytes_max: QUOTA };
                }
                self.grays.retain(|other| Some(other) != old.as_ref());
                self.grays.push(gray);
                let operation = if old.is_some() { Operation::Update } else { Operation::Insert };
                self.remember(HistoryRow { revision, operation, entry, gray: Some(rule) });
                Outcome::Published(revision)
            }
            Command::PublishMany { changes, author, at_ms } => {
                let old = |key: &crate::ConfigKey| {
                    self.entries.iter().find(|entry| entry.key == *key).cloned()
                };
                let conflict = |(at, change): (usize, &crate::StampedChange)| {
                    let current_md5 = old(&change.key)?.md5;
                    let differs = change.cas_md5.as_ref().is_some_and(|md5| *md5 != current_md5);
                    differs.then_some(crate::Conflict { at, current_md5 })
                };
                let conflicts: Vec<_> = changes.iter().enumerate().filter_map(conflict).collect();
                if !conflicts.is_empty() {
                    return Outcome::Conflicts(conflicts);
                }
                let before: usize =
                    changes.iter().filter_map(|change| old(&change.key)).map(|e| weight(&e)).sum();
                let contents = changes.iter().filter_map(|change| change.to.as_ref());
                let after: usize = contents.map(|to| 512 + to.content.len()).sum();
                if after > before && (self.weight() - before + after) as u64 > QUOTA {
                    return Outcome::QuotaExceeded { bytes_max: QUOTA };
                }
                for (place, change) in changes.into_iter().enumerate() {
                    let crate::StampedChange { key, to, .. } = change;
                    let (author, Some(to)) = (author.clone(), to) else {
                        let author = author.clone();
                        self.apply(index, &Command::Remove { key, author, at_ms });
                        continue;
                    };
                    let crate::StampedContent { content, md5, details } = to;
                    let is_new = self.entries.iter().all(|entry| entry.key != key);
                    let cas_md5 = None;
                    #[rustfmt::skip]
                    let single = Command::Publish {
                        key, content, md5, cas_md5, details, author, at_ms,
                    };
                    // Room was made for all of them together.
                    self.unlimited = true;
                    self.apply(index, &single);
                    self.unlimited = false;
                    let created = Revision(index + ((place as u64) << 44));
                    if is_new && let Some(entry) = self.entries.last_mut() {
                        entry.created = created;
                        // Its row may be gone already: another one's clock was ahead.
                        let key = entry.key.clone();
                        let own = |row: &&mut HistoryRow| {
                            row.entry.key == key && row.revision == revision
                        };
                        if let Some(row) = self.history.last_mut().filter(own) {
                            row.entry.created = created;
                        }
                    }
                }
                Outcome::Published(revision)
            }
            Command::RemoveGray { key, name, author, at_ms } => {
                let same = |gray: &Gray| gray.entry.key == key && gray.rule.name() == name;
                let Some(at) = self.grays.iter().position(same) else {
                    return Outcome::Removed { existed: false };
                };
                let Gray { rule, mut entry } = self.grays.remove(at);
                (entry.author, entry.modified_ms) = (author, at_ms);
                let (operation, gray) = (Operation::Delete, Some(rule));
                self.remember(HistoryRow { revision, operation, entry, gray });
                Outcome::Removed { existed: true }
            }
            Command::Remove { key, author, at_ms } => {
                let Some(at) = self.entries.iter().position(|entry| entry.key == key) else {
                    return Outcome::Removed { existed: false };
                };
                let mut entry = self.entries.remove(at);
                (entry.author, entry.modified_ms) = (author, at_ms);
                let operation = Operation::Delete;
                self.remember(HistoryRow { revision, operation, entry, gray: None });
                Outcome::Removed { existed: true }
            }
        }
    }

    fn remember(&mut self, row: HistoryRow) {
        let (key, at_ms) = (row.entry.key.clone(), row.entry.modified_ms);
        self.history.push(row);
        let of_key = self.history.iter().filter(|row| row.entry.key == key).count();
        if of_key > RETENTION.rows_max {
            let oldest = self.history.iter().position(|row| row.entry.key == key);
            self.history.remove(oldest.expect("just counted"));
        }
        for _ in 0..RETENTION.pruned_max {
            let bytes: usize = self.history.iter().map(|row| 256 + row.entry.content.len()).sum();
            let age = |(_, row): &(usize, &HistoryRow)| (row.entry.modified_ms, row.revision);
            let oldest = self.history.iter().enumerate().min_by_key(age);
            let Some((at, oldest)) = oldest else { break };
            let age_max_ms = RETENTION.age_max.as_millis() as u64;
            if oldest.entry.modified_ms + age_max_ms < at_ms || bytes as u64 > RETENTION.bytes_max {
                self.history.remove(at);
            }
        }
    }

    fn weight(&self) -> usize {
        self.entries.iter().map(weight).chain(self.grays.iter().map(gray_weight)).sum()
    }

    fn tables(&self) -> BTreeMap<(u8, Vec<u8>), Vec<u8>> {
        let entries = self.entries.iter().map(rows::entry);
        let entries = entries.chain(self.grays.iter().map(rows::gray));
        let rows = entries.chain(self.history.iter().map(rows::history));
        rows.map(|row| ((row.table, row.key), row.value.expect("a put"))).collect()
    }
}

fn weight(entry: &Entry) -> usize {
    512 + entry.content.len()
}

fn gray_weight(gray: &Gray) -> usize {
    weight(&gray.entry) + gray.rule.text().len()
}

fn restored(tables: &BTreeMap<(u8, Vec<u8>), Vec<u8>>, piece: usize) -> Config {
    let mut config = small();
    let row = |((table, key), value): (&(u8, Vec<u8>), &Vec<u8>)| Row {
        table: *table,
        key: key.clone(),
        value: Some(value.clone()),
    };
    // Backwards, for pieces come in any order.
    let rows: Vec<Row> = tables.iter().rev().map(row).collect();
    for rows in rows.chunks(piece) {
        config.step(Now::START, Input::Restore(rows.to_vec()));
    }
    config.step(Now::START, Input::Restored);
    while config.poll().is_some() {}
    config
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn apply_equals_the_model_and_its_rows_are_the_state(changes in changes(), piece in 1..9usize) {
        let (mut one, mut two, mut model) = (small(), small(), Model::default());
        let mut tables = BTreeMap::new();
        let mut clock_ms = 0;
        for (at, (change, jitter)) in changes.iter().enumerate() {
            clock_ms += 10;
            let command = command(change, clock_ms + jitter);
            let index = at as u64 + 1;
            let applied = one.apply(LogIndex(index), &command);
            prop_assert_eq!(&applied, &two.apply(LogIndex(index), &command));
            prop_assert_eq!(&applied.outcome, &model.apply(index, &command));
            while one.poll().is_some() {}
            for row in applied.rows {
                match row.value {
                    Some(value) => tables.insert((row.table, row.key), value),
                    None => tables.remove(&(row.table, row.key)),
                };
            }
            prop_assert_eq!(&tables, &model.tables(), "after {}", index);
            prop_assert_eq!(one.contents_bytes(), model.weight() as u64);
            // A node that restarts here goes on as if it had not.
            two = restored(&tables, piece);
            prop_assert_eq!(&one.entries, &two.entries);
            prop_assert_eq!(&one.grays, &two.grays);
            prop_assert_eq!(&one.grays, &one.grays_shown);
            prop_assert_eq!(&two.grays, &two.grays_shown);
            prop_assert_eq!(one.contents_bytes, two.contents_bytes);
            prop_assert_eq!(&one.history, &two.history);
        }
    }

    #[test]
    fn junk_rows_never_panic(table in 0..4u8, key: Vec<u8>, mut value: Vec<u8>) {
        value.insert(0, 2);
        let mut config = small();
        config.step(Now::START, Input::Restore(vec![Row { table, key, value: Some(value) }]));
        prop_assert!(matches!(config.poll(), Some(Output::Halt(_))));
    }
}

/// Six clients, each with an address and a tag or without one.
fn audience(client: u64) -> Audience {
    Audience {
        addresses: vec![(client % 4 + 1).to_string().as_str().into()],
        tag: (!client.is_multiple_of(3)).then(|| ["a", "b"][(client % 2) as usize].into()),
    }
}

fn listen(config: &mut Config, client: u64, held: &BTreeMap<(u64, u8), Arc<str>>) {
    let from = ConnectionId { node: base::NodeId(1), boot: base::HybridTime(0), counter: client };
    let item = |id: u8| {
        let md5 = held.get(&(client, id)).cloned().unwrap_or_default();
        (key(&id.to_string()), md5)
    };
    let items = (0..4).map(item).collect();
    let request = crate::Request::Listen { listener: 0, items, audience: audience(client) };
    config.step(Now::START, Input::Request { from, id: RequestId(1), request });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// A client that believes what it is told knows at any time the md5 of the version that it would read, and is told
    /// nothing that it knows. A snapshot of the same state tells nobody anything.
    #[test]
    fn listeners_know_what_they_see(changes in changes()) {
        let mut config = small();
        let mut held: BTreeMap<(u64, u8), Arc<str>> = BTreeMap::new();
        let mut tables = BTreeMap::new();
        for client in 0..6 {
            listen(&mut config, client, &held);
        }
        while config.poll().is_some() {}
        for (at, (change, jitter)) in changes.iter().enumerate() {
            let index = at as u64 + 1;
            let command = command(change, index * 10 + jitter);
            for row in config.apply(LogIndex(index), &command).rows {
                match row.value {
                    Some(value) => tables.insert((row.table, row.key), value),
                    None => tables.remove(&(row.table, row.key)),
                };
            }
            while let Some(output) = config.poll() {
                if let Output::Notify { to, key, md5, .. } = output {
                    let id = key.data_id.parse().expect("a number");
                    let before = held.insert((to.counter, id), md5.clone()).unwrap_or_default();
                    prop_assert_ne!(before, md5);
                }
            }
            for (client, id) in (0..6).flat_map(|client| (0..4).map(move |id| (client, id))) {
                let seen = config.md5_seen(&key(&id.to_string()), &audience(client));
                let known = held.get(&(client, id)).cloned().unwrap_or_default();
                prop_assert_eq!(known, seen, "client {} and config {} after {}", client, id, index);
            }
        }
        config.step(Now::START, Input::Reset);
        for ((table, key), value) in tables {
            let row = Row { table, key, value: Some(value) };
            config.step(Now::START, Input::Restore(vec![row]));
        }
        config.step(Now::START, Input::Restored);
        while let Some(output) = config.poll() {
            prop_assert!(!matches!(output, Output::Notify { .. } | Output::Retire(_)), "{output:?}");
        }
    }
}

#[test]
fn an_entry_may_shrink_even_when_all_together_are_over_the_quota() {
    // As after an update of the program to one with a smaller quota.
    let mut config = Config::new(Settings::default());
    let mut index = LogIndex(0);
    let mut put = |config: &mut Config, content: &str| {
        index = index.next();
        let command = proposed(config, Now::START, publish("a", content, None));
        let outcome = config.apply(index, &command).outcome;
        while config.poll().is_some() {}
        outcome
    };
    put(&mut config, "content");
    config.contents_bytes_max = 100;
    assert_eq!(put(&mut config, "contents"), Outcome::QuotaExceeded { bytes_max: 100 });
    assert_eq!(put(&mut config, "another"), Outcome::Published(Revision(3)));
    assert_eq!(put(&mut config, "less"), Outcome::Published(Revision(4)));
}
