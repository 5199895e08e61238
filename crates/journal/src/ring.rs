//! The newest events of one node, bounded in bytes, and the merging of several nodes' events.

use crate::{Cause, Event, EventId, Kind, Subject};
use alloc::{collections::VecDeque, vec::Vec};
use base::{HybridClock, NodeId, Now};

/// What one event is counted as besides its texts: two strings' headers, the enums and the queue slot.
const EVENT_BYTES: usize = 160;

/// A ring of events. At the limit the oldest is dropped; `dropped` counts them, so a reader knows that the story has
/// a beginning it cannot see.
#[derive(Debug)]
pub struct Journal {
    node: NodeId,
    events: VecDeque<Event>,
    bytes: usize,
    bytes_max: usize,
    dropped: u64,
}

impl Journal {
    /// An empty journal of `node` that holds about `bytes_max` bytes.
    #[must_use]
    pub fn new(node: NodeId, bytes_max: usize) -> Self {
        Self { node, events: VecDeque::new(), bytes: 0, bytes_max, dropped: 0 }
    }

    /// Files an event and gives it its id.
    pub fn file(
        &mut self,
        now: Now,
        clock: &mut HybridClock,
        cause: Cause,
        kind: Kind,
        subject: Subject,
    ) -> EventId {
        let id = EventId { at: clock.tick(now), node: self.node };
        let event = Event { id, unix_ms: now.unix_ms, cause, kind, subject };
        self.bytes += bytes_of(&event);
        self.events.push_back(event);
        while self.bytes > self.bytes_max {
            let oldest = self.events.pop_front().expect("bytes are counted, so an event is there");
            self.bytes -= bytes_of(&oldest);
            self.dropped += 1;
        }
        id
    }

    /// The events that `wanted` accepts, oldest first, at most the newest `len_max` of them.
    pub fn select(&self, len_max: usize, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut found: Vec<Event> =
            self.events.iter().rev().filter(|event| wanted(event)).take(len_max).cloned().collect();
        found.reverse();
        found
    }

    /// About how many bytes its events take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many events it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The oldest event that it holds.
    #[must_use]
    pub fn oldest(&self) -> Option<&Event> {
        self.events.front()
    }

    /// How many events were dropped at the limit since the node started.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The journals of several nodes as one story: by hybrid time, which never contradicts causality. An event that is in
/// two of the lists (a journal read twice) appears once.
#[must_use]
pub fn merge(journals: Vec<Vec<Event>>) -> Vec<Event> {
    let mut all: Vec<Event> = journals.into_iter().flatten().collect();
    all.sort_by_key(|event| event.id);
    all.dedup_by_key(|event| event.id);
    all
}

fn bytes_of(event: &Event) -> usize {
    let subject = match &event.subject {
        Subject::Instance { namespace, service, address } => {
            namespace.len() + service.len() + address.len()
        }
        Subject::Service { namespace, service } => namespace.len() + service.len(),
        Subject::Config { namespace, group, data_id } => {
            namespace.len() + group.len() + data_id.len()
        }
        Subject::Access(name) | Subject::Lock(name) => name.len(),
        Subject::Connection(_) | Subject::Node => 0,
    };
    let kind = match &event.kind {
        Kind::Granted { owner: text, .. }
        | Kind::Queued(text)
        | Kind::GaveUp(text)
        | Kind::Refused(text)
        | Kind::Closed(text)
        | Kind::Halted(text)
        | Kind::Replaced(text)
        | Kind::Published { md5: text, .. } => text.len(),
        Kind::Registered
        | Kind::Deregistered
        | Kind::ConnectionLost
        | Kind::BecameUnhealthy
        | Kind::BecameHealthy
        | Kind::Expired
        | Kind::Orphaned
        | Kind::Adopted
        | Kind::OrphanHidden
        | Kind::Listed { .. }
        | Kind::Pushed { .. }
        | Kind::Subscribed(_)
        | Kind::Unsubscribed(_)
        | Kind::Removed { .. }
        | Kind::Notified(_)
        | Kind::AccessChanged
        | Kind::Opened
        | Kind::Started
        | Kind::Ready
        | Kind::Leads { .. }
        | Kind::Edited
        | Kind::Released { .. }
        | Kind::LeaseEnded { .. } => 0,
    };
    EVENT_BYTES + subject + kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn filled(node: u64, events: usize, bytes_max: usize) -> Journal {
        let mut journal = Journal::new(NodeId(node), bytes_max);
        let mut clock = HybridClock::default();
        for _ in 0..events {
            journal.file(Now::START, &mut clock, Cause::Timer, Kind::Ready, Subject::Node);
        }
        journal
    }

    #[test]
    fn the_oldest_events_leave_at_the_limit() {
        let journal = filled(1, 10, 3 * EVENT_BYTES);
        let kept = journal.select(usize::MAX, |_| true);
        assert_eq!((kept.len(), journal.dropped()), (3, 7));
        assert_eq!(kept[0].id.at.0, 8);
    }

    #[test]
    fn merging_orders_by_hybrid_time_and_drops_repeats() {
        let a = filled(1, 2, 10_000).select(usize::MAX, |_| true);
        let b = filled(2, 2, 10_000).select(usize::MAX, |_| true);
        let merged = merge(vec![b, a.clone(), a]);
        let order: Vec<_> = merged.iter().map(|e| (e.id.at.0, e.id.node.0)).collect();
        assert_eq!(order, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    }
}
