//! The three verbs' two enums of a whole node.

use crate::{ClientsInquiry, Part, PeerMessage};
use base::{
    ConnectionId, Consistency, Duration, Freshness, Instant, Limit, LogIndex, NodeId, RequestId,
    Term,
};
use cluster::{Address, Crowd, Introduction, Shift};
use config::{ConfigKey, Entry, Grays};
use naming::{ClusterNames, ServiceKey, ServiceView};
use std::sync::Arc;

/// What the first start brings into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initial {
    /// Signs tokens.
    pub token_key: access::Secret,
    /// Of the first administrator.
    pub password_hash: Option<Arc<str>>,
}

/// What comes in. The host queues these in lanes and steps them under the node's lock.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A client that may own instances and subscriptions came on this connection.
    Opened(ConnectionId),
    /// Something arrived on it.
    Heard(ConnectionId),
    /// It was asked to go to another node: when it closes, its client is on the way there.
    Moving(ConnectionId),
    /// The connection is gone, whether it was `Opened` or not.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// For the journal.
        reason: &'static str,
    },
    /// A subscriber confirmed a push.
    Acknowledged {
        /// The subscriber.
        connection: ConnectionId,
        /// Of which service.
        service: ServiceKey,
        /// Which version.
        version: u64,
    },
    /// A question, answered by exactly one `Output::Reply`.
    Request {
        /// Who asks.
        from: ConnectionId,
        /// Unique within that connection.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// A piece of the state tables, at start: table, key, value.
    Restore(Vec<TableRow>),
    /// What the node listed before it stopped: the pieces, oldest first.
    Hint(Vec<Vec<u8>>),
    /// All pieces were given: take part from now on, or go on after `Output::Reload`.
    Restored,
    /// There is a link to this node now: a new one if there was one before, or another one besides it.
    PeerUp {
        /// Where it was dialed.
        address: Address,
        /// Who answered.
        peer: Introduction,
    },
    /// The last link to this node is broken; what was on its way may be lost.
    PeerDown(NodeId),
    /// No link to this address, since this node or the other one does not want it.
    PeerRefused {
        /// Where it was dialed.
        address: Address,
        /// Why.
        why: cluster::Refusal,
    },
    /// Whom this node came to by a token gave it the cluster's secret.
    Welcome(cluster::Secret),
    /// The newest `Output::KeepIdentity` is durable.
    IdentityKept,
    /// A peer said this on the link.
    Peer {
        /// Which peer; proven by the link.
        from: NodeId,
        /// What it said.
        message: PeerMessage,
    },
    /// A view of the state tables was opened for a peer, or not (`None`).
    SnapshotOpened {
        /// The peer.
        to: NodeId,
        /// Through which entry it is.
        through: Option<LogIndex>,
    },
    /// The pieces and the message of a snapshot were handed to the link, or that failed.
    SnapshotSent {
        /// The peer.
        to: NodeId,
        /// Whether all of it was.
        ok: bool,
    },
    /// The answer to `Output::Clients`.
    Clients {
        /// As asked.
        asker: NodeId,
        /// As asked.
        question: u64,
        /// The answer.
        part: Part,
    },
    /// What came of an `Output::Check`.
    Checked {
        /// Of the `Check`.
        id: u64,
        /// Whether the instance answered as it should, in time.
        healthy: bool,
    },
    /// A `Persist` is durable.
    Persisted(consensus::WriteId),
    /// The state tables are durable through this entry.
    Checkpointed(LogIndex),
    /// The rows of an `Output::Load`.
    Loaded {
        /// Of the `Load`.
        id: u64,
        /// Key and value, or why they could not be read.
        rows: config::LoadedRows,
    },
    /// The answer to `Output::NeedSecrets`.
    Secrets(Initial),
    /// Whether the disk has no room for writes.
    DiskFull(bool),
    /// Leave the cluster in peace: hand over what this node leads and what HTTP clients offer, say goodbye, then
    /// `Output::Left`.
    Leave,
    /// The deadline has come.
    Wake,
}

