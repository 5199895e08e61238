//! Pushes by UDP to a client over HTTP v1, as SDKs before 2.0 take them: datagrams get lost and overtake each other, and what is
//! older than what the client knows is dropped.

use crate::{beat_client::BeatClient, line::Send, naming_client::seen, note::Note};
use base::Instant;
use bytes::Bytes;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;

/// Where every client listens.
pub(crate) const UDP_PORT: u16 = 54_951;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

impl BeatClient {
    pub(crate) fn datagram(&mut self, now: Instant, bytes: &Bytes) {
        let mut text = String::new();
        if bytes.starts_with(GZIP_MAGIC) {
            let read = GzDecoder::new(&**bytes).read_to_string(&mut text);
            read.expect("the network loses datagrams and does not change them");
        } else {
            text = String::from_utf8_lossy(bytes).into_owned();
        }
        let push: Value = serde_json::from_str(&text).unwrap_or_default();
        let stamp = push["lastRefTime"].to_string();
        let ack = json!({ "type": "push-ack", "lastRefTime": stamp, "data": "" });
        self.sends.push_back(Send::Datagram(ack.to_string().into()));
        let info = push["data"].as_str().and_then(|data| serde_json::from_str(data).ok());
        let info: Value = info.unwrap_or_default();
        let Some(mut seen) = seen(&info) else {
            return self
                .notes
                .push_back(Note::Broken(format!("a datagram without a list: {text}")));
        };
        seen.service = seen.service.trim_start_matches("DEFAULT_GROUP@@").to_owned();
        let known = self.known.get(&seen.service).map_or(0, |(version, _)| *version);
        if seen.version >= known {
            self.known.insert(seen.service.clone(), (seen.version, now));
            self.notes.push_back(Note::Pushed(seen));
        }
    }
}
