//! How fresh a read must be, and how fresh its answer is.

use crate::{LogIndex, NodeId};
use core::{fmt, str::FromStr, time::Duration};

/// The longest staleness that `bounded` takes: beyond it, `stale` is meant.
pub const BOUND_MAX: Duration = Duration::from_secs(3_600);

/// What a reader asks for: the dial between speed and agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consistency {
    /// Whatever this node holds.
    Stale,
    /// Not older than this.
    Bounded(Duration),
    /// Not older than what this connection has seen or written.
    Session,
    /// What a single up-to-date copy would answer at some moment during the request.
    Linearizable,
}

/// What a reply is worth. Every reply carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The level that was reached; may be below the level that was asked for.
    pub level: Consistency,
    /// How far the answer may lag behind the newest write, at most; zero when linearizable, `None` where nobody knows.
    pub staleness: Option<Duration>,
    /// The last log entry that the answer contains.
    pub applied: LogIndex,
    /// The node whose state was read.
    pub served_by: NodeId,
}

impl Freshness {
    /// The same for a reader who wants this and has seen the log through `seen`; `None` if it is not enough.
    #[must_use]
    pub fn meeting(self, wanted: Consistency, seen: LogIndex) -> Option<Self> {
        let level = match wanted {
            _ if self.level == Consistency::Linearizable => Consistency::Linearizable,
            Consistency::Stale => Consistency::Stale,
            Consistency::Bounded(bound) if self.staleness.is_some_and(|lag| lag <= bound) => wanted,
            Consistency::Session if self.applied >= seen => Consistency::Session,
            Consistency::Bounded(_) | Consistency::Session | Consistency::Linearizable => {
                return None;
            }
        };
        Some(Self { level, ..self })
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale => f.write_str("stale"),
            Self::Bounded(bound) => write!(f, "bounded({}ms)", bound.as_millis()),
            Self::Session => f.write_str("session"),
            Self::Linearizable => f.write_str("linearizable"),
        }
    }
}

/// Reads `stale`, `bounded(500ms)`, `bounded(2s)`, `bounded(500)` (milliseconds), `session` or `linearizable`.
impl FromStr for Consistency {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "stale" => return Ok(Self::Stale),
            "session" => return Ok(Self::Session),
            "linearizable" => return Ok(Self::Linearizable),
            _ => {}
        }
        let bound = text.strip_prefix("bounded(").and_then(|rest| rest.strip_suffix(')'));
        let bound = bound.ok_or(())?;
        let (number, unit_ms) = match (bound.strip_suffix("ms"), bound.strip_suffix('s')) {
            (Some(number), _) => (number, 1),
            (None, Some(number)) => (number, 1_000),
            (None, None) => (bound, 1),
        };
        let ms = number.parse::<u64>().map_err(|_| ())?.checked_mul(unit_ms).ok_or(())?;
        let bound = Duration::from_millis(ms);
        if bound <= BOUND_MAX { Ok(Self::Bounded(bound)) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Consistency::{Bounded, Linearizable, Session, Stale};
    use std::string::ToString;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn every_level_reads_back_from_its_text() {
        for text in ["stale", "bounded(500ms)", "session", "linearizable"] {
            assert_eq!(text.parse::<Consistency>().expect(text).to_string(), text);
        }
        assert_eq!("bounded(2s)".parse(), Ok(Bounded(2 * SECOND)));
        assert_eq!("bounded(7)".parse(), Ok(Bounded(Duration::from_millis(7))));
        for wrong in
            ["", "Stale", "bounded", "bounded()", "bounded(-1)", "bounded(2h)", "bounded(3601s)"]
        {
            assert_eq!(wrong.parse::<Consistency>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_state_meets_what_it_can_prove() {
        let here = |level, staleness| {
            let (applied, served_by) = (LogIndex(9), NodeId(1));
            Freshness { level, staleness, applied, served_by }
        };
        let level = |here: Freshness, wanted, seen| {
            here.meeting(wanted, LogIndex(seen)).map(|fresh| fresh.level)
        };
        // (what is here, what is wanted, what was seen, what is reached)
        let (sole, known, unknown) = (
            here(Linearizable, Some(Duration::ZERO)),
            here(Stale, Some(SECOND)),
            here(Stale, None),
        );
        let table = [
            (sole, Stale, 0, Some(Linearizable)),
            (sole, Linearizable, u64::MAX, Some(Linearizable)),
            (known, Stale, u64::MAX, Some(Stale)),
            (known, Bounded(SECOND), 0, Some(Bounded(SECOND))),
            (known, Bounded(SECOND / 2), 0, None),
            (known, Session, 9, Some(Session)),
            (known, Session, 10, None),
            (known, Linearizable, 0, None),
            (unknown, Bounded(BOUND_MAX), 0, None),
            (unknown, Session, 0, Some(Session)),
        ];
        for (here, wanted, seen, reached) in table {
            assert_eq!(level(here, wanted, seen), reached, "{here:?} {wanted} {seen}");
        }
    }
}
