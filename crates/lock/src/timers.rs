//! The leader's times: when which lease and which waiter is over. Nobody else has any.

use base::{Instant, LogIndex};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a time is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// The lease of this key.
    Lease(Arc<str>),
    /// The waiter of this key with this ticket.
    Waiter(Arc<str>, LogIndex),
}

/// One time per thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    at: BTreeMap<Due, Instant>,
    order: BTreeSet<(Instant, Due)>,
}

impl Timers {
    /// Sets the time of something, in place of the one before.
    pub(crate) fn set(&mut self, due: Due, at: Instant) {
        self.unset(&due);
        self.at.insert(due.clone(), at);
        self.order.insert((at, due));
    }

    pub(crate) fn unset(&mut self, due: &Due) {
        if let Some(at) = self.at.remove(due) {
            self.order.remove(&(at, due.clone()));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.order.first().map(|(at, _)| *at)
    }

    /// What is due, the oldest first, at most so many. It stays until it is set or unset.
    pub(crate) fn due(&self, now: Instant, limit: usize) -> Vec<Due> {
        let due = self.order.iter().take_while(|(at, _)| *at <= now);
        due.take(limit).map(|(_, due)| due.clone()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.at.len()
    }
}
