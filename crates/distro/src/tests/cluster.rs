//! What several nodes make of it, as text: commands in, what each node lists out.

use super::network::Network;
use crate::*;
use base::Duration;
use std::{
    fmt::Write,
    format,
    string::{String, ToString},
    vec::Vec,
};

fn node(text: &str) -> NodeId {
    NodeId(text.trim_start_matches('n').parse().expect("a node, as n1"))
}

fn show(network: &Network, key: &str) -> String {
    let states = network.nodes.iter().map(|(id, core)| {
        let entry = core.get(&key.to_string()).filter(|entry| entry.listed());
        let state = entry.map_or("-".to_string(), |entry| {
            let owned = if core.owns(entry) { "*" } else { "" };
            let orphan = if entry.standing == Standing::Orphan { "?" } else { "" };
            format!("{}{owned}{orphan}", entry.value)
        });
        format!("{id}={state}")
    });
    states.collect::<Vec<_>>().join(" ")
}

fn show_count(network: &Network) -> String {
    let counts = network.nodes.iter().map(|(id, core)| format!("{id}={}", core.len()));
    counts.collect::<Vec<_>>().join(" ")
}

fn show_agreement(network: &Network) -> String {
    let mut text = String::new();
    for (id, core) in &network.nodes {
        let others = network.nodes.keys().filter(|other| *other != id);
        let agreed = others.filter(|other| {
            let fresh = |at: Instant| network.now.instant.since(at) <= DIGEST_PERIOD;
            core.agreed_at(**other).is_some_and(fresh)
        });
        let names = agreed.map(ToString::to_string).collect::<Vec<_>>().join(",");
        write!(text, "{id}:{names} ").expect("a string takes all");
    }
    text.trim_end().to_string()
}

fn command(network: &mut Network, words: &[&str]) -> Option<String> {
    let string = |text: &str| text.to_string();
    match *words {
        ["write", id, key, value] => {
            let value = value.parse().expect("a number");
            network.step(node(id), Input::Write { key: string(key), value });
        }
        ["fill", id, count] => {
            for number in 0..count.parse::<u32>().expect("a number") {
                let input = Input::Write { key: format!("{id}-{number:06}"), value: number };
                network.step(node(id), input);
            }
        }
        ["delete", id, key] => network.step(node(id), Input::Delete { key: string(key) }),
        ["cut", a, b] => network.cut(node(a), node(b)),
        ["link", a, b] => network.link(node(a), node(b)),
        ["lose", a, b, count] => {
            network.lose(node(a), node(b), count.parse().expect("a number"));
        }
        ["gone", id] => {
            let heard = network.now.instant;
            let others: Vec<NodeId> =
                network.nodes.keys().copied().filter(|other| *other != node(id)).collect();
            for other in others {
                network.cut(node(id), other);
                network.step(other, Input::OwnerGone { owner: node(id), heard });
            }
        }
        ["repair", id, peer] => network.step(node(id), Input::Repair { peer: node(peer) }),
        ["start", id] => network.start(node(id)),
        ["hint", id] => network.write_hint(node(id)),
        ["wait", ms] => network.wait(Duration::from_millis(ms.parse().expect("milliseconds"))),
        ["show", key] => return Some(show(network, key)),
        ["count"] => return Some(show_count(network)),
        ["agreed"] => return Some(show_agreement(network)),
        ["traffic"] => {
            let traffic = std::mem::take(&mut network.traffic);
            let kinds = traffic.iter().map(|(kind, count)| format!("{kind} {count}"));
            return Some(kinds.collect::<Vec<_>>().join(", "));
        }
        _ => panic!("unknown command {words:?}"),
    }
    None
}

/// A script with its answers. The first line says how many nodes there are.
fn check(expected: &str) {
    let mut lines = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    let count = lines.next().and_then(|line| line.strip_suffix(" nodes")).expect("`N nodes`");
    let mut network = Network::new(count.parse().expect("a number"));
    let expected: Vec<&str> = lines.collect();
    let mut transcript: Vec<String> = Vec::new();
    for line in expected.iter().filter_map(|line| line.strip_prefix("> ")) {
        transcript.push(format!("> {line}"));
        transcript.extend(command(&mut network, &line.split(' ').collect::<Vec<_>>()));
    }
    assert!(
        transcript.iter().map(String::as_str).eq(expected.iter().copied()),
        "it went differently:\n{}",
        transcript.join("\n")
    );
}

#[test]
fn a_write_is_everywhere_after_one_message() {
    check(
        "3 nodes
         > wait 1000
         > traffic
         digest 6
         > write n1 a 5
         > wait 2
         > show a
         n1=5* n2=5 n3=5
         > delete n1 a
         > wait 2
         > show a
         n1=- n2=- n3=-
         > traffic
         delta 4, taken 4",
    );
}

#[test]
fn nothing_is_said_but_digests_while_nothing_changes() {
    check(
        "3 nodes
         > fill n1 1000
         > fill n2 1000
         > wait 4000
         > count
         n1=2000 n2=2000 n3=2000
         > agreed
         n1:n2,n3 n2:n1,n3 n3:n1,n2
         > traffic
         delta 80, digest 18, taken 80
         > wait 10000
         > traffic
         digest 30",
    );
}

#[test]
fn what_was_lost_is_found_by_the_next_digest() {
    check(
        "2 nodes
         > fill n1 300
         > wait 1900
         > traffic
         delta 9, digest 2, taken 9
         > lose n1 n2 1
         > write n1 a 5
         > wait 90
         > show a
         n1=5* n2=-
         > wait 4000
         > show a
         n1=5* n2=5
         > traffic
         buckets 1, delta 2, digest 4, taken 1, versions 1, wanted 1",
    );
}

