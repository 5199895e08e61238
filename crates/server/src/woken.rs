//! From a host's signal to the one task that waits for it.

use std::{
    sync::Arc,
    task::{Wake, Waker},
};
use tokio::sync::Notify;

/// Wakes the one task that waits, or whoever waits next: a signal between two looks is not lost.
pub(crate) struct Woken(Arc<Notify>);

impl Woken {
    /// What to wait on, and what wakes it.
    pub(crate) fn pair() -> (Arc<Notify>, Waker) {
        let notify = Arc::new(Notify::new());
        (notify.clone(), Waker::from(Arc::new(Self(notify))))
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}
