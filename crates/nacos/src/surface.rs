//! The session's two enums, and what it may look at.

use crate::{Archive, ArchiveError, Limits, Payload, UdpSubscription};
use base::{Consistency, Freshness, LogIndex, NodeId, Now, RequestId};
use bytes::Bytes;
use config::ConfigKey;
use naming::{ClusterNames, ServiceKey, ServiceView};
use std::{net::SocketAddr, sync::Arc};

/// Names one HTTP exchange or one gRPC call on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// What a session is told when it begins.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its connection.
    pub connection: base::ConnectionId,
    /// The other end.
    pub remote: SocketAddr,
    /// Our end: what an SDK is told to be connected to.
    pub local: SocketAddr,
    /// Whether a login is asked for on this door.
    pub login: Login,
    /// What it may ask for.
    pub limits: Limits,
}

/// Whether a door asks for a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Every request needs a token or a password.
    Required,
    /// Whoever comes is `Principal::Open`.
    Open,
}

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// An HTTP request with its whole body (already within the limit of its path).
    Http {
        /// To be answered by one `Output::Http`.
        call: CallId,
        /// The request.
        request: http::Request<Bytes>,
    },
    /// A unary gRPC request.
    Unary {
        /// To be answered by one `Output::Unary`.
        call: CallId,
        /// The request.
        payload: Payload,
    },
    /// The client opened its stream. A second one replaces the first, whose end may be told as well.
    StreamOpened,
    /// A payload on the stream.
    StreamPayload(Payload),
    /// The client ended its stream.
    StreamClosed,
    /// The client no longer waits for this call.
    Dropped(CallId),
    /// The answer to `Output::Ask`.
    Answer {
        /// Of the question.
        id: RequestId,
        /// The answer.
        answer: Answer,
    },
    /// A new view of a service that this connection subscribes to.
    Push {
        /// What it wants to see of it.
        clusters: ClusterNames,
        /// The view.
        view: Arc<ServiceView>,
    },
    /// A service came or went whose name a pattern takes that this connection watches.
    Watched {
        /// Which.
        service: ServiceKey,
    },
    /// A config that this connection listens to changed.
    Notify {
        /// Which of its listeners.
        listener: u64,
        /// The config.
        key: ConfigKey,
        /// Its md5 now; empty when it is gone.
        md5: Arc<str>,
    },
    /// A config came or went whose name this connection watches.
    Existence {
        /// The config.
        key: ConfigKey,
        /// Whether there is such a config now.
        exists: bool,
    },
    /// The node is about to stop: ask the client to go elsewhere.
    Drain,
    /// Ask the client to go elsewhere; it may stay.
    Move(Option<Place>),
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
    /// Answer a unary gRPC request.
    Unary {
        /// Which.
        call: CallId,
        /// The answer.
        payload: Payload,
    },
    /// Send on the stream.
    Stream(Payload),
    /// Ask something that the session cannot answer itself; exactly one `Input::Answer` follows.
    Ask {
        /// Unique within the connection.
        id: RequestId,
        /// What.
        ask: Ask,
    },
    /// Tell the node something; no answer follows.
    Tell(Tell),
    /// Close the connection, after what was sent before; the reason is for the journal.
    Close(&'static str),
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
    /// Hash a new password, on a worker thread.
    Hash(Password),
    /// Look at an archive, on a worker thread.
    Inspect(Bytes),
    /// Make an archive of these names and contents, on a worker thread.
    Pack(Vec<(Arc<str>, Arc<str>)>),
    /// Make up an id that nothing else has: sessions have no randomness of their own.
    NewId,
    /// Which clients are connected to this node by a stream.
    Clients {
        /// How many at most.
        limit: usize,
    },
    /// Ask clients of this node to go elsewhere.
    Move(Move),
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
}

/// Which clients are to go elsewhere, and where to: one like `10.0.0.2:8848`, or any other member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// All but so many.
    AllBut {
        /// How many may stay.
        stay: usize,
        /// Where the others are to go.
        to: Option<Place>,
    },
    /// One of them.
    One {
        /// Its connection, as `Client::name` has it.
        name: String,
        /// Where it is to go.
        to: Option<Place>,
    },
}

/// Where a node serves clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// An address or a name; an IPv6 address without brackets.
    pub host: String,
    /// The port of HTTP: SDKs add 1000 to it.
    pub port: u16,
}

