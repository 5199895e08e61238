//! The Raft log as a disk gives it back, behind what the first start of a node has written: records of a kind, a length and
//! bytes. Kind 0 is an entry's bytes as they are, 1 a command in an entry that is right, 2 another hard state, 3 another
//! record of the snapshot. A node starts on them: it serves or halts.
#![no_main]
#![forbid(unsafe_code)]

use base::LogIndex;
use fuzz::{LoneNode, records};
use node::{
    Request,
    consensus::{self, Recovered},
};
use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static FIRST: OnceLock<Recovered> = OnceLock::new();
    let mut recovered = FIRST.get_or_init(first_start).clone();
    for (kind, bytes) in records(data) {
        let index = recovered.entries.len() as u64 + 2;
        match kind % 4 {
            0 => recovered.entries.push((LogIndex(index), bytes.to_vec())),
            1 => recovered.entries.push((LogIndex(index), entry(index, bytes))),
            2 => recovered.hard_state = Some(bytes.to_vec()),
            _ => recovered.snapshot = Some(bytes.to_vec()),
        }
    }
    let mut node = LoneNode::start(recovered, Vec::new());
    if !node.halted() {
        assert_eq!(node.ask(Request::Status).len(), 1);
    }
});

fn first_start() -> Recovered {
    let node = LoneNode::start(Recovered::default(), Vec::new());
    let writes = node.writes.iter();
    let snapshot = writes.clone().find_map(|write| Some(write.compact.as_ref()?.1.clone()));
    let hard_state = writes.clone().find_map(|write| write.hard_state.clone());
    assert!(snapshot.is_some() && hard_state.is_some(), "a first start writes both");
    let first = Recovered { hard_state, snapshot, ..Recovered::default() };
    let mut again = LoneNode::start(first.clone(), Vec::new());
    assert!(again.ask(Request::Status).len() == 1 && !again.halted(), "and starts again from them");
    first
}

/// An entry of term 1 with this command.
fn entry(index: u64, command: &[u8]) -> Vec<u8> {
    let mut bytes = vec![consensus::WIRE_VERSION, 1];
    number(&mut bytes, index);
    bytes.push(0);
    number(&mut bytes, command.len() as u64);
    bytes.extend(command);
    bytes
}

fn number(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
