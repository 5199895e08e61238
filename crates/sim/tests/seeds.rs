//! A fixed set of seeds, each a run of its own kind: faults, then none, then everything must come right.

use sim::{Planted, run};

fn pass(seeds: std::ops::RangeInclusive<u64>) {
    for seed in seeds {
        let report = run(seed, Planted::Nothing, false);
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn the_first_twenty_pass() {
    pass(1..=20);
}

#[test]
fn the_next_twenty_pass() {
    pass(21..=40);
}

/// Each of these once showed a fault of the host or of a plane.
#[test]
fn seeds_that_found_something_pass() {
    for seed in [226, 267] {
        pass(seed..=seed);
    }
}
