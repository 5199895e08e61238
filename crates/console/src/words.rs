//! Events in words.

use crate::{dates::rfc3339, shape};
use journal::{Cause, Event, Kind};

/// An event as the API shows it.
pub(crate) fn event(event: &Event) -> shape::Event {
    shape::Event {
        id: event.id.at.to_string(),
        at: rfc3339(event.unix_ms),
        node: event.id.node.to_string(),
        subject: event.subject.to_string(),
        what: kind(&event.kind),
        cause: cause(&event.cause),
    }
}

/// What happened.
pub(crate) fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Registered => "registered".to_owned(),
        Kind::Deregistered => "deregistered by its client".to_owned(),
        Kind::ConnectionLost => "removed: the connection that held it closed".to_owned(),
        Kind::BecameUnhealthy => "became unhealthy: no beat came".to_owned(),
        Kind::BecameHealthy => "became healthy: a beat came again".to_owned(),
        Kind::Expired => "removed: no beat came".to_owned(),
        Kind::Orphaned => "orphaned: its owner is gone".to_owned(),
        Kind::Adopted => "adopted: a living client registered it".to_owned(),
        Kind::OrphanHidden => "hidden: its client did not come back".to_owned(),
        Kind::Listed { version, instances } => {
            format!("listed with {instances} instances (version {version})")
        }
        Kind::Pushed { to, version } => format!("version {version} pushed to connection {to}"),
        Kind::Subscribed(by) => format!("connection {by} subscribed"),
        Kind::Unsubscribed(by) => format!("connection {by} unsubscribed"),
        Kind::Published { revision, md5 } => format!("published as revision {revision}, md5 {md5}"),
        Kind::Removed { revision } => format!("removed at revision {revision}"),
        Kind::Refused(why) => format!("a write was refused: {why}"),
        Kind::Notified(to) => format!("connection {to} was told of the change"),
        Kind::AccessChanged => "access changed".to_owned(),
        Kind::Edited => "edited by an operator".to_owned(),
        Kind::Granted { owner, token } => format!("granted to {owner} with token {token}"),
        Kind::Queued(owner) => format!("{owner} waits for it"),
        Kind::GaveUp(owner) => {
            format!("{owner} waits no more: its time was over, or its connection closed")
        }
        Kind::Released { token } => format!("released (token {token})"),
        Kind::LeaseEnded { token } => {
            format!("the lease with token {token} ended: it was not renewed")
        }
        Kind::Opened => "opened".to_owned(),
        Kind::Closed(why) => format!("closed: {why}"),
        Kind::Started => "the node began to start".to_owned(),
        Kind::Ready => "the node serves".to_owned(),
        Kind::Leads { term } => format!("the node leads in term {term}"),
        Kind::Replaced(why) => why.to_string(),
        Kind::Halted(why) => format!("the node stopped: {why}"),
    }
}

/// What led to it.
pub(crate) fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Connection(id) => format!("connection {id}"),
        Cause::Peer(node) => format!("a message of {node}"),
        Cause::Timer => "a deadline".to_owned(),
        Cause::Start => "the start of the node".to_owned(),
        Cause::Log(index) => format!("log entry {index}"),
    }
}
