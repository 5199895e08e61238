//! What the simulator found, as the shortest story that shows it.

mod common;

use base::{Duration, Instant};
use common::{acknowledged, assert_sound, keys, physics, publisher, started_disk, world};
use sim::{
    ConfigHabits, Drill, Fault, Happening, NetworkFault, Note, Outcome, Physics, Place, Planted,
    World, run_drill, seeded,
};
use storage::Survivors;

/// The first start's secrets were refused like any write while the disk was full, and never asked for again.
#[test]
fn a_disk_that_is_full_at_the_first_start_delays_it() {
    for millis in 0..25 {
        let mut world = World::new(9, physics(), false);
        let full = Instant::START.after(Duration::from_millis(20 * millis));
        world.plan(full, Fault::FillDisk { reserve: false });
        world.plan(full.after(Duration::from_secs(3)), Fault::FreeDisk);
        let ready = world.run_until(Duration::from_secs(30), |world| {
            world.now() > full.after(Duration::from_secs(3)) && world.is_ready()
        });
        assert!(ready, "full at {full}");
    }
}

/// A database that is opened anew after the disk was full has lost the rows since the last checkpoint.
#[test]
fn rows_applied_before_the_disk_was_full_are_there_after_the_next_crash() {
    let disk = started_disk();
    let ends = [Fault::Stop, Fault::Kill, Fault::PowerLoss(Survivors::Random)];
    for (seed, end) in (0..6).zip(ends.into_iter().cycle()) {
        let mut world = world(seed, &disk);
        let pause = Duration::from_millis(60);
        // So many keys that most are written once.
        world.add_config_client(ConfigHabits { pause, keys: keys(60), ..publisher(200, 30_000) });
        assert!(world.run_until(Duration::from_secs(5), |world| acknowledged(world).len() > 9));
        world.plan(world.now(), Fault::FillDisk { reserve: true });
        world.run(Duration::from_secs(3));
        world.plan(world.now(), Fault::FreeDisk);
        let before = acknowledged(&world).len();
        let goes_on = |world: &World| acknowledged(world).len() > before + 2;
        assert!(world.run_until(Duration::from_secs(8), goes_on));
        world.plan(world.now(), end);
        world.run(Duration::from_secs(1));
        world.heal();
        world.run(Duration::from_secs(10));
        assert_eq!(world.unsettled(), None);
        assert_sound(&world, &format!("seed {seed}, {end:?}"));
    }
}

/// A client went to another node during a cut. When it was mended, the first node, which had not yet heard that the client was
/// gone, took the registration at the other one for an orphan and ended it for good: nobody listed the living client again.
#[test]
fn a_client_that_moved_during_a_cut_is_listed_after_it() {
    let report = run_drill(2, 3, &Drill::CUTS, Planted::Nothing, false);
    assert!(report.passed(), "{report}");
}

/// The wall clock of one machine goes an hour ahead. A client that saw lists of that machine, whose versions are that far ahead,
/// goes to another one: it drops what looks older than what it has, and must be shown what changes there all the same.
#[test]
fn whoever_comes_from_a_machine_whose_clock_is_ahead_sees_what_changes() {
    let mut world = World::cluster(seeded(12), 3, Physics::default(), false);
    assert!(world.run_until(Duration::from_secs(20), World::is_ready), "{:?}", world.unsettled());
    let watcher = world.add_quiet_client(vec![0, 1], &["orders"]);
    world.subscribe(watcher, "orders");
    let givers: Vec<usize> =
        [1, 2, 1].map(|machine| world.add_quiet_client(vec![machine], &["orders"])).into();
    world.register(givers[0], "orders");
    world.run(Duration::from_secs(4));
    world.plan_on(0, world.now(), Fault::ClockJump(3_600_000));
    world.run(Duration::from_millis(1));
    // Nothing that the first machine owns tells the others of its time: it only lists what was registered elsewhere.
    world.register(givers[1], "orders");
    world.run(Duration::from_secs(4));
    assert_eq!(world.known(watcher, "orders").len(), 2);
    world.stay_down(0);
    world.plan_on(0, world.now(), Fault::Kill);
    world.run(Duration::from_secs(4));
    world.register(givers[2], "orders");
    world.run(Duration::from_secs(1));
    assert_eq!(world.known(watcher, "orders").len(), 3, "it drops the newer list");
    assert_sound(&world, "a clock that is ahead");
}

