//! This node's part of the answer to "why".

use crate::Node;
use base::ConnectionId;
use journal::{Event, Kind, Subject};
use std::collections::BTreeSet;

impl Node {
    /// The newest events about a subject, and how many were dropped at the journal's limit. For an instance or a service, the ends of the connections that touched it
    /// belong to its story.
    pub(crate) fn explain(&self, subject: &Subject, limit: usize) -> (Vec<Event>, u64) {
        let about = self.journal.select(usize::MAX, |event| concerns(event, subject));
        let connections: BTreeSet<ConnectionId> = about
            .iter()
            .filter_map(|event| match event.cause {
                journal::Cause::Connection(connection) => Some(connection),
                journal::Cause::Peer(_)
                | journal::Cause::Timer
                | journal::Cause::Start
                | journal::Cause::Log(_) => None,
            })
            .collect();
        let events = self.journal.select(limit, |event| {
            concerns(event, subject)
                || (matches!(event.kind, Kind::Closed(_))
                    && matches!(event.subject, Subject::Connection(c) if connections.contains(&c)))
                || matches!(event.kind, Kind::Started | Kind::Halted(_))
                // A new leader gives every lease its full time again.
                || (matches!(subject, Subject::Lock(_)) && matches!(event.kind, Kind::Leads { .. }))
        });
        (events, self.journal.dropped())
    }
}

/// Whether the event is about the subject, or about the service that an instance belongs to.
fn concerns(event: &Event, wanted: &Subject) -> bool {
    if event.subject == *wanted {
        return true;
    }
    match (&event.subject, wanted) {
        (
            Subject::Service { namespace, service },
            Subject::Instance { namespace: n, service: s, address: _ },
        )
        | (
            Subject::Instance { namespace, service, address: _ },
            Subject::Service { namespace: n, service: s },
        ) => namespace == n && service == s,
        _ => false,
    }
}
