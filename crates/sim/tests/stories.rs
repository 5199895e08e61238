//! Stories of several nodes, told and checked: each prints its timeline with `-- --nocapture`.

use base::{Duration, Instant};
use sim::{ConfigHabits, Fault, Happening, Note, Outcome, Physics, World, seeded, timeline};
use std::collections::BTreeSet;

const FIVE: Duration = Duration::from_secs(5);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A cluster of so many machines that serves.
fn cluster(seed: u64, machines: usize) -> World {
    let mut world = World::cluster(seeded(seed), machines, Physics::default(), false);
    assert!(world.run_until(secs(20), World::is_ready), "{:?}", world.unsettled());
    world
}

fn fault(world: &mut World, machine: usize, fault: Fault) {
    world.plan_on(machine, world.now(), fault);
    world.run(Duration::from_millis(1));
}

/// The clients that `count` machines have one each of, with an instance of `orders`.
fn one_instance_each(world: &mut World, machines: usize) -> Vec<usize> {
    let clients: Vec<usize> =
        (0..machines).map(|m| world.add_quiet_client(vec![m], &["orders"])).collect();
    for client in &clients {
        world.register(*client, "orders");
    }
    world.run(secs(4));
    for machine in 0..machines {
        assert_eq!(count(world, machine), machines, "m{machine} lists all of them");
    }
    clients
}

fn count(world: &mut World, machine: usize) -> usize {
    world.listed(machine, "orders").map_or(0, |listed| listed.len())
}

fn content(world: &mut World, machine: usize, key: &str) -> Option<String> {
    let answer = world.ask_config(machine, key, FIVE)?;
    (answer.status == 200 && !answer.stale).then_some(answer.text)
}

fn publish(world: &mut World, machine: usize, key: &str, text: &str) -> bool {
    world.publish(machine, key, text, FIVE).is_some_and(|answer| answer.status == 200)
}

/// Prints the story; it has these lines in this order, and no checker found anything.
fn told(world: &World, name: &str, lines: &[&str]) {
    let story = timeline(world.history(), true);
    println!("{name}\n{}\n", story.join("\n"));
    let mut left = story.iter();
    for line in lines {
        assert!(left.any(|told| told.contains(line)), "{name}: {line:?} is not told, or earlier");
    }
    assert_eq!(world.violations(), [] as [String; 0], "{name}");
    assert_eq!(sim::violations(world.history()), [] as [String; 0], "{name}");
}

/// The registry is written and read on both sides of a cut, and whole again after it.
#[test]
fn distro_2_plus_1() {
    let mut world = cluster(1, 3);
    one_instance_each(&mut world, 3);
    world.split(&[&[0, 1], &[2]]);
    let (left, right) = (
        world.add_quiet_client(vec![0], &["orders"]),
        world.add_quiet_client(vec![2], &["orders"]),
    );
    world.register(left, "orders");
    world.register(right, "orders");
    world.run(secs(4));
    assert_eq!(count(&mut world, 0), 4, "all that were there, and the new one of this side");
    assert_eq!(count(&mut world, 1), 4);
    assert_eq!(count(&mut world, 2), 4);
    world.run(secs(26));
    assert_eq!(count(&mut world, 1), 3, "the other side's are not listed for ever");
    assert_eq!(count(&mut world, 2), 2);
    world.mend();
    world.run(secs(10));
    for machine in 0..3 {
        assert_eq!(count(&mut world, machine), 5, "m{machine} has everybody again");
    }
    told(
        &world,
        "distro_2_plus_1",
        &["network cut: m0 – m2, m1 – m2", "m2 registers 10.0.4.1:8001", "network mended"],
    );
}

