//! Seeds of several nodes: faults, then none, then everything must come right. A fixed few always; fresh ones with
//! `SIM_FRESH=20 cargo test -p sim --test cluster_seeds -- --nocapture`, which prints where they begin.

use sim::{Planted, run_cluster};

fn pass(seed: u64, nodes: usize) {
    let report = run_cluster(seed, nodes, Planted::Nothing, false);
    assert!(report.passed(), "{nodes} nodes, {report}\n{}", report.story.join("\n"));
}

#[test]
fn three_nodes() {
    for seed in 1..=6 {
        pass(seed, 3);
    }
}

#[test]
fn five_nodes() {
    pass(1, 5);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how many seeds is asked for from outside")]
fn fresh_ones() {
    let Ok(count) = std::env::var("SIM_FRESH") else { return };
    let count: u64 = count.parse().expect("SIM_FRESH is a number of seeds");
    let first = std::env::var("SIM_FIRST").map_or_else(
        |_| u64::from(std::process::id()) * 1_000,
        |first| first.parse().expect("SIM_FIRST is a seed"),
    );
    println!("seeds {first} to {}; again with SIM_FIRST={first}", first + count - 1);
    for seed in first..first + count {
        pass(seed, 3);
    }
}
