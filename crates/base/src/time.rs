//! Time as a value: it enters every `step` and is never read.

use core::{fmt, time::Duration};

/// What time it is. Decisions and timeouts use `instant`; `unix_ms` is only shown or stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since this node started; never goes back.
    pub instant: Instant,
    /// Wall clock in milliseconds since 1970 UTC; may jump either way.
    pub unix_ms: u64,
}

impl Now {
    /// The first moment of a node whose wall clock shows 1970. For tests.
    pub const START: Self = Self { instant: Instant::START, unix_ms: 0 };

    /// The moment `duration` later on both clocks.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self {
            instant: self.instant.after(duration),
            unix_ms: self.unix_ms.saturating_add(duration.as_millis() as u64),
        }
    }
}

/// Nanoseconds since the node started. Our own type: it can be built from a number and prints the same on every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment the node started.
    pub const START: Self = Self(0);

    /// The moment `nanos` nanoseconds after the start.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `duration` later; the end of time if that overflows (after 584 years).
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}.{:03}s", self.0 / 1_000_000_000, self.0 / 1_000_000 % 1000)
    }
}
