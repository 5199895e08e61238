//! Whether the other end is still there: a client that lost its power never closes its connection.

use base::{Duration, Instant};

/// After this long without a sign the client is asked for one.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(20);
/// It has this long to give one.
pub(crate) const DETECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the planes are told that something arrived.
pub(crate) const HEARD_INTERVAL: Duration = Duration::from_secs(1);
/// A client that was asked to go elsewhere has this long.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// When the client was last heard, and what is done about its silence.
#[derive(Debug)]
pub(crate) struct Liveness {
    heard: Instant,
    told: Option<Instant>,
    asked: Option<Instant>,
    drained: Option<Instant>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Fine,
    /// Send a detection request.
    Detect,
    /// It is gone.
    Gone(&'static str),
}

impl Liveness {
    pub(crate) fn new(now: Instant) -> Self {
        Self { heard: now, told: None, asked: None, drained: None }
    }

    /// Something arrived. True when the planes are to be told.
    pub(crate) fn hear(&mut self, now: Instant) -> bool {
        self.heard = now;
        self.asked = None;
        let tell = self.told.is_none_or(|told| now.since(told) >= HEARD_INTERVAL);
        if tell {
            self.told = Some(now);
        }
        tell
    }

    /// It was asked to go elsewhere. True the first time.
    pub(crate) fn drain(&mut self, now: Instant) -> bool {
        let first = self.drained.is_none();
        self.drained.get_or_insert(now);
        first
    }

    pub(crate) fn check(&mut self, now: Instant) -> Verdict {
        if self.drained.is_some_and(|since| now.since(since) >= DRAIN_TIMEOUT) {
            return Verdict::Gone("asked to use another node, and did not go by itself");
        }
        match self.asked {
            Some(asked) if now.since(asked) >= DETECTION_TIMEOUT => {
                Verdict::Gone("silent: no answer to the detection request")
            }
            None if now.since(self.heard) >= SILENCE_MAX => {
                self.asked = Some(now);
                Verdict::Detect
            }
            Some(_) | None => Verdict::Fine,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        let silence = match self.asked {
            Some(asked) => asked.after(DETECTION_TIMEOUT),
            None => self.heard.after(SILENCE_MAX),
        };
        self.drained.map_or(silence, |since| since.after(DRAIN_TIMEOUT).min(silence))
    }
}
