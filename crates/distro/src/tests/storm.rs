//! Whatever is written, deleted, cut, healed and lost: two rounds of digests after the last cut has healed, all nodes
//! list the same, and of each record the state with the greatest version.

use super::network::{Core, Network};
use crate::*;
use base::Duration;
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

#[derive(Clone, Debug)]
enum Deed {
    Write(u64, u8),
    Delete(u64, u8),
    Cut(u64, u64),
    Link(u64, u64),
    Lose(u64, u64, usize),
    Wait(u64),
}

fn deed(count: u64) -> impl Strategy<Value = Deed> {
    let node = 1..=count;
    let pair = (node.clone(), node.clone()).prop_filter("two nodes", |(a, b)| a != b);
    prop_oneof![
        4 => (node.clone(), 0..6u8).prop_map(|(node, key)| Deed::Write(node, key)),
        2 => (node, 0..6u8).prop_map(|(node, key)| Deed::Delete(node, key)),
        1 => pair.clone().prop_map(|(a, b)| Deed::Cut(a, b)),
        1 => pair.clone().prop_map(|(a, b)| Deed::Link(a, b)),
        1 => (pair, 1..4usize).prop_map(|((a, b), count)| Deed::Lose(a, b, count)),
        3 => (0..3000u64).prop_map(Deed::Wait),
    ]
}

fn listed(core: &Core) -> BTreeMap<String, (Version, u32)> {
    let entries = core.from(&String::new()).filter(|(_, entry)| entry.listed());
    entries.map(|(key, entry)| (key.clone(), (entry.version, entry.value))).collect()
}

