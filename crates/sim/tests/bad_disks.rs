//! Disks that lie, refuse or are full.

mod common;

use base::Duration;
use common::{
    acknowledged, answers, assert_sound, deaths, finish, keys, publisher, started_disk, world,
};
use sim::{ConfigHabits, Fault, Happening, Note, Outcome, World, seeded};
use std::collections::BTreeSet;

#[test]
fn a_failed_fsync_stops_the_host_and_nothing_is_acknowledged_after_it() {
    let disk = started_disk();
    for step in 0..12 {
        let mut world = world(step, &disk);
        world.stay_down(0);
        let client = world.add_config_client(publisher(30, 3_000));
        assert!(world.run_until(Duration::from_secs(20), World::is_ready));
        world.plan(world.now().after(Duration::from_millis(5 + 17 * step)), Fault::FailSync);
        world.run(Duration::from_secs(8));
        let halted = world
            .history()
            .iter()
            .find_map(|(at, happening)| match happening {
                Happening::Halted { reason, .. } => Some((*at, reason.clone())),
                _ => None,
            })
            .expect("a host whose fsync failed must stop");
        assert!(halted.1.contains("could not be made durable"), "{}", halted.1);
        // Answers that were on their way arrive within one latency.
        let late = halted.0.after(Duration::from_millis(3));
        assert!(acknowledged(&world).iter().all(|at| *at <= late), "step {step}");
        world.power_on(0);
        finish(&mut world, client);
        assert_sound(&world, &format!("step {step}"));
    }
}

#[test]
fn a_full_disk_refuses_in_words_and_writes_go_on_when_there_is_room() {
    let disk = started_disk();
    for reserve in [false, true] {
        for step in 0..4 {
            let what = format!("reserve taken: {reserve}, step {step}");
            let mut world = world(step, &disk);
            let client = world.add_config_client(ConfigHabits {
                pause: Duration::from_millis(60),
                ..publisher(2_000, 20_000)
            });
            assert!(world.run_until(Duration::from_secs(20), World::is_ready), "{what}");
            let writes = |world: &World| acknowledged(world).len() > 5;
            assert!(world.run_until(Duration::from_secs(20), writes), "{what}");
            world.run(Duration::from_millis(19 * step));
            world.plan(world.now(), Fault::FillDisk { reserve });
            world.run(Duration::from_secs(8));
            let words = |outcome: &Outcome| matches!(outcome, Outcome::Refused(words) if words.contains("disk is full"));
            assert!(answers(&world).any(|(_, outcome)| words(&outcome)), "{what}");
            assert!(!world.is_finished(client), "{what}");
            let freed = world.now();
            world.plan(freed, Fault::FreeDisk);
            world.run(Duration::from_secs(8));
            let after = acknowledged(&world);
            assert!(after.iter().any(|at| *at > freed), "no write went through: {what}");
            assert_eq!(deaths(&world), 0, "it recovers without a restart: {what}");
            world.plan(world.now(), Fault::Kill);
            world.run(Duration::from_secs(1));
            world.heal();
            world.run(Duration::from_secs(10));
            assert_eq!(world.unsettled(), None, "{what}");
            assert_sound(&world, &what);
        }
    }
}

#[test]
fn a_flipped_bit_is_found_and_never_served() {
    let mut writer = world(3, &started_disk());
    let client = writer.add_config_client(publisher(12, 3_000));
    finish(&mut writer, client);
    let contents: BTreeSet<String> = published(&writer);
    let disk = writer.disk().copy();
    let mut rng = seeded(11);
    let (mut found, mut unharmed) = (0, 0);
    for _ in 0..150 {
        let damaged = disk.copy();
        let name = if rng.below(2) == 0 { "raft.redb" } else { "tables.redb" };
        let (offset, bit) = (rng.below(disk.len(name)), rng.below(8) as u8);
        damaged.flip_bit(name, offset, bit);
        let what = format!("bit {bit} of byte {offset} of {name}");
        let mut world = World::with_disk(seeded(5), damaged, common::physics(), false);
        world.expect_damage();
        let mut reader = publisher(0, 0);
        reader.only_publishes = false;
        world.add_config_client(reader);
        world.heal();
        world.run(Duration::from_secs(4));
        let read: Vec<Outcome> = answers(&world).map(|(_, outcome)| outcome).collect();
        for outcome in &read {
            match outcome {
                Outcome::Found(Some(content)) => {
                    assert!(contents.contains(content), "{what}: wrong content served");
                }
                Outcome::Found(None) => panic!("{what}: a published config is gone"),
                _ => {}
            }
        }
        let served = read.iter().filter(|outcome| matches!(outcome, Outcome::Found(_))).count();
        if served == 0 {
            assert!(!world.is_ready(), "{what}: ready, and nothing could be read");
            found += 1;
        } else {
            assert!(served >= keys(3).len(), "{what}: {served} reads were answered");
            unharmed += 1;
        }
    }
    assert!(found > 0 && unharmed > 0, "{found} found, {unharmed} unharmed");
}

/// The last content of every key.
fn published(world: &World) -> BTreeSet<String> {
    world
        .history()
        .iter()
        .filter_map(|(_, happening)| match happening {
            Happening::Noted {
                note: Note::Answered { outcome: Outcome::Found(content), .. },
                ..
            } => content.clone(),
            _ => None,
        })
        .collect()
}
