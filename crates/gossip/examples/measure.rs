//! Measures gossip in virtual time, at 3 to 1000 nodes, and prints it beside the theory:
//!
//! ```sh
//! cargo run -p gossip --example measure --release              # all, in a few minutes
//! cargo run -p gossip --example measure --release -- spread 100    # one of them, at one size
//! ```
#![forbid(unsafe_code)]

#[path = "../tests/gossip/measures.rs"]
mod measures;
#[path = "../tests/gossip/network.rs"]
mod network;

use base::Duration;
use gossip::{Exchange, Settings};
use measures::{
    Churn, alarms, detection, formation, healing, mean, percentile, seconds, spread, traffic,
};
use network::{Faults, Slow};

/// Nodes, and how many seeds are tried with so many.
const SIZES: [(usize, u64); 4] = [(3, 500), (10, 500), (100, 50), (1000, 5)];

/// The sizes that are named, or all.
fn sizes() -> Vec<(usize, u64)> {
    let named: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    SIZES.into_iter().filter(|(count, _)| named.is_empty() || named.contains(count)).collect()
}

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    wanted.retain(|word| word.parse::<usize>().is_err());
    let parts: [(&str, fn()); 6] = [
        ("detection", print_detection),
        ("spread", print_spread),
        ("alarms", print_alarms),
        ("traffic", print_traffic),
        ("formation", print_formation),
        ("healing", print_healing),
    ];
    for (name, print) in parts {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("\n# {name}");
            print();
        }
    }
}

/// Mean, 99th percentile.
fn line(mut values: Vec<f64>) -> String {
    let mean = mean(&values);
    format!("{mean:6.2} {:6.2}", percentile(&mut values, 0.99))
}

fn print_detection() {
    println!("seconds after a death, mean and p99: first suspicion; first down; down in all views");
    for (count, seeds) in sizes() {
        for loss in [0, 100] {
            let all: Vec<_> =
                (0..seeds).map(|seed| detection(count, seed, Faults::loss(loss))).collect();
            let of = |pick: fn(&measures::Detection) -> Duration| {
                line(all.iter().map(|found| seconds(pick(found))).collect())
            };
            println!(
                "{count:5} nodes, {loss:3} ‰ lost: {}; {}; {}",
                of(|found| found.suspected),
                of(|found| found.down_first),
                of(|found| found.down_all)
            );
        }
    }
}

fn print_spread() {
    println!("rounds of 200 ms until news is everywhere, mean and p99");
    for (count, seeds) in sizes() {
        for loss in [0, 100, 300] {
            let found = (0..seeds)
                .map(|seed| seconds(spread(count, seed, Faults::loss(loss))) / 0.2)
                .collect();
            println!("{count:5} nodes, {loss:3} ‰ lost: {}", line(found));
        }
    }
}

fn print_alarms() {
    let deaf =
        Slow { works: Duration::from_millis(500), hangs: Duration::from_secs(12), deaf_only: true };
    let paused = Slow { deaf_only: false, ..deaf };
    let plain = |settings: &mut Settings| {
        settings.health_max = 0;
        settings.suspicion_factor = 3;
        settings.suspicion_max_factor = 1;
    };
    println!(
        "10 minutes in which nobody dies; slow nodes are deaf or stand still for 12 s again and again"
    );
    for (count, slow) in [(10, 1), (30, 2), (100, 5)] {
        let run = |slow, pattern, faults, adapt: &dyn Fn(&mut Settings)| {
            alarms((count, slow), pattern, 1, faults, Duration::from_secs(600), adapt)
        };
        println!("{count:5} nodes, 10 % lost: {:?}", run(0, deaf, Faults::loss(100), &|_| {}));
        println!("{count:5} nodes, {slow} deaf: {:?}", run(slow, deaf, Faults::NONE, &|_| {}));
        println!("{count:5} nodes, {slow} paused: {:?}", run(slow, paused, Faults::NONE, &|_| {}));
        println!("{count:5} … deaf, no Lifeguard: {:?}", run(slow, deaf, Faults::NONE, &plain));
    }
}

fn print_traffic() {
    println!("bytes per node and second, 28 per datagram included");
    for (count, _) in sizes() {
        for exchange in [Exchange::Incremental, Exchange::Full] {
            for churn in [Churn::Idle, Churn::Busy] {
                let found = traffic(count, 1, exchange, churn, Duration::from_secs(60));
                println!(
                    "{count:5} nodes, {exchange:?}, {churn:?}: {:7.0} (exchanges {:6.0}), the busiest {:7.0}, {:5.1} messages",
                    found.bytes, found.bulk_bytes, found.bytes_of_busiest, found.messages
                );
            }
        }
    }
}

fn print_formation() {
    println!("all start at once with three seeds: until everybody lists everybody");
    for (count, _) in sizes() {
        let (took, bytes) = formation(count, 1);
        println!("{count:5} nodes: {:.1} s, {bytes} bytes each", seconds(took));
    }
}

fn print_healing() {
    println!("two halves, cut for two minutes: until everybody is alive in all views again");
    for (count, _) in sizes() {
        let found = healing(count, 1, Duration::from_secs(120));
        println!("{count:5} nodes: {:.1} s", seconds(found));
    }
}
