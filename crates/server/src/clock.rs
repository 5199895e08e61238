//! The one place that reads clocks.

use base::{Instant, Now};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Monotonic time since it was made, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let unix_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        Now { instant: Instant::from_nanos(nanos), unix_ms }
    }

    /// The moment on tokio's clock that an instant of ours means.
    pub(crate) fn tokio(self, instant: Instant) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.start + Duration::from_nanos(instant.as_nanos()))
    }
}
