//! Bugs that need several nodes are found, each by the checker that is there for it, within a few seeds of a drill that gives
//! it the chance. The table in the crate's README says how many were needed.

use sim::{Drill, PLANTED, Planted, Report, run_drill};

/// How many seeds a bug may need.
const SEEDS_MAX: u64 = 6;

const fn drill(kinds: &'static [&'static str], faults: u64) -> Drill {
    Drill { kinds, faults, from_secs: 4, phase_secs: 25, calm_secs: 20 }
}

/// Machines crash and come back.
const CRASHES: Drill = drill(&["kill", "power-loss", "stop"], 6);
/// The network is cut, and mended.
const CUTS: Drill = drill(&["split", "bridge", "one-way", "reset"], 6);
/// Crashes while the cluster is founded.
const FOUNDING: Drill = Drill {
    kinds: &["power-loss", "kill"],
    faults: 6,
    from_secs: 0,
    phase_secs: 12,
    calm_secs: 12,
};
/// Leaders that stand still for a moment.
const NAPS: Drill = drill(&["nap"], 14);
/// Nothing goes wrong.
const CALM: Drill = drill(&["slow"], 0);

fn found(name: &str, checker: &str, drill: &Drill, first: u64) {
    let planted = PLANTED.iter().find(|(known, _)| *known == name).expect("it is listed").1;
    let by_checker = |report: &Report| {
        let mut violations = report.violations.iter();
        violations.any(|what| what.starts_with(checker))
            || (checker == "stuck" && report.stuck.is_some())
    };
    for seed in first..first + SEEDS_MAX {
        let report = run_drill(seed, 3, drill, planted);
        if by_checker(&report) {
            let needed = seed - first + 1;
            let words = report.violations.iter().find(|what| what.starts_with(checker));
            let words = words.cloned().or(report.stuck).unwrap_or_default();
            println!("| {name} | {first} | {needed} | {words}");
            let sound = run_drill(seed, 3, drill, Planted::Nothing);
            assert!(sound.passed(), "seed {seed} fails without the bug, too: {sound}");
            return;
        }
        println!("{name}: seed {seed} finds {report}");
    }
    panic!("{name} was not found by {checker} in {SEEDS_MAX} seeds from {first} on");
}

macro_rules! bugs {
    ($($test:ident: $name:literal by $checker:literal in $drill:ident from $first:literal;)*) => {
        $(#[test] fn $test() { found($name, $checker, &$drill, $first); })*
    };
}

bugs! {
    a_leader_that_reads_without_asking: "lease-without-time" by "linear" in NAPS from 1;
    a_follower_that_reads_without_asking: "follower-reads" by "linear" in CALM from 1;
    an_old_read_that_is_not_said_to_be: "unmarked-reads" by "linear" in CUTS from 1;
    an_acknowledgement_without_a_majority: "early-ack" by "linear" in CRASHES from 1;
    a_vote_that_is_not_kept: "forgotten-vote" by "leaders" in CRASHES from 1;
    an_identity_that_is_not_kept: "forgotten-identity" by "formed" in FOUNDING from 1;
    a_write_that_no_disk_has: "early-persisted" by "linear" in CRASHES from 1;
    a_snapshot_that_is_not_installed: "lost-install" by "replicas" in CRASHES from 1;
    digests_that_nobody_compares: "no-digests" by "stuck" in CUTS from 1;
    deletions_that_do_not_spread: "dropped-tombstones" by "gone" in CALM from 1;
    own_data_that_a_peer_overwrites: "own-overwritten" by "gone" in CUTS from 1;
    a_follower_that_loses_changes: "lost-follower-view" by "replicas" in CALM from 1;
    a_follower_that_does_not_tell: "deaf-followers" by "listen" in CALM from 1;
    what_a_peer_said_and_nobody_is_told: "lost-peer-push" by "stuck" in CALM from 1;
    a_node_that_serves_too_early: "early-ready" by "living" in CRASHES from 1;
}
