//! Laws: merging does not depend on order or number; what a node says of itself never falls; no message breaks an invariant.

use crate::bytes::messages;
use crate::network::{CLUSTER, Network, address, description, scattered};
use base::{Duration, NodeId, Now, Rng};
use gossip::*;
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

/// Few numbers, so that they collide. Two descriptions under one version: a copied data directory.
fn views() -> impl Strategy<Value = Member> {
    let states = prop::sample::select(vec![State::Alive, State::Suspect, State::Down, State::Left]);
    (1..4u64, 1..4u64, 0..3u64, 0..2usize, states).prop_map(
        |(generation, version, incarnation, place, state)| Member {
            record: Arc::new(Record {
                generation: Generation(generation),
                version: RecordVersion(version),
                node: NodeId(5),
                description: description(address(place)),
            }),
            incarnation: Incarnation(incarnation),
            state,
        },
    )
}

proptest! {
    #[test]
    fn merging_is_commutative_associative_and_idempotent(a in views(), b in views(), c in views()) {
        prop_assert_eq!(a.merge(&b), b.merge(&a));
        prop_assert_eq!(a.merge(&b).merge(&c), a.merge(&b.merge(&c)));
        prop_assert_eq!(a.merge(&a), a.clone());
        prop_assert_eq!(a.merge(&b).merge(&b), a.merge(&b));
    }

    #[test]
    fn merging_never_goes_back(a in views(), b in views()) {
        let merged = a.merge(&b);
        for side in [a, b] {
            prop_assert!(merged.generation() >= side.generation());
            if merged.generation() == side.generation() {
                prop_assert!(merged.record.version >= side.record.version);
                prop_assert!(merged.incarnation >= side.incarnation);
                if merged.incarnation == side.incarnation {
                    prop_assert!(merged.state >= side.state);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comes, in whatever order: invariants hold, and (generation, incarnation) of every member and of the node
    /// itself only grow.
    #[test]
    fn no_message_breaks_an_invariant(
        messages in prop::collection::vec((messages(), small_messages(), 0..3000u64), 1..30),
    ) {
        let mut core = core(3);
        let mut now = Now::START;
        let mut known: BTreeMap<NodeId, (Generation, Incarnation)> = BTreeMap::new();
        for (wild, tame, wait_ms) in messages {
            for message in [wild, tame] {
                now = now.after(Duration::from_millis(wait_ms));
                core.step(now, Input::Received { from: address(9), message });
                core.step(now, Input::Wake);
                core.check();
                for member in core.members().chain([core.own()]) {
                    let view = (member.generation(), member.incarnation);
                    let before = known.insert(member.node(), view).unwrap_or_default();
                    prop_assert!(before <= view, "{before:?} {view:?}");
                    prop_assert!(member.generation().0 <= NUMBER_MAX);
                    prop_assert!(member.incarnation.0 <= NUMBER_MAX);
                }
                check_outputs(&mut core)?;
                prop_assert!(core.deadline().is_none_or(|due| due > now.instant));
            }
        }
    }

    /// Nodes that heard the same in another order, twice, or only by an exchange, end with the same view.
    #[test]
    fn loss_delay_and_doubles_change_no_outcome(seed in 0..10_000u64, lost in 0..300u64, doubled in 0..300u64) {
        let faults = crate::network::Faults {
            lost_per_mille: lost,
            doubled_per_mille: doubled,
            delay_min: Duration::from_millis(1),
            delay_max: Duration::from_millis(300),
        };
        let mut network = Network::new(seed, faults);
        for index in 0..6 {
            network.add(scattered(index), address(index));
            network.start(index, vec![address(0), address(1)], |_| {});
        }
        network.run(Duration::from_secs(5));
        network.rename(3, address(33));
        network.stop(4);
        network.run(Duration::from_secs(10));
        network.step(5, Input::Leave);
        network.run(Duration::from_secs(90));
        for node in &network.nodes[..4] {
            node.core().check();
            prop_assert_eq!(node.core().present_len(), 4, "seed {}", seed);
        }
        let moved = |index: usize| {
            let view = network.nodes[index].core().member(scattered(3)).expect("it is alive");
            view.record.address().clone()
        };
        prop_assert!((0..3).all(|index| moved(index) == address(33)));
    }
}

/// About few nodes, the receiver among them, so that messages meet what is known.
fn small_messages() -> impl Strategy<Value = Message> {
    let node = |n: u64| NodeId(n);
    let update = (1..6u64, views(), 0..4u64, 0..3u64, 1..6u64, 0..3u8).prop_map(
        move |(about, mut member, generation, incarnation, by, kind)| {
            let mut record = (*member.record).clone();
            record.node = node(about);
            member.record = Arc::new(record);
            let (generation, incarnation) = (Generation(generation), Incarnation(incarnation));
            match kind {
                0 => Update::Suspect {
                    node: node(about),
                    generation,
                    incarnation,
                    by: vec![node(by)],
                },
                1 => Update::Down { node: node(about), generation, incarnation },
                _ => Update::Member(member),
            }
        },
    );
    let body = (0..5u8, 0..6u32, 1..6u64).prop_map(move |(kind, seq, target)| {
        let (seq, target) = (Seq(seq), node(target));
        match kind {
            0 => Body::Probe { seq, target },
            1 => Body::Ack { seq },
            2 => Body::IndirectProbe { seq, target, address: address(2) },
            3 => Body::Nack { seq },
            _ => Body::Gossip,
        }
    });
    (1..6u64, body, prop::collection::vec(update, 0..6)).prop_map(move |(from, body, updates)| {
        Message { cluster: CLUSTER, from: node(from), body, updates }
    })
}

fn core(generation: u64) -> Gossip {
    let settings = Settings::new(NodeId(3), Generation(generation), CLUSTER);
    let rng = Rng::from_seed([1; 32]);
    Gossip::new(Now::START, settings, description(address(3)), vec![address(9)], rng)
        .expect("the settings fit together")
}

fn check_outputs(core: &mut Gossip) -> Result<(), TestCaseError> {
    while let Some(output) = core.poll() {
        if let Output::Send { message, lane, .. } = output {
            prop_assert_eq!(message.check(), Ok(()));
            let bytes = message.encode();
            prop_assert!(lane == Lane::Bulk || bytes.len() <= 1200, "{} bytes", bytes.len());
            prop_assert_eq!(Message::decode(&bytes), Ok(message));
        }
    }
    Ok(())
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    let good = || Settings::new(NodeId(1), Generation(1), CLUSTER);
    assert_eq!(good().check(), Ok(()));
    let bad: [fn(&mut Settings); 11] = [
        |settings| settings.node = NodeId(0),
        |settings| settings.generation = Generation(u64::MAX),
        |settings| settings.probe_timeout = settings.probe_interval,
        |settings| settings.gossip_interval = Duration::ZERO,
        |settings| settings.join_backoff_min = Duration::from_secs(3600),
        |settings| settings.suspicion_factor = 0,
        |settings| settings.suspicion_max_factor = u32::MAX,
        |settings| settings.forget_after = Duration::MAX,
        |settings| settings.confirmations = CONFIRMERS_LEN_MAX,
        |settings| settings.gossip_fanout = 0,
        |settings| settings.datagram_bytes_max = 512,
    ];
    for change in bad {
        let mut settings = good();
        change(&mut settings);
        assert!(matches!(settings.check(), Err(Error::Settings { .. })), "{settings:?}");
    }
}

#[test]
fn a_host_that_does_not_poll_is_told_so() {
    let mut core = core(1);
    for step in 0..OUTPUTS_LEN_MAX as u64 + 10 {
        let message =
            Message { cluster: 1, from: NodeId(9), body: Body::Gossip, updates: Vec::new() };
        let now = Now::START.after(Duration::from_micros(step));
        core.step(now, Input::Received { from: address(9), message });
    }
    let mut outputs = 0;
    let mut last = None;
    while let Some(output) = core.poll() {
        outputs += 1;
        last = Some(output);
    }
    assert_eq!(outputs, OUTPUTS_LEN_MAX + 1);
    assert_eq!(last, Some(Output::Event(Event::Overflowed)));
    assert_eq!(core.counters().outputs_dropped, 10);
}

#[test]
fn a_full_list_forgets_those_that_are_away_and_refuses_the_rest() {
    let mut core = core(1);
    let member = |index: usize, state| {
        let record = Record {
            generation: Generation(1),
            version: RecordVersion(1),
            node: NodeId(100 + index as u64),
            description: description(address(index)),
        };
        Member { record: Arc::new(record), incarnation: Incarnation(0), state }
    };
    let tell = |core: &mut Gossip, members: Vec<Member>| {
        let body = Body::Delta(Delta { members, wants: Vec::new(), wants_all: false });
        let message = Message { cluster: CLUSTER, from: NodeId(100), body, updates: Vec::new() };
        core.step(Now::START, Input::Received { from: address(0), message });
        while core.poll().is_some() {}
    };
    tell(&mut core, (0..MEMBERS_LEN_MAX).map(|index| member(index, State::Alive)).collect());
    assert_eq!(core.present_len(), MEMBERS_LEN_MAX + 1);
    tell(&mut core, vec![member(MEMBERS_LEN_MAX, State::Alive)]);
    assert_eq!((core.present_len(), core.counters().members_refused), (MEMBERS_LEN_MAX + 1, 1));
    tell(&mut core, vec![member(7, State::Left)]);
    tell(&mut core, vec![member(MEMBERS_LEN_MAX, State::Alive)]);
    assert_eq!(core.present_len(), MEMBERS_LEN_MAX + 1);
    assert!(core.member(NodeId(107)).is_none(), "it made room");
    core.check();
}
