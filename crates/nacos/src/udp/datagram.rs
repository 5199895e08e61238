//! What travels: pushes out, confirmations in.

use crate::{
    Format, Views, json,
    service_info::{self, Selection},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use naming::{ClusterNames, ServiceView};
use serde::Deserialize;
use std::{io::Write, sync::Arc};

/// The largest payload of one UDP datagram over IPv4. A list that does not fit, even compressed, is not pushed: its
/// subscribers find the change at their next poll.
pub const DATAGRAM_BYTES_MAX: usize = 65_507;
/// From this size on a push is compressed, as clients know it.
const GZIP_BYTES_MIN: usize = 1_024;
/// A confirmation is some 70 bytes long; what is longer is none.
const ACK_BYTES_MAX: usize = 1_024;

/// A push; `None` when it does not fit into a datagram.
pub(super) fn push(
    views: &dyn Views,
    view: &Arc<ServiceView>,
    clusters: &ClusterNames,
    stamp: u64,
) -> Option<Bytes> {
    let info = service_info::shared(views, view, Format::Http, &Selection::of(clusters));
    let info = std::str::from_utf8(&info).expect("our own JSON is UTF-8");
    let data = serde_json::Value::from(info).to_string();
    let text = format!("{{\"type\":\"dom\",\"data\":{data},\"lastRefTime\":{stamp}}}");
    if text.len() < GZIP_BYTES_MIN {
        return Some(text.into());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("a Vec takes every byte");
    let packed = encoder.finish().expect("a Vec takes every byte");
    (packed.len() <= DATAGRAM_BYTES_MAX).then(|| packed.into())
}

/// The stamp that a datagram confirms; `None` when it is no confirmation.
pub(super) fn confirmed(bytes: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Ack {
        r#type: String,
        /// A number in quotes, or without.
        #[serde(deserialize_with = "json::text")]
        last_ref_time: Option<String>,
    }
    if bytes.len() > ACK_BYTES_MAX {
        return None;
    }
    let ack: Ack = serde_json::from_slice(bytes).ok()?;
    (ack.r#type == "push-ack").then_some(())?;
    ack.last_ref_time?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirmations() {
        for (text, stamp) in [
            (r#"{"type": "push-ack", "lastRefTime":"17", "data":""}"#, Some(17)),
            (r#"{"type":"push-ack","lastRefTime":17,"data":""}"#, Some(17)),
            (r#"{"type":"dump-ack","lastRefTime":"17","data":""}"#, None),
            (r#"{"type":"push-ack","lastRefTime":"-1"}"#, None),
            (r#"{"type":"push-ack"}"#, None),
            (r#"{"type":["#, None),
            ("", None),
            ("\u{0}", None),
        ] {
            assert_eq!(confirmed(text.as_bytes()), stamp, "{text}");
        }
        let long = format!("{{\"type\":\"push-ack\",\"lastRefTime\":1{}}}", " ".repeat(1_024));
        assert_eq!(confirmed(long.as_bytes()), None);
    }
}
