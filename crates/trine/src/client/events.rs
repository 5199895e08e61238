//! Reading server-sent events (WHATWG HTML §9.2), as far as our server writes them.

use crate::problem::{Exit, Failure};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::{collections::VecDeque, time::Duration};
use tokio::time::timeout;

/// The server says something every 15 s; after three silences in a row nobody is there any more.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// The longest event. Over the largest config with each byte escaped.
const EVENT_BYTES_MAX: usize = 64 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// A stream of events.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    reader: Reader,
}

impl Events {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, reader: Reader::default() }
    }

    /// The next event; `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.reader.events.pop_front() {
                return Ok(Some(event));
            }
            let frame = timeout(SILENCE_MAX, self.body.frame()).await;
            let frame = frame.map_err(|_| broken("the server fell silent"))?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| broken(&error.to_string()))?;
            if let Ok(bytes) = frame.into_data() {
                self.reader.read(&bytes)?;
            }
        }
    }
}

fn broken(why: &str) -> Failure {
    Failure::new(
        Exit::Unavailable,
        "stream-broken",
        "the stream of events broke off",
        why,
        "watch again",
    )
}

/// Puts bytes together to lines, and lines to events.
#[derive(Debug, Default)]
struct Reader {
    line: Vec<u8>,
    event: Event,
    events: VecDeque<Event>,
}

impl Reader {
    fn read(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            self.end_line(&String::from_utf8_lossy(&line));
        }
        if self.line.len() + self.event.data.len() > EVENT_BYTES_MAX {
            return Err(broken("an event is longer than any that our server sends"));
        }
        Ok(())
    }

    fn end_line(&mut self, line: &str) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if !event.data.is_empty() {
                self.events.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // Comments have an empty field; ids and what is not known are skipped, as the standard says.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_together_from_any_pieces() {
        let text = ": beat\n\nevent: service\nid: 5\ndata: {\"a\":1}\n\nid: 6\n\ndata: x\r\ndata: y\r\n\r\n";
        let event = |name: &str, data: &str| Event { name: name.into(), data: data.into() };
        for size in 1..text.len() {
            let mut reader = Reader::default();
            for piece in text.as_bytes().chunks(size) {
                reader.read(piece).expect("short enough");
            }
            assert_eq!(reader.events, [event("service", "{\"a\":1}"), event("", "x\ny")], "{size}");
        }
    }
}
