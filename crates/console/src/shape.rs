//! The JSON of the API, as written by the server and read by its clients. Times are RFC 3339 in UTC.

mod members;
mod rebalance;
mod verify;

pub use members::{Cluster, Invitation, InvitationTerms, Leadership, Member, OpenToken};
pub use rebalance::{Clients, ClientsMove, Rebalance, Rebalanced};
pub use verify::{AfterService, Differing, Repair, Verification};

use crate::{NodeState, dates::rfc3339};
use base::Freshness;
use naming::ServiceView;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// An error (RFC 9457): what, where, why, and what to do next. `code` is stable; the texts are for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:trine:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same as `what`, under the name that RFC 9457 gives it.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Short and stable, e.g. `not-found`.
    pub code: String,
    /// What went wrong.
    pub what: String,
    /// Which request, on which node.
    #[serde(rename = "where")]
    pub place: String,
    /// For what reason.
    pub why: String,
    /// What to do about it.
    pub next: String,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    /// Of all that match, not only of this page.
    pub count: usize,
    /// Position of the first item among them.
    pub offset: usize,
    /// In order.
    pub items: Vec<T>,
}

/// A service in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceLine {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its group.
    pub group: Arc<str>,
    /// Its name without the group.
    pub name: Arc<str>,
    /// How many instances it has.
    pub instances: usize,
    /// How many of them are healthy.
    pub healthy: usize,
    /// Of the view: milliseconds of the hybrid clock.
    pub version: u64,
    /// When the view changed.
    pub changed_at: String,
}

/// A service with its instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its group.
    pub group: Arc<str>,
    /// Its name without the group.
    pub name: Arc<str>,
    /// Below this healthy share all instances are shown as healthy.
    pub protect_threshold: f64,
    /// Of the view: milliseconds of the hybrid clock; 0 when the service is unknown.
    pub version: u64,
    /// When the view changed.
    pub changed_at: String,
    /// By ip, port, cluster.
    pub instances: Vec<Instance>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// As registered.
    pub ip: Arc<str>,
    /// As registered.
    pub port: u16,
    /// Its cluster name.
    pub cluster: Arc<str>,
    /// Its share of the traffic.
    pub weight: f64,
    /// Whether it is fit to be called.
    pub healthy: bool,
    /// Whether it is shown to callers.
    pub enabled: bool,
    /// Whether it lives with its client.
    pub ephemeral: bool,
    /// What the application says of itself.
    pub metadata: BTreeMap<Arc<str>, Arc<str>>,
}

/// What is sent to register an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// IP address or host name.
    pub ip: Arc<str>,
    /// Port.
    pub port: u16,
    /// Cluster name; `DEFAULT` when absent.
    #[serde(default)]
    pub cluster: Option<Arc<str>>,
    /// Share of the traffic; 1 when absent.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Whether it is shown to callers; yes when absent.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// What the application says of itself.
    #[serde(default)]
    pub metadata: BTreeMap<Arc<str>, Arc<str>>,
}

/// The answer to a registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    /// The instance is removed when no beat comes for this long.
    pub expires_after_ms: u64,
}

/// The answer to a beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// False: the instance is not registered (any more); register it again.
    pub known: bool,
    /// When to beat next.
    pub interval_ms: u64,
}

/// A config in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigLine {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its group.
    pub group: Arc<str>,
    /// Its data id.
    pub data_id: Arc<str>,
    /// `yaml`, `json`, …
    #[serde(rename = "type")]
    pub content_type: Arc<str>,
    /// Length of the content in bytes.
    pub bytes: usize,
    /// Of the content.
    pub md5: Arc<str>,
    /// Log index of the last change.
    pub revision: u64,
    /// When it was published last.
    pub modified_at: String,
    /// By whom; empty when nobody logged in.
    pub modified_by: Arc<str>,
}

/// A config with its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// What the list shows.
    #[serde(flatten)]
    pub line: ConfigLine,
    /// The content.
    pub content: Arc<str>,
    /// When it was published first.
    pub created_at: String,
    /// What it is.
    pub description: Arc<str>,
    /// Comma-separated.
    pub tags: Arc<str>,
    /// The application that owns it.
    pub app: Arc<str>,
}

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// Which.
    pub key: Arc<str>,
    /// Who holds it, as they call themselves.
    pub owner: Arc<str>,
    /// The fencing token of the grant.
    pub token: u64,
    /// How long the lease lives from each renewal, milliseconds.
    pub ttl_ms: u64,
    /// When it was granted.
    pub granted_at: String,
    /// When it was renewed last.
    pub renewed_at: String,
    /// How many wait for it.
    pub waiters: usize,
}

/// What is sent to acquire a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acquisition {
    /// How the holder calls itself; two that must exclude each other need two names.
    pub owner: Arc<str>,
    /// How long the lease lives unless it is renewed, milliseconds; 30 s when absent.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
    /// How long to wait for it, milliseconds; not at all when absent.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

