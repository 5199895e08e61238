//! Datagrams from a client of 1.x that is pushed to: records of a port, a length and the datagram, in which `STAMP` is the
//! time that the newest push asks to have confirmed. A record of port 0 lets time pass instead.
#![no_main]
#![forbid(unsafe_code)]

use base::Duration;
use bytes::Bytes;
use fuzz::{Machine, records, with_machine};

const PORT: u16 = 50_000;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    with_machine(data, |machine| play(machine, data));
});

fn play(machine: &mut Machine, data: &[u8]) {
    let service = machine.client;
    for (verb, target) in [
        ("POST", "instance?ip=10.0.0.9&port=80"),
        ("GET", "instance/list?clientIP=10.0.0.1&udpPort=50000"),
        ("POST", "instance?ip=10.0.0.9&port=81"),
    ] {
        let request = http::Request::builder()
            .method(verb)
            .uri(format!("/nacos/v1/ns/{target}&serviceName={service}"))
            .header("User-Agent", "Nacos-Java-Client:v1.4.8")
            .body(Bytes::new());
        machine.http(request.expect("its parts are constants"));
    }
    machine.wait(Duration::from_secs(1));
    assert!(!machine.last_datagram.is_empty(), "the subscriber is pushed to");
    for (port, bytes) in records(data) {
        if port == 0 {
            machine.wait(Duration::from_millis(bytes.len() as u64 * 100));
        } else {
            let stamped = stamped(&machine.last_datagram, bytes);
            machine.datagram(PORT + u16::from(port) - 1, &stamped);
        }
    }
    machine.wait(Duration::from_secs(30));
}

/// The datagram with the stamp of this push in it.
fn stamped(push: &[u8], bytes: &[u8]) -> Vec<u8> {
    let push: serde_json::Value = serde_json::from_slice(push).unwrap_or_default();
    let stamp = push["lastRefTime"].to_string();
    let Some(at) = bytes.windows(5).position(|window| window == b"STAMP") else {
        return bytes.to_vec();
    };
    [&bytes[..at], stamp.as_bytes(), &bytes[at + 5..]].concat()
}
