//! The edge of our own HTTP API: `/v1`, and the probes `/livez` and `/readyz`.
//!
//! # Problem
//!
//! People and their tools ask a node what it holds, change it, watch it, and ask why it is so. The answers must say
//! what they are worth, and errors must say what to do; and whatever decides anything is in a plane, not here.
//!
//! # Roles
//!
//! * `Session`: one connection, sans-IO. Requests come in as values, answers and questions go out as values.
//! * an operation: one file per operation under `op/`. It reads the request into a plan (which right it needs, how
//!   fresh the views must be), and then goes on from answer to answer as a resumable record.
//! * a stream: a reply that goes on, as server-sent events, for `watch=true`.
//!
//! # The way of a request
//!
//! route → who asks (token) → what they want (path, query, body) → whether they may (`access::View::allows`) → views
//! fresh enough (`Ask::Fresh`, unless the host can tell at once) → the operation's own questions → one answer. What
//! fails on the way is a `Problem` and changes nothing.
//!
//! # Messages, and what if one is lost
//!
//! * An `Input::Answer` never comes: the call hangs. The host owes exactly one per question, `Unavailable` at worst.
//! * An `Input::Dropped` never comes: a stream stays subscribed until the connection ends.
//! * An `Input::Sent` never comes: that stream stays silent; it holds one view, and no other stream waits for it.
//! * An `Input::Push` or `Notify` is lost: the watcher sees the next state, not that one.
//!
//! # Invariants
//!
//! * each call is answered by exactly one `Http`, or by `StreamStart`, chunks, and at most one `StreamEnd`; by nothing
//!   if the client dropped it
//! * chunks on their way per stream ≤ 1, except for the one that says why a stream ends
//! * what has no token (on a door that needs a login) learns nothing but `/livez`, `/readyz` and whether its own
//!   password is right
//! * every answer has the four freshness headers (`FRESHNESS_HEADERS`)
//! * the subscription of a service ends with the last call or stream that lives on it, and not before
//!
//! # Left out
//!
//! The OpenAPI document, users and roles, the web console; conditional reads (`If-None-Match`). A connection has one
//! subscription per service: a session of another edge on the same connection that watches the same service loses its
//! pushes when the last stream here ends. Clients do not mix the two on one connection.
#![forbid(unsafe_code)]

mod dates;
mod gate;
mod names;
mod op;
mod operation;
mod params;
mod problem;
mod route;
mod session;
pub mod shape;
mod story;
mod stream;
mod surface;
#[cfg(test)]
mod tests;
mod watching;
mod words;

pub use dates::{ago, rfc3339};
pub use route::http_api;
pub use session::{CALLS_MAX, STREAMS_MAX, Session};
pub use surface::{
    Answer, Ask, CallId, Check, Door, Facts, Filter, Input, Login, NodeState, Output, Page,
    Password, Status, Unavailable, Views,
};

/// The longest request body that any route of this API takes, in bytes. Over the largest config, so that the config
/// plane's own answer names its limit; what is longer is refused before it is read.
pub const BODY_BYTES_MAX: usize = 11 << 20;

/// Whether a request to this path belongs to this edge.
#[must_use]
pub fn serves(path: &str) -> bool {
    path == "/livez" || path == "/readyz" || path == "/v1" || path.starts_with("/v1/")
}
