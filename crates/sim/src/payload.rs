//! Nacos's messages as an SDK builds and reads them. A second writing of the wire's words on purpose: the edge must not be
//! tested with its own.

use nacos::{Any, Metadata, Payload};
use serde_json::Value;

/// A payload of this type with this JSON.
pub(crate) fn build(kind: &str, json: &Value) -> Payload {
    Payload {
        metadata: Some(Metadata { r#type: kind.to_owned(), ..Metadata::default() }),
        body: Some(Any { type_url: String::new(), value: json.to_string().into() }),
    }
}

pub(crate) fn kind(payload: &Payload) -> &str {
    payload.metadata.as_ref().map_or("", |metadata| &metadata.r#type)
}

/// The JSON of a payload; null when it has none that reads.
pub(crate) fn json(payload: &Payload) -> Value {
    payload
        .body
        .as_ref()
        .and_then(|body| serde_json::from_slice(&body.value).ok())
        .unwrap_or(Value::Null)
}

/// The text of a field; empty when there is none.
pub(crate) fn text<'a>(json: &'a Value, field: &str) -> &'a str {
    json[field].as_str().unwrap_or_default()
}

/// For the trace.
pub(crate) fn shown(payload: &Payload) -> String {
    let body = payload.body.as_ref().map(|body| String::from_utf8_lossy(&body.value).into_owned());
    format!("{} {}", kind(payload), body.unwrap_or_default())
}
