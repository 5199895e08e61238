//! The vocabulary of events.

use alloc::sync::Arc;
use base::{ConnectionId, HybridTime, NodeId};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Names an event in the whole cluster: the node that saw it and the hybrid time it gave to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventId {
    /// When, by the node's hybrid clock; first, so that ids sort in causal order.
    pub at: HybridTime,
    /// Where.
    pub node: NodeId,
}

/// What was being handled when an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cause {
    /// A request or message on this connection.
    Connection(ConnectionId),
    /// A message of another node, whose journal holds the event that made it send.
    Peer(NodeId),
    /// A deadline came.
    Timer,
    /// The node started and read its disk.
    Start,
    /// An entry of the Raft log was applied.
    Log(base::LogIndex),
}

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique in the cluster; ordered.
    pub id: EventId,
    /// Wall-clock milliseconds, for people.
    pub unix_ms: u64,
    /// What led to it.
    pub cause: Cause,
    /// What happened.
    pub kind: Kind,
    /// To what.
    pub subject: Subject,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// One address in one cluster name of a service.
    Instance {
        /// Namespace of the service.
        namespace: Arc<str>,
        /// `group@@service`.
        service: Arc<str>,
        /// `ip:port`.
        address: Arc<str>,
    },
    /// A service.
    Service {
        /// Namespace of the service.
        namespace: Arc<str>,
        /// `group@@service`.
        service: Arc<str>,
    },
    /// A config key.
    Config {
        /// Namespace of the config.
        namespace: Arc<str>,
        /// Its group.
        group: Arc<str>,
        /// Its data id.
        data_id: Arc<str>,
    },
    /// A connection.
    Connection(ConnectionId),
    /// A user, role or namespace, by name.
    Access(Arc<str>),
    /// The node itself.
    Node,
    /// A lock, by its key.
    Lock(Arc<str>),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A client registered the instance, or registered it anew with other data.
    Registered,
    /// Its client took it back.
    Deregistered,
    /// The connection that held it closed.
    ConnectionLost,
    /// No beat for the time that makes it unhealthy.
    BecameUnhealthy,
    /// A beat came again.
    BecameHealthy,
    /// No beat for the time that removes it.
    Expired,
    /// Its owner is gone; it is listed until its client is heard or the time is over.
    Orphaned,
    /// A living client registered what had been an orphan.
    Adopted,
    /// An orphan's time was over.
    OrphanHidden,
    /// A new view of the service exists; `version` is its `lastRefTime`.
    Listed {
        /// Milliseconds of the hybrid clock.
        version: u64,
        /// How many instances it has.
        instances: u32,
    },
    /// The view was sent to a subscriber.
    Pushed {
        /// The subscriber.
        to: ConnectionId,
        /// The version sent.
        version: u64,
    },
    /// A connection subscribed to the service.
    Subscribed(ConnectionId),
    /// A connection gave its subscription up.
    Unsubscribed(ConnectionId),
    /// The config has new content.
    Published {
        /// Log index of the change.
        revision: u64,
        /// Of the content, in hex.
        md5: Arc<str>,
    },
    /// The config was removed.
    Removed {
        /// Log index of the change.
        revision: u64,
    },
    /// A write was refused by the state machine, for this reason.
    Refused(Arc<str>),
    /// A listener was told that the config changed.
    Notified(ConnectionId),
    /// A user, role, permission or namespace changed.
    AccessChanged,
    /// A connection opened.
    Opened,
    /// A connection closed, for this reason.
    Closed(Arc<str>),
    /// The node began to start.
    Started,
    /// The node serves.
    Ready,
    /// The node leads the Raft group in this term.
    Leads {
        /// The term.
        term: u64,
    },
    /// The node stopped, for this reason.
    Halted(Arc<str>),
    /// What an operator says of the service or the instance changed.
    Edited,
    /// Who belongs to the cluster is to change without an operator, for this reason.
    Replaced(Arc<str>),
    /// The lock was granted to this owner. That it is renewed is routine, and not filed.
    Granted {
        /// To whom.
        owner: Arc<str>,
        /// The fencing token.
        token: u64,
    },
    /// This owner waits for the lock.
    Queued(Arc<str>),
    /// This owner waits no more: its time was over, or its connection closed.
    GaveUp(Arc<str>),
    /// The lock was released by whoever held it, or by somebody with the right to.
    Released {
        /// Of the lease.
        token: u64,
    },
    /// The lease ended because it was not renewed.
    LeaseEnded {
        /// Of the lease.
        token: u64,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance { namespace, service, address } => {
                write!(f, "instance {namespace}/{service}/{address}")
            }
            Self::Service { namespace, service } => write!(f, "service {namespace}/{service}"),
            Self::Config { namespace, group, data_id } => {
                write!(f, "config {namespace}/{group}/{data_id}")
            }
            Self::Connection(id) => write!(f, "connection {id}"),
            Self::Access(name) => write!(f, "access {name}"),
            Self::Lock(key) => write!(f, "lock {key}"),
            Self::Node => f.write_str("node"),
        }
    }
}
