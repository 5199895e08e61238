//! What one connection may ask for, where an operator may choose.

use base::Duration;

/// Requests of one connection that are not answered yet, unless set otherwise.
pub const CALLS_MAX: usize = 1_024;
/// Keys that one connection or one poll may listen to; a setting may be less. As in Nacos.
pub const LISTENED_KEYS_MAX: usize = 10_000;
/// The longest time that a poll is held, unless set otherwise.
pub const POLL_HOLD_MAX: Duration = Duration::from_secs(120);

/// The limits of a session. The defaults are Nacos's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests that are not answered yet. One more is answered "overloaded" at once.
    pub calls_max: usize,
    /// Keys that the connection, or one poll, listens to: 400.
    pub listened_keys_max: usize,
    /// No poll is held longer; then it is answered "nothing changed".
    pub poll_hold_max: Duration,
    /// Bytes of a body that carries configs: 413.
    pub config_body_bytes_max: usize,
    /// Bytes of any other body: 413.
    pub body_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_max: CALLS_MAX,
            listened_keys_max: LISTENED_KEYS_MAX,
            poll_hold_max: POLL_HOLD_MAX,
            config_body_bytes_max: crate::CONFIG_BODY_BYTES_MAX,
            body_bytes_max: crate::BODY_BYTES_MAX,
        }
    }
}

impl Limits {
    /// How many bytes the body of a request to this path may have.
    #[must_use]
    pub fn of_body(&self, path: &str) -> usize {
        if crate::takes_configs(path) { self.config_body_bytes_max } else { self.body_bytes_max }
    }
}
