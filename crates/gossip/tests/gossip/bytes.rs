//! The bytes of messages: what is written reads back, and nothing else gets in.

use crate::network::{CLUSTER, address, description, scattered};
use base::NodeId;
use gossip::*;
use proptest::prelude::*;
use std::sync::Arc;

fn addresses() -> impl Strategy<Value = Vec<Address>> {
    let one = "[a-z0-9.-]{1,40}:[0-9]{1,5}".prop_map(|text| Address::new(&text).expect("plain"));
    prop::collection::vec(one, 1..=ADDRESSES_LEN_MAX)
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let values =
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..=FACT_BYTES_MAX), 0..6);
    values.prop_map(|values| {
        let facts = values.into_iter().zip(1..);
        facts.map(|(value, key)| Fact { key, value: value.into_boxed_slice() }).collect()
    })
}

pub fn members() -> impl Strategy<Value = Member> {
    let states = prop::sample::select(vec![State::Alive, State::Suspect, State::Down, State::Left]);
    let numbers = (1..=u64::MAX, 0..=NUMBER_MAX, 0..=NUMBER_MAX, 0..=NUMBER_MAX);
    (numbers, addresses(), facts(), any::<u32>(), states).prop_map(
        |((node, generation, version, incarnation), addresses, facts, roles, state)| Member {
            record: Arc::new(Record {
                generation: Generation(generation),
                version: RecordVersion(version),
                node: NodeId(node),
                description: Description {
                    addresses,
                    roles: Roles(roles),
                    protocols: Protocols { min: 1, max: 3 },
                    facts,
                },
            }),
            incarnation: Incarnation(incarnation),
            state,
        },
    )
}

fn updates() -> impl Strategy<Value = Update> {
    let numbers = (1..=u64::MAX, 0..=NUMBER_MAX, 0..=NUMBER_MAX);
    let by = prop::collection::vec((1..=u64::MAX).prop_map(NodeId), 1..=CONFIRMERS_LEN_MAX);
    prop_oneof![
        members().prop_map(Update::Member),
        (numbers.clone(), by).prop_map(|((node, generation, incarnation), by)| Update::Suspect {
            node: NodeId(node),
            generation: Generation(generation),
            incarnation: Incarnation(incarnation),
            by,
        }),
        numbers.prop_map(|(node, generation, incarnation)| Update::Down {
            node: NodeId(node),
            generation: Generation(generation),
            incarnation: Incarnation(incarnation),
        }),
    ]
}

fn bodies(from: NodeId) -> impl Strategy<Value = Body> {
    let seq = any::<u32>().prop_map(Seq);
    let node = any::<u64>().prop_map(NodeId);
    let entry = (members()).prop_map(|member| Entry {
        node: member.node(),
        generation: member.generation(),
        incarnation: member.incarnation,
        version: member.record.version,
        state: member.state,
    });
    let bucket = (0..16u16, prop::collection::vec(entry, 0..5))
        .prop_map(|(index, entries)| Bucket { index, entries });
    let digest = (members(), any::<u32>(), any::<u32>(), 0..5u32, any::<u32>()).prop_map(
        move |(mut member, present, salt, exponent, hash)| {
            let mut record = (*member.record).clone();
            record.node = from;
            member.record = Arc::new(record);
            member.state = State::Alive;
            let buckets = vec![hash; 1 << exponent];
            Body::Digest(Digest { member, present, salt, buckets })
        },
    );
    let delta =
        (prop::collection::vec(members(), 0..4), prop::collection::vec(node, 0..9), any::<bool>());
    prop_oneof![
        (seq.clone(), any::<u64>())
            .prop_map(|(seq, node)| Body::Probe { seq, target: NodeId(node) }),
        seq.clone().prop_map(|seq| Body::Ack { seq }),
        (seq.clone(), any::<u64>()).prop_map(|(seq, node)| Body::IndirectProbe {
            seq,
            target: NodeId(node),
            address: address(3)
        }),
        seq.prop_map(|seq| Body::Nack { seq }),
        Just(Body::Gossip),
        digest,
        prop::collection::vec(bucket, 0..4)
            .prop_map(|differing| Body::Summary(Summary { buckets: 16, differing })),
        delta.prop_map(|(members, wants, wants_all)| Body::Delta(Delta {
            members,
            wants,
            wants_all
        })),
    ]
}

pub fn messages() -> impl Strategy<Value = Message> {
    let from = NodeId(77);
    (bodies(from), prop::collection::vec(updates(), 0..5))
        .prop_map(move |(body, updates)| Message { cluster: CLUSTER, from, body, updates })
}

