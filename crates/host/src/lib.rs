//! Everything around one node but the world.
//!
//! A `Host` holds the node behind a lock, the views that are read without it, the sessions of all connections, and
//! the jobs for disk and workers. `server` gives it bytes, time and disks; `sim` gives it values, virtual time and virtual
//! disks: what is simulated is what is shipped. There is no socket, file, clock, task or thread in here.
//!
//! # How a request passes
//!
//! ```text
//!  deliver(request) ─► session ─► answered from the views ───────────────► outbox ─► signal
//!                         │ Ask
//!                         ▼
//!                       lanes ─► node, stepped in place by whoever comes first ─► views swapped
//!                                                                             ─► disk jobs ─► disk_signal
//!                                                                             ─► inboxes ─► session ─► outbox
//! ```
//!
//! The thread that brings an input carries it through. If another thread holds the node, that one takes the input
//! along: whoever held the node looks at the lanes once more *after* letting go, so no input waits for the next one.
//!
//! # Order of locks
//!
//! `node` → (`links`, `lanes`, views, inboxes, job queues); `links` → (`lanes`, views, job queues); `sessions of a slot` →
//! (`lanes`, outbox, streams, UDP inbox); `UDP session` → (`lanes`, timers, its inbox and outbox). No thread holds two of
//! node, a slot's sessions and the UDP session at once, so there is no cycle. The timers, the sets and the queues are locked
//! last and for a moment. Wakers are called under some of these locks, so what they do must not call back into `run`.
//!
//! # Other nodes
//!
//! `links` dials them, bounds what waits for them, and carries snapshots between disks and links; its documentation says
//! what the world has to do.
//!
//! # When a node ends
//!
//! `Output::Halt` or a panic while the node is stepped ends this one node: `halted` tells why, every session and link is
//! closed, and later calls do nothing. Other hosts in the process live on. A panic in a session ends its connection alone,
//! and is counted: a session holds nothing that others share.
#![forbid(unsafe_code)]

mod answers;
mod checks;
mod credentials;
mod deliver;
mod disk;
mod drive;
mod gathering;
mod lanes;
mod limits;
mod links;
mod planted;
mod probe;
mod rendered;
mod scrape;
mod sessions;
mod signal;
mod start;
mod streams;
mod survivor;
mod tally;
mod udp;
mod views;
mod work;
mod worth;

pub use deliver::Arrival;
pub use disk::{
    DiskDone, DiskJob, DiskWorker, Opened, SnapshotDone, SnapshotJob, StageId, TransferId,
};
pub use lanes::{LANE_LEN_MAX, PEERS_BYTES_MAX, PEERS_LEN_MAX};
pub use limits::{JOURNAL_BYTES_MAX, LOG_BYTES_MAX, Limits, RENDERED_BYTES_MAX};
pub use links::{
    BULK_BYTES_MAX, BadFrame, Dial, FRAME_BYTES_MAX, Flow, INBOUNDS_LEN_MAX, InboundId, KeyName,
    LinkCounts, LinkId, LinkState, LinkTally, NotAccepted, Reading, SNAPSHOTS_SENT_MAX,
    URGENT_BYTES_MAX,
};
pub use naming::{Check, Checker};
pub use node::Lane;
pub use planted::Planted;
pub use probe::Probe;
pub use scrape::{Gauges, LinkGauge, NAMESPACES_SHOWN_MAX, NamespaceCounts};
pub use sessions::Sending;
pub use signal::Signal;
pub use start::{Begun, ClusterSettings, Settings, StartError, password};
pub use streams::{
    ALL_STREAMS_BYTES_MAX, Chunk, STREAM_BYTES_MAX, STREAM_PATIENCE, StreamId, StreamLimits,
};
pub use survivor::{NotLeft, Survivor};
pub use tally::{AGENTS_MAX, Agent, BUCKETS_US, Histogram, HistogramCounts, PushCounts, Tally};
pub use udp::{DATAGRAMS_LEN_MAX, Datagram};
pub use work::{WORK_LEN_MAX, Work, Worked};

use base::{ConnectionId, HybridTime, Instant, NodeId, Now, Rng};
use lanes::Lanes;
use node::Node;
use sessions::{Slot, lock};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
};
use views::ViewStore;