/// What is sent to renew a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// Of the grant.
    pub token: u64,
    /// Another ttl than before, milliseconds.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// A lock is granted or renewed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Which.
    pub key: Arc<str>,
    /// To be shown to whatever the holder writes to: of two holders the later one has the greater token.
    pub token: u64,
    /// How long it is held, milliseconds: to be counted from before it was asked for.
    pub ttl_ms: u64,
}

/// One of several changes that are made together, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedChange {
    /// `public` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// `DEFAULT_GROUP` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// Which config.
    pub data_id: Arc<str>,
    /// What it becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Arc<str>>,
    /// It goes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remove: bool,
    /// Only over the content with this md5; empty: only if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cas_md5: Option<Arc<str>>,
    /// `yaml`, `json`, …; as it was when absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Arc<str>>,
    /// What it is; as it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Arc<str>>,
    /// Comma-separated; as they were when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Arc<str>>,
    /// The application that owns it; as it was when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<Arc<str>>,
}

/// One change of a config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// Log index of the change.
    pub revision: u64,
    /// `insert`, `update` or `delete`.
    pub operation: String,
    /// Of the content as the change made it; for a removal as it was before.
    pub md5: Arc<str>,
    /// Length of that content.
    pub bytes: usize,
    /// When.
    pub modified_at: String,
    /// By whom.
    pub modified_by: Arc<str>,
    /// From where.
    pub address: Arc<str>,
    /// Of which gray version, as `beta` or `tag_…`; absent for the formal one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gray: Option<String>,
    /// The content, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Arc<str>>,
}

/// The history of a config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigHistory {
    /// Newest first.
    pub changes: Vec<ConfigChange>,
    /// To be given as `before` for what came earlier; absent when there is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// The answer to a change of a config, namespace or service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// Log index of the change, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// False when it was so already.
    pub changed: bool,
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its id.
    pub id: Arc<str>,
    /// Its name for people.
    pub name: Arc<str>,
    /// What it is for.
    pub description: Arc<str>,
}

/// What is sent to create or change a namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamespaceText {
    /// Its name for people; the id when absent.
    #[serde(default)]
    pub name: Option<Arc<str>>,
    /// What it is for.
    #[serde(default)]
    pub description: Arc<str>,
}

/// One event of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Hybrid time, unique with the node.
    pub id: String,
    /// When.
    pub at: String,
    /// Who saw it.
    pub node: String,
    /// What it is about.
    pub subject: String,
    /// What happened, in words.
    pub what: String,
    /// What led to it, in words.
    pub cause: String,
}

/// The events of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What they are about.
    pub subject: String,
    /// Oldest first.
    pub events: Vec<Event>,
    /// How many events the journals dropped: above 0, the story may begin earlier.
    pub dropped: u64,
    /// Nodes that did not answer: what they saw is missing.
    #[serde(default)]
    pub silent: Vec<String>,
}

/// The events of a subject and what they come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The events.
    #[serde(flatten)]
    pub history: History,
    /// What they come to, in a plain sentence.
    pub sentence: String,
}

/// What is sent to log in.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user.
    pub username: Arc<str>,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// The answer to a login.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// To be sent as `Authorization: Bearer …`.
    pub token: String,
    /// Whose.
    pub username: Arc<str>,
    /// Until when it is good.
    pub expires_at: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Which node.
    pub node: String,
    /// `starting`, `ready` or `draining`.
    pub state: String,
    /// Of the program.
    pub version: String,
    /// Since it started.
    pub uptime_s: u64,
    /// How it stands in the Raft group.
    pub raft: Raft,
    /// Who it is with.
    pub cluster: Cluster,
    /// What it holds.
    pub counts: Counts,
    /// Where it listens: door to address.
    pub listen: BTreeMap<String, String>,
    /// Its disk.
    pub disk: Disk,
    /// Whether clients need a login.
    pub auth: bool,
}

/// How a node stands in the Raft group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raft {
    /// Current term.
    pub term: u64,
    /// The leader it knows.
    pub leader: Option<String>,
    /// Through which entry the log is committed.
    pub commit_index: u64,
    /// Through which entry its state is.
    pub applied_index: u64,
    /// Who votes.
    pub voters: Vec<String>,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Services.
    pub services: usize,
    /// Instances.
    pub instances: usize,
    /// Subscriptions of its connections.
    pub subscriptions: usize,
    /// Configs.
    pub configs: usize,
    /// Client connections.
    pub connections: usize,
}

/// A node's disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disk {
    /// Whether anything is kept on disk.
    pub kept: bool,
    /// Writes are refused because there is too little room.
    pub low: bool,
}

