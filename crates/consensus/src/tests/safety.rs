//! Crashes, partitions and lost messages: nothing acknowledged is lost, nobody votes twice, and the same seed tells the
//! same story. The world itself asserts one vote per term, one leader per term and one content per index.

use super::*;
use std::collections::BTreeSet;

/// Everything that an asker was told is in the log is in the state of every node, once.
#[track_caller]
fn assert_kept(world: &World, acknowledged: &BTreeSet<u64>) {
    let wanted = world.texts(1);
    for id in 2..=3 {
        assert_eq!(world.texts(id), wanted, "n{id} differs");
    }
    for id in acknowledged {
        let text = format!("w{id}");
        assert_eq!(wanted.iter().filter(|t| **t == text).count(), 1, "{text} in {wanted:?}");
    }
}

#[test]
fn a_crash_at_any_write_of_a_sole_voter_loses_nothing_acknowledged() {
    for crash_at in 2..12 {
        for checkpoint_at in [0, 3] {
            let mut world = World::new(1, &[1]);
            world.crash_at = Some((1, crash_at));
            for n in 1..=10 {
                world.propose(1, n, &format!("w{n}"));
                world.run(if n % 3 == 0 { 20 } else { 1 });
                if n == checkpoint_at && world.nodes[&1].life.is_some() {
                    world.checkpoint(1);
                }
            }
            world.run(50);
            let acknowledged = world.applied_proposals();
            assert_eq!(world.nodes[&1].life.is_none(), world.crash_at.take().is_none());
            world.crash(1);
            world.start(1);
            world.run(50);
            let texts = world.texts(1);
            for n in acknowledged {
                assert!(texts.contains(&format!("w{n}")), "crash at {crash_at}: {texts:?}");
            }
        }
    }
}

#[test]
fn a_crash_at_any_write_of_any_voter_loses_nothing_acknowledged() {
    for victim in 1..=3 {
        for crash_at in 1..14 {
            let mut world = World::new(crash_at as u8, &[1, 2, 3]);
            world.crash_at = Some((victim, crash_at));
            world.run(1500);
            let mut next = 0;
            for _ in 0..50 {
                if let Some(leader) = world.leader() {
                    next += 1;
                    world.propose(leader, next, &format!("w{next}"));
                }
                world.run(100);
            }
            world.crash_at = None;
            world.start_dead();
            world.run(5000);
            let acknowledged = world.applied_proposals();
            assert!(acknowledged.len() > 10, "the group went on without n{victim}");
            assert_kept(&world, &acknowledged);
        }
    }
}

/// Thirty seconds of everything at once, then peace.
fn chaos(seed: u8) -> World {
    let mut world = World::new(seed, &[]);
    world.log_bytes_max = 6000;
    for id in 1..=3 {
        world.add(id, &[1, 2, 3]);
    }
    world.loss_percent = 5;
    let mut rng = base::Rng::from_seed([seed.wrapping_add(100); 32]);
    let mut next = 0;
    for _ in 0..300 {
        world.run(100);
        let id = 1 + rng.below(3);
        match rng.below(20) {
            0 => world.crash(id),
            1 => world.cut(&[&[id], &[1 + id % 3, 1 + (id + 1) % 3]]),
            2 | 3 => world.heal(),
            4 => world.checkpoint_if_alive(id),
            5 => world.step(id, Input::TransferLeader { to: NodeId(1 + id % 3) }),
            6 => world.start_dead(),
            7 => world.read(id, next),
            _ => {
                next += 1;
                world.propose(id, next, &format!("w{next}"));
                let pad = "x".repeat(rng.below(400) as usize);
                world.propose(id, 10_000 + next, &format!("pad{next}{pad}"));
            }
        }
    }
    world.heal();
    world.loss_percent = 0;
    world.start_dead();
    world.run(8000);
    world
}

#[test]
fn in_chaos_nothing_acknowledged_is_lost() {
    let mut acknowledged = 0;
    let mut restores = 0;
    for seed in 0..12 {
        let world = chaos(seed);
        assert!(world.leader().is_some(), "seed {seed}: peace, and nobody leads");
        let told: BTreeSet<_> =
            world.applied_proposals().into_iter().filter(|id| *id < 10_000).collect();
        assert_kept(&world, &told);
        let lost = world.outputs.iter().filter_map(|(_, output)| match output {
            Output::Lost { id } => Some(id.0),
            _ => None,
        });
        for id in lost {
            let text = format!("w{id}");
            assert!(!world.texts(1).contains(&text), "{text} was called lost and is there");
        }
        acknowledged += told.len();
        restores +=
            world.outputs.iter().filter(|(_, o)| matches!(o, Output::Restore { .. })).count();
        for node in world.nodes.values() {
            assert_eq!(node.halted, None);
        }
    }
    assert!(acknowledged > 300, "{acknowledged}");
    assert!(restores > 3, "snapshots must be part of it: {restores}");
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let (first, second, other) = (chaos(3), chaos(3), chaos(4));
    assert!(first.trace.len() > 1000);
    for (a, b) in first.trace.iter().zip(&second.trace) {
        assert_eq!(a, b);
    }
    assert_eq!(first.trace.len(), second.trace.len());
    assert_ne!(first.trace, other.trace);
}