#[test]
fn both_sides_of_a_cut_take_writes_and_agree_when_it_heals() {
    check(
        "3 nodes
         > write n1 a 1
         > wait 100
         > cut n1 n3
         > cut n2 n3
         > write n1 b 2
         > write n3 c 3
         > write n2 a 4
         > write n3 a 5
         > delete n1 b
         > write n1 d 6
         > wait 5000
         > show a
         n1=4 n2=4* n3=5*
         > show c
         n1=- n2=- n3=3*
         > show d
         n1=6* n2=6 n3=-
         > link n1 n3
         > link n2 n3
         > wait 2100
         > show a
         n1=5 n2=5 n3=5*
         > show b
         n1=- n2=- n3=-
         > show c
         n1=3 n2=3 n3=3*
         > show d
         n1=6* n2=6 n3=6
         > agreed
         n1:n2,n3 n2:n1,n3 n3:n1,n2",
    );
}

#[test]
fn a_bridge_carries_what_the_ends_do_not_hear_from_each_other() {
    check(
        "3 nodes
         > cut n1 n3
         > write n1 a 1
         > wait 4100
         > show a
         n1=1* n2=1 n3=1
         > delete n1 a
         > wait 4100
         > show a
         n1=- n2=- n3=-",
    );
}

#[test]
fn a_new_node_gets_everything_and_knows_when() {
    check(
        "2 nodes
         > fill n1 2500
         > fill n2 2500
         > wait 5000
         > traffic
         delta 86, digest 6, taken 86
         > start n3
         > wait 1
         > agreed
         n1:n2,n3 n2:n1,n3 n3:
         > wait 3000
         > count
         n1=5000 n2=5000 n3=5000
         > agreed
         n1:n2,n3 n2:n1,n3 n3:n1,n2
         > traffic
         buckets 2, delta 80, digest 12, more 8, taken 80, versions 10, wanted 6",
    );
}

#[test]
fn the_records_of_a_node_that_died_are_listed_15_s_and_alike_on_all_others() {
    check(
        "3 nodes
         > write n3 a 5
         > wait 100
         > gone n3
         > wait 10000
         > show a
         n1=5? n2=5? n3=5*
         > wait 5100
         > show a
         n1=- n2=- n3=5*",
    );
}

#[test]
fn a_node_that_comes_back_with_nothing_does_not_take_anything_away() {
    check(
        "3 nodes
         > write n3 a 5
         > write n1 b 6
         > wait 100
         > gone n3
         > wait 1000
         > start n3
         > wait 4000
         > show a
         n1=5? n2=5? n3=5?
         > show b
         n1=6* n2=6 n3=6
         > wait 12000
         > show a
         n1=- n2=- n3=-",
    );
}

#[test]
fn a_node_that_comes_back_is_not_caught_up_before_it_has_what_its_former_life_owned() {
    check(
        "3 nodes
         > write n3 a 5
         > write n3 b 6
         > wait 100
         > gone n3
         > wait 1000
         > delete n1 b
         > wait 1000
         > start n3
         > wait 2
         > show a
         n1=5? n2=5? n3=-
         > agreed
         n1:n2 n2:n1 n3:
         > wait 3
         > show a
         n1=5? n2=5? n3=5?
         > wait 2100
         > show b
         n1=- n2=- n3=-
         > agreed
         n1:n2,n3 n2:n1,n3 n3:n1,n2",
    );
}

#[test]
fn a_node_whose_earlier_lives_owned_nothing_does_not_ask_for_it() {
    check(
        "2 nodes
         > wait 3000
         > traffic
         digest 4
         > cut n1 n2
         > fill n1 100
         > link n1 n2
         > wait 3000
         > agreed
         n1:n2 n2:n1
         > traffic
         buckets 1, delta 2, digest 4, taken 2, versions 1, wanted 1",
    );
}

#[test]
fn a_ghost_that_outlived_its_tombstone_is_buried_by_its_owner() {
    check(
        "2 nodes
         > write n1 a 5
         > wait 100
         > cut n1 n2
         > delete n1 a
         > wait 700000
         > show a
         n1=- n2=5
         > link n1 n2
         > wait 2100
         > show a
         n1=- n2=-",
    );
}

#[test]
fn what_an_old_hint_brings_back_ends_at_once_if_anyone_remembers_and_else_with_its_time() {
    check(
        "3 nodes
         > write n1 a 5
         > wait 100
         > hint n3
         > delete n1 a
         > wait 100
         > start n3
         > wait 10
         > show a
         n1=- n2=- n3=-
         > start n1
         > start n2
         > wait 1000
         > start n3
         > wait 2100
         > show a
         n1=5? n2=5? n3=5?
         > wait 15100
         > show a
         n1=- n2=- n3=-
         > wait 600000
         > count
         n1=0 n2=0 n3=0",
    );
}

#[test]
fn a_repair_finds_what_was_lost_without_waiting_for_a_digest() {
    check(
        "2 nodes
        > wait 100
        > lose n1 n2 1
        > write n1 a 1
        > lose n2 n1 1
        > write n2 b 2
        > wait 10
        > show a
        n1=1* n2=-
        > show b
        n1=- n2=2*
        > repair n2 n1
        > wait 20
        > show a
        n1=1* n2=1
        > show b
        n1=2 n2=2*
        > wait 2000
        > agreed
        n1:n2 n2:n1",
    );
}
