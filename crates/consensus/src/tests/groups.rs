use super::*;

#[test]
fn a_sole_voter_leads_at_once_and_acknowledges_what_is_durable() {
    let mut world = World::new(1, &[1]);
    assert_eq!(world.leader(), Some(1), "nobody to wait for");
    world.propose(1, 10, "a");
    assert!(world.applied_proposals().is_empty(), "not before the disk has it");
    world.run(20);
    assert_eq!(world.applied_proposals(), [10].into());
    world.crash(1);
    world.start(1);
    world.run(20);
    assert_eq!(world.texts(1), ["a"]);
}

#[test]
fn three_voters_elect_and_replicate() {
    let mut world = World::new(2, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().expect("somebody leads after three seconds");
    world.propose(leader, 1, "a");
    world.propose(leader, 2, "b");
    world.run(500);
    for id in 1..=3 {
        assert_eq!(world.texts(id), ["a", "b"]);
    }
    let lost = 1 + leader % 3;
    world.crash(lost);
    world.propose(leader, 3, "c");
    world.run(500);
    let behind = |id: u64| world.nodes[&id].life.as_ref().unwrap().behind();
    let of = |id: u64| (NodeId(id), u64::from(id == lost));
    assert_eq!(behind(leader), [of(1), of(2), of(3)], "who leads knows it of all");
    let other = 6 - leader - lost;
    assert_eq!(behind(other), [(NodeId(other), 0)], "others of themselves");
}

#[test]
fn a_cut_off_leader_loses_what_it_could_not_commit() {
    let mut world = World::new(3, &[1, 2, 3]);
    world.run(3000);
    let old = world.leader().unwrap();
    let others: Vec<u64> = (1..=3).filter(|id| *id != old).collect();
    world.cut(&[&[old], &others]);
    world.propose(old, 1, "lonely");
    world.run(5000);
    let new = world.leader().unwrap();
    assert_ne!(new, old);
    world.propose(new, 2, "agreed");
    world.run(500);
    world.heal();
    world.run(3000);
    for id in 1..=3 {
        assert_eq!(world.texts(id), ["agreed"], "n{id}");
    }
    let lost = Output::Lost { id: ProposalId(1) };
    assert!(world.outputs.contains(&(old, lost)), "the asker is told");
}

fn change(world: &mut World, id: u64, proposal: u64, changes: Vec<MemberChange>) {
    world.step(id, Input::ChangeMembers { id: ProposalId(proposal), changes });
}

fn refusals(world: &World) -> Vec<Refusal> {
    let why = |output: &Output| match output {
        Output::Refused { why, .. } => Some(*why),
        _ => None,
    };
    world.outputs.iter().filter_map(|(_, output)| why(output)).collect()
}

#[test]
fn a_node_joins_as_a_learner_and_then_votes() {
    let mut world = World::new(4, &[1]);
    world.run(50);
    world.propose(1, 1, "before");
    world.run(50);
    world.add(2, &[]);
    change(&mut world, 1, 2, vec![MemberChange::AddLearner(NodeId(2))]);
    world.run(1000);
    assert_eq!(world.texts(2), ["before"], "by a snapshot: it cannot know the first voters else");
    assert!(world.nodes[&2].life.as_ref().unwrap().members().learners.contains(&NodeId(2)));
    change(&mut world, 1, 3, vec![MemberChange::AddVoter(NodeId(2))]);
    world.run(1000);
    world.propose(1, 4, "after");
    world.run(500);
    assert_eq!(world.texts(2), ["before", "after"]);
    world.crash(1);
    world.run(5000);
    assert_eq!(world.leader(), None, "one of two voters is no majority");
    world.start(1);
    world.run(5000);
    assert!(world.leader().is_some());
}

#[test]
fn several_voters_change_at_once() {
    let mut world = World::new(5, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().unwrap();
    world.add(4, &[]);
    world.add(5, &[]);
    let add = [4, 5].map(|id| MemberChange::AddVoter(NodeId(id))).to_vec();
    change(&mut world, leader, 1, add.clone());
    change(&mut world, leader, 2, add);
    assert_eq!(refusals(&world), [Refusal::Busy], "one at a time");
    world.run(3000);
    for id in 1..=5 {
        let members = world.nodes[&id].life.as_ref().unwrap().members();
        assert_eq!(members.voters, [1, 2, 3, 4, 5].map(NodeId), "n{id}");
        assert!(!members.is_joint(), "n{id} left the joint change");
    }
    let (gone, stays): (Vec<u64>, Vec<u64>) = (vec![1, 2], vec![3, 4, 5]);
    let leader = world.leader().unwrap();
    let remove = gone.iter().map(|id| MemberChange::Remove(NodeId(*id))).collect();
    change(&mut world, leader, 3, remove);
    world.run(6000);
    let leader = world.leader().unwrap();
    assert!(stays.contains(&leader), "a removed leader gives up: n{leader}");
    world.propose(leader, 4, "smaller");
    world.run(1000);
    for id in stays {
        assert_eq!(world.texts(id), ["smaller"], "n{id}");
    }
}

#[test]
fn members_that_make_no_sense_are_refused() {
    let mut world = World::new(6, &[1]);
    world.run(50);
    for changes in [
        vec![],
        vec![MemberChange::Remove(NodeId(1))],
        vec![MemberChange::AddLearner(NodeId(1))],
        vec![MemberChange::AddVoter(NodeId(0))],
        vec![MemberChange::AddVoter(NodeId(2)), MemberChange::Remove(NodeId(2))],
    ] {
        change(&mut world, 1, 1, changes);
    }
    let all = refusals(&world);
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(|why| matches!(why, Refusal::InvalidMembers(_))));
}

fn small_log(seed: u8) -> World {
    let mut world = World::new(seed, &[]);
    world.log_bytes_max = 8000;
    for id in 1..=3 {
        world.add(id, &[1, 2, 3]);
    }
    world.run(3000);
    world
}

#[test]
fn a_follower_behind_the_beginning_of_the_log_gets_a_snapshot() {
    let mut world = small_log(7);
    let leader = world.leader().unwrap();
    let behind = (1..=3).find(|id| *id != leader).unwrap();
    world.crash(behind);
    let text = "x".repeat(200);
    for n in 0..100 {
        world.propose(leader, n, &format!("{n}{text}"));
        world.run(20);
    }
    assert_eq!(refusals(&world), [], "checkpoints keep the log below its limit");
    let node = &world.nodes[&leader];
    assert!(node.life.as_ref().unwrap().log_bytes() < 8000);
    assert!(node.disk.recovered.entries.len() < 50, "the log on disk is compacted as well");
    world.outputs.clear();
    world.start(behind);
    world.run(3000);
    let restored =
        world.outputs.iter().any(|(id, o)| *id == behind && matches!(o, Output::Restore { .. }));
    assert!(restored);
    assert_eq!(world.texts(behind), world.texts(leader));
    world.propose(leader, 200, "and on");
    world.run(500);
    assert_eq!(world.texts(behind).last().unwrap(), "and on");
    world.crash(behind);
    world.start(behind);
    world.run(500);
    assert_eq!(world.texts(behind), world.texts(leader), "the snapshot is on its disk");
}

#[test]
fn a_log_at_its_limit_refuses_and_a_checkpoint_makes_room() {
    let mut world = World::new(8, &[]);
    world.log_bytes_max = 8000;
    world.add(1, &[1]);
    world.run(20);
    world.disk_max = Duration::from_millis(1);
    world.propose(1, 0, &"x".repeat(2001));
    assert_eq!(refusals(&world), [Refusal::TooLarge]);
    world.propose(1, 0, "");
    assert_eq!(refusals(&world)[1..], [Refusal::Empty]);
    for n in 1..=10 {
        world.propose(1, n, &"x".repeat(1500));
    }
    assert!(refusals(&world)[2..].iter().all(|why| *why == Refusal::LogFull));
    assert!(refusals(&world).len() > 4);
    world.run(50);
    let before = refusals(&world).len();
    world.propose(1, 20, &"x".repeat(1500));
    assert_eq!(refusals(&world).len(), before, "the checkpoint came by itself");
}

#[test]
fn a_read_sees_everything_acknowledged_before_it() {
    let mut world = World::new(9, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().unwrap();
    for id in 1..=3 {
        let text = format!("write {id}");
        world.outputs.clear();
        world.propose(leader, id, &text);
        while !world.applied_proposals().contains(&id) {
            world.run(1);
        }
        let written = world.nodes[&leader].applied;
        for reader in 1..=3 {
            world.read(reader, id * 10 + reader);
        }
        world.run(400);
        for reader in 1..=3 {
            let id = RequestId(id * 10 + reader);
            let index = world.outputs.iter().find_map(|(_, output)| match output {
                Output::ReadReady { id: of, index } if *of == id => Some(index.0),
                _ => None,
            });
            assert!(index.expect("the leader is there") >= written, "an old index is a stale read");
        }
    }
}

#[test]
fn reads_of_one_moment_share_a_round_and_a_later_one_waits_for_the_next() {
    let mut world = World::new(10, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().unwrap();
    world.outputs.clear();
    let life = world.nodes.get_mut(&leader).unwrap().life.as_mut().unwrap();
    for n in 0..100 {
        life.step(world.now, Input::ReadIndex { id: RequestId(n) });
    }
    let rounds = |life: &mut Consensus| {
        let mut count = 0;
        while let Some(output) = life.poll() {
            if let Output::Send { message, .. } = output {
                count += usize::from(message.kind() == MessageKind::Heartbeat);
            }
        }
        count
    };
    assert_eq!(rounds(life), 2, "one heartbeat for each follower");
    life.step(world.now, Input::ReadIndex { id: RequestId(100) });
    assert_eq!(rounds(life), 0, "the index of the running round may be too old for it");
}

#[test]
fn reads_fail_in_a_minority_and_at_once_without_a_leader() {
    let mut world = World::new(11, &[1, 2, 3]);
    world.read(1, 1);
    let failed = |id| Output::ReadFailed { id: RequestId(id) };
    assert!(world.outputs.contains(&(1, failed(1))), "nobody leads yet");
    world.run(3000);
    let leader = world.leader().unwrap();
    world.cut(&[&[leader]]);
    world.read(leader, 2);
    world.run(600);
    assert!(world.outputs.contains(&(leader, failed(2))), "nobody confirms");
}

#[test]
fn leadership_is_handed_over() {
    let mut world = World::new(12, &[1, 2, 3]);
    world.run(3000);
    let old = world.leader().unwrap();
    let to = (1..=3).find(|id| *id != old).unwrap();
    world.step(old, Input::TransferLeader { to: NodeId(to) });
    world.run(300);
    assert_eq!(world.leader(), Some(to));
}

/// A sole voter leads without asking anyone. If it sent entries of a term that is not on its disk, it could crash, lead
/// in the same term again, and send other entries with the same index and term.
#[test]
fn a_sole_voter_sends_nothing_in_a_term_that_is_not_durable() {
    let mut world = World::new(13, &[1]);
    world.run(50);
    world.add(2, &[]);
    change(&mut world, 1, 1, vec![MemberChange::AddLearner(NodeId(2))]);
    world.run(1000);
    for n in 10..13 {
        // Later writes carry the commit of the learner's entry to the disk.
        world.propose(1, n, "x");
        world.run(50);
    }
    world.crash(1);
    world.outputs.clear();
    world.disk_max = Duration::from_secs(3600);
    world.start(1);
    world.propose(1, 2, "unpersisted");
    world.run(2000);
    let sent = world.outputs.iter().filter(|(id, o)| *id == 1 && matches!(o, Output::Send { .. }));
    assert_eq!(sent.count(), 0);
    assert!(world.fsync(1));
    world.run(10);
    assert!(world.outputs.iter().any(|(id, o)| *id == 1 && matches!(o, Output::Send { .. })));
}

#[test]
fn a_node_whose_disk_lost_what_it_acknowledged_stops() {
    let mut world = World::new(14, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().unwrap();
    world.propose(leader, 1, "a");
    world.run(500);
    let victim = (1..=3).find(|id| *id != leader).unwrap();
    world.crash(victim);
    world.nodes.get_mut(&victim).unwrap().disk.recovered.entries.clear();
    let state = wire::HardState { term: 1, vote: 0, commit: 1 };
    world.nodes.get_mut(&victim).unwrap().disk.recovered.hard_state = Some(wire::encode(&state));
    world.nodes.get_mut(&victim).unwrap().disk.recovered.applied = LogIndex(1);
    world.start(victim);
    world.run(500);
    let halted = world.nodes[&victim].halted;
    assert!(matches!(halted, Some(HaltReason::LogLost { .. })), "{halted:?}");
}

/// The engine's leader parses the protobuf form that is written by hand; a wrong byte there would drop the proposal.
#[test]
fn any_node_id_can_be_a_member() {
    let mut world = World::new(15, &[1]);
    world.run(50);
    for (n, id) in
        [2, 127, 128, 300, 16_384, 1 << 40, u64::MAX >> 1, u64::MAX].into_iter().enumerate()
    {
        change(&mut world, 1, n as u64, vec![MemberChange::AddLearner(NodeId(id))]);
        world.run(20);
        let members = world.nodes[&1].life.as_ref().unwrap().members();
        assert!(members.learners.contains(&NodeId(id)), "{id}: {:?}", refusals(&world));
    }
}
