//! What happened, one line per event. Two runs are the same when their lines are.

use base::Instant;
use std::fmt;

/// FNV-1a over all lines; keeps the lines only when they are wanted.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    count: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace; `keep` says whether its lines can be read later.
    #[must_use]
    pub fn new(keep: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, count: 0, lines: keep.then(Vec::new) }
    }

    pub(crate) fn line(&mut self, at: Instant, text: fmt::Arguments<'_>) {
        let nanos = at.as_nanos();
        let line = format!("{:6}.{:06} {text}", nanos / 1_000_000_000, nanos / 1_000 % 1_000_000);
        for byte in line.as_bytes() {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.hash = (self.hash ^ u64::from(b'\n')).wrapping_mul(0x0100_0000_01b3);
        self.count += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    /// The hash of all lines so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The lines, if they were kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
