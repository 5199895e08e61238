//! What an answer is worth, in its headers.

use base::Freshness;

/// The four headers that every reply carries, in this order: consistency reached, staleness in milliseconds or `unknown`,
/// log index, node. A client that sends the third one back with `consistency=session` reads nothing older, on any node.
pub const FRESHNESS_HEADERS: [&str; 4] =
    ["x-trine-consistency", "x-trine-staleness-ms", "x-trine-index", "x-trine-served-by"];

/// The values of `FRESHNESS_HEADERS`.
#[must_use]
pub fn freshness_values(freshness: &Freshness) -> [String; 4] {
    [
        freshness.level.to_string(),
        freshness.staleness.map_or("unknown".to_owned(), |lag| lag.as_millis().to_string()),
        freshness.applied.to_string(),
        freshness.served_by.to_string(),
    ]
}
