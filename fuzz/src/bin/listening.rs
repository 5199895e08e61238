//! The body of a long poll: fields and lines separated by control characters. A poll is answered once, at the latest when
//! its time is over, whatever it listens to.
#![no_main]
#![forbid(unsafe_code)]

use base::Duration;
use bytes::Bytes;
use fuzz::{Machine, check_http, with_machine};
use host::Sending;

const FORM: &str = "application/x-www-form-urlencoded";

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    with_machine(data, |machine| poll(machine, data));
});

fn poll(machine: &mut Machine, data: &[u8]) {
    let (polls, publishes) = ("/nacos/v1/cs/configs/listener", "/nacos/v1/cs/configs");
    machine.http(post(publishes, b"dataId=a&group=G&content=one", None));
    let mut body = b"Listening-Configs=".to_vec();
    body.extend(form_urlencoded::byte_serialize(data).flat_map(str::bytes));
    let mut answers = answers(&machine.http(post(polls, &body, Some("10000"))));
    answers +=
        self::answers(&machine.http(post(publishes, b"dataId=a&group=G&content=two", None))) - 1;
    answers += self::answers(&machine.wait(Duration::from_secs(31)));
    assert_eq!(answers, 1);
}

fn post(path: &str, body: &[u8], patience: Option<&str>) -> http::Request<Bytes> {
    let mut request = http::Request::post(path).header("Content-Type", FORM);
    if let Some(patience) = patience {
        request = request.header("Long-Pulling-Timeout", patience);
    }
    request.body(Bytes::copy_from_slice(body)).expect("its parts are constants")
}

fn answers(sent: &[Sending]) -> usize {
    let responses = sent.iter().filter_map(|sending| match sending {
        Sending::Http { response, .. } => Some(response),
        Sending::Unary { .. } | Sending::Events { .. } | Sending::Close => None,
    });
    responses.inspect(|response| check_http(response)).count()
}
