//! HTTP requests of Nacos's API and our own: routing, queries, forms, JSON, batches. Requests are separated by a line `###`;
//! each is `METHOD target`, then lines `header: value`, an empty line, and the body.
#![no_main]
#![forbid(unsafe_code)]

use base::Duration;
use bytes::Bytes;
use fuzz::{check_http, parts, with_machine};
use host::Sending;
use std::collections::BTreeSet;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    with_machine(data, |machine| {
        let mut answered = BTreeSet::new();
        for request in parts(data, b"\n###\n").filter_map(request) {
            check(&machine.http(request), &mut answered);
        }
        // Long polls end, too.
        check(&machine.wait(Duration::from_secs(60)), &mut answered);
    });
});

/// What hyper would have taken.
fn request(part: &[u8]) -> Option<http::Request<Bytes>> {
    let end = part.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((part, &b""[..]), |at| (&part[..at], &part[at + 2..]));
    let mut lines = std::str::from_utf8(head).ok()?.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    request.body(Bytes::copy_from_slice(body)).ok()
}

fn check(sent: &[Sending], answered: &mut BTreeSet<nacos::CallId>) {
    for sending in sent {
        if let Sending::Http { call, response } = sending {
            assert!(answered.insert(*call), "two answers to {call:?}");
            check_http(response);
        }
    }
}