impl Place {
    /// Reads `host:port`; an IPv6 address stands in brackets.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = bare.unwrap_or(host);
        let told = !host.is_empty() && (bare.is_some() || !host.contains(':'));
        let port = port.parse().ok().filter(|port| *port > 0)?;
        told.then(|| Self { host: host.to_owned(), port })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A client that is connected by a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// What its SDK knows its connection by.
    pub name: String,
    /// As its setup says.
    pub agent: Arc<str>,
    /// As its setup says; may be empty.
    pub application: Arc<str>,
    /// The other end.
    pub remote: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
    /// Since when, in milliseconds of the wall clock.
    pub since_ms: u64,
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
    /// To `Hash`: the bcrypt hash.
    Hashed(Arc<str>),
    /// To `Inspect`.
    Inspected(Result<Archive, ArchiveError>),
    /// To `Pack`: the archive.
    Packed(Bytes),
    /// To `NewId`: a random UUID.
    NewId(Arc<str>),
    /// To `Clients`: as many of those with a stream as were asked for.
    Clients(Vec<Connected>),
    /// To `Move`: so many were asked to go.
    Moved(usize),
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
    /// To any: the node could not do it.
    Unavailable(Unavailable),
}

/// Why the node could not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// It has not read its disk yet, or has not heard from its peers.
    #[error("the node is starting: try again in a moment")]
    Starting,
    /// No leader of the Raft group is known; the write did not happen.
    #[error("no leader is known: nothing was written; try again, or another node")]
    NoLeader,
    /// The write may or may not happen.
    #[error("the outcome of the write is unknown: read before you write again")]
    OutcomeUnknown,
    /// The disk is (nearly) full; the write did not happen.
    #[error("the disk is full: nothing was written; free space on the data directory")]
    DiskFull,
    /// A queue is full; nothing happened.
    #[error("overloaded: nothing was done; try again in a moment")]
    Overloaded,
    /// The node stops.
    #[error("the node is stopping: nothing was done; use another node")]
    Stopping,
}

/// What a session tells the node without waiting for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// A client came that may own instances and subscriptions (setup on the stream). Its end is the connection's.
    Opened {
        /// For lists and metrics, e.g. `Nacos-Rust-Client:0.8.0`.
        agent: Arc<str>,
    },
    /// Something arrived (at most once a second).
    Heard,
    /// The client was asked to go to another node.
    Moving,
    /// The subscriber confirmed a push.
    Acknowledged {
        /// Which subscription.
        service: ServiceKey,
        /// Its version.
        version: u64,
    },
    /// A client of 1.x read a list and wants its changes by UDP: for the node's `UdpSession`.
    Subscribes(UdpSubscription),
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

/// A form in which a service is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `serviceInfo` of gRPC: plain name.
    Grpc,
    /// HTTP v1 and v2 list: `group@@name`.
    Http,
}

/// One page of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<T> {
    /// Of all, not only of this page.
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
    /// The newest view of a service; `None` if there is no such service.
    fn service(&self, key: &ServiceKey) -> Option<Arc<ServiceView>>;
    /// The names of a group's services in order, from `offset` (0-based), at most `limit`.
    fn service_names(
        &self,
        namespace: &str,
        group: &str,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<str>>;
    /// The services of a namespace (of all when there is none) that are wanted, in the order of their names: those from
    /// `offset` (0-based), at most `limit`, and how many there are. It goes in pieces, as `configs`.
    fn services(
        &self,
        namespace: Option<&str>,
        wanted: &dyn Fn(&ServiceView) -> bool,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<ServiceView>>;
    /// The switches of the registry.
    fn switches(&self) -> naming::Switches;
    /// The current entry of a config; `None` if there is none.
    fn config(&self, key: &ConfigKey) -> Option<Arc<config::Entry>>;
    /// The gray versions of a config; `None` if there are none.
    fn grays(&self, key: &ConfigKey) -> Option<Arc<config::Grays>>;
    /// The configs of a namespace (of all when there is none) that are wanted, in the order of their names: those from
    /// `offset` (0-based), at most `limit`, and how many there are. Not one moment is shown: it goes in pieces, so that
    /// nobody who publishes waits for one who searches.
    fn configs(
        &self,
        namespace: Option<&str>,
        wanted: &dyn Fn(&config::Entry) -> bool,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<config::Entry>>;
    /// How many configs a namespace has.
    fn config_count(&self, namespace: &str) -> usize;
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
    /// The view written out; `make` is called when the bytes are not in the cache.
    fn rendered(
        &self,
        view: &Arc<ServiceView>,
        format: Format,
        clusters: &ClusterNames,
        make: &mut dyn FnMut() -> Bytes,
    ) -> Bytes;
    /// The largest service version any view had: what an unknown service's empty list is stamped with.
    fn last_version(&self) -> u64;
}
