//! Crashes, cuts and stalls in any order, with a log so short that whoever is away needs a snapshot.

use super::net::Net;
use base::{Duration, Rng};

const CONTENT_BYTES: usize = 30_000;
/// Runs; each takes some two seconds. More were tried.
const SEEDS: u64 = 3;

/// One thing that goes wrong, or gets well.
fn disturb(net: &mut Net, rng: &mut Rng) -> String {
    let machine = rng.below(3) as usize;
    let other = rng.below(3) as usize;
    let runs = net.machines[machine].running.is_some();
    match rng.below(9) {
        0 if runs => {
            net.crash(machine);
            format!("crash {machine}")
        }
        0..=2 if !runs => {
            net.start(machine);
            format!("start {machine}")
        }
        3 => {
            net.isolate(machine);
            format!("isolate {machine}")
        }
        4 => {
            net.stalled.insert((machine, other));
            format!("stall {machine} to {other}")
        }
        5 => {
            net.step_frames_max = 1 + rng.below(3) as usize;
            "slow".to_owned()
        }
        6 => {
            net.heal();
            net.step_frames_max = usize::MAX;
            "heal".to_owned()
        }
        _ => "nothing".to_owned(),
    }
}

fn survive(seed: u64) -> u64 {
    let mut rng = Rng::from_seed([seed as u8; 32]);
    let mut net = Net::new(3, 1 << 20);
    net.run_until_ready();
    let mut said = Vec::new();
    let content: String =
        (0..CONTENT_BYTES).map(|_| char::from(b'a' + rng.below(26) as u8)).collect();
    let mut sent = 0;
    for round in 0..60 {
        said.push(disturb(&mut net, &mut rng));
        for _ in 0..rng.below(4) {
            let machine = rng.below(3) as usize;
            if net.machines[machine].running.is_some() && net.host(machine).is_ready() {
                net.try_publish(
                    machine,
                    &format!("d{}", rng.below(40)),
                    &format!("{round}-{content}"),
                );
            }
        }
        net.run(Duration::from_millis(rng.below(700)));
        sent = sent.max(net.snapshots_sent());
    }
    net.heal();
    net.step_frames_max = usize::MAX;
    for machine in 0..3 {
        if net.machines[machine].running.is_none() {
            net.start(machine);
        }
    }
    said.push("all is well".to_owned());
    net.run_until(&format!("seed {seed}: all serve after {said:?}"), |net| {
        (0..3).all(|machine| net.host(machine).is_ready())
    });
    net.run_until(&format!("seed {seed}: writes are taken after {said:?}"), |net| {
        net.ask(0, "POST", "/nacos/v1/cs/configs?dataId=last&group=g&content=one").0 == 200
    });
    net.run_until(&format!("seed {seed}: all hold the same after {said:?}"), |net| {
        let all = |net: &mut Net, machine| -> Vec<Option<String>> {
            let mut read = |name: &str| net.config(machine, name);
            let mut all: Vec<_> = (0..40).map(|n| read(&format!("d{n}"))).collect();
            all.push(read("last"));
            all
        };
        let first = all(net, 0);
        (1..3).all(|machine| all(net, machine) == first)
    });
    sent.max(net.snapshots_sent())
}

#[test]
fn whatever_goes_wrong_all_hold_the_same_when_it_is_well_again() {
    let sent: u64 = (0..SEEDS).map(survive).sum();
    assert!(sent > 0, "no snapshot was sent");
}
