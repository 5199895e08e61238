//! What is read from peers and from the disk: it reads back, and junk is an error.

use crate::{
    Address, Body, ClusterId, Formation, Forming, Founder, Identity, Introduction, Message,
    PROTOCOLS, Secret, Settings,
};
use base::{HybridTime, LogIndex, NodeId};
use proptest::prelude::*;

fn address(name: &str) -> Address {
    Address::new(name).expect("an address")
}

fn founders(nodes: &[u64]) -> Vec<Founder> {
    nodes
        .iter()
        .map(|node| Founder { node: NodeId(*node), address: Some(address("a:1")) })
        .collect()
}

fn forming(nodes: &[u64]) -> Message {
    let founders = founders(nodes);
    let cluster = ClusterId::of_founders(&founders);
    let formation = Formation::Adopted { cluster, founders };
    let body = Body::Forming(Forming { formation, proposes: vec![NodeId(1)] });
    Message { life: HybridTime(9), address: address("a:1"), body }
}

fn samples() -> Vec<Vec<u8>> {
    let message = |body| Message { life: HybridTime(9), address: address("a:1"), body }.encode();
    let introduction = Introduction {
        node: NodeId(1),
        life: HybridTime(2),
        cluster: Some(ClusterId(3)),
        address: address("a:1"),
        protocols: PROTOCOLS,
    };
    let identity = Identity {
        formation: Formation::Formed { cluster: ClusterId(4), founders: founders(&[1, 2]) },
        secret: Some(Secret::new(&[7; 32]).expect("long enough")),
        peers: vec![address("b:1")],
        ..Identity::fresh(NodeId(1))
    };
    vec![
        forming(&[1, 2, 3]).encode(),
        message(Body::Join { applied: LogIndex(5) }),
        message(Body::TransferLeader(NodeId(6))),
        message(Body::Removed),
        message(Body::Twin { copy: HybridTime(7) }),
        introduction.encode(),
        identity.encode(),
    ]
}

#[test]
fn founders_out_of_order_are_refused_by_peers_and_from_the_disk() {
    let sound = forming(&[1, 2, 3]);
    assert_eq!(Message::decode(&sound.encode()), Ok(sound));
    for nodes in [&[][..], &[0, 1], &[2, 1], &[1, 1]] {
        assert!(Message::decode(&forming(nodes).encode()).is_err(), "{nodes:?}");
        let formation = Formation::Formed { cluster: ClusterId(4), founders: founders(nodes) };
        let identity = Identity { formation, ..Identity::fresh(NodeId(1)) };
        assert!(Identity::decode(&identity.encode()).is_err(), "{nodes:?}");
    }
}

#[test]
fn settings_that_could_found_two_clusters_or_none_are_refused() {
    let check = |seeds: &[&str], expect| {
        let settings = Settings {
            seeds: seeds.iter().map(|seed| address(seed)).collect(),
            expect,
            ..Settings::alone(Identity::fresh(NodeId(1)), address("a:1"))
        };
        settings.check().is_ok()
    };
    assert!(check(&[], None) && check(&["b:1"], None) && check(&[], Some(1)));
    assert!(check(&["a:1", "b:1", "c:1"], Some(3)) && check(&["b:1", "c:1"], Some(2)));
    assert!(!check(&["a:1", "b:1", "c:1"], Some(0)), "nobody");
    assert!(!check(&["a:1", "b:1", "c:1"], Some(4)), "more than there are");
    assert!(!check(&["a:1", "b:1", "c:1", "d:1"], Some(2)), "two halves");
    assert!(!check(&["b:1"], Some(1)), "each of two alone");
}

proptest! {
    #[test]
    fn junk_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Message::decode(&bytes), Introduction::decode(&bytes), Identity::decode(&bytes));
    }

    #[test]
    fn what_is_nearly_right_never_panics(
        which in 0..7usize,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = samples().swap_remove(which);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = (Message::decode(&bytes), Introduction::decode(&bytes), Identity::decode(&bytes));
    }
}
