//! A node that has proved that it belongs: its introduction, and frames on both lanes. Records: 0 lets time pass, 1 and 2 are
//! frames of the urgent and of the bulk lane, 3 is an introduction. What strangers can say before is tried in `server`.
#![no_main]
#![forbid(unsafe_code)]

use base::{Duration, HybridTime, NodeId};
use bytes::Bytes;
use cluster::{Address, Introduction};
use fuzz::{Machine, records, with_stoppable_machine};
use host::{InboundId, Lane, LinkId};

/// Another one than the machine's.
const PEER: NodeId = NodeId(9);

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    with_stoppable_machine(data, |machine| play(machine, data));
});

fn play(machine: &mut Machine, data: &[u8]) {
    let mut urgent = connect(machine, Lane::Urgent);
    let mut bulk = connect(machine, Lane::Bulk);
    let mut links = Vec::new();
    for (kind, bytes) in records(data) {
        if machine.host.halted().is_some() {
            return;
        }
        answer_dials(machine, &mut links);
        match kind {
            0 => {
                machine.wait(Duration::from_millis(bytes.len() as u64 * 100));
            }
            1 => say(machine, &mut urgent, Lane::Urgent, bytes),
            2 => say(machine, &mut bulk, Lane::Bulk, bytes),
            _ => introduce(machine, bytes),
        }
    }
    for inbound in [urgent, bulk].into_iter().flatten() {
        machine.host.inbound_closed(machine.now, inbound);
    }
    for link in links {
        machine.host.link_closed(machine.now, link, "its input is over".to_owned());
    }
    machine.wait(Duration::from_secs(5));
}

/// What is not a frame ends the connection, and the node dials again.
fn say(machine: &mut Machine, inbound: &mut Option<InboundId>, lane: Lane, bytes: &[u8]) {
    let Some(open) = *inbound else { return };
    let frame = Bytes::copy_from_slice(bytes);
    let said = machine.host.peer_frame(machine.now, open, frame);
    machine.settle();
    if said.is_err() && machine.host.halted().is_none() {
        *inbound = connect(machine, lane);
    }
}

/// `None`: something that was said before makes it a node that is not wanted, such as one that was removed.
fn connect(machine: &Machine, lane: Lane) -> Option<InboundId> {
    machine.host.accept(&peer(machine), lane).ok()
}

fn peer(machine: &Machine) -> Introduction {
    let me = machine.host.introduction().expect("it serves");
    let life = HybridTime(u64::from(machine.client) + 1);
    let address = Address::new("10.0.0.9:7848").expect("plain text");
    Introduction { node: PEER, life, address, ..me }
}

/// Whoever the node was told of and dials is this peer, which takes all that it is sent: what a registry says only to nodes
/// that it has a link to is reached, too.
fn answer_dials(machine: &mut Machine, links: &mut Vec<LinkId>) {
    for dial in machine.host.take_dials() {
        machine.host.link_opened(machine.now, dial.link, peer(machine), None);
        machine.settle();
        links.push(dial.link);
    }
    // Forgotten by the host already.
    let _ = machine.host.take_hangups();
    for link in links {
        for lane in [Lane::Urgent, Lane::Bulk] {
            while machine.host.take_frame(*link, lane).is_some() {}
        }
    }
}

fn introduce(machine: &mut Machine, bytes: &[u8]) {
    let Ok(peer) = Introduction::decode(bytes) else { return };
    assert_eq!(Introduction::decode(&peer.encode()), Ok(peer.clone()), "it reads the same again");
    if let Ok(inbound) = machine.host.accept(&peer, Lane::Bulk) {
        machine.host.inbound_closed(machine.now, inbound);
    }
}