/// A question to a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// For the registry.
    Naming(naming::Request),
    /// For the config center.
    Config(config::Request),
    /// For access.
    Access(access::Request),
    /// For the cluster.
    Cluster(cluster::Request),
    /// For locks.
    Lock(lock::Request),
    /// Answer when the views are at least this fresh, or as fresh as they can be.
    Fresh(Consistency),
    /// The newest events about this subject in the journals of all nodes.
    Explain {
        /// What it is about; an instance's subject also finds the events of its service and its connections.
        subject: journal::Subject,
        /// How many at most.
        limit: usize,
    },
    /// How many clients each node serves.
    Crowds,
    /// Nodes are to ask some of their clients to go elsewhere.
    Shift(Vec<Shift>),
    /// How the node is.
    Status,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Of the registry.
    Naming(naming::Reply),
    /// Of the config center.
    Config(config::Reply),
    /// Of access.
    Access(access::Reply),
    /// Of the cluster.
    Cluster(cluster::Reply),
    /// Of locks.
    Lock(lock::Reply),
    /// What the views are worth.
    Fresh(Freshness),
    /// What the journals of all nodes hold.
    Events {
        /// The events, oldest first.
        events: Vec<journal::Event>,
        /// Dropped at the journals' limits since the nodes started.
        dropped: u64,
        /// Members that did not answer: their part is missing.
        silent: Vec<NodeId>,
    },
    /// How many clients the nodes serve.
    Crowds {
        /// By node.
        crowds: Vec<Crowd>,
        /// Members that did not answer.
        silent: Vec<NodeId>,
    },
    /// Clients are being asked to go elsewhere.
    Moved {
        /// How many.
        clients: u64,
        /// Nodes that did not say whether they ask theirs.
        silent: Vec<NodeId>,
    },
    /// How the node is.
    Status(Box<Status>),
    /// It could not be done.
    Unavailable(Unavailable),
}

impl Reply {
    /// Which limit it was refused at, if it was.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Naming(reply) => reply.limit(),
            Self::Config(reply) => reply.limit(),
            Self::Access(reply) => reply.limit(),
            Self::Lock(reply) => reply.limit(),
            // Lanes are the host's: a node is overloaded with writes alone.
            Self::Unavailable(Unavailable::Overloaded) => Some(Limit::WritesPending),
            Self::Unavailable(
                Unavailable::Starting
                | Unavailable::NoLeader
                | Unavailable::OutcomeUnknown
                | Unavailable::DiskFull,
            )
            | Self::Fresh(_)
            | Self::Events { .. }
            | Self::Crowds { .. }
            | Self::Moved { .. }
            | Self::Cluster(_)
            | Self::Status(_) => None,
        }
    }
}

/// Why the node could not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// It has not read its disk yet.
    Starting,
    /// No leader is known; nothing was written.
    NoLeader,
    /// The write may or may not have happened.
    OutcomeUnknown,
    /// No room on the disk; nothing was written.
    DiskFull,
    /// A limit was reached; nothing was done.
    Overloaded,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which node.
    pub node: NodeId,
    /// Whether it serves.
    pub ready: bool,
    /// Whether it has caught up with what was agreed.
    pub complete: bool,
    /// How far it has come into a cluster, and everybody in it as this node sees them.
    pub cluster: Arc<cluster::View>,
    /// Current term.
    pub term: Term,
    /// The leader it knows.
    pub leader: Option<NodeId>,
    /// Through which entry the log is known to be committed.
    pub commit: LogIndex,
    /// Through which entry its state is.
    pub applied: LogIndex,
    /// Who votes.
    pub voters: Vec<NodeId>,
    /// Whether writes are refused because the disk is full.
    pub disk_full: bool,
    /// Since it started.
    pub uptime: Duration,
    /// With whom there is a link.
    pub peers: Vec<NodeId>,
    /// How long ago the registry here agreed with theirs, of those with which it did.
    pub lags: Vec<(NodeId, Duration)>,
    /// How many entries of the log are missing at each member, if this node leads; else here.
    pub behind: Vec<(NodeId, u64)>,
    /// What the registry holds.
    pub counts: naming::Counts,
    /// How far the registry has come since the start.
    pub caught_up: naming::CaughtUp,
    /// How far the registry and those of its peers agree.
    pub convergence: Vec<naming::Convergence>,
    /// How many requests of HTTP clients wait for the node that is responsible for them.
    pub forwards_pending: usize,
    /// How many proposals wait for their outcome.
    pub proposals_pending: usize,
    /// What has happened since it started.
    pub tally: Box<Tally>,
}