impl From<&ServiceView> for ServiceLine {
    fn from(view: &ServiceView) -> Self {
        Self {
            namespace: Arc::clone(&view.key.namespace),
            group: Arc::clone(&view.key.group),
            name: Arc::clone(&view.key.name),
            instances: view.instances.len(),
            healthy: view.instances.iter().filter(|instance| instance.healthy).count(),
            version: view.version,
            changed_at: rfc3339(view.version),
        }
    }
}

impl Service {
    /// A view as far as these cluster names (all, if none) are concerned.
    pub(crate) fn of(view: &ServiceView, clusters: &[Arc<str>]) -> Self {
        let instances = view.instances.iter();
        Self {
            namespace: Arc::clone(&view.key.namespace),
            group: Arc::clone(&view.key.group),
            name: Arc::clone(&view.key.name),
            protect_threshold: view.protect_threshold,
            version: view.version,
            changed_at: rfc3339(view.version),
            instances: instances
                .filter(|one| clusters.is_empty() || clusters.contains(&one.cluster_name))
                .map(|instance| Instance::from(&**instance))
                .collect(),
        }
    }
}

impl From<&naming::Instance> for Instance {
    fn from(instance: &naming::Instance) -> Self {
        Self {
            ip: Arc::clone(&instance.ip),
            port: instance.port,
            cluster: Arc::clone(&instance.cluster_name),
            weight: instance.weight,
            healthy: instance.healthy,
            enabled: instance.enabled,
            ephemeral: instance.ephemeral,
            metadata: instance.metadata.clone(),
        }
    }
}

impl From<&lock::View> for Lock {
    fn from(view: &lock::View) -> Self {
        let lease = &view.lease;
        Self {
            key: Arc::clone(&view.key),
            owner: Arc::clone(&lease.owner),
            token: lease.token.0,
            ttl_ms: lease.ttl_ms,
            granted_at: rfc3339(lease.granted_ms),
            renewed_at: rfc3339(lease.renewed_ms),
            waiters: view.waiters,
        }
    }
}

impl From<&config::Entry> for ConfigLine {
    fn from(entry: &config::Entry) -> Self {
        Self {
            namespace: Arc::clone(&entry.key.namespace),
            group: Arc::clone(&entry.key.group),
            data_id: Arc::clone(&entry.key.data_id),
            content_type: Arc::clone(&entry.details.content_type),
            bytes: entry.content.len(),
            md5: Arc::clone(&entry.md5),
            revision: entry.revision.0,
            modified_at: rfc3339(entry.modified_ms),
            modified_by: Arc::clone(&entry.author.user),
        }
    }
}

impl From<&config::Entry> for Config {
    fn from(entry: &config::Entry) -> Self {
        Self {
            line: ConfigLine::from(entry),
            content: Arc::clone(&entry.content),
            created_at: rfc3339(entry.created_ms),
            description: Arc::clone(&entry.details.description),
            tags: Arc::clone(&entry.details.tags),
            app: Arc::clone(&entry.details.app_name),
        }
    }
}

/// The state of a node in one word.
pub(crate) fn state_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Ready => "ready",
        NodeState::Draining => "draining",
    }
}

impl Status {
    pub(crate) fn of(status: &crate::Status, cluster: Option<&cluster::View>) -> Self {
        Self {
            node: status.node.to_string(),
            state: state_word(status.state).to_owned(),
            version: status.version.to_owned(),
            uptime_s: status.uptime.as_secs(),
            raft: Raft {
                term: status.term.0,
                leader: status.leader.map(|node| node.to_string()),
                commit_index: status.commit.0,
                applied_index: status.applied.0,
                voters: status.voters.iter().map(ToString::to_string).collect(),
            },
            cluster: Cluster::of(cluster).with_lags(&status.lags),
            counts: Counts {
                services: status.counts.services,
                instances: status.counts.instances,
                subscriptions: status.counts.subscriptions,
                configs: status.configs,
                connections: status.connections,
            },
            listen: status
                .doors
                .iter()
                .map(|door| (door.name.to_owned(), door.address.to_string()))
                .collect(),
            disk: Disk { kept: status.disk_kept, low: status.disk_low },
            auth: status.auth,
        }
    }
}

/// The four headers that every reply carries, in this order: consistency reached, staleness in milliseconds or `unknown`,
/// log index, node. A client that sends the third one back with `consistency=session` reads nothing older, on any node.
pub const FRESHNESS_HEADERS: [&str; 4] =
    ["x-trine-consistency", "x-trine-staleness-ms", "x-trine-index", "x-trine-served-by"];

/// The values of `FRESHNESS_HEADERS`.
pub(crate) fn freshness_values(freshness: &Freshness) -> [String; 4] {
    [
        freshness.level.to_string(),
        freshness.staleness.map_or("unknown".to_owned(), |lag| lag.as_millis().to_string()),
        freshness.applied.to_string(),
        freshness.served_by.to_string(),
    ]
}
