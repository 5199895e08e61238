//! Bodies on their way in: how large, how slow, and how many at once they may be.

use crate::{limits::Limits, traffic::Traffic};
use base::Limit;
use bytes::{Bytes, BytesMut};
use host::Host;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// How many bytes of bodies are in memory that nobody has looked at yet.
#[derive(Default)]
pub(crate) struct Budget(AtomicUsize);

/// Why a body was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It is longer than the path allows.
    TooLarge,
    /// It came too slowly.
    TooSlow,
    /// Too much is on its way in on this connection, or on all of them.
    Crowded,
    /// The client ended it in the middle.
    Off,
}

/// A body that is read piece by piece, within the limits.
pub(crate) struct Intake {
    body: Incoming,
    limits: Arc<Limits>,
    all: Arc<Budget>,
    own: Arc<Budget>,
    traffic: Arc<Traffic>,
    host: Arc<Host>,
    held: usize,
    deadline: Option<Instant>,
}

impl Budget {
    fn take(&self, bytes: usize, bytes_max: usize) -> bool {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= bytes_max;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Intake {
    pub(crate) fn new(
        body: Incoming,
        limits: Arc<Limits>,
        all: Arc<Budget>,
        own: Arc<Budget>,
        traffic: Arc<Traffic>,
        host: Arc<Host>,
    ) -> Self {
        Self { body, limits, all, own, traffic, host, held: 0, deadline: None }
    }

    /// Whether it says itself that it is longer than this.
    pub(crate) fn claims_over(&self, bytes_max: usize) -> bool {
        self.body.size_hint().lower() > bytes_max as u64
    }

    /// The clock of the timeout runs, from now on if it did not before.
    pub(crate) fn start(&mut self) {
        let due = Instant::now() + self.limits.body_timeout;
        self.deadline.get_or_insert(due);
    }

    /// What came so far was looked at: it no longer counts, and the clock stops.
    pub(crate) fn release(&mut self) {
        self.own.give_back(self.held);
        self.all.give_back(self.held);
        self.held = 0;
        self.deadline = None;
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        loop {
            let frame = match self.deadline {
                None => self.body.frame().await,
                Some(due) => tokio::time::timeout_at(due, self.body.frame())
                    .await
                    .map_err(|_| self.reject(Limit::BodyTimeout, Broken::TooSlow))?,
            };
            match frame {
                None => return Ok(None),
                Some(Err(_)) => {
                    self.traffic.gave_up();
                    return Err(Broken::Off);
                }
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        self.count(data.len())?;
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The whole body, and the rest of it when it was refused.
    pub(crate) async fn whole(mut self, bytes_max: usize) -> Result<Bytes, (Broken, Self)> {
        if self.claims_over(bytes_max) {
            return Err((Broken::TooLarge, self));
        }
        self.start();
        let mut whole = BytesMut::new();
        loop {
            match self.piece().await {
                Ok(None) => return Ok(whole.freeze()),
                Ok(Some(piece)) if whole.len() + piece.len() > bytes_max => {
                    return Err((Broken::TooLarge, self));
                }
                Ok(Some(piece)) => whole.extend_from_slice(&piece),
                Err(broken) => return Err((broken, self)),
            }
        }
    }

    /// Reads on for a while without keeping anything. A connection that is closed while bytes arrive is reset, and a
    /// client that is reset may lose the answer that it was sent.
    pub(crate) fn linger(mut self) {
        self.release();
        tokio::spawn(async move {
            let timeout = self.limits.linger_timeout;
            let rest = async { while let Some(Ok(_)) = self.body.frame().await {} };
            // Whether it ended or not, nobody waits for it.
            let _ = tokio::time::timeout(timeout, rest).await;
        });
    }

    /// Counts a refusal.
    pub(crate) fn reject(&self, limit: Limit, broken: Broken) -> Broken {
        self.host.tally.reject(limit);
        broken
    }

    fn count(&mut self, bytes: usize) -> Result<(), Broken> {
        if !self.own.take(bytes, self.limits.connection_body_bytes_max) {
            return Err(self.reject(Limit::ConnectionBodies, Broken::Crowded));
        }
        if !self.all.take(bytes, self.limits.body_bytes_max) {
            self.own.give_back(bytes);
            return Err(self.reject(Limit::Bodies, Broken::Crowded));
        }
        self.held += bytes;
        let earned = Duration::from_secs_f64(bytes as f64 / f64::from(self.limits.body_rate_min));
        self.deadline = self.deadline.map(|due| due + earned);
        Ok(())
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.release();
    }
}
