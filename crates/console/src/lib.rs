//! Our own HTTP API: `/v1`, `/livez` and `/readyz`.
#![forbid(unsafe_code)]

mod session;
mod surface;

pub use session::Session;
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
