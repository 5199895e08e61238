//! Machines that know nothing but each other's addresses found exactly one cluster, whatever happens meanwhile.

use base::{Duration, Instant};
use sim::{Fault, NetworkFault, Physics, Place, World, seeded};
use storage::Survivors;

const LIMIT: Duration = Duration::from_secs(40);

fn at(millis: u64) -> Instant {
    Instant::START.after(Duration::from_millis(millis))
}

/// All serve in the end, in one cluster, and nothing was acknowledged before there was one.
fn forms(mut world: World, after: Instant, what: &str) {
    let ready = world.run_until(LIMIT, |world| world.now() > after && world.is_ready());
    assert!(ready, "{what}: {:?}", world.unsettled());
    let written = world.publish(0, "key", "value", Duration::from_secs(5));
    assert!(written.is_some_and(|answer| answer.status == 200), "{what}");
    assert_eq!(world.violations(), [] as [String; 0], "{what}");
    assert_eq!(sim::violations(world.history()), [] as [String; 0], "{what}");
}

fn unstarted(seed: u64, machines: usize) -> World {
    World::unstarted(seeded(seed), machines, Physics::default(), false)
}

#[test]
fn in_any_order_of_starts() {
    for (seed, starts) in
        [[0, 0, 0], [0, 700, 4_000], [9_000, 20, 0], [300, 15_000, 0]].iter().enumerate()
    {
        let mut world = unstarted(seed as u64, 3);
        for (machine, millis) in starts.iter().enumerate() {
            world.start_at(machine, at(*millis));
        }
        forms(world, at(15_000), &format!("starts {starts:?}"));
    }
}

#[test]
fn five_of_five() {
    forms(World::cluster(seeded(5), 5, Physics::default(), false), at(0), "five");
}

#[test]
fn when_machines_crash_while_they_form() {
    for step in 0..24 {
        let mut world = World::cluster(seeded(step), 3, Physics::default(), false);
        let survivors = [Survivors::None, Survivors::TornLast, Survivors::All][step as usize % 3];
        world.plan_on(step as usize % 3, at(10 + step * 4), Fault::PowerLoss(survivors));
        world.plan_on((step as usize + 1) % 3, at(40 + step * 7), Fault::Kill);
        forms(world, at(1_000), &format!("crashes of step {step}"));
    }
}

#[test]
fn when_the_network_is_cut_while_they_form() {
    for step in 0..8 {
        let mut world = World::cluster(seeded(step), 3, Physics::default(), false);
        let place = |n: u64| Place::Machine(((step + n) % 3) as usize);
        world.plan_network(at(20 + step * 9), NetworkFault::Cut(place(0), place(1)));
        world.plan_network(at(30 + step * 9), NetworkFault::Reset(1, 2));
        world.plan_network(at(4_000), NetworkFault::Heal);
        forms(world, at(5_000), &format!("cut of step {step}"));
    }
}

#[test]
fn when_machines_lose_their_disks_while_they_form() {
    for (step, millis) in [20, 60, 75, 110, 400, 1_300].into_iter().enumerate() {
        let mut world = World::cluster(seeded(step as u64), 3, Physics::default(), false);
        world.run(Duration::from_millis(millis));
        let machine = step % 3;
        world.stay_down(machine);
        world.replace_disk(machine);
        world.run(Duration::from_millis(300));
        world.power_on(machine);
        forms(world, at(3_000), &format!("a disk lost after {millis} ms"));
    }
}
