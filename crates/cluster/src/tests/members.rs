//! Who lives, who comes, who is removed, who leads.

use super::world::{World, check};
use crate::{Command, Input, Refusal, Request, TokenId};
use base::{Duration, LogIndex, NodeId};

/// The commands about members. The engine is played by the script.
pub(super) fn command(world: &mut World, words: &[&str]) {
    match words {
        ["lead", name] => {
            let leader = world.node(name);
            let names: Vec<String> = world.machines.keys().cloned().collect();
            for other in names {
                let is_self = other == *name;
                world.step(&other, Input::Leader { leader: Some(leader), is_self });
            }
        }
        ["members", voters, learners @ ..] => {
            let nodes = |list: &str| list.split(',').map(|name| id(world, name)).collect();
            let voters: Vec<_> = nodes(voters);
            let learners: Vec<_> = learners.first().map(|list| nodes(list)).unwrap_or_default();
            let names: Vec<String> = world.machines.keys().cloned().collect();
            for name in names {
                let (voters, learners) = (voters.clone(), learners.clone());
                world.step(&name, Input::Members { voters, learners });
            }
        }
        ["remove", asked, name] => {
            let node = world.node(name);
            world.ask(asked, Request::Remove(node));
        }
        ["removed", name] => {
            let command = Command::Remove(id(world, name));
            let names: Vec<String> = world.machines.keys().cloned().collect();
            for other in names {
                if let Some(cluster) =
                    world.machines.get_mut(&other).and_then(|machine| machine.cluster.as_mut())
                {
                    cluster.apply(LogIndex(9), &command);
                }
                world.step(&other, Input::Applied(LogIndex(9)));
            }
        }
        ["transfer", asked, name] => {
            let node = world.node(name);
            world.ask(asked, Request::TransferLeader(node));
        }
        ["token", asked, seconds] => {
            let ttl = Duration::from_secs(seconds.parse().expect("seconds"));
            world.ask(asked, Request::MakeToken { ttl });
        }
        ["end", asked] => world.ask(asked, Request::EndToken(TokenId(1))),
        ["applied", index] => {
            let index = LogIndex(index.parse().expect("an index"));
            let names: Vec<String> = world.machines.keys().cloned().collect();
            for name in names {
                world.step(&name, Input::Applied(index));
            }
        }
        ["unfit", name] => world.step(name, Input::Unfit("its disk is full")),
        ["refused", name] => {
            let address = super::world::address("x");
            world.step(name, Input::PeerRefused { address, why: Refusal::Removed });
        }
        _ => panic!("unknown command {words:?}"),
    }
}

/// A node by the name of its machine, or by its id (`n3`).
fn id(world: &World, name: &str) -> NodeId {
    match name.strip_prefix('n').map(str::parse) {
        Some(Ok(number)) => NodeId(number),
        Some(Err(_)) | None => world.node(name),
    }
}

/// Three nodes that founded a cluster; `a` leads.
const THREE: &str = "> machine a join a,b,c expect 3
    > machine b join a,b,c expect 3
    > machine c join a,b,c expect 3
    > start a
    > start b
    > start c
    > wait 3000
    > lead a
    ";

#[test]
fn a_dead_node_is_gone_everywhere_within_five_seconds() {
    check(&format!(
        "{THREE}
         > kill c
         > wait 2500
         > wait 2500
         a: c is gone, last heard 5.0 s ago
         b: c is gone, last heard 4.4 s ago
         > start c
         > wait 1000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive"
    ));
}

#[test]
fn whenever_a_node_dies_it_is_gone_within_six_seconds_and_nobody_else_ever_is() {
    let mut latest = 0;
    for phase in 0..40 {
        let mut world = World::new();
        for line in THREE.lines().filter_map(|line| line.trim().strip_prefix("> ")) {
            world.command(line);
        }
        world.wait(Duration::from_millis(60_000 + phase * 37));
        assert!(!world.transcript.contains("gone"), "{}", world.transcript);
        world.command("kill c");
        let mut waited = 0;
        let c = world.node("c");
        while ["a", "b"].iter().any(|name| world.machines[*name].alive[&c]) {
            world.wait(Duration::from_millis(50));
            waited += 50;
            assert!(waited <= 6000, "{}", world.transcript);
        }
        latest = latest.max(waited);
        assert!(!world.transcript.contains(": a is gone") && !world.transcript.contains(": b is"));
    }
    assert!(latest >= 3000, "a pause of 3 s is no death: {latest} ms");
}

