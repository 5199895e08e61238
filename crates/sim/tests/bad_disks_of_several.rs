//! One of several disks lies or is damaged: nothing that was acknowledged is lost. Whoever finds its disk bad stops, and begins
//! anew with an empty one.

use base::Duration;
use sim::{Drill, Fault, Happening, Physics, Planted, World, run_drill, seeded};
use storage::Survivors;

const FIVE: Duration = Duration::from_secs(5);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn cluster(seed: u64) -> World {
    let mut world = World::cluster(seeded(seed), 3, Physics::default(), false);
    assert!(world.run_until(secs(20), World::is_ready), "{:?}", world.unsettled());
    world
}

/// From now on the machine's fsyncs lie, until its power goes after so long.
fn lies(world: &mut World, machine: usize, millis: u64) {
    let fault = Fault::LoseSyncs(Duration::from_millis(millis), Survivors::None);
    world.plan_on(machine, world.now(), fault);
    world.run(Duration::from_millis(1));
}

fn write(world: &mut World, machine: usize, text: &str) {
    let answer = world.publish(machine, "key", text, FIVE);
    assert!(answer.is_some_and(|answer| answer.status == 200), "{text}");
}

fn all_have(world: &mut World, text: &str, what: &str) {
    assert!(world.run_until(secs(60), World::is_ready), "{what}: {:?}", world.unsettled());
    for machine in 0..3 {
        let answer = world.ask_config(machine, "key", FIVE).expect("it is answered");
        assert!(!answer.stale && answer.text == text, "{what}, m{machine}: {answer:?}");
    }
    assert_eq!(world.violations(), [] as [String; 0], "{what}");
    assert_eq!(sim::violations(world.history()), [] as [String; 0], "{what}");
}

fn halted(world: &World, machine: usize) -> Option<&str> {
    world.history().iter().find_map(|(_, happening)| match happening {
        Happening::Halted { machine: of, reason } if *of == machine => Some(reason.as_str()),
        _ => None,
    })
}

#[test]
fn a_follower_that_lost_what_it_had_acknowledged_is_found_out() {
    for seed in 0..3 {
        let mut world = cluster(seed);
        let leader = world.leader().expect("somebody leads");
        let liar = (leader + 1) % 3;
        lies(&mut world, liar, 400);
        // Only the liar and the leader have it.
        world.cut_way(leader, (leader + 2) % 3);
        write(&mut world, leader, "kept");
        world.run(secs(1));
        world.mend();
        world.run(secs(10));
        let reason = halted(&world, liar).expect("the leader knows what it had acknowledged");
        assert!(reason.contains("had acknowledged the log"), "{reason}");
        all_have(&mut world, "kept", &format!("seed {seed}"));
    }
}

#[test]
fn a_leader_that_lost_what_it_had_acknowledged_is_followed_by_one_that_has_it() {
    for seed in 0..3 {
        let mut world = cluster(seed);
        let liar = world.leader().expect("somebody leads");
        lies(&mut world, liar, 400);
        // Only the liar and one other have it.
        world.cut_way(liar, (liar + 1) % 3);
        write(&mut world, liar, "kept");
        world.run(Duration::from_millis(400));
        world.mend();
        world.run(secs(10));
        all_have(&mut world, "kept", &format!("seed {seed}"));
    }
}

#[test]
fn seeds_with_a_disk_that_lies() {
    for seed in [7, 8] {
        let report = run_drill(seed, 3, &Drill::LIES, Planted::Nothing, false);
        assert!(report.passed(), "{report}\n{}", report.story.join("\n"));
    }
}

#[test]
fn seeds_with_a_bit_that_flips() {
    for seed in [27, 29] {
        let report = run_drill(seed, 3, &Drill::FLIPS, Planted::Nothing, false);
        assert!(report.passed(), "{report}\n{}", report.story.join("\n"));
    }
}