/// Bob leads and is cut off with one other; the three others elect Tom. What Bob was told meanwhile is refused or not
/// answered, never acknowledged, and Tom's word holds when all are together again.
#[test]
fn raft_bob_and_tom() {
    let mut world = cluster(2, 5);
    let bob = world.leader().expect("somebody leads");
    assert!(publish(&mut world, bob, "captain", "Bob"));
    let few = [bob, (bob + 1) % 5];
    let many: Vec<usize> = (0..5).filter(|machine| !few.contains(machine)).collect();
    world.split(&[&few, &many]);
    let before = world.now();
    let answer = world.publish(bob, "captain", "still-Bob", secs(8));
    let took = world.now().since(before);
    let refused = answer.expect("it is answered");
    assert!(refused.status != 200, "{refused:?}");
    assert!(took <= FIVE, "a minority says so within five seconds, not after {took:?}");
    world.run(secs(3));
    let tom = world.leader().expect("the majority has elected somebody");
    assert!(many.contains(&tom), "m{tom} leads");
    assert!(publish(&mut world, tom, "captain", "Tom"));
    let stale = world.ask_config(bob, "captain", FIVE).expect("it is answered");
    assert!(stale.stale || stale.status != 200, "Bob must say that he may be wrong: {stale:?}");
    world.mend();
    world.run(secs(6));
    for machine in 0..5 {
        let text = content(&mut world, machine, "captain");
        assert_eq!(text.as_deref(), Some("Tom"), "at m{machine}");
    }
    let leads = format!("m{tom} leads");
    told(&world, "raft_bob_and_tom", &["network cut", &leads, "network mended"]);
}

/// A death and a return are known everywhere soon.
#[test]
fn gossip_spreads_to_all() {
    let mut world = cluster(3, 5);
    let all: BTreeSet<usize> = (0..5).collect();
    let knows = |world: &World, expected: &BTreeSet<usize>| {
        expected.iter().all(|machine| world.alive_at(*machine) == *expected)
    };
    assert!(world.run_until(secs(10), |world| knows(world, &all)), "all know all");
    world.stay_down(4);
    fault(&mut world, 4, Fault::PowerLoss(storage::Survivors::All));
    let rest: BTreeSet<usize> = (0..4).collect();
    let died = world.now();
    assert!(world.run_until(secs(30), |world| knows(world, &rest)), "the death is known");
    println!("a death was known everywhere after {:?}", world.now().since(died));
    world.power_on(4);
    let back = world.now();
    assert!(world.run_until(secs(20), |world| knows(world, &all)), "the return is known");
    println!("a return was known everywhere after {:?}", world.now().since(back));
    assert!(world.run_until(secs(10), World::is_ready), "{:?}", world.unsettled());
    told(
        &world,
        "gossip_spreads_to_all",
        &["m4 is gone: its power goes", "m4 starts", "m4 serves"],
    );
}

/// Two that do not hear each other and both hear the third: writes go on, the leader stays, and what one registers the other
/// lists.
#[test]
fn bridge() {
    let mut world = cluster(4, 3);
    let c = (0..3).find(|m| Some(*m) != world.leader()).expect("two follow");
    let leader = world.leader().expect("somebody leads");
    let b = 3 - c - leader;
    world.cut_way(leader, b);
    world.cut_way(b, leader);
    world.run(secs(12));
    let term = world.term_of(c);
    let client = world.add_quiet_client(vec![leader], &["orders"]);
    world.register(client, "orders");
    world.run(secs(8));
    assert_eq!(count(&mut world, b), 1, "it came through m{c}");
    for n in 0..10 {
        assert!(publish(&mut world, c, "key", &format!("value-{n}")));
        world.run(secs(2));
    }
    assert!(world.term_of(c) <= term + 2, "no endless elections: {} to {}", term, world.term_of(c));
    world.mend();
    world.run(secs(12));
    assert_eq!(content(&mut world, b, "key").as_deref(), Some("value-9"));
    told(&world, "bridge", &["network cut", "network mended"]);
}

