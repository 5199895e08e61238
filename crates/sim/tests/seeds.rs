//! A fixed set of seeds, each a run of its own kind: faults, then none, then everything must come right.

use sim::{Planted, run};

fn pass(seeds: std::ops::RangeInclusive<u64>) {
    for seed in seeds {
        let report = run(seed, Planted::Nothing, false);
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn the_first_twelve_pass() {
    pass(1..=12);
}

#[test]
fn the_next_twelve_pass() {
    pass(13..=24);
}