/// What has happened since a node started, and what its journal holds of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Beats of instances.
    pub beats: u64,
    /// Instances that left because their connection closed.
    pub lost_connections: u64,
    /// Instances that left because they did not beat.
    pub expired: u64,
    /// Instances that left because their client did not come back after a start.
    pub orphans_hidden: u64,
    /// Views that went to subscribers.
    pub pushed: u64,
    /// Contents of configs that were set.
    pub published: u64,
    /// Contents of configs that were not set, since another one was expected.
    pub publish_conflicts: u64,
    /// Contents of configs that were refused at a limit.
    pub publish_refused: u64,
    /// How often this node became the leader.
    pub leader_changes: u64,
    /// Messages of nodes whose hybrid time was too far ahead to be followed.
    pub times_not_followed: u64,
    /// Keys that clients listen to.
    pub config_listeners: usize,
    /// The journal's bytes, about.
    pub journal_bytes: usize,
    /// Its events.
    pub journal_events: usize,
    /// Events dropped at its limit.
    pub journal_dropped: u64,
    /// Wall clock of its oldest event, milliseconds; `None` when it is empty.
    pub journal_oldest_unix_ms: Option<u64>,
}

impl Tally {
    pub(crate) fn count(&mut self, reply: &Reply) {
        let counter = match reply {
            Reply::Config(config::Reply::Outcome(outcome)) => match outcome {
                config::Outcome::Published(_) => &mut self.published,
                config::Outcome::CasConflict { .. } | config::Outcome::Conflicts(_) => {
                    &mut self.publish_conflicts
                }
                config::Outcome::QuotaExceeded { .. } | config::Outcome::TooManyVersions { .. } => {
                    &mut self.publish_refused
                }
                config::Outcome::Removed { .. } => return,
            },
            Reply::Config(config::Reply::Refused(
                config::Refusal::ContentBlank
                | config::Refusal::ContentTooLarge { .. }
                | config::Refusal::DetailTooLong { .. }
                | config::Refusal::TooManyTags { .. }
                | config::Refusal::TooManyChanges { .. }
                | config::Refusal::ChangesTooLarge { .. },
            )) => &mut self.publish_refused,
            Reply::Naming(naming::Reply::Beat { .. }) => &mut self.beats,
            Reply::Naming(_)
            | Reply::Config(_)
            | Reply::Access(_)
            | Reply::Cluster(_)
            | Reply::Lock(_)
            | Reply::Fresh(_)
            | Reply::Events { .. }
            | Reply::Crowds { .. }
            | Reply::Moved { .. }
            | Reply::Status(_)
            | Reply::Unavailable(_) => return,
        };
        *counter += 1;
    }
}

/// A row of the state tables of all planes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// See `tables`.
    pub table: u8,
    /// Ordered bytewise.
    pub key: Vec<u8>,
    /// `None` deletes.
    pub value: Option<Vec<u8>>,
}

/// What readers see without asking; each replaces the one before it.
#[derive(Clone, Debug, PartialEq)]
pub enum View {
    /// A service.
    Service(Arc<ServiceView>),
    /// A service is gone.
    ServiceGone(ServiceKey),
    /// A config.
    Config(Arc<Entry>),
    /// A config is gone.
    ConfigGone(ConfigKey),
    /// The gray versions of a config, all of them; none when the set is empty.
    Grays(Arc<Grays>),
    /// Access tables.
    Access(Arc<access::View>),
    /// How the node stands in the Raft group.
    Standing(Standing),
    /// The switches of the registry.
    Switches(naming::Switches),
    /// The cluster.
    Cluster(Arc<cluster::View>),
    /// A lock that is held.
    Lock(Arc<lock::View>),
    /// A lock is free.
    LockGone(Arc<str>),
}