#[test]
fn a_node_that_stands_still_for_two_seconds_is_not_gone() {
    check(&format!(
        "{THREE}
         > cut a b
         > cut b c
         > wait 2000
         > heal
         > wait 10000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive"
    ));
}

#[test]
fn the_leader_brings_in_who_asks_and_gives_it_a_vote_when_it_has_caught_up() {
    check(&format!(
        "{THREE}
         > machine d join a
         > start d
         > wait 100
         a: change AddLearner(NodeId(4))
         > members a,b,c d
         > wait 1500
         > applied 1
         > wait 1500
         a: change AddVoter(NodeId(4))
         > members a,b,c,d
         > wait 5000
         > show
         a formed #1 4/4 alive, b formed #1 4/4 alive, c formed #1 4/4 alive, d joining #1 4/4 alive"
    ));
}

#[test]
fn a_new_leader_goes_on_where_the_former_one_stopped() {
    check(&format!(
        "{THREE}
         > machine d join a
         > start d
         > wait 100
         a: change AddLearner(NodeId(4))
         > lead b
         > wait 1100
         b: change AddLearner(NodeId(4))"
    ));
}

#[test]
fn who_is_removed_stops_and_never_comes_back() {
    check(&format!(
        "{THREE}
         > remove b c
         b: propose q1 Remove(NodeId(3))
         > removed c
         a: change Remove(NodeId(3))
         > members a,b
         c halts: node n3 was removed from the cluster for good
         > wait 10000
         a: c is gone, last heard 5.0 s ago
         b: c is gone, last heard 4.4 s ago
         > show
         a formed #1 2/2 alive, b formed #1 2/2 alive, c formed #1 (off)
         > start c
         > wait 1000
         c halts: node n3 was removed from the cluster for good"
    ));
}

#[test]
fn a_removed_node_that_missed_it_is_told_by_the_first_one_it_meets() {
    check(&format!(
        "{THREE}
         > kill c
         > wait 6000
         a: c is gone, last heard 5.0 s ago
         b: c is gone, last heard 4.4 s ago
         > removed c
         a: change Remove(NodeId(3))
         > members a,b
         > wait 1000
         > start c
         > wait 500
         c halts: node n3 was removed from the cluster for good
         > wipe c
         > start c
         > wait 1500
         a: change AddLearner(NodeId(4))"
    ));
}

#[test]
fn a_leader_that_is_to_be_removed_lets_another_one_do_it() {
    check(&format!(
        "{THREE}
         > removed a
         a: b shall lead
         > lead b
         b: change Remove(NodeId(1))
         > members b,c
         a halts: node n1 was removed from the cluster for good"
    ));
}

#[test]
fn what_would_end_the_cluster_is_refused() {
    check(
        "> machine a join a,b expect 2
         > machine b join a,b expect 2
         > start a
         > remove a a
         a: reply q1 Refused(NotFormed)
         > start b
         > wait 3000
         > lead a
         > kill b
         > wait 8000
         a: b is gone, last heard 4.0 s ago
         > remove a a
         a: reply q2 Refused(NoMajority)
         > transfer a b
         a: reply q3 Refused(CannotLead(NodeId(2)))
         > remove a b
         a: propose q4 Remove(NodeId(2))
         > removed b
         a: change Remove(NodeId(2))
         > members a
         > remove a a
         a: reply q5 Refused(LastVoter)",
    );
}

#[test]
fn the_leader_is_changed_from_any_node_or_in_vain() {
    check(&format!(
        "{THREE}
         > transfer c b
         > wait 10
         a: b shall lead
         > lead b
         c: reply q1 Leads(NodeId(2))
         > transfer a b
         a: reply q2 Leads(NodeId(2))
         > transfer a c
         > wait 10
         b: c shall lead
         > wait 2000
         a: reply q3 Refused(TimedOut)"
    ));
}

