//! The session's two enums, and what it may look at.

use base::{Consistency, Duration, Freshness, LogIndex, NodeId, Now, RequestId, Term};
use bytes::Bytes;
use config::ConfigKey;
use naming::{ClusterNames, ServiceKey, ServiceView};
use std::{net::SocketAddr, sync::Arc};

/// Names one HTTP exchange. Unique within the connection, whichever session serves it, and never 0: it is the number
/// of a config watch's listener, and 0 is taken there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// What a session is told when it begins.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its connection. Its node is the one that serves.
    pub connection: base::ConnectionId,
    /// The other end.
    pub remote: SocketAddr,
    /// Whether a login is asked for on this door.
    pub login: Login,
}

/// Whether a door asks for a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Every request needs a token.
    Required,
    /// Whoever comes without a valid token is `Principal::Open`: one left over from another cluster must not lock out.
    Open,
}

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// An HTTP request with its whole body (already within the limit of its path).
    Http {
        /// To be answered by one `Output::Http`, or by one `Output::StreamStart` … `Output::StreamEnd`.
        call: CallId,
        /// The request.
        request: http::Request<Bytes>,
    },
    /// The client no longer waits for this call, or closed its stream.
    Dropped(CallId),
    /// The transport took the last `StreamChunk` of this call: the next one may follow. A stream has at most one chunk
    /// on its way, so a client that does not read costs one chunk and one view.
    Sent(CallId),
    /// The answer to `Output::Ask`.
    Answer {
        /// Of the question.
        id: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// A new view of a service that this session subscribed to.
    Push {
        /// What was asked to be seen of it.
        clusters: ClusterNames,
        /// The view.
        view: Arc<ServiceView>,
    },
    /// A config that this session listens to changed; its view was swapped in before.
    Notify {
        /// The call that watches it.
        listener: u64,
        /// The config.
        key: ConfigKey,
        /// Its md5 now; empty when it is gone.
        md5: Arc<str>,
    },
    /// The access tables may have changed, and this session asked to be told (`Output::WatchAccess`). Also said once in
    /// answer to that output, so that no change falls between the first look and the watching.
    AccessChanged,
    /// The node is about to stop: streams end, their clients come back elsewhere.
    Drain,
    /// The deadline has come.
    Wake,
}

/// What goes out, in this order.
#[derive(Debug)]
pub enum Output {
    /// Answer an HTTP request.
    Http {
        /// Which.
        call: CallId,
        /// The answer.
        response: http::Response<Bytes>,
    },
    /// Answer an HTTP request with a head and a body that follows in chunks (`text/event-stream`).
    StreamStart {
        /// Which.
        call: CallId,
        /// The head.
        head: http::Response<()>,
    },
    /// A piece of that body; `Input::Sent` allows the next one.
    StreamChunk {
        /// Which.
        call: CallId,
        /// Whole events only.
        chunk: Bytes,
    },
    /// The end of that body. May follow a chunk that is still on its way.
    StreamEnd(CallId),
    /// Ask something that the session cannot answer itself; exactly one `Input::Answer` follows.
    Ask {
        /// Unique within this session.
        id: RequestId,
        /// What.
        ask: Ask,
    },
    /// Tell this session from now on (or no more) when the access tables change.
    WatchAccess(bool),
    /// The first subscription follows: let the node know the connection (`Opened`). At most once.
    Open,
}

/// What a session cannot answer from its views.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Wait until the views are at least this fresh.
    Fresh(Consistency),
    /// Check a password against a bcrypt hash, on a worker thread.
    Verify {
        /// Whose.
        user: Arc<str>,
        /// As given.
        password: Password,
        /// The hash to check against; `None` for an unknown user: takes as long, and is wrong.
        hash: Option<Arc<str>>,
    },
    /// The registry.
    Naming(naming::Request),
    /// The config center.
    Config(config::Request),
    /// Access.
    Access(access::Request),
    /// Locks.
    Lock(lock::Request),
    /// How many clients each node serves.
    Crowds,
    /// Have nodes ask some of their clients to go elsewhere.
    Shift(Vec<cluster::Shift>),
    /// The cluster.
    Cluster(cluster::Request),
    /// The newest events about a subject in the journals of all nodes.
    Explain {
        /// About what.
        subject: journal::Subject,
        /// How many at most.
        limit: usize,
    },
    /// How the node is.
    Status,
}

/// A password in the clear. Printing it shows that it is there, not what it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// The answer to an `Ask`.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To `Fresh`: what the views are worth now, which may be less than was asked for.
    Fresh(Freshness),
    /// To `Verify`.
    Verified(bool),
    /// To `Naming`.
    Naming(naming::Reply),
    /// To `Config`.
    Config(config::Reply),
    /// To `Access`.
    Access(access::Reply),
    /// To `Lock`.
    Lock(lock::Reply),
    /// To `Crowds`.
    Crowds {
        /// By node.
        crowds: Vec<cluster::Crowd>,
        /// Members that did not answer.
        silent: Vec<NodeId>,
    },
    /// To `Shift`.
    Shifted {
        /// So many clients are being asked to go.
        clients: u64,
        /// Nodes that did not say whether they ask theirs.
        silent: Vec<NodeId>,
    },
    /// To `Cluster`.
    Cluster(cluster::Reply),
    /// To `Explain`.
    Explained {
        /// Oldest first.
        events: Vec<journal::Event>,
        /// How many events the journals dropped at their limits since the nodes started: the story may begin earlier.
        dropped: u64,
        /// Nodes that did not answer: their part of the story is missing.
        silent: Vec<NodeId>,
    },
    /// To `Status`.
    Status(Box<Status>),
    /// To any: the node could not do it.
    Unavailable(Unavailable),
}

