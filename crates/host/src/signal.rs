//! How the world outside is told that there is something to fetch: a waker that it leaves here.

use std::{
    sync::{Mutex, PoisonError},
    task::Waker,
};

/// Holds the waker of the one who fetches. Waking does not allocate and carries nothing: what is to be fetched lies in a
/// queue.
#[derive(Debug, Default)]
pub struct Signal(Mutex<Option<Waker>>);

impl Signal {
    /// Whom to wake from now on.
    pub fn listen(&self, waker: Waker) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
    }

    /// There is something to fetch.
    pub fn raise(&self) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
