//! The hybrid logical clock (Kulkarni et al. 2014): close to wall time, and yet it never goes back.

use crate::Now;
use core::fmt;
use serde::{Deserialize, Serialize};

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

/// Gives out hybrid times: each greater than all before it and than all observed.
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

    /// Takes note of a time from elsewhere, so that what is given out later is greater.
    pub fn observe(&mut self, other: HybridTime) {
        self.last = self.last.max(other);
    }

    /// The greatest time given out or observed.
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
        clock.observe(HybridTime::from_unix_ms(200_000));
        assert!(clock.tick(noon) > HybridTime::from_unix_ms(200_000));
    }
}
