//! Bugs put in on purpose between host and disk are found within a few seeds: a checker that finds nothing may be blind.

use sim::{Planted, run};
use std::ops::RangeInclusive;

/// The first of these seeds in which the bug is found, with what was said.
fn found(planted: Planted, seeds: RangeInclusive<u64>) -> (u64, String) {
    let budget = seeds.clone();
    seeds
        .map(|seed| run(seed, planted, false))
        .find(|report| !report.passed())
        .map(|report| {
            let first = report.violations.first().cloned().or(report.stuck).unwrap_or_default();
            (report.seed, first)
        })
        .unwrap_or_else(|| panic!("{planted:?} was not found in the seeds {budget:?}"))
}

#[test]
fn an_acknowledgement_before_the_write_is_found() {
    let (seed, what) = found(Planted::EarlyPersisted, 11..=40);
    assert!(run(seed, Planted::Nothing, false).passed(), "seed {seed} fails without the bug, too");
    assert!(what.contains("no order explains"), "seed {seed}: {what}");
}

#[test]
fn an_ignored_fsync_failure_is_found() {
    let (seed, _) = found(Planted::IgnoredSyncFailure, 44..=70);
    assert!(run(seed, Planted::Nothing, false).passed(), "seed {seed} fails without the bug, too");
}

#[test]
fn a_lost_hint_is_found() {
    let (seed, what) = found(Planted::LostHint, 6..=20);
    assert!(run(seed, Planted::Nothing, false).passed(), "seed {seed} fails without the bug, too");
    assert!(what.contains("which lives"), "seed {seed}: {what}");
}