/// One node and everything around it.
pub struct Host {
    id: NodeId,
    boot: HybridTime,
    settings: Settings,
    node: Mutex<NodeCell>,
    lanes: Mutex<Lanes>,
    views: ViewStore,
    slots: Mutex<BTreeMap<ConnectionId, Arc<Slot>>>,
    udp: udp::Udp,
    links: Mutex<links::Links>,
    /// A connection of a peer waits to be read on.
    inbounds_paused: AtomicBool,
    connections: AtomicU64,
    connections_open: AtomicUsize,
    /// Sessions that ended by a broken invariant of their own. Each is a defect.
    sessions_broken: AtomicU64,
    /// What waits on the streams of all connections.
    streams_bytes: Arc<AtomicUsize>,
    crowd: gathering::OwnCrowd,
    /// Connections that want to hear of changes of the access tables.
    access_watchers: Mutex<BTreeSet<ConnectionId>>,
    timers: Mutex<Timers>,
    disk_jobs: Mutex<VecDeque<DiskJob>>,
    checks: Mutex<Vec<Check>>,
    work: Mutex<work::Works>,
    /// Salts of new passwords; apart from the node's generator, which is behind the node's lock.
    salts: Mutex<Rng>,
    halted: Mutex<Option<String>>,
    /// What operators should read and was not fetched yet.
    notices: Mutex<VecDeque<Arc<str>>>,
    /// The others know that this node is about to stop.
    left: AtomicBool,
    generated_password: Mutex<Option<String>>,
    /// What was counted.
    pub tally: Tally,
    /// Raised when there is a disk job.
    pub disk_signal: Signal,
    /// Raised when there is work for a worker thread.
    pub work_signal: Signal,
    /// Raised when `deadline` came closer.
    pub timer_signal: Signal,
    /// Raised when there is an instance to check.
    pub check_signal: Signal,
    /// Raised when there is a datagram to send.
    pub udp_signal: Signal,
    /// Raised when there is an address to dial, or a link to close, and when others may be able to prove something new.
    pub link_signal: Signal,
    /// Raised when there is a notice to fetch.
    pub notice_signal: Signal,
    /// Raised when the node became ready, or is so no more, or has left, or halted.
    pub state_signal: Signal,
}

/// What the node's lock guards.
struct NodeCell {
    node: Node,
    rng: Rng,
    /// The latest time it was stepped with: two threads may come with theirs in the wrong order.
    latest: Now,
    /// No hybrid time above this is given out before a higher one is asked to be noted on disk.
    ceiling: HybridTime,
    /// When that was noted.
    ceiling_raised: Instant,
    /// The restored tables still to come.
    restoring: Option<start::Restoring>,
    planting: planted::Planting,
    /// The engine was given a snapshot that is staged, and has not decided yet.
    offered: bool,
}

/// When something is due: the node, and each connection that has a deadline.
#[derive(Default)]
struct Timers {
    node: Option<Instant>,
    sessions: BTreeSet<(Instant, ConnectionId)>,
    /// A full disk is looked at again then.
    probe: Option<Instant>,
    udp: Option<Instant>,
    links: Option<Instant>,
    /// The next clients are asked to go elsewhere then.
    moves: Option<Instant>,
}

impl Timers {
    fn first(&self) -> Option<Instant> {
        let session = self.sessions.first().map(|(at, _)| *at);
        [self.node, session, self.probe, self.udp, self.links, self.moves]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Host {
    /// Which node this is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// When `wake` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        lock(&self.timers).first()
    }

    /// Whether the node serves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.views.standing().ready && self.halted().is_none()
    }

    /// Why the node stopped, if it did.
    #[must_use]
    pub fn halted(&self) -> Option<String> {
        lock(&self.halted).clone()
    }

    /// The node is about to stop: it hands over what it leads and says goodbye to the others. `has_left` tells when that is
    /// done; it may take as long as the others do.
    pub fn leave(&self, now: Now) {
        self.push_input(node::Input::Leave);
        self.run(now, &[]);
    }

    /// Whether the others know that this node is about to stop.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.left.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The one-time password that was generated for the first administrator, if this was the first start and none was
    /// given. It is valid once the node is ready; taken once.
    #[must_use]
    pub fn take_generated_password(&self) -> Option<String> {
        lock(&self.generated_password).take()
    }

    /// The disk jobs said so far, in order, for `DiskWorker::run`.
    #[must_use]
    pub fn take_disk_jobs(&self) -> Vec<DiskJob> {
        lock(&self.disk_jobs).drain(..).collect()
    }

    /// One piece of work for a worker thread. What was asked for on a connection that is gone is skipped.
    #[must_use]
    pub fn take_work(&self) -> Option<Work> {
        loop {
            let work = lock(&self.work).pop()?;
            match work.asker {
                work::Asker::Session { connection, .. } if self.slot(connection).is_none() => {}
                work::Asker::Session { .. } | work::Asker::Node => return Some(work),
            }
        }
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections_open(&self) -> usize {
        self.connections_open.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The next thing that a connection has to send.
    #[must_use]
    pub fn take_sending(&self, connection: ConnectionId) -> Option<Sending> {
        self.slot(connection)?.take_sending()
    }

    /// Raised when `take_sending` has something.
    pub fn listen(&self, connection: ConnectionId, waker: std::task::Waker) {
        if let Some(slot) = self.slot(connection) {
            slot.signal.listen(waker);
        }
    }

    fn slot(&self, connection: ConnectionId) -> Option<Arc<Slot>> {
        lock(&self.slots).get(&connection).cloned()
    }

    fn halt(&self, reason: String) {
        lock(&self.halted).get_or_insert(reason);
        let slots: Vec<Arc<Slot>> = lock(&self.slots).values().cloned().collect();
        for slot in slots {
            slot.close();
        }
        self.end_links();
        self.state_signal.raise();
    }
}
