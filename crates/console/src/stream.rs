//! Watching: a reply that goes on, as server-sent events (WHATWG HTML §9.2).
//!
//! A stream keeps the newest unsent state of what it watches, and sends one chunk at a time: a client that does not
//! read misses states in between, never the last one.

use crate::{Views, op::namespace_list, operation::Right, shape};
use base::{Duration, Instant, Now};
use bytes::Bytes;
use config::ConfigKey;
use naming::{ClusterNames, ServiceKey, ServiceView};
use serde::Serialize;
use std::sync::Arc;

/// A stream that has nothing to say says so this often, so that a dead one is noticed by either side.
pub(crate) const BEAT_INTERVAL: Duration = Duration::from_secs(15);

/// What is watched, and what the client knows of it.
#[derive(Debug)]
pub(crate) enum Watch {
    /// A service.
    Service {
        key: ServiceKey,
        clusters: ClusterNames,
        /// The newest view that was not sent.
        newest: Option<Arc<ServiceView>>,
        /// The version of the last view sent.
        sent: Option<u64>,
    },
    /// A config.
    Config {
        key: ConfigKey,
        /// It may have changed since the last event.
        changed: bool,
        /// What was sent last: a revision, or that there is none.
        sent: Option<Option<u64>>,
    },
    /// The list of namespaces.
    Namespaces {
        /// It may have changed since the last event.
        changed: bool,
        /// What was sent last.
        sent: Option<Vec<shape::Namespace>>,
    },
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) watch: Watch,
    /// Checked again before each chunk: a right that was taken away, or a token that ran out, ends the stream.
    pub(crate) token: Option<Arc<str>>,
    pub(crate) right: Right,
    pub(crate) place: String,
    /// A chunk is on its way.
    pub(crate) sending: bool,
    pub(crate) beat_at: Instant,
}

impl Stream {
    /// The next event, if there is one to send.
    pub(crate) fn next_chunk(&mut self, views: &dyn Views) -> Option<Bytes> {
        match &mut self.watch {
            Watch::Service { clusters, newest, sent, key: _ } => {
                let view = newest.take()?;
                // The first view is read after the subscription began, so a push may bring it again.
                if sent.is_some_and(|version| version >= view.version) {
                    return None;
                }
                *sent = Some(view.version);
                let service = shape::Service::of(&view, clusters);
                Some(event("service", Some(view.version), &service))
            }
            Watch::Config { key, changed, sent } => {
                if !std::mem::take(changed) {
                    return None;
                }
                let entry = views.config(key);
                let revision = entry.as_ref().map(|entry| entry.revision.0);
                if *sent == Some(revision) {
                    return None;
                }
                *sent = Some(revision);
                Some(match entry {
                    Some(entry) => event("config", revision, &shape::Config::from(&*entry)),
                    None => event("absent", None, &Absent::from(&*key)),
                })
            }
            Watch::Namespaces { changed, sent } => {
                if !std::mem::take(changed) {
                    return None;
                }
                let access = views.access();
                let newest: Vec<_> = namespace_list::all(&access).collect();
                if sent.as_ref() == Some(&newest) {
                    return None;
                }
                let event = event("namespaces", Some(access.revision.0), &newest);
                *sent = Some(newest);
                Some(event)
            }
        }
    }

    /// Puts the next sign of life off.
    pub(crate) fn put_off(&mut self, now: Now) {
        self.beat_at = now.instant.after(BEAT_INTERVAL);
    }
}

/// What a comment looks like: clients skip it.
pub(crate) fn beat() -> Bytes {
    Bytes::from_static(b": beat\n\n")
}

/// One event. JSON has no bare line breaks, so one `data` line holds it.
pub(crate) fn event(name: &str, id: Option<u64>, shape: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(shape).expect("our shapes have text keys and finite numbers");
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

/// A config that is not there.
#[derive(Serialize)]
struct Absent<'a> {
    namespace: &'a str,
    group: &'a str,
    data_id: &'a str,
}

impl<'a> From<&'a ConfigKey> for Absent<'a> {
    fn from(key: &'a ConfigKey) -> Self {
        Self { namespace: &key.namespace, group: &key.group, data_id: &key.data_id }
    }
}
