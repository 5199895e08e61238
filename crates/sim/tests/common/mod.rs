//! Worlds for sweeps: a disk that was started before, and a client that only publishes.
#![allow(dead_code)]

use base::{Duration, Instant};
use sim::{ConfigHabits, Happening, Note, Outcome, Physics, World, seeded};
use storage::SimDisk;

/// Fast enough that a sweep of hundreds of worlds is short.
pub fn physics() -> Physics {
    Physics {
        restart: (Duration::from_millis(50), Duration::from_millis(300)),
        ..Physics::default()
    }
}

/// The disk of a host that was started once and stopped.
pub fn started_disk() -> SimDisk {
    let mut world = World::new(1, physics(), false);
    assert!(world.run_until(Duration::from_secs(10), World::is_ready), "the first start");
    world.disk().copy()
}

pub fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key{number}")).collect()
}

/// Publishes so many times, one after the other.
pub fn publisher(count: u64, content_bytes_max: u64) -> ConfigHabits {
    ConfigHabits {
        keys: keys(3),
        pause: Duration::from_millis(5),
        content_bytes_max,
        asks_max: count,
        only_publishes: true,
    }
}

pub fn world(seed: u64, disk: &SimDisk) -> World {
    World::with_disk(seeded(seed), disk.copy(), physics(), false)
}

/// Lets the publisher finish, heals the world and has every key read.
pub fn finish(world: &mut World, publisher: usize) {
    assert!(
        world.run_until(Duration::from_secs(60), |world| world.is_finished(publisher)),
        "stuck: {:?}",
        world.unsettled()
    );
    world.heal();
    world.run(Duration::from_secs(5));
    assert_eq!(world.unsettled(), None, "after the world was healed");
}

/// Nothing that a checker or the world itself found.
pub fn assert_sound(world: &World, what: &str) {
    assert_eq!(world.violations(), [] as [String; 0], "{what}");
    assert_eq!(sim::violations(world.history()), [] as [String; 0], "{what}");
}

/// When writes were acknowledged.
pub fn acknowledged(world: &World) -> Vec<Instant> {
    answers(world).filter(|(_, outcome)| *outcome == Outcome::Done).map(|(at, _)| at).collect()
}

pub fn answers(world: &World) -> impl Iterator<Item = (Instant, Outcome)> {
    world.history().iter().filter_map(|(at, happening)| match happening {
        Happening::Noted { note: Note::Answered { outcome, .. }, .. } => {
            Some((*at, outcome.clone()))
        }
        _ => None,
    })
}

pub fn deaths(world: &World) -> usize {
    world
        .history()
        .iter()
        .filter(|(_, happening)| matches!(happening, Happening::Down { .. }))
        .count()
}
