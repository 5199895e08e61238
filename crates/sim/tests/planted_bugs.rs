//! Bugs put in on purpose are found, each by the checker that is there for it, within `SEEDS_MAX` seeds: a checker that finds
//! nothing may be blind. The table in the crate's README says how many were needed.

use sim::{PLANTED, Planted, Report, run};

/// How many seeds a bug may need.
const SEEDS_MAX: u64 = 10;

/// Those that need several nodes have tests of their own.
const PEERS: [&str; 22] = [
    "forgotten-vote",
    "lease-without-time",
    "follower-reads",
    "unmarked-reads",
    "early-ack",
    "no-digests",
    "dropped-tombstones",
    "own-overwritten",
    "lost-follower-view",
    "deaf-followers",
    "lost-peer-push",
    "absence-deletes",
    "empty-push",
    "early-ready",
    "always-stale",
    "refused-votes",
    "lost-renewal",
    "own-tokens",
    "tables-first",
    "lost-install",
    "forgotten-identity",
    "lone-founder",
];

/// Runs seeds from this one on until the bug is found; its first seed passes without the bug.
fn found(name: &str, checker: &str, first: u64) {
    let planted = PLANTED.iter().find(|(known, _)| *known == name).expect("it is listed").1;
    let by_checker = |report: &Report| {
        let mut violations = report.violations.iter();
        violations.any(|what| what.starts_with(checker))
            || (checker == "stuck" && report.stuck.is_some())
    };
    for seed in first..first + SEEDS_MAX {
        let report = run(seed, planted, false);
        if by_checker(&report) {
            let needed = seed - first + 1;
            let words = report.violations.iter().find(|what| what.starts_with(checker));
            let words = words.cloned().or(report.stuck).unwrap_or_default();
            println!("| {name} | {first} | {needed} | {words}");
            let sound = run(seed, Planted::Nothing, false);
            assert!(sound.passed(), "seed {seed} fails without the bug, too: {sound}");
            return;
        }
    }
    panic!("{name} was not found by {checker} in {SEEDS_MAX} seeds from {first} on");
}

macro_rules! bugs {
    ($($test:ident: $name:literal by $checker:literal from $first:literal;)*) => {
        $(#[test] fn $test() { found($name, $checker, $first); })*

        #[test]
        fn every_bug_has_a_test() {
            let tested = [$($name),*];
            let alone = |(name, _): &&(&str, Planted)| !PEERS.contains(name);
            let untested = |(name, _): &&(&str, Planted)| !tested.contains(name);
            let missing: Vec<_> = PLANTED.iter().filter(alone).filter(untested).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    };
}

bugs! {
    an_acknowledgement_before_the_write: "early-persisted" by "durable" from 3;
    an_ignored_fsync_failure: "ignored-sync-failure" by "linear" from 24;
    a_lost_hint: "lost-hint" by "living" from 3;
    a_hint_that_is_never_replaced: "old-hint" by "living" from 3;
    rows_lost_after_a_full_disk: "lost-rows" by "persistent" from 26;
    a_row_that_is_not_checked: "unchecked-row" by "sound" from 31;
    beats_that_nobody_judges: "endless-beats" by "gone" from 17;
    a_condition_checked_too_early: "early-condition" by "linear" from 1;
    a_view_that_comes_after_the_word_of_it: "late-view" by "listen" from 1;
    a_lost_notification: "lost-notification" by "listen" from 1;
    an_old_push_after_a_newer_one: "old-push" by "versions" from 1;
    a_lost_push: "lost-push" by "stuck" from 1;
    a_connection_whose_end_is_not_heard: "deaf-to-close" by "gone" from 3;
    a_registration_that_comes_once_more: "no-tombstone" by "gone" from 1;
    a_node_that_serves_before_its_hint_is_read: "late-hint" by "living" from 3;
    a_clock_whose_ceiling_is_forgotten: "forgotten-clock" by "versions" from 1;
}
