//! Bugs put in on purpose between host and disk are found within a few seeds: a checker that finds nothing may be blind.

use sim::{Planted, run};

/// The first seed up to `budget` in which the bug is found, with what was said.
fn found(planted: Planted, budget: u64) -> (u64, String) {
    (1..=budget)
        .map(|seed| run(seed, planted, false))
        .find(|report| !report.passed())
        .map(|report| {
            let first = report.violations.first().cloned().or(report.stuck).unwrap_or_default();
            (report.seed, first)
        })
        .unwrap_or_else(|| panic!("{planted:?} was not found in {budget} seeds"))
}

#[test]
fn an_acknowledgement_before_the_write_is_found() {
    let (seed, what) = found(Planted::EarlyPersisted, 60);
    assert!(run(seed, Planted::Nothing, false).passed(), "seed {seed} fails without the bug, too");
    assert!(what.contains("no order explains"), "seed {seed}: {what}");
}

#[test]
fn an_ignored_fsync_failure_is_found() {
    let (seed, _) = found(Planted::IgnoredSyncFailure, 60);
    assert!(run(seed, Planted::Nothing, false).passed(), "seed {seed} fails without the bug, too");
}

#[test]
fn a_lost_hint_is_found() {
    let (seed, what) = found(Planted::LostHint, 60);
    assert!(run(seed, Planted::Nothing, false).passed(), "seed {seed} fails without the bug, too");
    assert!(what.contains("which lives"), "seed {seed}: {what}");
}
