//! Lifeguard's local health: a node that hears too little first doubts itself.

use base::Duration;

/// The local health multiplier: 0 is healthy. Multiplies the probe interval and the probe timeout.
#[derive(Debug)]
pub(crate) struct Health {
    score: u32,
    max: u32,
}

impl Health {
    pub(crate) fn new(max: u32) -> Self {
        Self { score: 0, max }
    }

    /// A probe was answered in time.
    pub(crate) fn improve(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// So many signs that it is this node that is slow or cut off: a probe without help, a missing nack, a suspicion of
    /// this node itself, a late wake.
    pub(crate) fn worsen(&mut self, signs: usize) {
        let signs = u32::try_from(signs).unwrap_or(self.max);
        self.score = self.score.saturating_add(signs).min(self.max);
    }

    pub(crate) fn score(&self) -> u32 {
        self.score
    }

    pub(crate) fn scale(&self, duration: Duration) -> Duration {
        duration * (self.score + 1)
    }
}
