//! Errors as `application/problem+json` (RFC 9457): what, where, why, and what to do next.

use crate::Unavailable;
use serde::{Deserialize, Serialize};

/// An error as it goes over the wire. `code` is stable; the texts are for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:trine:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same as `what`, under the name that RFC 9457 gives it.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Short and stable, e.g. `not-found`.
    pub code: String,
    /// What went wrong.
    pub what: String,
    /// Which request, on which node.
    #[serde(rename = "where")]
    pub place: String,
    /// For what reason.
    pub why: String,
    /// What to do about it.
    pub next: String,
}

impl Problem {
    /// A problem whose place is not known yet: the session fills it in.
    pub(crate) fn new(
        status: u16,
        code: &str,
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let what = what.into();
        Self {
            kind: format!("urn:trine:problem:{code}"),
            title: what.clone(),
            status,
            code: code.to_owned(),
            what,
            place: String::new(),
            why: why.into(),
            next: next.into(),
        }
    }

    /// Something in the request is not as it must be.
    pub(crate) fn invalid(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(400, "invalid", what, why, next)
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(404, "not-found", what, "this node knows no such name", next)
    }

    /// The state does not allow it.
    pub(crate) fn conflict(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(409, "conflict", what, why, next)
    }

    /// A limit was reached.
    pub(crate) fn limit(
        what: impl Into<String>,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::new(429, "limit", what, why, next)
    }

    /// The node could not do it.
    pub(crate) fn unavailable(reason: Unavailable) -> Self {
        let (status, code, what, why, next) = match reason {
            Unavailable::Starting => (
                503,
                "starting",
                "the node is not ready",
                "it is starting: it has not read its disk or not heard from its peers yet",
                "try again in a moment; /readyz?verbose says what it waits for",
            ),
            Unavailable::NoLeader => (
                503,
                "no-leader",
                "nothing was written",
                "this write needs the leader of the Raft group, and none is known",
                "look at `trine status`; try again, or another node; reads still work with \
                 consistency=stale",
            ),
            Unavailable::OutcomeUnknown => (
                504,
                "outcome-unknown",
                "the write may or may not have happened",
                "it was handed to the log, and its outcome did not come back in time",
                "read before you write again",
            ),
            Unavailable::DiskFull => (
                507,
                "disk-full",
                "nothing was written",
                "the disk of the data directory is (nearly) full",
                "free space on it; `trine status` shows how much there is",
            ),
            Unavailable::Overloaded => (
                503,
                "overloaded",
                "nothing was done",
                "a queue of the node is full",
                "try again in a moment, or another node",
            ),
            Unavailable::Stopping => {
                (503, "stopping", "nothing was done", "the node is stopping", "use another node")
            }
        };
        Self::new(status, code, what, why, next)
    }

    /// The same problem, with its place.
    pub(crate) fn at(mut self, place: &str) -> Self {
        place.clone_into(&mut self.place);
        self
    }
}
