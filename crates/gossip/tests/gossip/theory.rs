//! The theory of SWIM, Lifeguard and infection against what the core does. Bigger sweeps:
//! `cargo run -p gossip --example measure --release`.

use crate::measures::{
    Churn, alarms, detection, formation, healing, kill_one, mean, percentile, seconds, spread,
    tell_one, traffic,
};
use crate::network::{Faults, Network, Slow};
use base::{Duration, Rng};
use gossip::{Exchange, Settings};

const DEAF: Slow =
    Slow { works: Duration::from_millis(500), hangs: Duration::from_secs(12), deaf_only: true };

/// Mean seconds until the first of the others misses an ack, by the number of nodes: all of them probe round robin and
/// wait for an ack to the end of the period of 1 s. (SWIM §3.3 has `1/(1 − e⁻¹)` = 1.58 for random choice and many nodes.)
const FIRST_SUSPICION: [(usize, f64); 2] = [(3, 1.66), (10, 1.87)];

/// The same as a model: rounds that are shuffled anew, as here; no messages. Sorted.
fn model(count: usize, runs: u64) -> Vec<f64> {
    let mut rng = Rng::from_seed([3; 32]);
    let mut share = || rng.next_u64() as f64 / u64::MAX as f64;
    let mut first_of_all = || {
        let mut first = f64::INFINITY;
        for _observer in 1..count {
            // The dead one's place in each round; it dies at a random moment of the first.
            let others = (count - 1) as f64;
            let died = share() * others;
            let place = (share() * others).floor();
            let next = died.floor() + 1.0;
            let probed = if place >= next {
                place - died
            } else {
                others + (share() * others).floor() - died
            };
            first = first.min(probed + 1.0);
        }
        first
    };
    let mut found: Vec<f64> = (0..runs).map(|_| first_of_all()).collect();
    found.sort_by(f64::total_cmp);
    found
}

#[test]
fn the_first_suspicion_comes_when_theory_says() {
    for (count, theory) in FIRST_SUSPICION {
        let mut found: Vec<f64> =
            (0..200).map(|seed| seconds(detection(count, seed, Faults::NONE).suspected)).collect();
        let (mean_found, p99_found) = (mean(&found), percentile(&mut found, 0.99));
        let mut model = model(count, 10_000);
        let (mean_model, p99_model) = (mean(&model), percentile(&mut model, 0.99));
        println!(
            "{count} nodes: first suspicion {mean_found:.2} s (model {mean_model:.2}, theory {theory}), p99 {p99_found:.2} s (model {p99_model:.2})"
        );
        assert!((0.85 * theory..1.15 * theory).contains(&mean_found), "{count}: {mean_found}");
        assert!(p99_found < 1.3 * p99_model, "{count}: p99 {p99_found}, model {p99_model}");
    }
}

#[test]
fn everybody_notices_a_death_soon_enough_for_orphans() {
    // Suspicion lasts four periods for few nodes and eight for a hundred once it is confirmed.
    for (count, seeds, down_all_max) in [(3, 20, 10.0), (100, 2, 16.0)] {
        for seed in 0..seeds {
            let found = detection(count, seed, Faults::NONE);
            println!("{count} nodes: {found:?}");
            assert!(found.suspected <= found.down_first && found.down_first <= found.down_all);
            assert!(seconds(found.down_all) < down_all_max, "{count}: {found:?}");
            let told_in = found.down_all - found.down_first;
            assert!(told_in < Duration::from_millis(2500), "{count}: {found:?}");
        }
    }
}

#[test]
fn news_reaches_all_in_logarithmic_time() {
    // Rounds of 200 ms: the theory has 3 for 10 nodes and 6 for 100 at the 99th percentile, and one more with 30 % loss.
    for (count, seeds, loss, rounds_max) in [(10, 20, 0, 5.0), (100, 3, 0, 8.0), (100, 3, 300, 9.0)]
    {
        for seed in 0..seeds {
            let rounds = seconds(spread(count, seed, Faults::loss(loss))) / 0.2;
            println!("{count} nodes, {loss} ‰ lost: {rounds:.1} rounds");
            assert!(rounds < rounds_max, "{count} nodes, seed {seed}: {rounds} rounds");
        }
    }
}

