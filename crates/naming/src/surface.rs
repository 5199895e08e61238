//! The three verbs' two enums.

use crate::{ClusterNames, Reply, Request, ServiceKey, ServiceView};
use base::{ConnectionId, RequestId};
use std::sync::Arc;

/// What comes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A connection opened: it may own instances and subscribe from now on.
    Opened(ConnectionId),
    /// It closed: what it owns ends now, its subscriptions too.
    Closed(ConnectionId),
    /// Something arrived on it (told at most once a second).
    Heard(ConnectionId),
    /// The subscriber has this version; nothing is known of it otherwise.
    Acknowledged {
        /// The subscriber.
        connection: ConnectionId,
        /// Which subscription.
        service: ServiceKey,
        /// The `ServiceView::version` it confirmed.
        version: u64,
    },
    /// A question, to be answered by exactly one `Output::Reply` with the same `from` and `id`.
    Request {
        /// Who asks.
        from: ConnectionId,
        /// Unique within that connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// What the node listed before it stopped (the bytes of an earlier `Output::Hint`): these records are orphans
    /// until their clients are heard again. Bytes that do not read are ignored: a hint is only a hint.
    Hint(Vec<u8>),
    /// The deadline has come.
    Wake,
}

/// What goes out, in this order and at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The new view of a service; to be swapped in before anything that follows is done.
    Publish(Arc<ServiceView>),
    /// The service is forgotten: its name leaves the lists.
    Retire(ServiceKey),
    /// Send the view to a subscriber. The session keeps one slot per subscription with the newest unsent view.
    Push {
        /// The subscriber.
        to: ConnectionId,
        /// What it wants to see of the service.
        clusters: ClusterNames,
        /// The newest view.
        view: Arc<ServiceView>,
    },
    /// The answer to `Input::Request`.
    Reply {
        /// Who asked.
        to: ConnectionId,
        /// What they called it.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// Leave this on disk, without waiting for it: after a restart it comes back as `Input::Hint`.
    Hint(Vec<u8>),
    /// For the journal.
    Event(journal::Kind, journal::Subject),
}