#[test]
fn a_leader_with_a_bad_disk_hands_over_but_not_again_and_again() {
    check(&format!(
        "{THREE}
         > unfit b
         > unfit a
         a: b shall lead
         > lead b
         > lead a
         > unfit a
         > wait 31000
         > unfit a
         a: b shall lead"
    ));
}

#[test]
fn who_leaves_hands_over_and_says_goodbye() {
    check(&format!(
        "{THREE}
         > leave a
         a: b shall lead
         > lead b
         > wait 1100
         b: a is gone, last heard 0.0 s ago
         c: a is gone, last heard 0.0 s ago
         a: left
         > kill a
         > start a
         > wait 1000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive"
    ));
}

#[test]
fn a_token_opens_the_door_and_ends() {
    check(
        "> machine a
         > start a
         > members a
         > lead a
         > token a 5
         a: propose q1 MakeToken
         > end a
         a: reply q2 Refused(UnknownToken(TokenId(1)))
         > token a 99999999
         a: reply q3 Refused(TtlTooLong)",
    );
}

#[test]
fn the_copy_of_a_data_directory_stops_and_the_original_goes_on() {
    check(&format!(
        "{THREE}
         > machine d join a,b,c
         > wait 10000
         > copy c d
         > start d
         > wait 30000
         d halts: another node with the id n3 runs since before
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 3/3 alive, d formed #1 (off)"
    ));
}

#[test]
fn a_machine_that_lost_its_disk_takes_its_old_place() {
    check(&format!(
        "{THREE}
         > kill c
         > wipe c
         > start c
         > wait 100
         a: change AddLearner(NodeId(4))
         > members a,b,n3 c
         > applied 1
         > wait 9000
         c: n3 is gone, last heard 4.0 s ago
         a: n3 is gone, last heard 4.8 s ago
         b: n3 is gone, last heard 4.2 s ago
         > wait 2000
         a: n3 never comes back
         > removed n3
         > wait 2000
         a: change Replace {{ old: NodeId(3), new: NodeId(4) }}
         > members a,b,c
         > wait 10000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c joining #1 3/3 alive"
    ));
}

#[test]
fn nobody_takes_the_place_of_a_node_that_lives_elsewhere() {
    check(&format!(
        "{THREE}
         > machine d join a,b,c
         > kill c
         > copy c d
         > start d
         > wipe c
         > start c
         > wait 1500
         a: change AddLearner(NodeId(5))
         > members a,b,d c
         > applied 1
         > wait 1900
         a: change AddVoter(NodeId(5))
         > members a,b,c,d
         > wait 30000
         > show
         a formed #1 4/4 alive, b formed #1 4/4 alive, c joining #1 4/4 alive, d formed #1 4/4 alive"
    ));
}

#[test]
fn nobody_takes_a_place_while_that_would_leave_no_majority() {
    check(&format!(
        "{THREE}
         > kill b
         > kill c
         > wipe c
         > start c
         > wait 1500
         a: change AddLearner(NodeId(4))
         > members a,b,n3 c
         > applied 1
         > wait 30000
         c: b is gone, last heard 4.0 s ago
         a: b is gone, last heard 5.3 s ago
         a: n3 is gone, last heard 6.1 s ago
         c: n3 is gone, last heard 4.0 s ago"
    ));
}

/// Of two on one disk, the one with the earlier life stays, also where nobody looks for it.
#[test]
fn the_twin_that_stays_is_linked_at_its_new_address() {
    check(&format!(
        "{THREE}
         > machine d join a,b,c
         > kill c
         > copy c d
         > ahead c 60000
         > start c
         > wait 1000
         > start d
         > wait 30000
         c halts: another node with the id n3 runs since before
         a: c is gone, last heard 4.2 s ago
         b: c is gone, last heard 3.8 s ago
         > wait 5000
         > show
         a formed #1 3/3 alive, b formed #1 3/3 alive, c formed #1 (off), d formed #1 3/3 alive"
    ));
}
