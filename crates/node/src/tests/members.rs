//! Conversations about who is in the cluster: it is founded, one more comes, one is removed, another one leads.

use super::cluster::check;

#[test]
fn three_fresh_nodes_found_one_cluster_and_serve() {
    check(
        "3 fresh nodes
         > wait 6000
         > leaders
         1 leads 3 nodes
         > publish a k 1
         > wait 20
         reply q1 published
         > register b 80
         reply q2 Done
         > wait 20
         > show k
         ?=1/1 hosts, a=1/1 hosts, b=1/1 hosts",
    );
}

#[test]
fn a_fourth_node_comes_catches_up_and_gets_a_vote() {
    check(
        "3 nodes
         > wait 6000
         > publish leader k 1
         > wait 20
         reply q1 published
         > register leader 80
         reply q2 Done
         > join d leader
         > wait 6000
         a snapshot goes out
         > members d
         ? Voter Alive, ? Voter Alive, d Voter Alive, leader Voter Alive leads
         > publish d k 2
         > wait 20
         reply q3 published
         > show k
         ?=2/1 hosts, ?=2/1 hosts, d=2/1 hosts, leader=2/1 hosts",
    );
}

#[test]
fn a_cluster_of_one_grows_to_three() {
    check(
        "1 fresh nodes
         > wait 1000
         > publish leader k 1
         reply q1 published
         > wait 20
         > token leader
         reply q2 a token
         > join a leader
         > wait 5000
         a snapshot goes out
         > join b a
         > wait 5000
         a snapshot goes out
         > members b
         a Voter Alive, b Voter Alive, leader Voter Alive leads, 1 tokens
         > wait 70000
         > members b
         a Voter Alive, b Voter Alive, leader Voter Alive leads
         > kill leader
         > wait 6000
         > publish b k 2
         > wait 20
         reply q3 published
         > show k
         a=2/0 hosts, b=2/0 hosts",
    );
}

#[test]
fn who_is_removed_stops_and_the_others_go_on() {
    check(
        "3 nodes
         > wait 6000
         > remove leader a
         > wait 1000
         reply q1 Outcome(Done)
         halt: node n1 was removed from the cluster for good: to bring this machine back, start it with an empty data directory and join
         > members leader
         ? Voter Alive, leader Voter Alive leads",
    );
}

#[test]
fn the_leader_can_be_removed_by_asking_another_one() {
    check(
        "3 nodes
         > wait 6000
         > remove a leader
         > wait 3000
         reply q1 Outcome(Done)
         halt: node n2 was removed from the cluster for good: to bring this machine back, start it with an empty data directory and join
         > publish a k 1
         > wait 20
         reply q2 published",
    );
}

#[test]
fn leadership_goes_where_it_is_asked_to_go() {
    check(
        "3 nodes
         > wait 6000
         > transfer a b
         > wait 200
         reply q1 Leads(NodeId(3))
         > members leader
         ? Voter Alive, a Voter Alive, b Voter Alive leads
         > publish leader k 1
         > wait 20
         reply q2 published",
    );
}

#[test]
fn a_leader_whose_disk_is_full_hands_over_and_writes_go_on() {
    check(
        "3 nodes
         > wait 6000
         > disk leader full
         > wait 500
         > members a
         ? Voter Alive leads, a Voter Alive, leader Voter Alive
         > publish a k 1
         > wait 20
         reply q1 published",
    );
}

#[test]
fn a_leader_that_leaves_hands_over_first() {
    check(
        "3 nodes
         > wait 6000
         > leave leader
         > wait 2000
         left
         > members a
         ? Voter Alive leads, a Voter Alive, leader Voter Left
         > publish a k 1
         > wait 20
         reply q1 published",
    );
}

#[test]
fn one_of_three_that_restarts_alone_serves_the_registry_and_old_configs() {
    check(
        "3 nodes
         > wait 6000
         > publish leader k 1
         > wait 20
         reply q1 published
         > register leader 80
         reply q2 Done
         > wait 6000
         > kill leader
         > kill a
         > kill b
         > start a
         > read a
         reply q3 Starting
         > wait 6000
         > register a 81
         reply q4 Done
         > read a
         reply q5 Stale
         > show k
         a=1/1 hosts behind
         > publish a k 2
         > wait 2100
         reply q6 NoLeader
         > start b
         > wait 5000
         > show k
         a=1/1 hosts, b=1/1 hosts",
    );
}

#[test]
fn what_a_dead_node_registered_is_gone_within_17_seconds() {
    check(
        "3 nodes
         > wait 6000
         > register leader 80
         reply q1 Done
         > register a 81
         reply q2 Done
         > wait 1000
         > kill leader
         > wait 12000
         > show k
         ?=-/2 hosts, a=-/2 hosts
         > wait 5000
         > show k
         ?=-/1 hosts, a=-/1 hosts",
    );
}
