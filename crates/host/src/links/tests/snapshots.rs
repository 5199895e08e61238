//! A node that is so far behind that the log does not reach back to it.

use super::net::Net;
use crate::sessions::lock;
use base::Duration;
use std::sync::OnceLock;
use storage::SimDisk;

const AWAY: usize = 2;

const LOG_BYTES_MAX: usize = 1 << 20;
const CONFIGS: usize = 60;

/// Three nodes with a short log, of which the last was away while more was written than the log holds. It does not run yet.
fn far_behind() -> (Net, usize) {
    static DISKS: OnceLock<Vec<SimDisk>> = OnceLock::new();
    let disks = DISKS.get_or_init(|| {
        let mut net = Net::new(3, LOG_BYTES_MAX);
        net.run_until_ready();
        net.crash(AWAY);
        let noise: String = (0..40_000u32).map(|i| char::from(b'a' + (i * i % 23) as u8)).collect();
        for n in 0..CONFIGS {
            net.publish(0, &format!("d{n}"), &format!("{n}-{noise}"));
        }
        (0..3).for_each(|machine| net.crash(machine));
        net.machines.into_iter().map(|machine| machine.disk).collect()
    });
    let mut net = Net::of_disks(disks.iter().map(SimDisk::copy).collect(), LOG_BYTES_MAX);
    (0..3).filter(|machine| *machine != AWAY).for_each(|machine| net.start(machine));
    net.run_until("two of three serve", |net| net.host(0).is_ready() && net.host(1).is_ready());
    (net, AWAY)
}

fn has_all(net: &mut Net, machine: usize) -> bool {
    (0..CONFIGS).all(|n| {
        net.config(machine, &format!("d{n}")).is_some_and(|c| c.starts_with(&format!("{n}-")))
    })
}

fn is_receiving(net: &Net, machine: usize) -> bool {
    lock(&net.host(machine).links).stage.is_some()
}

#[test]
fn a_node_that_is_far_behind_gets_a_snapshot_and_goes_on_from_there() {
    let (mut net, away) = far_behind();
    net.start(away);
    net.run_until("a snapshot was sent", |net| net.snapshots_sent() > 0);
    net.run_until("it serves", |net| net.host(away).is_ready());
    assert!(has_all(&mut net, away));
    net.publish(away, "after", "it");
    assert_eq!(net.config(away, "after").as_deref(), Some("it"));
    // What it installed is on its disk.
    net.crash(away);
    net.start(away);
    net.run_until("it serves again", |net| net.host(away).is_ready());
    assert!(has_all(&mut net, away));
    assert_eq!(net.snapshots_sent(), 1);
}

#[test]
fn a_transfer_that_is_cut_off_begins_anew() {
    let (mut net, away) = far_behind();
    net.step_frames_max = 1;
    net.start(away);
    net.run_until("it is on its way", |net| is_receiving(net, away));
    net.run(Duration::from_millis(50));
    net.isolate(away);
    net.run(Duration::from_millis(500));
    net.heal();
    net.step_frames_max = usize::MAX;
    net.run_until("it serves", |net| net.host(away).is_ready());
    assert!(has_all(&mut net, away));
    let failed: u64 = (0..3).map(|m| net.host(m).tally.links.counts().snapshots_failed).sum();
    assert!(failed > 0);
}

#[test]
fn a_receiver_that_crashes_at_any_moment_of_it_comes_back() {
    for ms in (0..300).step_by(50) {
        let (mut net, away) = far_behind();
        net.step_frames_max = 1;
        net.start(away);
        net.run_until("it is on its way", |net| is_receiving(net, away));
        net.run(Duration::from_millis(ms));
        net.crash(away);
        net.start(away);
        net.run_until("it serves", |net| net.host(away).is_ready());
        assert!(has_all(&mut net, away), "crashed after {ms} ms");
    }
}