#[test]
fn a_thousand_nodes_hear_news_and_notice_a_death() {
    let mut network = Network::formed(1, Faults::NONE, 1000, |_| {});
    let rounds = seconds(tell_one(&mut network)) / 0.2;
    let found = kill_one(&mut network);
    println!("1000 nodes: {rounds:.1} rounds, {found:?}");
    assert!(rounds < 7.0, "{rounds}");
    assert!(seconds(found.down_all) < 20.0, "{found:?}");
}

#[test]
fn loss_takes_nobody_down() {
    let minutes = Duration::from_secs(300);
    let found = alarms((30, 0), DEAF, 7, Faults::loss(100), minutes, |_| {});
    println!("30 nodes, 5 min, 10 % lost: {found:?}");
    assert!(found.suspicions > 0, "the test must be able to fail: {found:?}");
    assert_eq!(found.false_downs, 0, "{found:?}");
}

#[test]
fn cuts_between_some_take_nobody_down() {
    // One way between two, both ways between two others: the fifth sees everybody.
    let mut network = Network::formed(9, Faults::NONE, 5, |_| {});
    network.cut_one_way(0, 1);
    network.cut(2, 3);
    network.run(Duration::from_secs(300));
    for node in &network.nodes {
        assert_eq!(node.core().present_len(), 5);
        assert_eq!(node.core().counters().suspected, 0, "{:?}", node.core().counters());
    }
    let asked = network.nodes.iter().map(|node| node.core().counters().indirect_probes);
    assert!(asked.sum::<u64>() > 100, "the cuts were there");
}

#[test]
fn a_slow_node_does_not_take_others_down() {
    let minutes = Duration::from_secs(200);
    let paused = Slow { deaf_only: false, ..DEAF };
    for slow in [DEAF, paused] {
        let found = alarms((30, 2), slow, 3, Faults::NONE, minutes, |_| {});
        println!("30 nodes, 2 slow: {found:?}");
        assert_eq!((found.false_downs, found.false_downs_by_slow), (0, 0), "{found:?}");
    }
    // Without doubt of itself and long suspicions a deaf node does: the measure can see it.
    let plain = |settings: &mut Settings| {
        settings.health_max = 0;
        settings.suspicion_factor = 3;
        settings.suspicion_max_factor = 1;
    };
    let plain = alarms((30, 2), DEAF, 3, Faults::NONE, minutes, plain);
    println!("without Lifeguard: {plain:?}");
    assert!(plain.false_downs + plain.false_downs_by_slow > 0, "{plain:?}");
}

#[test]
fn a_hundred_nodes_cost_little() {
    let duration = Duration::from_secs(30);
    let measure = |exchange, churn| traffic(100, 5, exchange, churn, duration);
    let idle = measure(Exchange::Incremental, Churn::Idle);
    let full = measure(Exchange::Full, Churn::Idle);
    let busy = measure(Exchange::Incremental, Churn::Busy);
    println!("idle {idle:?}\nidle, full exchange {full:?}\nbusy {busy:?}");
    assert!(idle.bytes < 250.0, "{idle:?}");
    assert!(idle.bulk_bytes * 10.0 < full.bulk_bytes, "{idle:?} {full:?}");
    assert!(busy.bytes < 5000.0, "{busy:?}");
}

#[test]
fn a_cluster_forms_and_heals() {
    let (took, bytes) = formation(50, 2);
    println!("50 nodes form in {took:?}, {bytes} bytes each");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let took = healing(20, 4, Duration::from_secs(60));
    println!("20 nodes heal in {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