/// One hears and is not heard.
#[test]
fn one_way() {
    let mut world = cluster(5, 3);
    one_instance_each(&mut world, 3);
    let deaf = (0..3).find(|m| Some(*m) != world.leader()).expect("two follow");
    for other in (0..3).filter(|other| *other != deaf) {
        world.cut_way(deaf, other);
    }
    world.run(secs(10));
    let leader = world.leader().expect("somebody leads");
    assert!(leader != deaf, "who is not heard does not lead");
    let term = world.term_of(leader);
    for n in 0..10 {
        assert!(publish(&mut world, leader, "key", &format!("value-{n}")));
        world.run(secs(2));
    }
    assert_eq!(world.term_of(leader), term, "nobody calls elections that he cannot win");
    world.mend();
    world.run(secs(12));
    for machine in 0..3 {
        assert_eq!(content(&mut world, machine, "key").as_deref(), Some("value-9"));
        assert_eq!(count(&mut world, machine), 3, "m{machine} lists everybody again");
    }
    told(&world, "one_way", &["network cut", "network mended"]);
}

/// The leader stands still for half a minute. When it goes on it neither answers from the past nor drops clients for the
/// time that it missed.
#[test]
fn pause_30s() {
    let mut world = cluster(6, 3);
    one_instance_each(&mut world, 3);
    let old = world.leader().expect("somebody leads");
    assert!(publish(&mut world, old, "key", "before"));
    fault(&mut world, old, Fault::Pause(secs(30)));
    world.run(secs(5));
    let new = (0..3).find(|m| *m != old && world.term_of(*m) > world.term_of(old));
    let new = new.expect("the others have elected somebody");
    assert!(publish(&mut world, new, "key", "after"));
    world.run(secs(25) - Duration::from_millis(2));
    let answer = world.ask_config(old, "key", FIVE).expect("it goes on");
    assert!(
        answer.text == "after" || answer.stale,
        "a paused leader answers from the past: {answer:?}"
    );
    world.run(secs(10));
    for machine in 0..3 {
        assert_eq!(content(&mut world, machine, "key").as_deref(), Some("after"));
        assert_eq!(count(&mut world, machine), 3, "m{machine} lists everybody");
    }
    told(&world, "pause_30s", &["stands still for 30s", "leads term"]);
}

/// Wall clocks are set by an hour, forth and back: nobody disappears, and writes keep their order.
#[test]
fn clock_jump() {
    let mut world = cluster(7, 3);
    one_instance_each(&mut world, 3);
    for (n, (machine, by_ms)) in
        [(0, 3_600_000), (1, -3_600_000), (0, -3_600_000), (2, 3_600_000)].into_iter().enumerate()
    {
        fault(&mut world, machine, Fault::ClockJump(by_ms));
        assert!(publish(&mut world, machine, "key", &format!("value-{n}")));
        for _ in 0..5 {
            world.run(secs(4));
            for machine in 0..3 {
                assert_eq!(count(&mut world, machine), 3, "at m{machine} after jump {n}");
            }
        }
        for machine in 0..3 {
            let expected = format!("value-{n}");
            assert_eq!(content(&mut world, machine, "key"), Some(expected), "m{machine}");
        }
    }
    told(&world, "clock_jump", &["m0's clock is set by 3600000 ms", "m1's clock is set"]);
}

/// All are killed at once and come back one after the other: what was acknowledged is there, and no list is shorter than
/// the truth, from the first one on.
#[test]
fn full_restart() {
    let mut world = cluster(8, 3);
    one_instance_each(&mut world, 3);
    assert!(publish(&mut world, 1, "key", "kept"));
    world.run(secs(10));
    for machine in 0..3 {
        world.stay_down(machine);
        fault(&mut world, machine, Fault::Kill);
    }
    world.run(secs(1));
    for (machine, wait) in [(2, 300), (0, 900), (1, 100)] {
        world.power_on(machine);
        world.run(Duration::from_millis(wait));
    }
    assert!(world.run_until(secs(20), World::is_ready), "{:?}", world.unsettled());
    for machine in 0..3 {
        assert_eq!(count(&mut world, machine), 3, "m{machine}");
    }
    world.run(secs(20));
    for machine in 0..3 {
        assert_eq!(count(&mut world, machine), 3, "m{machine}, when orphans' time is over");
        assert_eq!(content(&mut world, machine, "key").as_deref(), Some("kept"));
    }
    told(&world, "full_restart", &["m0 is gone", "m2 starts", "m0 starts", "m1 starts"]);
}

