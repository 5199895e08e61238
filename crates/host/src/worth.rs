//! What this node's views are worth, in the headers of answers.

use crate::Host;
use base::{Consistency, LogIndex, Now};
use console::shape::{FRESHNESS_HEADERS, freshness_values};
use http::{HeaderMap, HeaderName, HeaderValue};

impl Host {
    /// Says what the views are worth in the headers of an answer that does not say it itself: a refusal, a write, a page that
    /// reads nothing. What an edge says of its own answer stays.
    pub fn stamp(&self, now: Now, headers: &mut HeaderMap) {
        let said = |name: &str| headers.contains_key(name);
        if FRESHNESS_HEADERS.iter().all(|name| said(name)) {
            return;
        }
        let worth = nacos::Views::freshness(&self.views, now, Consistency::Stale, LogIndex(0));
        let worth = worth.expect("what the views are worth as they are needs no waiting");
        for (name, value) in FRESHNESS_HEADERS.into_iter().zip(freshness_values(&worth)) {
            let value = HeaderValue::try_from(value).expect("words and numbers");
            headers.entry(HeaderName::from_static(name)).or_insert(value);
        }
    }
}
