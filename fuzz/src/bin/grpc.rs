//! Everything a gRPC client can say on one connection, line by line: `Type {json}` is a call, `~Type {json}` goes on the
//! stream, `@N` lets N times 100 ms pass. An input that begins with a zero is one call as it is on the wire: a protobuf.
#![no_main]
#![forbid(unsafe_code)]

use base::Duration;
use fuzz::{Machine, check_unary, parts, payload, with_machine};
use host::{Arrival, Sending};
use nacos::Payload;
use prost::Message;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    with_machine(data, |machine| {
        machine.set_up();
        if let Some((0, wire)) = data.split_first() {
            if let Ok(read) = Payload::decode(wire) {
                let again = Payload::decode(read.encode_to_vec().as_slice());
                assert_eq!(again.as_ref(), Ok(&read), "what is written is read as it was");
                check(&machine.unary(read));
            }
        } else {
            for line in parts(data, b"\n") {
                check(&say(machine, line));
            }
        }
    });
});

fn say(machine: &mut Machine, line: &[u8]) -> Vec<Sending> {
    match line {
        [b'@', tenths] => machine.wait(Duration::from_millis(u64::from(*tenths) * 100)),
        [b'~', rest @ ..] => {
            let (kind, json) = halves(rest);
            machine.deliver(Arrival::StreamPayload(payload(&kind, json)))
        }
        _ => {
            let (kind, json) = halves(line);
            machine.unary(payload(&kind, json))
        }
    }
}

fn halves(line: &[u8]) -> (String, &[u8]) {
    let at = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    (String::from_utf8_lossy(&line[..at]).into_owned(), line.get(at + 1..).unwrap_or_default())
}

fn check(sent: &[Sending]) {
    for sending in sent {
        if let Sending::Unary { payload, .. } = sending {
            check_unary(payload);
        }
    }
}
