//! A node that has proved that it belongs: its introduction, and frames on both lanes. Records: 0 lets time pass, 1 and 2 are
//! frames of the urgent and of the bulk lane, 3 is an introduction. What strangers can say before is tried in `server`.
#![no_main]
#![forbid(unsafe_code)]

use base::{Duration, HybridTime, NodeId};
use bytes::Bytes;
use cluster::{Address, Introduction};
use fuzz::{Machine, records, with_machine};
use host::{InboundId, Lane};

/// Another one than the machine's.
const PEER: NodeId = NodeId(9);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    with_machine(data, |machine| play(machine, data));
});

fn play(machine: &mut Machine, data: &[u8]) {
    let mut urgent = connect(machine, Lane::Urgent);
    let mut bulk = connect(machine, Lane::Bulk);
    for (kind, bytes) in records(data) {
        match kind {
            0 => {
                machine.wait(Duration::from_millis(bytes.len() as u64 * 100));
            }
            1 => say(machine, &mut urgent, Lane::Urgent, bytes),
            2 => say(machine, &mut bulk, Lane::Bulk, bytes),
            _ => introduce(machine, bytes),
        }
    }
    for inbound in [urgent, bulk] {
        machine.host.inbound_closed(machine.now, inbound);
    }
    machine.wait(Duration::from_secs(5));
}

/// What is not a frame ends the connection, and the node dials again.
fn say(machine: &mut Machine, inbound: &mut InboundId, lane: Lane, bytes: &[u8]) {
    let frame = Bytes::copy_from_slice(bytes);
    if machine.host.peer_frame(machine.now, *inbound, frame).is_err() {
        *inbound = connect(machine, lane);
    }
    machine.settle();
}

fn connect(machine: &Machine, lane: Lane) -> InboundId {
    let me = machine.host.introduction().expect("it serves");
    let life = HybridTime(u64::from(machine.client) + 1);
    let address = Address::new("10.0.0.9:7848").expect("plain text");
    let peer = Introduction { node: PEER, life, address, ..me };
    machine.host.accept(&peer, lane).expect("a node of its cluster is taken in")
}

fn introduce(machine: &mut Machine, bytes: &[u8]) {
    let Ok(peer) = Introduction::decode(bytes) else { return };
    assert_eq!(Introduction::decode(&peer.encode()), Ok(peer.clone()), "it reads the same again");
    if let Ok(inbound) = machine.host.accept(&peer, Lane::Bulk) {
        machine.host.inbound_closed(machine.now, inbound);
    }
}