/// How the node stands: decides what a read from the views is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// It serves the registry, and of all else what it can.
    pub ready: bool,
    /// It has caught up with what was agreed once: a config that is not here does not exist, or is very new.
    pub complete: bool,
    /// It is the only voter and leads, so nothing newer than its views can exist.
    pub sole_voter: bool,
    /// Through which entry the views are.
    pub applied: LogIndex,
    /// The newest moment of which all that was decided is known to be in the views.
    pub confirmed: Option<Instant>,
}

/// What goes out. The host starts these in order and waits for none of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Swap this in before anything that follows.
    Publish(View),
    /// The answer to `Input::Request`.
    Reply {
        /// Who asked.
        to: ConnectionId,
        /// What they called it.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// A new view for a subscriber.
    Push {
        /// The subscriber.
        to: ConnectionId,
        /// What it wants to see.
        clusters: ClusterNames,
        /// The view.
        view: Arc<ServiceView>,
    },
    /// A service came or went: whoever watches it is to look.
    Watched {
        /// The watcher's connection.
        to: ConnectionId,
        /// Which.
        service: ServiceKey,
    },
    /// A change for a listener.
    Notify {
        /// The listener's connection.
        to: ConnectionId,
        /// Which of its listeners.
        listener: u64,
        /// What changed.
        key: ConfigKey,
        /// Its md5 now; empty when it is gone.
        md5: Arc<str>,
    },
    /// A config came or went whose name this connection watches.
    Existence {
        /// The watcher's connection.
        to: ConnectionId,
        /// Which config.
        key: ConfigKey,
        /// Whether there is such a config now.
        exists: bool,
    },
    /// Append to the Raft log; durable before `Input::Persisted`.
    Persist {
        /// To be named in `Persisted`.
        id: consensus::WriteId,
        /// What.
        write: consensus::Write,
    },
    /// Change the state tables, through this entry; need not be durable.
    Tables {
        /// The entry.
        applied: LogIndex,
        /// The rows.
        rows: Vec<TableRow>,
    },
    /// Make the state tables durable, then `Input::Checkpointed`.
    Checkpoint,
    /// Read rows, then `Input::Loaded`: from `from` towards smaller keys, down to `until`, both inclusive.
    Load {
        /// To be named in `Loaded`.
        id: u64,
        /// The table.
        table: u8,
        /// The greatest key wanted.
        from: Vec<u8>,
        /// The smallest key wanted.
        until: Vec<u8>,
        /// How many at most.
        limit: usize,
    },
    /// Say this to a peer, in order on its lane; it may get lost with the link.
    Peer {
        /// Which peer.
        to: NodeId,
        /// What.
        message: PeerMessage,
    },
    /// Ask the clients' sessions of this node, then `Input::Clients`.
    Clients {
        /// Who wants to know; for `Input::Clients`.
        asker: NodeId,
        /// What the asker calls it; for `Input::Clients`.
        question: u64,
        /// What.
        inquiry: ClientsInquiry,
    },
    /// Keep links to these addresses, and to no others. Each replaces the one before it.
    Links(Vec<Address>),
    /// Make this identity record durable, then `Input::IdentityKept`.
    KeepIdentity(Vec<u8>),
    /// This node has left: it may be stopped.
    Left,
    /// Open a view of the state tables for a peer, then `Input::SnapshotOpened`.
    OpenSnapshot {
        /// The peer.
        to: NodeId,
    },
    /// Send the pieces of that view and then the message, then `Input::SnapshotSent`.
    SendSnapshot {
        /// The peer.
        to: NodeId,
        /// Through which entry the view is.
        through: LogIndex,
        /// After the last piece.
        message: PeerMessage,
    },
    /// A snapshot took the place of the state tables: give all rows again as `Restore`, then `Restored`.
    Reload,
    /// Connect to an instance, or ask it, then `Input::Checked`, once.
    Check(naming::Check),
    /// Tell the operators: something is wrong among the nodes.
    Notice(Arc<str>),
    /// Leave this on disk without waiting.
    Hint(naming::HintPiece),
    /// The first start: make a token key and the first administrator's password hash, then `Input::Secrets`.
    NeedSecrets,
    /// A broken invariant: this node must stop. Nothing after it is sent.
    Halt(String),
}
