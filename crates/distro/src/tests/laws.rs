//! Merging is commutative, associative and idempotent: whatever comes, in whatever order, however often.

use crate::*;
use base::Duration;
use proptest::prelude::*;
use std::{collections::BTreeMap, vec::Vec};

type State = BTreeMap<u8, (Version, Option<u64>)>;

const NOW: Now = Now::START;

/// A state that an owner could have originated: the same version always has the same content.
fn record(key: u8, at: u64, node: u64, seq: u64) -> Record<u8, u64> {
    let incarnation = Incarnation { at: HybridTime(at), node: NodeId(node) };
    let value = (!(at + seq).is_multiple_of(3)).then_some(at * 100 + node * 10 + seq);
    Record { key, version: Version { incarnation, seq }, value }
}

fn records(count_max: usize) -> impl Strategy<Value = Vec<Record<u8, u64>>> {
    // Also records of an earlier life of this node, which is n1.
    let record = (0..2u8, 1..4u64, 1..4u64, 1..4u64).prop_map(|(k, at, n, s)| record(k, at, n, s));
    prop::collection::vec(record, 0..count_max)
}

fn merge(record: Record<u8, u64>) -> Input<u8, u64> {
    let message = Message::Delta { number: 1, records: Vec::from([record]) };
    Input::Received { from: NodeId(9), message }
}

/// A node that has already learned that n2 is alive and n3 is gone.
fn merged(records: &[Record<u8, u64>]) -> Distro<u8, u64> {
    let clock = HybridClock::above(HybridTime(1000));
    let mut core = Distro::new(NOW, NodeId(1), clock);
    core.step(NOW, Input::OwnerAlive { owner: NodeId(2), life: HybridTime(0) });
    core.step(NOW, Input::OwnerGone { owner: NodeId(3), heard: NOW.instant });
    for record in records {
        core.step(NOW, merge(record.clone()));
    }
    core
}

/// All that a node would tell another.
fn told(core: &Distro<u8, u64>) -> Vec<Record<u8, u64>> {
    let entries = core.entries.iter().map(|(key, entry)| Record {
        key: *key,
        version: entry.version,
        value: Some(entry.value),
    });
    let tombstones = (0..=u8::MAX).filter_map(|key| {
        core.tombstones.version(&key).map(|version| Record { key, version, value: None })
    });
    entries.chain(tombstones).collect()
}

fn state(core: &Distro<u8, u64>) -> State {
    told(core).into_iter().map(|record| (record.key, (record.version, record.value))).collect()
}

fn standings(core: &Distro<u8, u64>) -> Vec<(u8, Standing)> {
    core.entries.iter().map(|(key, entry)| (*key, entry.standing)).collect()
}

/// What must come out: of each key the greatest version.
fn greatest(records: &[Record<u8, u64>]) -> State {
    let mut state = State::new();
    for record in records {
        let known = state.get(&record.key).map(|(version, _)| *version);
        if known < Some(record.version) {
            state.insert(record.key, (record.version, record.value));
        }
    }
    state
}

fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return std::vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..items.len() {
        let mut rest = items.to_vec();
        let item = rest.remove(first);
        for mut permutation in permutations(&rest) {
            permutation.insert(0, item.clone());
            all.push(permutation);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_order_and_every_repetition_ends_in_the_same_state(
        records in records(4),
        repeated in any::<prop::sample::Index>(),
    ) {
        let mut all = records.clone();
        if !records.is_empty() {
            let index = repeated.index(records.len());
            all.extend([records[index].clone(), records[0].clone()]);
        }
        let expected = greatest(&records);
        let seen = standings(&merged(&records));
        for permutation in permutations(&all) {
            let core = merged(&permutation);
            prop_assert_eq!(state(&core), expected.clone());
            prop_assert_eq!(standings(&core), seen.clone());
        }
    }

    #[test]
    fn it_does_not_matter_who_heard_what_first(
        a in records(8),
        b in records(8),
        c in records(8),
    ) {
        let told = |records: &[Record<u8, u64>]| told(&merged(records));
        let (ab, bc) = (told(&[told(&a), told(&b)].concat()), told(&[told(&b), told(&c)].concat()));
        let left = merged(&[ab, told(&c)].concat());
        let right = merged(&[told(&a), bc].concat());
        prop_assert_eq!(state(&left), state(&right));
        prop_assert_eq!(state(&left), greatest(&[a, b, c].concat()));
    }

    #[test]
    fn two_nodes_that_write_and_then_talk_agree(
        writes in prop::collection::vec((0..2usize, 0..3u8, any::<bool>(), any::<bool>()), 0..40),
    ) {
        let core = |node| Distro::<u8, u64>::new(NOW, NodeId(node), HybridClock::default());
        let mut nodes = [core(1), core(2)];
        let mut now = NOW;
        for (value, (node, key, delete, talk)) in writes.into_iter().enumerate() {
            now = now.after(Duration::from_millis(1));
            let input = if delete {
                Input::Delete { key }
            } else {
                Input::Write { key, value: value as u64 }
            };
            nodes[node].step(now, input);
            if talk {
                for record in told(&nodes[node]) {
                    nodes[1 - node].step(now, merge(record));
                }
            }
        }
        for node in [0, 1, 0] {
            for record in told(&nodes[node]) {
                nodes[1 - node].step(now, merge(record));
            }
        }
        prop_assert_eq!(state(&nodes[0]), state(&nodes[1]));
        for key in 0..3 {
            let owners = nodes
                .iter()
                .filter(|node| node.get(&key).is_some_and(|entry| node.owns(entry)))
                .count();
            let exists = nodes[0].get(&key).is_some();
            prop_assert_eq!(owners, usize::from(exists), "a record that exists has one owner");
        }
        for node in &nodes {
            let owned = node.entries.values().filter(|entry| node.owns(entry)).count();
            prop_assert_eq!(node.owned_count(), owned);
        }
    }
}