/// A machine died soon after a deregistration, with a hint that was older, and came back when all others had been restarted: nobody
/// remembered any more. What its hint says is listed again, as an orphan, and not for longer than one.
#[test]
fn what_nobody_remembers_to_be_gone_is_listed_again_for_the_time_of_an_orphan() {
    let mut world = World::cluster(seeded(20_041), 3, Physics::default(), false);
    assert!(world.run_until(Duration::from_secs(20), World::is_ready), "{:?}", world.unsettled());
    let client = world.add_quiet_client(vec![0], &["orders"]);
    world.register(client, "orders");
    world.run(Duration::from_secs(8));
    world.deregister(client);
    world.run(Duration::from_millis(100));
    let counts = |world: &mut World, machines: &[usize]| -> Vec<Option<usize>> {
        let listed = |machine| world.listed(machine, "orders").map(|list| list.len());
        machines.iter().copied().map(listed).collect()
    };
    assert_eq!(counts(&mut world, &[0, 1, 2]), [Some(0); 3]);
    world.stay_down(2);
    world.plan_on(2, world.now(), Fault::Kill);
    world.run(Duration::from_secs(8));
    for machine in [0, 1] {
        world.plan_on(machine, world.now(), Fault::Kill);
    }
    world.run(Duration::from_millis(1));
    let others = |world: &World| world.serves(0) && world.serves(1);
    assert!(world.run_until(Duration::from_secs(30), others), "{:?}", world.unsettled());
    assert_eq!(counts(&mut world, &[0, 1]), [Some(0); 2]);
    world.power_on(2);
    world.run(Duration::from_millis(1));
    assert!(world.run_until(Duration::from_secs(30), World::is_ready), "{:?}", world.unsettled());
    world.look();
    assert_eq!(counts(&mut world, &[0, 1, 2]), [Some(1); 3]);
    world.run(Duration::from_secs(17));
    world.look();
    assert_eq!(counts(&mut world, &[0, 1, 2]), [Some(0); 3]);
    assert_sound(&world, "an old hint");
}

/// The same in one drill: the machine with the old hint crashed three times, each time before it had written down what the others
/// had told it, and then all of them did.
#[test]
fn a_hint_stays_old_on_a_machine_that_crashes_again_and_again_and_then_all_do() {
    let report = run_drill(20_041, 3, &Drill::CRASHES, Planted::Nothing, false);
    assert!(report.passed(), "{report}");
}

/// A client goes from a machine that dies to one that was cut off, and brings a newer content than is there: that machine says
/// "another one", as it must, since it cannot know which is newer, and that it may be behind. When it has caught up, the client
/// reads what it held.
#[test]
fn a_machine_that_was_cut_off_takes_the_newest_content_for_another_and_says_that_it_may_be_behind()
{
    let is_doubted = |(_, happening): &(Instant, Happening)| {
        let Happening::Noted { machine: 0, note, .. } = happening else { return false };
        matches!(note, Note::Listened { changed, stale: true, .. } if !changed.is_empty())
    };
    for (seed, mended_after) in (0..8).zip((0..8).map(|n| Duration::from_millis(200 * n))) {
        let mut world = World::cluster(seeded(seed), 3, Physics::default(), false);
        assert!(world.run_until(Duration::from_secs(20), World::is_ready));
        let pause = Duration::from_millis(40);
        let habits = ConfigHabits { pause, only_publishes: false, ..publisher(1_000, 20) };
        world.add_config_client_of(vec![2, 0], ConfigHabits { keys: keys(2), ..habits });
        world.run(Duration::from_secs(2));
        world.split(&[&[0], &[1, 2]]);
        world.run(Duration::from_secs(4));
        world.stay_down(2);
        world.plan_on(2, world.now(), Fault::Kill);
        let moved = |world: &World| world.history().iter().any(is_doubted);
        assert!(world.run_until(Duration::from_secs(5), moved), "seed {seed}");
        world.run(mended_after);
        world.mend();
        world.run(Duration::from_secs(8));
        assert_sound(&world, &format!("seed {seed}"));
    }
}

/// A follower whose disk takes up to 200 ms, and each way through the network 80 ms: reads there waited for its own writes, for
/// those of a quorum and for the end of the round before, and most were said to be old.
#[test]
fn a_read_on_a_slow_network_with_slow_disks_is_not_old() {
    assert_eq!(old_reads(1, Duration::from_millis(80)), 0);
}

/// Nothing can confirm a read within 500 ms over a way that takes up to 400 ms to the leader and as long back.
#[test]
fn a_read_at_the_end_of_a_very_slow_way_is_said_to_be_old() {
    assert!(old_reads(2, Duration::from_millis(400)) > 0);
}

/// How many reads of a follower, whose ways to and from the others take up to this long, are said to be old; no checker objects.
fn old_reads(seed: u64, most: Duration) -> usize {
    let physics = Physics { disk: (Duration::ZERO, Duration::from_millis(200)), ..physics() };
    let mut world = World::cluster(seeded(seed), 3, physics, false);
    assert!(world.run_until(Duration::from_secs(40), World::is_ready), "{:?}", world.unsettled());
    let leader = world.leader().expect("all serve");
    let follower = (0..3).find(|machine| *machine != leader).expect("there are three");
    for other in (0..3).filter(|machine| *machine != follower) {
        let (here, there) = (Place::Machine(follower), Place::Machine(other));
        for (from, to) in [(here, there), (there, here)] {
            let range = (most / 2, most);
            world.plan_network(world.now(), NetworkFault::Slow(from, to, range));
        }
    }
    let pause = Duration::from_millis(100);
    let habits = ConfigHabits { pause, only_publishes: false, ..publisher(1_000, 20) };
    for _ in 0..3 {
        world
            .add_config_client_of(vec![follower], ConfigHabits { keys: keys(2), ..habits.clone() });
    }
    // So long that what was wrong at the start is no excuse any more.
    world.run(Duration::from_secs(30));
    assert_sound(&world, &format!("seed {seed}"));
    let is_old = |(_, happening): &&(Instant, Happening)| {
        matches!(
            happening,
            Happening::Noted { note: Note::Answered { outcome: Outcome::FoundStale(_), .. }, .. }
        )
    };
    world.history().iter().filter(is_old).count()
}
