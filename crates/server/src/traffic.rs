//! What a connection is doing, as far as it decides whether the connection may stay.

use crate::{body::Body, limits::Limits};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::time::Instant;

/// Requests in progress on one connection.
pub(crate) struct Traffic {
    table: Mutex<Table>,
}

struct Table {
    last: u64,
    /// Each request in progress, with the moment when its answer was ready, if that has an end.
    requests: Vec<(u64, Option<Instant>)>,
    /// Since when there is none.
    quiet: Instant,
    answered: u32,
    abandoned: u32,
}

/// What is to be done with a connection.
enum Verdict {
    LookAgain(Instant),
    Close(&'static str),
}

impl Traffic {
    pub(crate) fn new() -> Arc<Self> {
        let quiet = Instant::now();
        let table = Table { last: 0, requests: Vec::new(), quiet, answered: 0, abandoned: 0 };
        Arc::new(Self { table: Mutex::new(table) })
    }

    /// A request came.
    pub(crate) fn begin(self: &Arc<Self>) -> InProgress {
        let mut table = self.table();
        table.last += 1;
        let number = table.last;
        table.requests.push((number, None));
        InProgress { traffic: self.clone(), number, answered: false }
    }

    /// Waits until the connection has to go, and says why.
    pub(crate) async fn watch(&self, limits: &Limits) -> &'static str {
        loop {
            let verdict = self.table().verdict(limits, Instant::now());
            match verdict {
                Verdict::LookAgain(at) => tokio::time::sleep_until(at).await,
                Verdict::Close(reason) => return reason,
            }
        }
    }

    /// The client ended a request in the middle of its body.
    pub(crate) fn gave_up(&self) {
        self.table().give_up();
    }

    /// Whether the client gives up its requests more often than every third time. One that it ended in its body was
    /// answered nevertheless, to nobody, and counts on both sides.
    pub(crate) fn is_abusive(&self, limits: &Limits) -> bool {
        let table = self.table();
        table.abandoned > limits.abandoned_max && table.abandoned > table.answered / 2
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn give_up(&mut self) {
        self.abandoned = self.abandoned.saturating_add(1);
    }

    /// Whatever begins after this has a later deadline than the one that is given here: nobody has to tell.
    fn verdict(&self, limits: &Limits, now: Instant) -> Verdict {
        if self.requests.is_empty() {
            let (limit, reason) = if self.last == 0 {
                (limits.head_timeout, "no request")
            } else {
                (limits.idle_timeout, "idle")
            };
            let due = self.quiet + limit;
            return if due <= now { Verdict::Close(reason) } else { Verdict::LookAgain(due) };
        }
        let oldest = self.requests.iter().filter_map(|(_, since)| *since).min();
        match oldest.map(|since| since + limits.answer_timeout) {
            Some(due) if due <= now => Verdict::Close("does not read its answers"),
            Some(due) => Verdict::LookAgain(due.min(now + limits.idle_timeout)),
            None => Verdict::LookAgain(now + limits.idle_timeout.min(limits.answer_timeout)),
        }
    }
}

/// A request, from its head to the last byte of its answer that was taken from us.
pub(crate) struct InProgress {
    traffic: Arc<Traffic>,
    number: u64,
    answered: bool,
}

impl InProgress {
    /// The answer is there.
    pub(crate) fn answered(mut self, body: Body) -> Answer {
        self.answered = true;
        let mut table = self.traffic.table();
        table.answered = table.answered.saturating_add(1);
        // A stream ends when there is nothing more to tell: its client is watched by what waits for it.
        if !matches!(body, Body::Stream(_)) {
            let own = table.requests.iter_mut().find(|(number, _)| *number == self.number);
            own.expect("in the table until it is dropped").1 = Some(Instant::now());
        }
        drop(table);
        Answer { body, _request: self }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut table = self.traffic.table();
        table.requests.retain(|(number, _)| *number != self.number);
        if table.requests.is_empty() {
            table.quiet = Instant::now();
        }
        if !self.answered {
            table.give_up();
        }
    }
}

/// A body whose request is in progress until it was taken.
pub(crate) struct Answer {
    body: Body,
    _request: InProgress,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { abandoned_max: 2, ..Limits::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_nothing_goes_and_one_that_waits_for_us_stays() {
        let (traffic, limits) = (Traffic::new(), limits());
        let begun = Instant::now();
        assert_eq!(traffic.watch(&limits).await, "no request");
        assert_eq!(begun.elapsed(), limits.head_timeout);
        let request = traffic.begin();
        let hour = std::time::Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, traffic.watch(&limits)).await.is_err());
        let answer = request.answered(Body::Whole(None));
        assert_eq!(traffic.watch(&limits).await, "does not read its answers");
        drop(answer);
        assert_eq!(traffic.watch(&limits).await, "idle");
    }

    #[tokio::test]
    async fn who_gives_up_more_than_it_waits_for_is_found() {
        let (traffic, limits) = (Traffic::new(), limits());
        for _ in 0..6 {
            drop(traffic.begin().answered(Body::Whole(None)));
        }
        for _ in 0..3 {
            drop(traffic.begin());
        }
        assert!(!traffic.is_abusive(&limits));
        drop(traffic.begin());
        assert!(traffic.is_abusive(&limits));
    }
}
