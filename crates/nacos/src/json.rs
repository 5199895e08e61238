//! Reading JSON of strangers: bounded in depth, forgiving where Jackson is.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::{collections::BTreeMap, sync::Arc};

/// Objects and arrays within each other.
pub(crate) const JSON_DEPTH_MAX: usize = 64;

/// Why a text is not the JSON that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    /// Deeper than `JSON_DEPTH_MAX`.
    #[error("more than {JSON_DEPTH_MAX} levels deep")]
    TooDeep,
    /// Not JSON, or of another type.
    #[error("{0}")]
    Malformed(String),
}

/// Reads a value.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    if depth(bytes) > JSON_DEPTH_MAX {
        return Err(JsonError::TooDeep);
    }
    serde_json::from_slice(bytes).map_err(|error| JsonError::Malformed(error.to_string()))
}

/// How many brackets are open at most, outside of strings; of a text with few of them, no less than that. Right for
/// valid JSON; for anything else the parser refuses.
fn depth(bytes: &[u8]) -> usize {
    let opening = bytes.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    if opening <= JSON_DEPTH_MAX {
        return opening; // nearly every body: many times faster than to look for strings
    }
    let (mut open, mut most, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                open += 1;
                most = most.max(open);
            }
            b'}' | b']' if !in_text => open = open.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// A string field that may be absent, null, or a number or boolean, as Jackson takes it.
pub(crate) fn text<'de, D: Deserializer<'de>>(source: D) -> Result<Option<String>, D::Error> {
    match serde_json::Value::deserialize(source)? {
        serde_json::Value::Null => Ok(None),
        value => scalar(value).map(Some).ok_or_else(|| serde::de::Error::custom("not a text")),
    }
}

/// A number field that may be absent, null, or a text with a number in it.
pub(crate) fn number<'de, D: Deserializer<'de>>(source: D) -> Result<Option<f64>, D::Error> {
    match serde_json::Value::deserialize(source)? {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::Number(number) => Ok(number.as_f64()),
        serde_json::Value::String(text) => {
            text.trim().parse().map(Some).map_err(|_| serde::de::Error::custom("not a number"))
        }
        _ => Err(serde::de::Error::custom("not a number")),
    }
}

/// A map of texts; nulls in it are dropped.
pub(crate) fn texts<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<BTreeMap<Arc<str>, Arc<str>>, D::Error> {
    let map = Option::<BTreeMap<String, serde_json::Value>>::deserialize(source)?;
    let mut texts = BTreeMap::new();
    for (key, value) in map.unwrap_or_default() {
        if value.is_null() {
            continue;
        }
        let value = scalar(value).ok_or_else(|| serde::de::Error::custom("not a text"))?;
        texts.insert(Arc::from(key), Arc::from(value));
    }
    Ok(texts)
}

fn scalar(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(truth) => Some(truth.to_string()),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_and_brackets_in_texts_do_not_count() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read::<serde_json::Value>(nested(64).as_bytes()).is_ok());
        assert_eq!(read::<serde_json::Value>(nested(65).as_bytes()), Err(JsonError::TooDeep));
        let texts = format!("[\"{}\\\"[\"]", "[".repeat(100));
        assert!(read::<serde_json::Value>(texts.as_bytes()).is_ok());
        assert_eq!(read::<serde_json::Value>(&b"[".repeat(100_000)), Err(JsonError::TooDeep));
    }
}
