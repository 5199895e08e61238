//! One node: the planes and the Raft log, wired. Nothing here decides; it carries values from the one who says them to
//! the one they are for. This crate is the wiring diagram:
//!
//! ```text
//!  Request ──┬─ Naming ──► naming ─┬► Publish · Push · Reply · Hint
//!            ├─ Config ──► config ─┤
//!            ├─ Cluster ─► cluster ┤► Links · KeepIdentity · NodeAlive, NodeGone ─► naming
//!            ├─ Lock ────► lock ───┤
//!            └─ Access ──► access ─┴► Propose ─► consensus ─► Persist … Persisted
//!                                                    │
//!  naming, config, access, lock, cluster ◄── apply(index, command)┘ Apply
//!                 └──► Publish, then Reply(outcome), then Tables(rows)
//! ```
//!
//! # Peers
//!
//! Over a link, `Peer` messages carry what consensus, the registry and the writes of other nodes have to say
//! ([`PeerMessage`]). A write goes to whoever leads, from the node that was asked; that node answers its client when it has
//! applied the entry itself, so its client reads its own write. While nobody is known to lead, writes wait, for as long as
//! an SDK does. After a snapshot the planes forget their state and read the rows anew (`Reload`); what the engine says of
//! the state meanwhile waits, what keeps the node in its group does not.
//!
//! # Order
//!
//! * A view is published before the reply that follows from it: a client reads its own write.
//! * What the disk is told (`Persist`, `Tables`, `Checkpoint`, `Load`) is done in the order in which it is said. A
//!   checkpoint that is ahead of the commit index in the hard state on disk is no harm: `consensus` raises that index at
//!   the next start, since an entry is applied only when it is committed and on this disk.
//!
//! # Phases
//!
//! `Restoring` (rows and the hint come in; requests are answered "starting") → `Forming` (it belongs to no cluster yet, see
//! [`cluster`]; the engine does not run) → `Joining` (the engine runs; a voter waits until an entry of a term it has heard of
//! is applied) → `Ready`. A node that halts says so once and then nothing more.
//!
//! The registry does not wait for agreement. A node that comes back serves it as soon as its tables are read, it knows whom
//! to let in, and its records agree with those of the peers it can reach ([`naming::Naming::is_ready`]): in a minority, too.
//! Reads of configs wait until it has caught up; if nobody leads for 2 s they are answered from what is here, marked stale,
//! and [`Standing::complete`] tells the edges that what is missing here may exist.
//!
//! # Invariants
//!
//! * Every `Input::Request` gets exactly one `Output::Reply`, unless its connection closed before.
//! * `proposals_pending ≤` a named limit; every proposal is answered within 5 s,
//!   and within 2 s while nobody leads.
#![forbid(unsafe_code)]

mod clustering;
mod command;
mod commit;
mod explain;
mod gather;
mod pace;
mod peers;
mod proposals;
mod requests;
mod start;
mod surface;
mod tables;

pub use command::removals;
pub use consensus;
pub use gather::{ClientsInquiry, GATHERINGS_MAX, GatherMessage, Inquiry, Part};
pub use peers::{Lane, NotProposed, PeerMessage, ProposalMessage, Said};
pub use proposals::PROPOSALS_MAX;
pub use start::{Recovered, Settings};
pub use surface::{
    Initial, Input, Output, Reply, Request, Standing, Status, TableRow, Tally, Unavailable, View,
};
pub use tables::RESTORED_TABLES;

use base::{ConnectionId, HybridTime, Instant, LogIndex, NodeId, Now, ProposalId, RequestId};
use journal::{Cause, Journal, Kind, Subject};
use proposals::{Expired, Proposals};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// How far the node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Reads its disk.
    Restoring,
    /// Belongs to no cluster yet; the engine does not run.
    Forming,
    /// Takes part, and waits until its state is known to be current and initialised.
    Joining,
    /// Serves.
    Ready,
    /// Stopped for good.
    Halted,
}

