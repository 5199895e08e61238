//! What is going to happen, in the order of virtual time.

use base::Instant;
use std::collections::BTreeMap;

/// Events by the time at which they happen; of one time, in the order in which they were planned.
#[derive(Debug)]
pub(crate) struct EventQueue<T> {
    events: BTreeMap<(Instant, u64), T>,
    planned: u64,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        Self { events: BTreeMap::new(), planned: 0 }
    }
}

impl<T> EventQueue<T> {
    pub(crate) fn push(&mut self, at: Instant, event: T) {
        self.planned += 1;
        self.events.insert((at, self.planned), event);
    }

    pub(crate) fn first(&self) -> Option<Instant> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, T)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}
