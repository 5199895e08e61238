//! All orders in which a few messages can arrive, each of them once or twice: the nodes agree in the end, and on what
//! the greatest version says.

use super::network::{Core, Network};
use crate::*;
use base::Duration;
use std::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

/// From, to, message.
type Letter = (NodeId, NodeId, Message<String, u32>);

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);
const N3: NodeId = NodeId(3);

fn write(key: &str, value: u32) -> Input<String, u32> {
    Input::Write { key: key.to_string(), value }
}

fn delete(key: &str) -> Input<String, u32> {
    Input::Delete { key: key.to_string() }
}

/// Three linked nodes that know of `a`, and what they say when each does something without hearing of the others.
fn scene(deeds: &[(NodeId, Input<String, u32>)]) -> (Network, Vec<Letter>) {
    let mut network = Network::new(3);
    network.step(N1, write("a", 1));
    network.wait(Duration::from_millis(100));
    let mut letters = Vec::new();
    for (node, input) in deeds {
        let core = network.nodes.get_mut(node).expect("a node");
        core.step(network.now, input.clone());
        while let Some(output) = core.poll() {
            if let Output::Send { to, message } = output {
                letters.push((*node, to, message));
            }
        }
    }
    (network, letters)
}

/// Calls `then` with every order of the indices `0..count`, each of them twice.
fn each_order_with_duplicates(count: usize, then: &mut impl FnMut(&[usize])) {
    fn go(left: &mut [u8], order: &mut Vec<usize>, then: &mut impl FnMut(&[usize])) {
        if left.iter().all(|left| *left == 0) {
            return then(order);
        }
        for index in 0..left.len() {
            if left[index] > 0 {
                left[index] -= 1;
                order.push(index);
                go(left, order, then);
                order.pop();
                left[index] += 1;
            }
        }
    }
    let mut left = std::vec![2; count];
    go(&mut left, &mut Vec::new(), then);
}

fn listed(core: &Core) -> BTreeMap<String, (Version, u32)> {
    let entries = core.from(&String::new()).filter(|(_, entry)| entry.listed());
    entries.map(|(key, entry)| (key.clone(), (entry.version, entry.value))).collect()
}

/// In every order: what the nodes list once they have compared their digests is `expected`.
fn check(deeds: &[(NodeId, Input<String, u32>)], letters_count: usize, expected: &[(&str, u32)]) {
    let (_, letters) = scene(deeds);
    assert_eq!(letters.len(), letters_count, "{letters:?}");
    let mut orders_count = 0;
    each_order_with_duplicates(letters.len(), &mut |order| {
        orders_count += 1;
        let (mut network, letters) = scene(deeds);
        for index in order {
            let (from, to, message) = letters[*index].clone();
            network.step(to, Input::Received { from, message });
        }
        network.wait(Duration::from_millis(4500));
        let first = listed(&network.nodes[&N1]);
        let values: Vec<(&str, u32)> =
            first.iter().map(|(key, (_, value))| (key.as_str(), *value)).collect();
        assert_eq!(values, expected, "in the order {order:?}");
        for core in network.nodes.values() {
            assert_eq!(listed(core), first, "in the order {order:?}");
        }
    });
    assert!(orders_count >= 2520, "only {orders_count} orders");
}

#[test]
fn the_later_of_two_writers_wins_everywhere() {
    let deeds = [(N1, write("a", 2)), (N2, write("a", 3))];
    check(&deeds, 4, &[("a", 3)]);
}

#[test]
fn a_deletion_and_a_write_elsewhere_do_not_mix() {
    let deeds = [(N2, write("a", 2)), (N1, delete("a"))];
    // n1 deletes the state it owns; n2 has taken the record over with a greater incarnation.
    check(&deeds, 4, &[("a", 2)]);
    let deeds = [(N2, write("b", 2)), (N3, delete("a"))];
    check(&deeds, 4, &[("b", 2)]);
}