/// What has to be done before a node may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    /// The registry was handed over and is on disk.
    Registry,
    /// The others know that it leaves.
    Cluster,
}

/// The wiring of one node, a state machine with the three verbs.
pub struct Node {
    id: NodeId,
    /// When it was started; tells its proposals from those of an earlier life.
    life: HybridTime,
    phase: Phase,
    /// It serves the registry; what was reached is not taken back.
    serves: bool,
    pace: pace::Pace,
    now: Now,
    cause: Cause,
    naming: naming::Naming,
    config: config::Config,
    access: access::Access,
    cluster: cluster::Cluster,
    lock: lock::Lock,
    /// `None` until the state tables are restored: the engine replays onto them.
    consensus: Option<consensus::Consensus>,
    /// What the engine starts from, once the tables are restored.
    unstarted: Option<start::Unstarted>,
    secrets: start::Secrets,
    journal: Journal,
    /// Connections that were `Opened`.
    clients: BTreeSet<ConnectionId>,
    /// Nodes with which there is a link.
    peers: BTreeSet<NodeId>,
    /// Those of them whose time was too far ahead to be followed.
    ahead: BTreeSet<NodeId>,
    proposals: Proposals,
    /// Proposals of other nodes that this one, as the leader, has given to the engine: who asked, and by what name.
    forwarded: BTreeMap<ProposalId, (NodeId, ProposalId)>,
    /// While the tables are read anew after a snapshot: what the engine has said since and changes the state.
    reloading: Option<VecDeque<consensus::Output>>,
    /// Reads that wait for the state to reach an entry.
    reads: commit::Reads,
    /// Questions that wait for parts of other nodes.
    gatherings: gather::Gatherings,
    /// What is done since `Input::Leave`.
    left: BTreeSet<Left>,
    loads: BTreeMap<u64, u64>,
    next_load: u64,
    standing: Standing,
    /// The newest moment of which all that was decided is known to be here.
    confirmed: Option<Instant>,
    join: commit::Join,
    started: Instant,
    leader: Option<NodeId>,
    tally: Tally,
    /// Since when nobody is known to lead.
    leaderless_since: Option<Instant>,
    term: base::Term,
    applied: LogIndex,
    /// Of the last entry that was applied in this life.
    applied_term: base::Term,
    /// Through which entry the rows went to the disk.
    tabled: LogIndex,
    disk_full: bool,
    rows: Vec<TableRow>,
    outputs: VecDeque<Output>,
}

impl Node {
    /// Takes one input. What follows from it is then given by `poll`.
    pub fn step(&mut self, now: Now, input: Input) {
        if self.phase == Phase::Halted {
            return;
        }
        self.now = now;
        match input {
            Input::Opened(connection) => self.opened(connection),
            Input::Heard(connection) => self.naming.step(now, naming::Input::Heard(connection)),
            Input::Moving(connection) => self.naming.step(now, naming::Input::Moving(connection)),
            Input::Closed { connection, reason } => self.closed(connection, reason),
            Input::Acknowledged { connection, service, version } => {
                self.cause = Cause::Connection(connection);
                self.naming.step(now, naming::Input::Acknowledged { connection, service, version });
            }
            Input::Request { from, id, request } => self.request(from, id, request),
            Input::Restore(rows) => self.restore(rows),
            Input::Hint(pieces) => {
                self.cause = Cause::Start;
                self.naming.step(now, naming::Input::Hint(pieces));
            }
            Input::Restored => self.restored(),
            Input::PeerUp { address, peer } => self.peer_up(address, peer),
            Input::PeerDown(peer) => self.peer_down(peer),
            Input::Peer { from, message } => self.peer_said(from, message),
            Input::PeerRefused { address, why } => {
                self.cluster.step(now, cluster::Input::PeerRefused { address, why });
            }
            Input::Welcome(secret) => self.cluster.step(now, cluster::Input::Welcome(secret)),
            Input::IdentityKept => self.cluster.step(now, cluster::Input::IdentityKept),
            Input::Leave => {
                self.naming.step(now, naming::Input::Leave);
                self.cluster.step(now, cluster::Input::Leave);
            }
            Input::SnapshotOpened { to, through } => self.snapshot_opened(to, through),
            Input::SnapshotSent { to, ok } => {
                self.engine(consensus::Input::SnapshotSent { to, ok });
            }
            Input::Clients { asker, question, part } => {
                self.clients_told(asker, question, part);
            }
            Input::Checked { id, healthy } => {
                self.naming.step(now, naming::Input::Checked { id, healthy });
            }
            Input::Persisted(id) => {
                self.pace.ended(id, now.instant);
                self.engine(consensus::Input::Persisted(id));
            }
            Input::Checkpointed(applied) => {
                self.engine(consensus::Input::Checkpointed { applied });
            }
            Input::Loaded { id, rows } => self.loaded(id, rows),
            Input::Secrets(initial) => self.secrets(initial),
            Input::DiskFull(full) => {
                self.disk_full = full;
                self.look_at_disk();
                self.initialize();
            }
            Input::Wake => self.wake(),
        }
    }

