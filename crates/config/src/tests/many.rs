//! Several configs at once.

use super::conversation::key;
use crate::{
    Author, CHANGES_MAX, Change, Command, Config, Conflict, Details, Input, Outcome, Output,
    Refusal, Reply, Request, Settings, md5_hex,
};
use base::{ConnectionId, LogIndex, Now, RequestId, Revision};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

fn change(id: &str, to: Option<&str>, cas: Option<&str>) -> Change {
    let cas_md5 = cas.map(|content| match content {
        "" => Arc::from(""),
        content => md5_hex(content).into(),
    });
    let details = Details { content_type: "text".into(), ..Details::default() };
    Change { key: key(id), cas_md5, to: to.map(|content| (content.into(), details)) }
}

fn ask(config: &mut Config, request: Request) -> Output {
    let from = ConnectionId { node: base::NodeId(1), boot: base::HybridTime(0), counter: 1 };
    config.step(Now::START, Input::Request { from, id: RequestId(1), request });
    config.poll().expect("an answer or a proposal")
}

fn refused(changes: Vec<Change>) -> Refusal {
    let mut config = Config::new(Settings { content_bytes_max: 100, ..Settings::default() });
    match ask(&mut config, Request::PublishMany { changes, author: Author::default() }) {
        Output::Reply { reply: Reply::Refused(refusal), .. } => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn proposed(changes: Vec<Change>) -> Command {
    let mut config = Config::new(Settings::default());
    match ask(&mut config, Request::PublishMany { changes, author: Author::default() }) {
        Output::Propose { command, .. } => command,
        other => panic!("not proposed: {other:?}"),
    }
}

fn single(change: &Change) -> Command {
    let mut config = Config::new(Settings::default());
    let Change { key, cas_md5, to } = change.clone();
    let author = Author::default();
    let request = match to {
        Some((content, details)) => Request::Publish { key, content, cas_md5, details, author },
        None => Request::Remove { key, author },
    };
    match ask(&mut config, request) {
        Output::Propose { command, .. } => command,
        other => panic!("not proposed: {other:?}"),
    }
}

fn said(config: &mut Config) -> Vec<Output> {
    std::iter::from_fn(|| config.poll()).collect()
}

#[test]
fn what_is_malformed_is_refused_whole() {
    let good = || change("good", Some("x"), None);
    assert_eq!(refused(Vec::new()), Refusal::NoChanges);
    assert_eq!(refused(vec![good(), good()]), Refusal::ChangedTwice { key: key("good") });
    assert_eq!(refused(vec![good(), change("b", Some(" "), None)]), Refusal::ContentBlank);
    let many = (0..=CHANGES_MAX).map(|n| change(&n.to_string(), Some("x"), None)).collect();
    assert_eq!(refused(many), Refusal::TooManyChanges { limit: CHANGES_MAX });
    let half = "x".repeat(51);
    let two = vec![change("a", Some(&half), None), change("b", Some(&half), None)];
    assert_eq!(refused(two), Refusal::ChangesTooLarge { bytes: 102, bytes_max: 100 });
    let schema = |id: String| {
        let details = Details { schema: "s".repeat(32_768).into(), ..Details::default() };
        Change { to: Some(("x".into(), details)), ..change(&id, None, None) }
    };
    let long = (0..40).map(|n| schema(n.to_string())).collect();
    assert!(matches!(refused(long), Refusal::ChangesTooLarge { .. }));
}

#[test]
fn one_condition_that_does_not_hold_and_nothing_changes() {
    let mut config = Config::new(Settings::default());
    config.apply(LogIndex(1), &single(&change("a", Some("1"), None)));
    config.apply(LogIndex(2), &single(&change("b", Some("1"), None)));
    said(&mut config);
    let changes = vec![
        change("new", Some("x"), None),
        change("a", Some("2"), Some("1")),
        change("b", Some("2"), Some("other")),
        change("a2", None, Some("gone")),
    ];
    let applied = config.apply(LogIndex(3), &proposed(changes));
    let current_md5 = md5_hex("1").into();
    assert_eq!(applied.outcome, Outcome::Conflicts(vec![Conflict { at: 2, current_md5 }]));
    assert_eq!((applied.rows.len(), config.entries_count()), (0, 2));
    assert!(said(&mut config).iter().all(|output| matches!(output, Output::Event(..))));
}

#[test]
fn all_views_come_before_the_first_notification_and_each_has_a_number_of_its_own() {
    let mut config = Config::new(Settings::default());
    config.apply(LogIndex(1), &single(&change("old", Some("1"), None)));
    said(&mut config);
    let items = ["a", "b", "old"].map(|id| (key(id), Arc::from(""))).to_vec();
    ask(&mut config, Request::Listen { listener: 0, items, audience: crate::Audience::default() });
    said(&mut config);
    let changes = vec![
        change("a", Some("x"), Some("")),
        change("old", None, Some("1")),
        change("b", Some("y"), None),
    ];
    let applied = config.apply(LogIndex(7), &proposed(changes));
    assert_eq!(applied.outcome, Outcome::Published(Revision(7)));
    let kinds: String = said(&mut config)
        .iter()
        .map(|output| match output {
            Output::Publish(_) => 'p',
            Output::Retire(_) => 'r',
            Output::Notify { .. } => 'n',
            Output::Event(..) => 'e',
            other => panic!("{other:?}"),
        })
        .filter(|kind| *kind != 'e')
        .collect();
    assert_eq!(kinds, "prpnnn");
    let created = |id: &str| config.entry(&key(id)).expect("published").created;
    assert_ne!(created("a"), created("b"));
    assert_eq!(created("a"), Revision(7));
    assert!(created("b").0 < 1 << 53, "a browser's numbers are exact up to here");
}

#[test]
fn the_quota_is_that_of_the_sum() {
    let mut config = Config::new(Settings::default());
    config.contents_bytes_max = 2 * 512 + 20;
    config.apply(LogIndex(1), &single(&change("a", Some("0123456789"), None)));
    // One goes, two come: each alone would fit, both do not; and what goes makes room.
    let two = vec![change("b", Some("x"), None), change("c", Some("x"), None)];
    let outcome = config.apply(LogIndex(2), &proposed(two.clone())).outcome;
    assert_eq!(outcome, Outcome::QuotaExceeded { bytes_max: 2 * 512 + 20 });
    let with_removal = [two, vec![change("a", None, None)]].concat();
    let outcome = config.apply(LogIndex(3), &proposed(with_removal)).outcome;
    assert_eq!(outcome, Outcome::Published(Revision(3)));
    assert_eq!(config.contents_bytes(), 2 * 513);
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let text = || prop_oneof!["[ab]", "[ab]{600}"];
    let one = (proptest::option::weighted(0.8, text()), proptest::option::weighted(0.4, "[ab]?"));
    proptest::collection::btree_map("[kl]?[mno]", one, 1..5).prop_map(|changes| {
        let change = |(id, (to, cas)): (String, (Option<String>, Option<String>))| {
            change(&id, to.as_deref(), cas.as_deref())
        };
        changes.into_iter().map(change).collect()
    })
}

/// What can be seen of a config center, without the numbers that say when.
fn state(config: &Config) -> BTreeMap<String, String> {
    let entries = config.entries.iter();
    entries.map(|(key, entry)| (key.to_string(), entry.content.to_string())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Published together they come to what they come to one after the other, or to nothing; and that exactly if one
    /// of them alone would be refused.
    #[test]
    fn together_is_one_by_one_or_nothing(before in changes(), together in changes()) {
        let mut many = Config::new(Settings::default());
        for (index, change) in (1..).zip(&before) {
            let change = Change { cas_md5: None, ..change.clone() };
            many.apply(LogIndex(index), &single(&change));
        }
        said(&mut many);
        let mut one_by_one = Config::new(Settings::default());
        for (index, change) in (1..).zip(&before) {
            let change = Change { cas_md5: None, ..change.clone() };
            one_by_one.apply(LogIndex(index), &single(&change));
        }
        let (state_before, bytes_before) = (state(&many), many.contents_bytes());
        // A removal alone has no condition: it is looked at here.
        let meets = |change: &Change| match (many.entry(&change.key), &change.cas_md5) {
            (Some(entry), Some(md5)) => entry.md5 == *md5,
            (None, _) | (_, None) => true,
        };
        let wanted = together.iter().all(meets);
        let applied = many.apply(LogIndex(100), &proposed(together.clone()));
        prop_assert_eq!(applied.outcome == Outcome::Published(Revision(100)), wanted);
        if !wanted {
            prop_assert_eq!(state(&many), state_before);
            prop_assert_eq!(many.contents_bytes(), bytes_before);
            prop_assert!(applied.rows.is_empty());
            return Ok(());
        }
        let mut changed = 0;
        for (index, change) in (100..).zip(&together) {
            changed += one_by_one.apply(LogIndex(index), &single(change)).rows.len();
        }
        prop_assert_eq!(state(&many), state(&one_by_one));
        prop_assert_eq!(many.contents_bytes(), one_by_one.contents_bytes());
        prop_assert_eq!(applied.rows.len(), changed);
        for change in &together {
            let count = |config: &Config| config.history.count(&change.key);
            prop_assert_eq!(count(&many), count(&one_by_one));
        }
    }
}
