//! Power loss after every single disk operation of a few publishes: what was acknowledged is there afterwards.

mod common;

use base::{Duration, Instant};
use common::{acknowledged, assert_sound, deaths, finish, publisher, started_disk, world};
use sim::{Fault, World};
use storage::{SimDisk, Survivors};

const PUBLISHES: u64 = 5;

/// Disk operations of the whole workload, the start included.
fn operations(disk: &SimDisk) -> u64 {
    let mut world = world(7, disk);
    let before = world.disk().operations();
    let client = world.add_config_client(publisher(PUBLISHES, 3_000));
    finish(&mut world, client);
    assert_eq!(acknowledged(&world).len(), PUBLISHES as usize);
    world.disk().operations() - before
}

fn first_start(survivors: Survivors) {
    let operations = started_disk().operations();
    let empty = || SimDisk::new(sim::seeded(5));
    let mut world = World::with_disk(sim::seeded(6), empty(), common::physics(), false);
    assert!(world.run_until(Duration::from_secs(10), World::is_ready));
    let all = operations.max(world.disk().operations());
    for after in 0..all {
        let mut world = World::with_disk(sim::seeded(6), empty(), common::physics(), false);
        world.arm_power_loss(after, survivors);
        let client = world.add_config_client(publisher(1, 100));
        finish(&mut world, client);
        assert_sound(&world, &format!("first start, power loss after {after}, {survivors:?}"));
    }
}

#[test]
fn a_first_start_that_loses_its_power_is_begun_again() {
    for survivors in [Survivors::None, Survivors::TornLast, Survivors::Random] {
        first_start(survivors);
    }
}

fn sweep(survivors: Survivors) {
    let disk = started_disk();
    let all = operations(&disk);
    assert!(all > 60, "{all} operations are too few for a sweep");
    let mut died = 0;
    for after in 0..all {
        let mut world = world(7, &disk);
        world.arm_power_loss(after, survivors);
        let client = world.add_config_client(publisher(PUBLISHES, 3_000));
        finish(&mut world, client);
        died += deaths(&world);
        assert_sound(&world, &format!("power loss after {after} operations, {survivors:?}"));
    }
    assert!(died as u64 == all, "of {all} crash points only {died} were met");
}

#[test]
fn nothing_acknowledged_is_lost_when_only_fsynced_bytes_survive() {
    sweep(Survivors::None);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_last_write_is_torn() {
    sweep(Survivors::TornLast);
}

#[test]
fn nothing_acknowledged_is_lost_when_chance_decides_what_survives() {
    sweep(Survivors::Random);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed_at_any_moment() {
    let disk = started_disk();
    for millis in 0..120 {
        let mut world = world(7, &disk);
        world.plan(Instant::START.after(Duration::from_micros(millis * 1_700)), Fault::Kill);
        let client = world.add_config_client(publisher(PUBLISHES, 3_000));
        finish(&mut world, client);
        assert_eq!(deaths(&world), 1);
        assert_sound(&world, &format!("killed after {millis} steps"));
    }
}