fn run(count: u64, deeds: &[Deed]) -> Network {
    let mut network = Network::new(count);
    let mut value = 0;
    for deed in deeds {
        match *deed {
            Deed::Write(node, key) => {
                value += 1;
                let key = key.to_string();
                network.step(NodeId(node), Input::Write { key, value });
            }
            Deed::Delete(node, key) => {
                network.step(NodeId(node), Input::Delete { key: key.to_string() });
            }
            Deed::Cut(a, b) => network.cut(NodeId(a), NodeId(b)),
            Deed::Link(a, b) => {
                network.cut(NodeId(a), NodeId(b));
                network.link(NodeId(a), NodeId(b));
            }
            Deed::Lose(a, b, count) => network.lose(NodeId(a), NodeId(b), count),
            Deed::Wait(ms) => network.wait(Duration::from_millis(ms)),
        }
    }
    network
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn all_nodes_agree_soon_after_the_last_cut_has_healed(
        (count, deeds) in (3..6u64).prop_flat_map(|count| (Just(count), prop::collection::vec(deed(count), 0..40))),
    ) {
        let mut network = run(count, &deeds);
        for a in 1..=count {
            for b in a + 1..=count {
                network.lose(NodeId(a), NodeId(b), 0);
                network.lose(NodeId(b), NodeId(a), 0);
                network.cut(NodeId(a), NodeId(b));
                network.link(NodeId(a), NodeId(b));
            }
        }
        network.wait(DIGEST_PERIOD * 2 + Duration::from_millis(100));
        let states: Vec<_> = network.nodes.values().map(listed).collect();
        for state in &states {
            prop_assert_eq!(state, &states[0]);
        }
        for (id, core) in &network.nodes {
            for other in network.nodes.keys().filter(|other| *other != id) {
                prop_assert!(core.agreed_at(*other).is_some(), "{} never agreed with {}", id, other);
            }
        }
    }

    #[test]
    fn what_is_lost_while_links_stand_is_found_as_well(
        deeds in prop::collection::vec(deed(3), 0..40),
    ) {
        let mut network = run(3, &deeds);
        let ends: Vec<NodeId> = network.nodes.keys().copied().collect();
        for a in &ends {
            for b in ends.iter().filter(|b| *b != a) {
                network.lose(*a, *b, 0);
            }
        }
        for (a, b) in [(1, 2), (2, 3)] {
            // A chain is enough; the link between its ends may be cut or not.
            if network.is_cut(NodeId(a), NodeId(b)) {
                network.link(NodeId(a), NodeId(b));
            }
        }
        // A lost answer is asked for again after `EXCHANGE_TIMEOUT`, and each end of the chain needs its own rounds.
        network.wait((EXCHANGE_TIMEOUT + DIGEST_PERIOD * 2) * 2);
        let states: Vec<_> = network.nodes.values().map(listed).collect();
        for state in &states {
            prop_assert_eq!(state, &states[0]);
        }
    }

    #[test]
    fn a_node_that_agrees_with_all_has_what_its_former_life_owned_however_busy_it_is(
        deeds in prop::collection::vec(deed(3), 0..30),
        hinted in any::<u64>(),
        pace in 1..40u64,
    ) {
        let mut network = run(3, &deeds);
        let back = NodeId(3);
        let others = [NodeId(1), NodeId(2)];
        for (a, b) in [(1, 2), (2, 3), (3, 1)] {
            network.lose(NodeId(a), NodeId(b), 0);
            network.lose(NodeId(b), NodeId(a), 0);
        }
        // While the others are cut off from each other, and it is the bridge between them, that takes more rounds.
        if network.is_cut(others[0], others[1]) {
            network.link(others[0], others[1]);
        }
        let hint: Vec<Record<String, u32>> = listed(&network.nodes[&back])
            .into_iter()
            .enumerate()
            .filter(|(at, _)| hinted >> at & 1 == 1)
            .map(|(_, (key, (version, value)))| Record { key, version, value: Some(value) })
            .collect();
        network.wait(Duration::from_millis(1));
        network.start(back);
        for record in hint {
            network.step(back, Input::Restore(record));
        }
        let owed: Vec<(String, Version)> = others
            .iter()
            .flat_map(|other| listed(&network.nodes[other]))
            .filter(|(_, (version, _))| version.incarnation.node == back)
            .map(|(key, (version, _))| (key, version))
            .collect();
        for ms in 0..6_000 {
            if ms % pace == 0 {
                let key = (ms % 7).to_string();
                network.step(back, Input::Write { key: std::format!("new-{key}"), value: 1 });
            }
            network.wait(Duration::from_millis(1));
            let core = &network.nodes[&back];
            if others.iter().all(|other| core.agreed_at(*other).is_some()) {
                for (key, version) in &owed {
                    prop_assert!(core.known(key) >= Some(*version), "{} lacks {}", back, key);
                }
                return Ok(());
            }
        }
        prop_assert!(false, "it never agreed");
    }

    #[test]
    fn junk_from_a_peer_changes_nothing_that_is_ours_and_stops_nobody(
        records in prop::collection::vec((0..6u8, any::<u64>(), 0..5u64, any::<u64>(), any::<bool>()), 0..80),
        sums in prop::collection::vec(any::<u64>(), 0..300),
        range in (any::<Option<u8>>(), any::<Option<u8>>()),
        keys in prop::collection::vec((any::<u8>(), any::<u64>()), 0..20),
    ) {
        let mut network = Network::new(2);
        network.step(NodeId(1), Input::Write { key: "own".to_string(), value: 7 });
        network.wait(Duration::from_millis(10));
        let records = records.into_iter().map(|(key, at, node, seq, living)| Record {
            key: key.to_string(),
            version: version(at, node, seq),
            value: living.then_some(1),
        });
        let owner = NodeId(2);
        let versions = keys.into_iter().map(|(key, at)| (key.to_string(), version(at, 2, 1)));
        let (after, until) = (range.0.map(|key| key.to_string()), range.1.map(|key| key.to_string()));
        let all = BucketSet::default();
        let messages = [
            Message::Delta { number: u64::MAX, records: records.collect() },
            Message::DeltaTaken { number: u64::MAX },
            Message::Digest { summaries: Vec::from([Summary { owner, count: 1, sum: 1 }]) },
            Message::Versions { owner, buckets: all, after, until, versions: versions.collect() },
            Message::Buckets { owner: NodeId(1), sums },
            Message::Wanted { keys: Vec::from(["own".to_string(), "none".to_string()]) },
            Message::More { owner, buckets: all, after: "z".to_string() },
        ];
        for message in messages {
            network.step(NodeId(1), Input::Received { from: NodeId(2), message });
            network.wait(Duration::from_millis(3));
        }
        network.wait(Duration::from_secs(10));
        let own = network.nodes[&NodeId(1)].get(&"own".to_string());
        prop_assert_eq!(own.map(|entry| entry.value), Some(7));
    }
}

fn version(at: u64, node: u64, seq: u64) -> Version {
    Version { incarnation: Incarnation { at: HybridTime(at), node: NodeId(node) }, seq }
}
