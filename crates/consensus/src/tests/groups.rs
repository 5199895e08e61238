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
