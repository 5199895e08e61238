//! The hybrid logical clock (Kulkarni et al. 2014): close to wall time, and yet it never goes back.
//!
//! A time from elsewhere is *followed*: what is given out after it is greater. So what follows from a message is later than
//! what led to it, whatever the wall clocks of the two say. But it is followed only up to [`FOLLOWED_AHEAD_MAX`] beyond the own
//! wall clock. Otherwise one node that was set to the next century would take all others along, and since no clock goes back and
//! each is kept on disk, none of them would show a true time again before then.
//!
//! * The limit is a day: a clock that was set to local time is up to 14 hours off, and a date is mistyped by one. Followed that
//!   far, wrong clocks do no harm: the hybrid time of all runs up to a day ahead until the wall clocks are there.
//! * What is beyond is left alone, and not taken as the limit: there it would drive this clock on with every message, and order
//!   nothing. So a clock never goes back and never leaps because of what was not followed; what is lost is the order between the
//!   two nodes. Whoever asks is told, so that somebody mends the clocks.
//! * What this node gave out itself is always followed ([`HybridClock::above`], [`HybridClock::raise`]), and so is its own
//!   wall clock, which may have stood at 1970 before it was set. So a node that once gave out times of the next century goes on
//!   doing so; it is to be replaced by one with an empty disk.

use crate::Now;
use core::{fmt, time::Duration};
use serde::{Deserialize, Serialize};

/// How far ahead of the own wall clock a time from elsewhere may be, to be followed.
pub const FOLLOWED_AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// 48 bits of wall-clock milliseconds, then 16 bits that order what happened within one of them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct HybridTime(pub u64);

impl HybridTime {
    /// The first hybrid time of a wall-clock millisecond.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: u64) -> Self {
        Self(unix_ms << 16)
    }

    /// The wall-clock milliseconds in it. Ahead of the wall clock after it jumped back.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0 >> 16
    }
}

impl fmt::Display for HybridTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.unix_ms(), self.0 & 0xffff)
    }
}

/// Gives out hybrid times: each greater than all before it and than all that were followed.
#[derive(Clone, Debug, Default)]
pub struct HybridClock {
    last: HybridTime,
}

impl HybridClock {
    /// A clock that stays above `high_water`: what an earlier life of the node may have given out.
    #[must_use]
    pub const fn above(high_water: HybridTime) -> Self {
        Self { last: high_water }
    }

    /// The next time: the wall clock's if that is later than all before, else one tick more than the last.
    pub fn tick(&mut self, now: Now) -> HybridTime {
        self.last = HybridTime(self.last.0 + 1).max(HybridTime::from_unix_ms(now.unix_ms));
        self.last
    }

    /// Whether a time from elsewhere is followed.
    #[must_use]
    pub fn follows(&self, now: Now, other: HybridTime) -> bool {
        let limit = now.unix_ms.saturating_add(FOLLOWED_AHEAD_MAX.as_millis() as u64);
        other <= self.last || other.unix_ms() <= limit
    }

    /// Takes note of a time from elsewhere, so that what is given out later is greater. False: it is too far ahead of the wall
    /// clock to be followed, and nothing has changed.
    pub fn observe(&mut self, now: Now, other: HybridTime) -> bool {
        let follows = self.follows(now, other);
        if follows {
            self.last = self.last.max(other);
        }
        follows
    }

    /// Takes note of a time that this node gave out itself, in an earlier life or by other means.
    pub fn raise(&mut self, own: HybridTime) {
        self.last = self.last.max(own);
    }

    /// The greatest time given out or followed.
    #[must_use]
    pub const fn last(&self) -> HybridTime {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn it_grows_while_the_wall_clock_stands_or_jumps_back() {
        let mut clock = HybridClock::default();
        let noon = Now::START.after(Duration::from_secs(100));
        let first = clock.tick(noon);
        assert_eq!(first.unix_ms(), 100_000);
        let second = clock.tick(noon);
        let third = clock.tick(Now::START);
        assert!(first < second && second < third);
        assert!(clock.observe(noon, HybridTime::from_unix_ms(200_000)));
        assert!(clock.tick(noon) > HybridTime::from_unix_ms(200_000));
    }

    #[test]
    fn it_follows_a_day_ahead_of_the_wall_clock_and_no_further() {
        let noon = Now::START.after(Duration::from_secs(100));
        let day = FOLLOWED_AHEAD_MAX;
        let limit = HybridTime::from_unix_ms(noon.after(day).unix_ms + 1);
        let mut clock = HybridClock::default();
        let first = clock.tick(noon);
        for junk in [limit, HybridTime::from_unix_ms(1 << 40), HybridTime(u64::MAX)] {
            assert!(!clock.observe(noon, junk));
            assert_eq!(clock.last(), first, "after {junk}");
        }
        assert!(clock.observe(noon, HybridTime(limit.0 - 1)));
        assert_eq!(clock.tick(noon), limit);
        // It does not go back when the wall clock does, and what is no news is no harm.
        assert!(clock.observe(Now::START, limit));
        assert!(!clock.observe(Now::START, HybridTime(limit.0 + 1)));
        assert!(clock.tick(Now::START) > limit);
        // What it gave out itself always counts.
        clock.raise(HybridTime::from_unix_ms(1 << 40));
        assert!(clock.observe(noon, HybridTime::from_unix_ms(1 << 40)));
    }
}
