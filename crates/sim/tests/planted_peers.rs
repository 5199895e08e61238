//! Bugs that need several nodes are found, each by the checker that is there for it, within a few seeds of a drill that gives
//! it the chance. The table in the crate's README says how many were needed.

use base::Duration;
use sim::{
    ConfigHabits, Drill, Fault, PLANTED, Physics, Planted, Report, World, run_drill, seeded,
};
use storage::Survivors;

/// How many seeds a bug may need.
const SEEDS_MAX: u64 = 6;

fn found(name: &str, checker: &str, drill: &Drill, first: u64) {
    let planted = PLANTED.iter().find(|(known, _)| *known == name).expect("it is listed").1;
    let by_checker = |report: &Report| {
        let mut violations = report.violations.iter();
        violations.any(|what| what.starts_with(checker))
            || (checker == "stuck" && report.stuck.is_some())
    };
    for seed in first..first + SEEDS_MAX {
        let report = run_drill(seed, 3, drill, planted, false);
        if by_checker(&report) {
            let needed = seed - first + 1;
            let words = report.violations.iter().find(|what| what.starts_with(checker));
            let words = words.cloned().or(report.stuck).unwrap_or_default();
            println!("| {name} | {first} | {needed} | {words}");
            let sound = run_drill(seed, 3, drill, Planted::Nothing, false);
            assert!(sound.passed(), "seed {seed} fails without the bug, too: {sound}");
            return;
        }
        println!("{name}: seed {seed} finds {report}");
    }
    panic!("{name} was not found by {checker} in {SEEDS_MAX} seeds from {first} on");
}