    /// The next thing to do, in order. Groups what was stepped since: many proposals become one `Persist`.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outputs.is_empty() && self.phase != Phase::Halted {
            self.pump();
        }
        self.outputs.pop_front().map(|output| self.dated(output))
    }

    /// When `Input::Wake` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.phase == Phase::Halted {
            return None;
        }
        [
            self.naming.deadline(),
            self.config.deadline(),
            self.access.deadline(),
            self.cluster.deadline(),
            self.lock.deadline(),
            self.consensus.as_ref().and_then(consensus::Consensus::deadline),
            self.proposals.deadline(self.leader.is_some()),
            self.gatherings.deadline(),
            self.reads.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether a snapshot of the leader is taking the place of the state: its rows are staged and needed, or not all read.
    #[must_use]
    pub fn installs(&self) -> bool {
        self.reloading.is_some()
            || self.consensus.as_ref().is_some_and(consensus::Consensus::installs)
    }

    fn left(&mut self, done: Left) {
        if self.left.insert(done) && self.left.len() == [Left::Registry, Left::Cluster].len() {
            self.outputs.push_back(Output::Left);
        }
    }

    fn opened(&mut self, connection: ConnectionId) {
        self.cause = Cause::Connection(connection);
        if self.clients.insert(connection) {
            self.file(Kind::Opened, Subject::Connection(connection));
        }
        self.naming.step(self.now, naming::Input::Opened(connection));
    }

    fn closed(&mut self, connection: ConnectionId, reason: &'static str) {
        self.cause = Cause::Connection(connection);
        // The connections of plain requests come and go by the thousand and have no story.
        if self.clients.remove(&connection) {
            self.file(Kind::Closed(reason.into()), Subject::Connection(connection));
            self.naming.step(self.now, naming::Input::Closed(connection));
        }
        self.config.step(self.now, config::Input::Closed(connection));
        self.lock.step(self.now, lock::Input::Closed(connection));
    }

    fn wake(&mut self) {
        self.cause = Cause::Timer;
        let now = self.now;
        self.naming.step(now, naming::Input::Wake);
        self.config.step(now, config::Input::Wake);
        self.access.step(now, access::Input::Wake);
        self.cluster.step(now, cluster::Input::Wake);
        self.look_at_disk();
        self.engine(consensus::Input::Wake);
        self.catch_up();
        while let Some(expired) = self.proposals.expire(now.instant, self.leader.is_some()) {
            let (waiter, why) = match expired {
                Expired::Held(waiter) => (waiter, Unavailable::NoLeader),
                Expired::Sent(waiter) => (waiter, Unavailable::OutcomeUnknown),
            };
            self.reply(waiter.to, waiter.id, Reply::Unavailable(why));
        }
        // After the proposals: what was answered just now is not answered by the plane as well.
        self.lock.step(now, lock::Input::Wake);
        self.expire_reads();
        self.expire_gatherings();
    }

    /// Steps the engine, if it runs already.
    fn engine(&mut self, input: consensus::Input) {
        if let Some(consensus) = &mut self.consensus {
            consensus.step(self.now, input);
        }
    }

    /// Carries values between the parts until none has anything to say.
    fn pump(&mut self) {
        loop {
            let said =
                self.pump_cluster() | self.pump_naming() | self.pump_config() | self.pump_access();
            let said = self.pump_lock() | said;
            if !said && !self.pump_engine() {
                break;
            }
        }
        self.flush_tables();
        self.refresh_standing();
    }

    fn pump_naming(&mut self) -> bool {
        let mut said = false;
        while let Some(output) = self.naming.poll() {
            said = true;
            match output {
                naming::Output::Publish(view) => {
                    self.outputs.push_back(Output::Publish(View::Service(view)));
                }
                naming::Output::Retire(key) => {
                    self.outputs.push_back(Output::Publish(View::ServiceGone(key)));
                }
                naming::Output::Switches(switches) => {
                    self.outputs.push_back(Output::Publish(View::Switches(switches)));
                }
                naming::Output::Watched { to, service } => {
                    self.outputs.push_back(Output::Watched { to, service });
                }
                naming::Output::Push { to, clusters, view } => {
                    self.outputs.push_back(Output::Push { to, clusters, view });
                }
                naming::Output::Reply { to, id, reply } => {
                    self.reply(to, id, Reply::Naming(reply));
                }
                naming::Output::Propose { to, id, command } => {
                    self.propose(to, id, command::Command::Naming(command));
                }
                naming::Output::Tidy(command) => {
                    let command = command::Command::Naming(command);
                    self.propose(start::OURSELVES, RequestId(0), command);
                }
                naming::Output::Peer { to, message } => {
                    self.tell(to, Said::Naming(message));
                }
                naming::Output::Check(check) => self.outputs.push_back(Output::Check(check)),
                naming::Output::Halt(reason) => self.halt(reason),
                naming::Output::Hint(piece) => self.outputs.push_back(Output::Hint(piece)),
                naming::Output::Left => self.left(Left::Registry),
                naming::Output::Event(kind, subject) => self.file(kind, subject),
            }
        }
        said
    }

    fn pump_config(&mut self) -> bool {
        let mut said = false;
        while let Some(output) = self.config.poll() {
            said = true;
            match output {
                config::Output::Propose { to, id, command } => {
                    self.propose(to, id, command::Command::Config(command));
                }
                config::Output::Publish(entry) => {
                    self.outputs.push_back(Output::Publish(View::Config(entry)));
                }
                config::Output::Retire(key) => {
                    self.outputs.push_back(Output::Publish(View::ConfigGone(key)));
                }
                config::Output::PublishGrays(grays) => {
                    self.outputs.push_back(Output::Publish(View::Grays(grays)));
                }
                config::Output::Notify { to, listener, key, md5 } => {
                    self.outputs.push_back(Output::Notify { to, listener, key, md5 });
                }
                config::Output::Existence { to, key, exists } => {
                    self.outputs.push_back(Output::Existence { to, key, exists });
                }
                config::Output::Reply { to, id, reply } => {
                    self.reply(to, id, Reply::Config(reply));
                }
                config::Output::Load { id, table, from, until, limit } => {
                    let table = tables::Plane::Config.table(table);
                    self.next_load += 1;
                    self.loads.insert(self.next_load, id);
                    let id = self.next_load;
                    self.outputs.push_back(Output::Load { id, table, from, until, limit });
                }
                config::Output::Event(kind, subject) => self.file(kind, subject),
                config::Output::Halt(reason) => self.halt(reason),
            }
        }
        said
    }

    fn pump_access(&mut self) -> bool {
        let mut said = false;
        while let Some(output) = self.access.poll() {
            said = true;
            match output {
                access::Output::Propose { to, id, command } => {
                    self.propose(to, id, command::Command::Access(command));
                }
                access::Output::Publish(view) => {
                    self.outputs.push_back(Output::Publish(View::Access(view)));
                }
                access::Output::Reply { to, id, reply } => {
                    self.reply(to, id, Reply::Access(reply));
                }
                access::Output::Event(kind, subject) => self.file(kind, subject),
                access::Output::Halt(reason) => self.halt(reason),
            }
        }
        said
    }

    fn pump_lock(&mut self) -> bool {
        let mut said = false;
        while let Some(output) = self.lock.poll() {
            said = true;
            match output {
                lock::Output::Propose { to, id, command } => {
                    self.propose(to, id, command::Command::Lock(command));
                }
                lock::Output::Tidy(command) => {
                    let command = command::Command::Lock(command);
                    self.propose(start::OURSELVES, RequestId(0), command);
                }
                lock::Output::Publish(view) => {
                    self.outputs.push_back(Output::Publish(View::Lock(view)));
                }
                lock::Output::Retire(key) => {
                    self.outputs.push_back(Output::Publish(View::LockGone(key)));
                }
                lock::Output::Reply { to, id, reply } => self.reply(to, id, Reply::Lock(reply)),
                lock::Output::Event(kind, subject) => self.file(kind, subject),
                lock::Output::Halt(reason) => self.halt(reason),
            }
        }
        said
    }

    fn loaded(&mut self, id: u64, rows: config::LoadedRows) {
        let id =
            self.loads.remove(&id).expect("the host answers only loads that were asked for, once");
        self.config.step(self.now, config::Input::Loaded { id, rows });
    }

    fn reply(&mut self, to: ConnectionId, id: RequestId, reply: Reply) {
        if to != start::OURSELVES {
            if let Reply::Unavailable(why) = reply {
                let asker = lock::Asker { connection: to, id };
                let maybe_written = why == Unavailable::OutcomeUnknown;
                self.lock.step(self.now, lock::Input::Unanswered { asker, maybe_written });
            }
            self.tally.count(&reply);
            self.outputs.push_back(Output::Reply { to, id, reply });
        }
    }

    fn file(&mut self, kind: Kind, subject: Subject) {
        self.count(&kind);
        if let (Kind::Refused(why), Subject::Node) = (&kind, &subject) {
            self.outputs.push_back(Output::Notice(Arc::clone(why)));
        }
        self.journal.file(self.now, self.naming.clock(), self.cause, kind, subject);
    }

    fn count(&mut self, kind: &Kind) {
        let counter = match kind {
            Kind::ConnectionLost => &mut self.tally.lost_connections,
            Kind::Expired => &mut self.tally.expired,
            Kind::OrphanHidden => &mut self.tally.orphans_hidden,
            Kind::Pushed { .. } => &mut self.tally.pushed,
            Kind::Leads { .. } => &mut self.tally.leader_changes,
            Kind::Registered
            | Kind::Deregistered
            | Kind::BecameUnhealthy
            | Kind::BecameHealthy
            | Kind::Orphaned
            | Kind::Adopted
            | Kind::Listed { .. }
            | Kind::Subscribed(_)
            | Kind::Unsubscribed(_)
            | Kind::Refused(_)
            | Kind::Notified(_)
            | Kind::AccessChanged
            | Kind::Opened
            | Kind::Closed(_)
            | Kind::Published { .. }
            | Kind::Removed { .. }
            | Kind::Started
            | Kind::Ready
            | Kind::Halted(_)
            | Kind::Edited
            | Kind::Replaced(_)
            | Kind::Granted { .. }
            | Kind::Queued(_)
            | Kind::GaveUp(_)
            | Kind::Released { .. }
            | Kind::LeaseEnded { .. } => return,
        };
        *counter += 1;
    }

    fn halt(&mut self, reason: String) {
        self.file(Kind::Halted(reason.as_str().into()), Subject::Node);
        self.phase = Phase::Halted;
        self.outputs.push_back(Output::Halt(reason));
    }
}

#[cfg(test)]
mod tests;
