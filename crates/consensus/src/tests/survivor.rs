//! One log that is left of three.

use super::*;
use std::collections::BTreeSet;

fn ids(ids: &[u64]) -> BTreeSet<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

/// The others are lost for good: this node goes on alone with all that is on its disk.
fn go_alone(world: &mut World, survivor: u64, commands: &[&str]) {
    let lost: Vec<u64> = world.nodes.keys().copied().filter(|id| *id != survivor).collect();
    for id in lost {
        world.crash(id);
        world.nodes.remove(&id);
    }
    let node = world.nodes.get_mut(&survivor).unwrap();
    let commands = commands.iter().map(|text| (*text).into()).collect();
    let write = alone(NodeId(survivor), node.disk.recovered.clone(), commands).unwrap();
    node.disk.write(&write, &mut None);
    world.start(survivor);
}

#[test]
fn a_follower_goes_on_alone_with_what_the_lost_leader_had_acknowledged() {
    for checkpoints in [false, true] {
        let mut world = World::new(4, &[1, 2, 3]);
        world.run(3000);
        let leader = world.leader().unwrap();
        let follower = 1 + leader % 3;
        world.propose(leader, 1, "agreed");
        world.run(500);
        if checkpoints {
            world.checkpoint(follower);
        }
        // Told to the client, and the leader dies before it tells anybody else.
        world.propose(leader, 2, "told");
        while !world.applied_proposals().contains(&2) {
            world.run(1);
        }
        world.crash(leader);
        world.crash(follower);
        let found = standing(world.nodes[&follower].disk.recovered.clone()).unwrap().unwrap();
        assert_eq!((found.last, found.voters), (LogIndex(4), ids(&[1, 2, 3])));
        assert_eq!((found.named, found.sole_voter), (ids(&[1, 2, 3]), None));
        assert!(found.commit < found.last, "what is known here is less: {}", found.commit);
        go_alone(&mut world, follower, &["removed"]);
        let found = standing(world.nodes[&follower].disk.recovered.clone()).unwrap().unwrap();
        assert_eq!((found.last, found.commit), (LogIndex(5), LogIndex(5)));
        assert_eq!((found.voters, found.sole_voter), (ids(&[follower]), Some(NodeId(follower))));
        world.propose(follower, 3, "alone");
        world.run(500);
        assert_eq!(world.texts(follower), ["agreed", "told", "removed", "alone"]);
        // Somebody comes, and gets all of it.
        world.add(9, &[]);
        let changes = vec![MemberChange::AddLearner(NodeId(9))];
        world.step(follower, Input::ChangeMembers { id: ProposalId(4), changes });
        world.run(1000);
        let changes = vec![MemberChange::AddVoter(NodeId(9))];
        world.step(follower, Input::ChangeMembers { id: ProposalId(5), changes });
        world.run(1000);
        assert_eq!(world.texts(9), world.texts(follower));
        let voters = &world.nodes[&9].life.as_ref().unwrap().members().voters;
        assert_eq!(*voters, [NodeId(follower), NodeId(9)]);
    }
}

#[test]
fn a_leader_goes_on_alone_also_with_what_nobody_else_had() {
    let mut world = World::new(5, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().unwrap();
    let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    world.cut(&[&[leader], &others]);
    world.propose(leader, 1, "unknown");
    world.run(100);
    world.crash(leader);
    go_alone(&mut world, leader, &[]);
    world.run(100);
    assert_eq!(world.texts(leader), ["unknown"]);
}

/// Changes of the members, also half of a joint one, are no obstacle: nobody whom they name takes part any more.
#[test]
fn what_the_log_says_of_members_is_forgotten() {
    let mut world = World::new(6, &[1, 2, 3]);
    world.run(3000);
    let leader = world.leader().unwrap();
    for id in [4, 5] {
        world.add(id, &[]);
        let changes = vec![MemberChange::AddLearner(NodeId(id))];
        world.step(leader, Input::ChangeMembers { id: ProposalId(id), changes });
        world.run(500);
    }
    world.propose(leader, 1, "agreed");
    world.run(500);
    let mates: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
    // The joint change is entered by this log, and never left.
    world.cut(&[&[leader, 5], &[4], &mates[..1], &mates[1..]]);
    let changes = vec![
        MemberChange::AddVoter(NodeId(4)),
        MemberChange::AddVoter(NodeId(5)),
        MemberChange::Remove(NodeId(mates[0])),
    ];
    world.step(leader, Input::ChangeMembers { id: ProposalId(9), changes });
    world.run(200);
    world.crash(leader);
    world.crash(5);
    let found = standing(world.nodes[&5].disk.recovered.clone()).unwrap().unwrap();
    assert_eq!(found.voters, ids(&[leader, mates[1], 4, 5]));
    assert_eq!((found.named, found.sole_voter), (ids(&[1, 2, 3, 4, 5]), None));
    go_alone(&mut world, 5, &["removed"]);
    world.run(500);
    assert_eq!(world.texts(5), ["agreed", "removed"]);
    assert_eq!(world.leader(), Some(5));
}

#[test]
fn whoever_still_waits_for_a_vote_on_its_last_member_is_not_alone() {
    let mut world = World::new(7, &[1, 2]);
    world.run(3000);
    let leader = world.leader().unwrap();
    let other = 3 - leader;
    world.crash(other);
    let changes = vec![MemberChange::Remove(NodeId(other))];
    world.step(leader, Input::ChangeMembers { id: ProposalId(9), changes });
    world.run(100);
    world.crash(leader);
    let found = standing(world.nodes[&leader].disk.recovered.clone()).unwrap().unwrap();
    assert_eq!((found.voters, found.sole_voter), (ids(&[leader]), None), "it cannot commit that");
    go_alone(&mut world, leader, &[]);
    world.run(100);
    assert_eq!(world.leader(), Some(leader));
}

#[test]
fn where_nothing_was_written_there_is_nothing_to_go_on_with() {
    assert_eq!(standing(Recovered::default()), Ok(None));
    assert!(alone(NodeId(1), Recovered::default(), Vec::new()).is_err());
    let torn = Recovered { hard_state: Some(vec![99]), ..Recovered::default() };
    assert!(standing(torn.clone()).is_err() && alone(NodeId(1), torn, Vec::new()).is_err());
}