/// Why the node could not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// It has not read its disk yet, or has not heard from its peers.
    Starting,
    /// No leader of the Raft group is known; the write did not happen.
    NoLeader,
    /// The write may or may not happen.
    OutcomeUnknown,
    /// The disk is (nearly) full; the write did not happen.
    DiskFull,
    /// A queue is full; nothing happened.
    Overloaded,
    /// The node stops.
    Stopping,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which node.
    pub node: NodeId,
    /// Whether it serves.
    pub state: NodeState,
    /// Current term of the Raft group.
    pub term: Term,
    /// The leader it knows.
    pub leader: Option<NodeId>,
    /// Through which entry the log is committed.
    pub commit: LogIndex,
    /// Through which entry its state is.
    pub applied: LogIndex,
    /// Who votes.
    pub voters: Vec<NodeId>,
    /// How far the registry here may lag behind that of another node, where that is known.
    pub lags: Vec<(NodeId, Duration)>,
    /// How many entries of the log are missing at a node, where that is known.
    pub behind: Vec<(NodeId, u64)>,
    /// Since it started.
    pub uptime: Duration,
    /// What the registry holds.
    pub counts: naming::Counts,
    /// Configs it holds, of all namespaces.
    pub configs: usize,
    /// Client connections it has now.
    pub connections: usize,
    /// Where it listens.
    pub doors: Vec<Door>,
    /// Whether anything is kept on disk (`--memory` keeps nothing).
    pub disk_kept: bool,
    /// Whether writes are refused because the disk is (nearly) full.
    pub disk_low: bool,
    /// Whether clients need a login.
    pub auth: bool,
    /// Of the program, e.g. `0.1.0`.
    pub version: &'static str,
}

/// A place where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// As in the settings: `api`, `grpc`, `peer`, `redis`.
    pub name: &'static str,
    /// What is bound.
    pub address: SocketAddr,
}

/// Whether the node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Not yet: answer "not ready", never "not found".
    Starting,
    /// Yes.
    Ready,
    /// Not any more.
    Draining,
}

/// One thing that readiness depends on, for `/readyz?verbose`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// e.g. `disk`, `leader`.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub passed: bool,
    /// In words; nothing that a stranger must not know.
    pub detail: String,
}

/// Which names of a namespace are wanted: all that match every part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of exactly this group; `None` for all groups.
    pub group: Option<Arc<str>>,
    /// The name (or data id) contains this text; empty for all.
    pub contains: Arc<str>,
}

impl Filter {
    /// Whether a name in a group is wanted.
    #[must_use]
    pub fn wants(&self, group: &str, name: &str) -> bool {
        self.group.as_deref().is_none_or(|wanted| wanted == group) && name.contains(&*self.contains)
    }
}

/// One page of things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<T> {
    /// Of all that are wanted, not only of this page.
    pub count: usize,
    /// In order.
    pub items: Vec<T>,
}

/// What a session may look at without asking: immutable views, each as of the newest reply. Implemented by `host`.
pub trait Views {
    /// Whether the node serves.
    fn state(&self) -> NodeState;
    /// Whether this node has caught up with what was agreed: until then a config that is not here may exist elsewhere, and
    /// no answer says that it does not.
    fn is_complete(&self) -> bool;
    /// What readiness depends on. Takes no lock: probes come often and when things are worst.
    fn checks(&self) -> Vec<Check>;
    /// The newest view of a service; `None` if there is no such service.
    fn service(&self, key: &ServiceKey) -> Option<Arc<ServiceView>>;
    /// The wanted services of a namespace by (group, name), from `offset` (0-based), at most `limit`.
    fn services(
        &self,
        namespace: &str,
        filter: &Filter,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<ServiceView>>;
    /// The current entry of a config; `None` if there is none.
    fn config(&self, key: &ConfigKey) -> Option<Arc<config::Entry>>;
    /// The wanted configs of a namespace by (group, data id), from `offset` (0-based), at most `limit`.
    fn configs(
        &self,
        namespace: &str,
        filter: &Filter,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<config::Entry>>;
    /// Who holds a lock; `None` if it is free.
    fn lock(&self, key: &str) -> Option<Arc<lock::View>>;
    /// The locks that are held and whose key contains this text, by key, from `offset` (0-based), at most `limit`.
    fn locks(&self, contains: &str, offset: usize, limit: usize) -> Page<Arc<lock::View>>;
    /// Users, roles, permissions, namespaces.
    fn access(&self) -> Arc<access::View>;
    /// Who is in the cluster; `None` before the node has said so.
    fn cluster(&self) -> Option<Arc<cluster::View>>;
    /// What the views are worth right now to someone who has seen the log through `seen`, if that needs no waiting; else
    /// ask `Ask::Fresh`. `Stale` never needs any.
    fn freshness(&self, now: Now, wanted: Consistency, seen: LogIndex) -> Option<Freshness>;
    /// What the registry's views are worth: never more than stale while there are other nodes.
    fn registry_freshness(&self) -> Freshness;
    /// Whether this password was verified for this user since the access tables last changed.
    fn remembered(&self, user: &str, password: &str) -> bool;
}
