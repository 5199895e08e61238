//! Errors as `application/problem+json` (RFC 9457): what, where, why, and what to do next.

use crate::{Unavailable, operation::Reply, shape};

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    /// Short and stable, e.g. `not-found`.
    code: &'static str,
    what: Box<str>,
    why: Box<str>,
    next: Box<str>,
    /// What the path does take, for 405.
    pub(crate) allow: Option<Box<str>>,
}

impl Problem {
    pub(crate) fn new(
        status: u16,
        code: &'static str,
        what: impl Into<Box<str>>,
        why: impl Into<Box<str>>,
        next: impl Into<Box<str>>,
    ) -> Self {
        Self { status, code, what: what.into(), why: why.into(), next: next.into(), allow: None }
    }

    /// Something in the request is not as it must be.
    pub(crate) fn invalid(
        what: impl Into<Box<str>>,
        why: impl Into<Box<str>>,
        next: impl Into<Box<str>>,
    ) -> Self {
        Self::new(400, "invalid", what, why, next)
    }

    /// There is no such thing.
    pub(crate) fn not_found(what: impl Into<Box<str>>, next: impl Into<Box<str>>) -> Self {
        Self::new(404, "not-found", what, "this node knows no such name", next)
    }

    /// The state does not allow it.
    pub(crate) fn conflict(
        what: impl Into<Box<str>>,
        why: impl Into<Box<str>>,
        next: impl Into<Box<str>>,
    ) -> Self {
        Self::new(409, "conflict", what, why, next)
    }

    /// A limit was reached.
    pub(crate) fn limit(
        what: impl Into<Box<str>>,
        why: impl Into<Box<str>>,
        next: impl Into<Box<str>>,
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

    /// As it goes over the wire; `place` says which request, on which node.
    pub(crate) fn shown(&self, place: &str) -> shape::Problem {
        shape::Problem {
            kind: format!("urn:trine:problem:{}", self.code),
            title: self.what.to_string(),
            status: self.status,
            code: self.code.to_owned(),
            what: self.what.to_string(),
            place: place.to_owned(),
            why: self.why.to_string(),
            next: self.next.to_string(),
        }
    }

    /// The answer.
    pub(crate) fn reply(&self, place: &str) -> Reply {
        Reply::of(self.status, "application/problem+json", &self.shown(place))
    }
}
