//! The theory of SWIM, Lifeguard and infection against what the core does. Bigger sweeps:
//! `cargo run -p gossip --example measure --release`.

use crate::measures::{
    Churn, alarms, detection, formation, healing, mean, percentile, seconds, spread, traffic,
};
use crate::network::{Faults, Slow};
use base::Duration;
use gossip::{Exchange, Settings};

const NOBODY_SLOW: Slow = Slow { works: Duration::from_secs(1), hangs: Duration::ZERO };

/// Mean and 99th percentile in protocol periods until the first of the others misses an ack, if all of them probe in
/// shuffled rounds and wait for an ack to the end of the period. (SWIM §3.3 gives `1/(1 − e⁻¹)` = 1.58 for random choice.)
const FIRST_SUSPICION: [(usize, f64, f64); 2] = [(3, 1.66, 2.83), (10, 1.87, 4.83)];

#[test]
fn the_first_suspicion_comes_when_theory_says() {
    for (count, theory_mean, theory_p99) in FIRST_SUSPICION {
        let seeds = 0..100;
        let mut found: Vec<f64> =
            seeds.map(|seed| seconds(detection(count, seed, Faults::NONE).suspected)).collect();
        let (mean, p99) = (mean(&found), percentile(&mut found, 0.99));
        println!("{count} nodes: first suspicion after {mean:.2} s, p99 {p99:.2} s");
        assert!((0.7 * theory_mean..1.3 * theory_mean).contains(&mean), "{count}: mean {mean}");
        assert!(p99 < 1.3 * theory_p99, "{count}: p99 {p99}");
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
    for (count, seeds, loss, rounds_max) in [(10, 20, 0, 5.0), (100, 5, 0, 8.0), (100, 5, 300, 9.0)]
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
    let rounds = seconds(spread(1000, 1, Faults::loss(100))) / 0.2;
    println!("1000 nodes, 10 % lost: {rounds:.1} rounds");
    assert!(rounds < 11.0, "{rounds}");
}

#[test]
fn loss_takes_nobody_down() {
    let minutes = Duration::from_secs(300);
    let found = alarms((30, 0), NOBODY_SLOW, 7, Faults::loss(100), minutes, |_| {});
    println!("30 nodes, 5 min, 10 % lost: {found:?}");
    assert!(found.suspicions > 0, "the test must be able to fail: {found:?}");
    assert_eq!(found.false_downs, 0, "{found:?}");
}

#[test]
fn a_slow_node_does_not_take_others_down() {
    let slow = Slow { works: Duration::from_millis(200), hangs: Duration::from_millis(2500) };
    let minutes = Duration::from_secs(300);
    let found = alarms((30, 2), slow, 3, Faults::NONE, minutes, |_| {});
    println!("30 nodes, 2 slow, 5 min: {found:?}");
    assert_eq!((found.false_downs, found.false_downs_by_slow), (0, 0), "{found:?}");
    // Without the doubt of itself and without long suspicions it does: the measure can see it.
    let plain = |settings: &mut Settings| {
        settings.health_max = 0;
        settings.suspicion_factor = 2;
        settings.suspicion_max_factor = 1;
    };
    let plain = alarms((30, 2), slow, 3, Faults::NONE, minutes, plain);
    println!("without Lifeguard: {plain:?}");
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