/// A machine loses its disk. As a new node it joins, learns everything and serves. (The old id stays a voter until it is removed.)
#[test]
fn node_replaced() {
    let mut world = cluster(9, 3);
    one_instance_each(&mut world, 3);
    assert!(publish(&mut world, 0, "key", "kept"));
    let lost = (0..3).find(|m| Some(*m) != world.leader()).expect("two follow");
    world.stay_down(lost);
    world.replace_disk(lost);
    world.run(secs(5));
    world.power_on(lost);
    assert!(world.run_until(secs(40), |world| world.serves(lost)), "{:?}", world.unsettled());
    world.run(secs(20));
    assert_eq!(content(&mut world, lost, "key").as_deref(), Some("kept"));
    assert_eq!(count(&mut world, lost), 3);
    let voters: Vec<usize> = (0..3).map(|machine| world.voters_of(machine)).collect();
    assert_eq!(voters, [3, 3, 3], "the new node has taken the old one's place");
    told(&world, "node_replaced", &["gets an empty disk", "is in cluster", "serves"]);
}

/// A client whose machine is dead, silent, or cut off from it goes to another one, and is heard there.
#[test]
fn clients_go_to_another_machine() {
    let mut world = cluster(10, 3);
    let watcher = world.add_quiet_client(vec![2], &["orders"]);
    world.subscribe(watcher, "orders");
    let mover = world.add_quiet_client(vec![0, 1], &["orders"]);
    world.register(mover, "orders");
    world.run(secs(4));
    assert_eq!(world.known(watcher, "orders").len(), 1);
    world.stay_down(0);
    fault(&mut world, 0, Fault::Kill);
    for _ in 0..30 {
        world.run(secs(1));
        assert_eq!(world.known(watcher, "orders").len(), 1, "never absent");
    }
    let at = |machine, from: Instant| {
        move |(at, happening): &(Instant, Happening)| {
            *at >= from
                && matches!(happening, Happening::Noted { machine: m, note: Note::Registered(_), .. } if *m == machine)
        }
    };
    assert!(world.history().iter().any(at(1, Instant::START)), "it registered at m1");
    told(&world, "clients_go_to_another_machine", &["m0 registers", "m0 is gone", "m1 registers"]);
}

/// Reads and writes of clients of all nodes, while the leader dies again and again.
#[test]
fn leaders_die_and_nothing_acknowledged_is_lost() {
    let mut world = cluster(11, 3);
    for machine in 0..3 {
        let keys = vec!["key".to_owned()];
        let pause = Duration::from_millis(300);
        let habits = ConfigHabits {
            keys,
            pause,
            content_bytes_max: 100,
            asks_max: 80,
            only_publishes: false,
        };
        world.add_config_client_of(vec![machine, (machine + 1) % 3], habits);
    }
    for _ in 0..5 {
        world.run(secs(6));
        let leader = world.leader().expect("somebody leads");
        fault(&mut world, leader, Fault::Kill);
    }
    world.run(secs(10));
    world.heal();
    world.run(secs(20));
    world.look();
    let done = |(_, happening): &&(Instant, Happening)| {
        matches!(
            happening,
            Happening::Noted { note: Note::Answered { outcome: Outcome::Done, .. }, .. }
        )
    };
    assert!(world.history().iter().filter(done).count() > 40, "too few writes to mean anything");
    told(&world, "leaders_die_and_nothing_acknowledged_is_lost", &["is gone", "leads term 3"]);
}