macro_rules! bugs {
    ($($test:ident: $name:literal by $checker:literal in $drill:ident from $first:literal;)*) => {
        $(#[test] fn $test() { found($name, $checker, &Drill::$drill, $first); })*
    };
}

bugs! {
    an_old_read_that_is_not_said_to_be: "unmarked-reads" by "linear" in CUTS from 2;
    an_acknowledgement_without_a_majority: "early-ack" by "linear" in CRASHES from 1;
    a_vote_that_is_not_kept: "forgotten-vote" by "the host of" in CRASHES from 1;
    digests_that_nobody_compares: "no-digests" by "stuck" in CUTS from 30;
    deletions_that_do_not_spread: "dropped-tombstones" by "gone" in CALM from 1;
    own_data_that_a_peer_overwrites: "own-overwritten" by "gone" in CUTS from 2;
    a_follower_that_loses_changes: "lost-follower-view" by "replicas" in CALM from 1;
    a_follower_that_does_not_tell: "deaf-followers" by "listen" in CALM from 1;
}

bugs! {
    what_is_not_listed_is_taken_for_deleted: "absence-deletes" by "living" in CRASHES from 1;
    pushes_of_nobody: "empty-push" by "empty-push" in CALM from 1;
    reads_that_are_never_new: "always-stale" by "stale" in CALM from 1;
    a_renewal_that_does_not_count: "lost-renewal" by "locks" in LOCKS from 1;
    tokens_of_each_node_itself: "own-tokens" by "locks" in LOCKS from 1;
    tables_ahead_of_the_log: "tables-first" by "the host of" in CRASHES from 1;
    clusters_of_one_node: "lone-founder" by "formed" in CALM from 1;
    an_acknowledgement_of_a_minority: "early-ack" by "minority" in CUTS from 1;
}

/// Whether a leader that was cut off, and does not know that there is another one, answers with what that one has replaced.
fn an_old_leader_reads_the_past(seed: u64, planted: Planted) -> bool {
    let limit = Duration::from_secs(5);
    let physics = Physics { planted, ..Physics::default() };
    let mut world = World::cluster(seeded(seed), 3, physics, false);
    assert!(world.run_until(Duration::from_secs(20), World::is_ready));
    let old = world.leader().expect("somebody leads");
    assert!(world.publish(old, "key", "old", limit).is_some_and(|answer| answer.status == 200));
    let others: Vec<usize> = (0..3).filter(|machine| *machine != old).collect();
    world.split(&[&[old], &others]);
    let elected = |world: &World| others.iter().any(|machine| world.leads(*machine));
    if !world.run_until(Duration::from_secs(5), elected) || !world.leads(old) {
        return false;
    }
    let new = world.leader().expect("just elected");
    let written = world.publish(new, "key", "new", Duration::from_millis(300));
    if written.is_none_or(|answer| answer.status != 200) {
        return false;
    }
    let answer = world.ask_config(old, "key", limit).expect("it is answered");
    answer.text == "old" && !answer.stale
}

/// Bugs that a short story shows: from the first seed on, until the story ends as it must not; without the bug it does not.
fn told(name: &str, seeds: u64, ends_badly: fn(u64, Planted) -> bool) {
    let planted = PLANTED.iter().find(|(known, _)| *known == name).expect("it is listed").1;
    let found = (1..=seeds).find(|seed| ends_badly(*seed, planted));
    let found = found.unwrap_or_else(|| panic!("{name}: no story of {seeds} shows it"));
    println!("| {name} | 1 | {found} | a story");
    assert!(!ends_badly(found, Planted::Nothing), "{name}: seed {found} without the bug, too");
}

#[test]
fn a_leader_that_reads_without_asking() {
    told("lease-without-time", 20, an_old_leader_reads_the_past);
}

fn founded(seed: u64, planted: Planted) -> World {
    let physics = Physics { planted, ..Physics::default() };
    let mut world = World::cluster(seeded(seed), 3, physics, false);
    assert!(world.run_until(Duration::from_secs(20), World::is_ready));
    world
}

#[test]
fn a_follower_that_reads_without_asking() {
    told("follower-reads", 20, |seed, planted| {
        let mut world = founded(seed, planted);
        let limit = Duration::from_secs(5);
        let leader = world.leader().expect("somebody leads");
        let follower = (leader + 1) % 3;
        let written = world.publish(leader, "key", "new", limit);
        assert!(written.is_some_and(|answer| answer.status == 200));
        let answer = world.ask_config(follower, "key", limit).expect("it is answered");
        answer.text != "new" && !answer.stale
    });
}

#[test]
fn a_write_that_no_disk_has() {
    told("early-persisted", 20, |seed, planted| {
        let mut world = founded(seed, planted);
        let limit = Duration::from_secs(5);
        let leader = world.leader().expect("somebody leads");
        let written = world.publish(leader, "key", "new", limit);
        assert!(written.is_some_and(|answer| answer.status == 200));
        for machine in 0..3 {
            world.plan_on(machine, world.now(), Fault::PowerLoss(Survivors::None));
        }
        world.run(Duration::from_millis(10));
        if !world.run_until(Duration::from_secs(30), World::is_ready) {
            return true;
        }
        world.ask_config(0, "key", limit).is_none_or(|answer| answer.text != "new")
    });
}

#[test]
fn what_a_peer_said_and_nobody_is_told() {
    told("lost-peer-push", 3, |seed, planted| {
        let mut world = founded(seed, planted);
        let watcher = world.add_quiet_client(vec![1], &["orders"]);
        world.subscribe(watcher, "orders");
        world.run(Duration::from_secs(3));
        let client = world.add_quiet_client(vec![0], &["orders"]);
        world.register(client, "orders");
        world.run(Duration::from_secs(8));
        world.known(watcher, "orders").is_empty()
    });
}

#[test]
fn a_node_that_does_not_keep_who_it_is() {
    told("forgotten-identity", 3, |seed, planted| {
        let mut world = founded(seed, planted);
        let machine = 1;
        world.stay_down(machine);
        world.plan_on(machine, world.now(), Fault::Kill);
        world.run(Duration::from_millis(100));
        world.forget_settings(machine);
        world.power_on(machine);
        !world.run_until(Duration::from_secs(30), |world| world.serves(machine))
    });
}

#[test]
fn a_node_that_serves_before_it_knows_anything() {
    told("early-ready", 3, |seed, planted| {
        let mut world = founded(seed, planted);
        for machine in 0..2 {
            let client = world.add_quiet_client(vec![machine], &["orders"]);
            world.register(client, "orders");
        }
        world.run(Duration::from_secs(4));
        world.stay_down(2);
        world.replace_disk(2);
        world.run(Duration::from_secs(1));
        world.power_on(2);
        world.run_until(Duration::from_secs(60), |world| world.serves(2));
        world.listed(2, "orders").is_some_and(|listed| listed.len() < 2)
    });
}

#[test]
fn a_snapshot_that_is_not_read_whole() {
    told("lost-install", 3, |seed, planted| {
        let mut world = founded(seed, planted);
        let leader = world.leader().expect("somebody leads");
        let behind = (leader + 1) % 3;
        world.stay_down(behind);
        world.plan_on(behind, world.now(), Fault::Kill);
        world.run(Duration::from_millis(100));
        let habits = ConfigHabits {
            keys: (0..20).map(|n| format!("key{n}")).collect(),
            pause: Duration::from_millis(50),
            content_bytes_max: 60_000,
            asks_max: 60,
            only_publishes: true,
        };
        let writer = world.add_config_client_of(vec![leader], habits);
        assert!(world.run_until(Duration::from_secs(40), |world| world.is_finished(writer)));
        world.power_on(behind);
        assert!(world.run_until(Duration::from_secs(60), World::is_ready));
        world.run(Duration::from_secs(2));
        let found = sim::violations(world.history());
        found.iter().any(|what| what.starts_with("replicas: "))
    });
}

/// On a slow network two candidates of one term are no rarity.
#[test]
fn an_election_that_a_minority_wins() {
    told("refused-votes", 8, |seed, planted| {
        let millis = Duration::from_millis;
        let physics = Physics { planted, latency: (millis(60), millis(120)), ..Physics::default() };
        let mut world = World::cluster(seeded(seed), 5, physics, false);
        world.run_until(Duration::from_secs(20), World::is_ready);
        let leader = world.leader().expect("somebody leads");
        world.stay_down(leader);
        world.plan_on(leader, world.now(), Fault::Kill);
        world.run(Duration::from_secs(5));
        let found = sim::violations(world.history());
        found.iter().any(|what| what.starts_with("leaders: "))
    });
}