fn sample() -> Message {
    let description = description(address(1));
    let node = scattered(1);
    let record = Record { generation: Generation(5), version: RecordVersion(1), node, description };
    let member =
        Member { record: Arc::new(record), incarnation: Incarnation(0), state: State::Alive };
    let updates = vec![Update::Member(member)];
    Message { cluster: CLUSTER, from: scattered(2), body: Body::Gossip, updates }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(message in messages()) {
        let bytes = message.encode();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        // A record may be too long in sum although each part is not.
        match message.check() {
            Ok(()) => prop_assert_eq!(Message::decode(&bytes), Ok(message)),
            Err(error) => prop_assert_eq!(Message::decode(&bytes), Err(error)),
        }
    }

    #[test]
    fn junk_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::decode(&bytes);
        let versioned: Vec<u8> = [WIRE_VERSION].into_iter().chain(bytes).collect();
        let _ = Message::decode(&versioned);
    }

    #[test]
    fn a_flipped_bit_never_panics(message in messages(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = message.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        if let Ok(read) = Message::decode(&bytes) {
            prop_assert_eq!(read.check(), Ok(()));
        }
        for end in 0..bytes.len().min(40) {
            let _ = Message::decode(&bytes[..end]);
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let good = sample().encode();
    assert!(Message::decode(&good).is_ok());
    let said = |bytes: &[u8]| Message::decode(bytes).expect_err("it is bad").to_string();
    assert_eq!(said(&[]), "a gossip message cannot be read: it is empty");
    let mut other_version = good.clone();
    other_version[0] = 9;
    assert_eq!(
        said(&other_version),
        "a gossip message has version 9, this program reads 1; upgrade the older node"
    );
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(said(&longer), "a gossip message cannot be read: it is longer than what it says");
    assert_eq!(
        said(&good[..good.len() - 1]),
        "a gossip message cannot be read: it is not what was written"
    );
    let huge = vec![WIRE_VERSION; MESSAGE_BYTES_MAX + 1];
    assert_eq!(said(&huge), "a gossip message cannot be read: it is longer than 1 MiB");
}

#[test]
fn an_announced_length_is_not_believed() {
    // The number of updates is the last varint of a message without any.
    let mut message = sample();
    message.updates.clear();
    let mut bytes = message.encode();
    assert_eq!(bytes.pop(), Some(0));
    for announced in [[0xff, 0xff, 0xff, 0xff, 0x0f].as_slice(), &[0x81, 0x02], &[0x05]] {
        let lying = [&bytes, announced].concat();
        assert!(matches!(Message::decode(&lying), Err(Error::Malformed { .. })));
    }
}

#[test]
fn the_longest_record_fits_into_a_datagram_with_any_body() {
    let mut description = description(Address::new(&"a".repeat(ADDRESS_BYTES_MAX)).expect("plain"));
    description.facts.clear();
    while description.check().is_ok() {
        let key = description.facts.len() as u16;
        if usize::from(key) == FACTS_LEN_MAX {
            let more = description.addresses[0].clone();
            description.addresses.push(more);
        } else {
            description.facts.push(Fact { key, value: vec![1; FACT_BYTES_MAX].into() });
        }
    }
    if description.facts.len() < FACTS_LEN_MAX || description.addresses.len() == 1 {
        description.facts.pop();
    } else {
        description.addresses.pop();
    }
    assert_eq!(description.check(), Ok(()));
    let record = Record {
        generation: Generation(NUMBER_MAX),
        version: RecordVersion(NUMBER_MAX),
        node: NodeId(u64::MAX),
        description,
    };
    let member = Member {
        record: Arc::new(record),
        incarnation: Incarnation(NUMBER_MAX),
        state: State::Alive,
    };
    let message = Message {
        cluster: u32::MAX,
        from: NodeId(u64::MAX),
        body: Body::IndirectProbe {
            seq: Seq(u32::MAX),
            target: NodeId(u64::MAX),
            address: Address::new(&"a".repeat(ADDRESS_BYTES_MAX)).expect("plain"),
        },
        updates: vec![Update::Member(member)],
    };
    let least = RECORD_BYTES_MAX + 224;
    assert!(message.encoded_len() <= least, "{} > {least}", message.encoded_len());
}

#[test]
fn bad_descriptions_are_refused() {
    let good = || description(address(1));
    let mut bad = Vec::new();
    bad.push(Description { addresses: Vec::new(), ..good() });
    bad.push(Description { addresses: vec![address(1); 5], ..good() });
    bad.push(Description { protocols: Protocols { min: 2, max: 1 }, ..good() });
    let fact = |key, bytes| Fact { key, value: vec![0; bytes].into() };
    bad.push(Description { facts: vec![fact(1, 65)], ..good() });
    bad.push(Description { facts: vec![fact(2, 1), fact(1, 1)], ..good() });
    bad.push(Description { facts: vec![fact(1, 1), fact(1, 1)], ..good() });
    bad.push(Description { facts: (0..9).map(|key| fact(key, 1)).collect(), ..good() });
    for description in bad {
        assert!(matches!(description.check(), Err(Error::Record { .. })), "{description:?}");
    }
    for text in ["", "a b", "a\n", "a\0", &"a".repeat(ADDRESS_BYTES_MAX + 1)] {
        assert_eq!(Address::new(text), Err(Error::Address), "{text:?}");
    }
}
