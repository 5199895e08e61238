//! From a committed entry to the plane that applies it, and from a read index to the reads that wait for it.

use crate::{
    Node, Output, PeerMessage, Phase, Reply, Said, Unavailable,
    command::{Command, Entry},
    peers::NotProposed,
    start::{Initialization, Secrets},
    tables::Plane,
};
use base::{
    ConnectionId, Consistency, Duration, Freshness, Instant, LogIndex, NodeId, ProposalId,
    RequestId, Term,
};
use journal::{Cause, Kind, Subject};
use std::collections::{BTreeMap, VecDeque};

/// How long a read waits to become as fresh as it was asked for; then it is answered with what there is, and marked.
const FRESH_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a read waits for a node that has just started and does not know yet what was agreed meanwhile. Without a
/// leader in all that time, it is answered from what is here; SDKs give up after 3 s.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// How many reads may wait for that; one more is answered "starting".
const READS_EARLY_MAX: usize = 16_384;

/// The read that tells a joining node how far it must come. Other reads count from 1.
const JOIN_READ: RequestId = RequestId(0);

/// What a joining node knows of how far it must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    NotAsked,
    Asked,
    Through(LogIndex),
}

/// Reads that wait: first for their read index, then for the state to reach it.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    next: u64,
    /// By the id that the engine was asked with; ids grow with time.
    waiting: BTreeMap<RequestId, WaitingRead>,
    /// Of a node that has not caught up yet, in the order in which they came.
    early: VecDeque<EarlyRead>,
}

#[derive(Debug)]
struct EarlyRead {
    to: ConnectionId,
    id: RequestId,
    level: Consistency,
    deadline: Instant,
}

#[derive(Debug)]
struct WaitingRead {
    to: ConnectionId,
    id: RequestId,
    asked: Instant,
    /// `None` until the engine answered.
    index: Option<LogIndex>,
}

impl Reads {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waiting = self.waiting.first_key_value();
        let waiting = waiting.map(|(_, read)| read.asked.after(FRESH_TIMEOUT));
        let early = self.early.front().map(|read| read.deadline);
        waiting.into_iter().chain(early).min()
    }
}

impl Node {
    pub(crate) fn read(&mut self, to: ConnectionId, id: RequestId, level: Consistency) {
        let needs_index = match level {
            Consistency::Stale => false,
            Consistency::Bounded(_) | Consistency::Session | Consistency::Linearizable => true,
        };
        if needs_index && self.phase == Phase::Joining {
            return self.read_early(to, id, level);
        }
        if !needs_index || self.leader.is_none() {
            return self.answer_read(to, id, Consistency::Stale);
        }
        self.reads.next += 1;
        let key = RequestId(self.reads.next);
        let asked = self.now.instant;
        self.reads.waiting.insert(key, WaitingRead { to, id, asked, index: None });
        self.engine(consensus::Input::ReadIndex { id: key });
    }

    /// A read before the node has caught up.
    fn read_early(&mut self, to: ConnectionId, id: RequestId, level: Consistency) {
        let now = self.now.instant;
        if self.leaderless_since.is_some_and(|since| now.since(since) >= CATCH_UP_TIMEOUT) {
            self.answer_read(to, id, Consistency::Stale);
        } else if self.reads.early.len() >= READS_EARLY_MAX {
            self.reply(to, id, Reply::Unavailable(Unavailable::Starting));
        } else {
            let deadline = now.after(CATCH_UP_TIMEOUT);
            self.reads.early.push_back(EarlyRead { to, id, level, deadline });
        }
    }

    fn expire_early_reads(&mut self) {
        let now = self.now.instant;
        while self.reads.early.front().is_some_and(|read| read.deadline <= now) {
            let EarlyRead { to, id, .. } = self.reads.early.pop_front().expect("just looked at");
            if self.leader.is_some() {
                self.reply(to, id, Reply::Unavailable(Unavailable::Starting));
            } else {
                self.answer_read(to, id, Consistency::Stale);
            }
        }
    }

    pub(crate) fn expire_reads(&mut self) {
        self.expire_early_reads();
        while let Some(entry) = self.reads.waiting.first_entry() {
            if entry.get().asked.after(FRESH_TIMEOUT) > self.now.instant {
                break;
            }
            let read = entry.remove();
            self.answer_read(read.to, read.id, Consistency::Stale);
        }
    }

    /// Lets go of the reads whose index is reached.
    fn release_reads(&mut self) {
        let applied = self.applied;
        let due: Vec<RequestId> = self
            .reads
            .waiting
            .iter()
            .filter(|(_, read)| read.index.is_some_and(|index| index <= applied))
            .map(|(&key, _)| key)
            .collect();
        for key in due {
            let read = self.reads.waiting.remove(&key).expect("just listed");
            // Everything that was decided when it was asked is here.
            self.confirmed = self.confirmed.max(Some(read.asked));
            self.answer_read(read.to, read.id, Consistency::Linearizable);
        }
    }

    fn answer_read(&mut self, to: ConnectionId, id: RequestId, level: Consistency) {
        let freshness = Freshness {
            level,
            staleness: match level {
                Consistency::Linearizable => Some(Duration::ZERO),
                Consistency::Stale | Consistency::Bounded(_) | Consistency::Session => {
                    self.confirmed.map(|at| self.now.instant.since(at))
                }
            },
            applied: self.applied,
            served_by: self.id,
        };
        self.reply(to, id, Reply::Fresh(freshness));
    }

    /// Carries out what the engine says. True if it said anything.
    pub(crate) fn pump_engine(&mut self) -> bool {
        let Some(output) = self.consensus.as_mut().and_then(consensus::Consensus::poll) else {
            return false;
        };
        match &mut self.reloading {
            // What speaks of the state waits until the state is there. What keeps the node in the cluster does not.
            Some(held) if speaks_of_state(&output) => held.push_back(output),
            Some(_) | None => self.engine_said(output),
        }
        true
    }

    fn engine_said(&mut self, output: consensus::Output) {
        match output {
            consensus::Output::Persist { id, write } => {
                self.pace.began(id, self.now.instant);
                self.outputs.push_back(Output::Persist { id, write });
            }
            consensus::Output::Send { to, message } => {
                self.tell(to, Said::Consensus(message));
            }
            consensus::Output::SnapshotWanted { to } => {
                // The view shall hold the rows of all that is applied.
                self.flush_tables();
                self.outputs.push_back(Output::OpenSnapshot { to });
            }
            consensus::Output::SendSnapshot { to, index: through, message } => {
                let message = PeerMessage::unsent(Said::Consensus(message));
                self.outputs.push_back(Output::SendSnapshot { to, through, message });
            }
            consensus::Output::Restore { index } => self.reload(index),
            consensus::Output::Apply { index, term, proposal, data } => {
                self.apply(index, proposal, &data);
                self.propose_again(term);
            }
            consensus::Output::Advance { index, term } => {
                self.advanced(index);
                self.propose_again(term);
            }
            consensus::Output::Refused { id, why } => self.refused(id, why),
            consensus::Output::Lost { id } => self.not_proposed(id, NotProposed::NotLeader),
            consensus::Output::Unknown { id } => self.outcome_unknown(id),
            consensus::Output::ReadReady { id, index } => self.read_ready(id, index),
            consensus::Output::ReadFailed { id } => self.read_failed(id),
            consensus::Output::Leader { leader, term, is_self } => {
                self.led_by(leader, term, is_self);
            }
            consensus::Output::MembersChanged { index: _, proposal: _, members } => {
                let consensus::Members { voters, learners, .. } = members;
                self.cluster.step(self.now, cluster::Input::Members { voters, learners });
            }
            consensus::Output::Checkpoint => {
                self.flush_tables();
                self.outputs.push_back(Output::Checkpoint);
            }
            consensus::Output::MessageRefused { from, why } => {
                let why = format!("a Raft message of {from} was not taken: {why:?}");
                self.file(Kind::Refused(why.into()), Subject::Node);
            }
            consensus::Output::Halt(reason) => self.halt(reason.to_string()),
        }
    }

    fn led_by(&mut self, leader: Option<NodeId>, term: Term, is_self: bool) {
        self.leader = leader;
        self.term = term;
        if leader.is_some() {
            self.leaderless_since = None;
        } else {
            self.leaderless_since.get_or_insert(self.now.instant);
        }
        if is_self {
            self.file(Kind::Leads { term: term.0 }, Subject::Node);
        }
        self.cluster.step(self.now, cluster::Input::Leader { leader, is_self });
        self.lock.step(self.now, lock::Input::Leads(is_self));
        self.send_held();
        self.catch_up();
    }

    /// A snapshot has taken the place of the state tables: the planes forget theirs and wait for the rows.
    fn reload(&mut self, index: LogIndex) {
        self.rows.clear();
        // Whether they are in it is not said.
        self.proposals.forget_entries();
        self.applied = index;
        self.tabled = index;
        self.reloading = Some(VecDeque::new());
        self.config.step(self.now, config::Input::Reset);
        self.access.step(self.now, access::Input::Reset);
        self.naming.step(self.now, naming::Input::Reset);
        self.cluster.step(self.now, cluster::Input::Reset);
        self.lock.step(self.now, lock::Input::Reset);
        self.outputs.push_back(Output::Reload);
    }

    /// The rows are there: goes on with what the engine has said meanwhile.
    pub(crate) fn reloaded(&mut self, mut held: VecDeque<consensus::Output>) {
        self.advanced(self.applied);
        while let Some(output) = held.pop_front() {
            self.engine_said(output);
            if let Some(held_again) = &mut self.reloading {
                // Another snapshot, meanwhile.
                held_again.append(&mut held);
            }
        }
    }

    pub(crate) fn snapshot_opened(&mut self, to: NodeId, through: Option<LogIndex>) {
        self.engine(match through {
            Some(index) => consensus::Input::SnapshotReady { to, index },
            None => consensus::Input::SnapshotSent { to, ok: false },
        });
    }

    fn apply(&mut self, index: LogIndex, proposal: Option<ProposalId>, data: &[u8]) {
        assert!(index > self.applied, "entry {index} applied after {}", self.applied);
        self.cause = Cause::Log(index);
        self.applied = index;
        if let Some(id) = proposal {
            self.forwarded.remove(&id);
        }
        let Entry { origin, command } = match Entry::decode(data) {
            Ok(entry) => entry,
            Err(reason) => return self.halt(reason),
        };
        let reply = match command {
            Command::Config(command) => {
                let applied = self.config.apply(index, &command);
                self.rows.extend(applied.rows.into_iter().map(|row| Plane::Config.to_disk(row)));
                Some(Reply::Config(config::Reply::Outcome(applied.outcome)))
            }
            Command::Access(command) => {
                let applied = self.access.apply(index, &command);
                self.rows.extend(applied.rows.into_iter().map(|row| Plane::Access.to_disk(row)));
                Some(Reply::Access(access::Reply::Outcome(applied.outcome)))
            }
            Command::Naming(command) => {
                let applied = self.naming.apply(index, &command);
                self.rows.extend(applied.rows.into_iter().map(|row| Plane::Naming.to_disk(row)));
                Some(Reply::Naming(naming::Reply::Outcome(applied.outcome)))
            }
            Command::Cluster(command) => {
                let applied = self.cluster.apply(index, &command);
                self.rows.extend(applied.rows.into_iter().map(|row| Plane::Cluster.to_disk(row)));
                Some(Reply::Cluster(cluster::Reply::Outcome(applied.outcome)))
            }
            Command::Lock(command) => {
                let applied = self.lock.apply(index, &command);
                self.rows.extend(applied.rows.into_iter().map(|row| Plane::Lock.to_disk(row)));
                applied.outcome.map(|outcome| Reply::Lock(lock::Reply::Outcome(outcome)))
            }
        };
        // Views first: whoever reads after the reply reads what was written.
        self.pump_config();
        self.pump_access();
        self.pump_naming();
        self.pump_cluster();
        self.pump_lock();
        if origin.node == self.id && origin.life == self.life {
            // Before the reply: whoever asks next with the index of this one finds it reached.
            self.refresh_standing();
            match reply {
                Some(reply) => self.settle(origin.proposal, reply),
                // Whoever asked waits on: the plane answers later.
                None => drop(self.proposals.settle(origin.proposal)),
            }
        }
        self.advanced(index);
    }

    /// Everything through here is applied.
    fn advanced(&mut self, index: LogIndex) {
        assert!(index >= self.applied, "the log went back from {} to {index}", self.applied);
        self.applied = index;
        self.cluster.step(self.now, cluster::Input::Applied(index));
        self.lock.step(self.now, lock::Input::Applied);
        self.release_reads();
        self.catch_up();
        self.initialize();
    }

    /// Asks the leader, while joining, how far the log is that this node must have applied before it may serve.
    pub(crate) fn catch_up(&mut self) {
        if self.phase == Phase::Joining && self.leader.is_some() && self.join == Join::NotAsked {
            self.join = Join::Asked;
            self.engine(consensus::Input::ReadIndex { id: JOIN_READ });
        }
        self.initialize();
    }

    fn read_ready(&mut self, id: RequestId, index: LogIndex) {
        if id == JOIN_READ {
            self.join = Join::Through(index);
            return self.initialize();
        }
        if let Some(read) = self.reads.waiting.get_mut(&id) {
            read.index = Some(index);
        }
        self.release_reads();
    }

    fn read_failed(&mut self, id: RequestId) {
        if id == JOIN_READ {
            self.join = Join::NotAsked; // asked again when the log advances or the leader changes
        } else if let Some(read) = self.reads.waiting.remove(&id) {
            self.answer_read(read.to, read.id, Consistency::Stale);
        }
    }

    pub(crate) fn settle(&mut self, id: ProposalId, reply: Reply) {
        if let Some(waiter) = self.proposals.settle(id) {
            self.reply(waiter.to, waiter.id, reply);
        }
    }

    fn refused(&mut self, id: ProposalId, why: consensus::Refusal) {
        let why = match why {
            consensus::Refusal::NotLeader { .. } | consensus::Refusal::HandingOver => {
                NotProposed::NotLeader
            }
            consensus::Refusal::LogFull | consensus::Refusal::Busy => NotProposed::Overloaded,
            // The plane looks at the members again.
            consensus::Refusal::InvalidMembers(_) => return,
            consensus::Refusal::TooLarge | consensus::Refusal::Empty => {
                unreachable!("planes bound their commands below the limit of an entry: {why:?}")
            }
        };
        self.not_proposed(id, why);
    }

    /// Hands the rows of all entries applied since to the disk, in one piece.
    pub(crate) fn flush_tables(&mut self) {
        if self.applied > self.tabled {
            self.tabled = self.applied;
            let rows = std::mem::take(&mut self.rows);
            self.outputs.push_back(Output::Tables { applied: self.applied, rows });
        }
    }

    /// Ready once the leader is known, its log is applied, and the first start's secrets exist.
    pub(crate) fn initialize(&mut self) {
        if self.phase != Phase::Joining || self.naming.restoring() {
            return;
        }
        match self.initialization() {
            Initialization::Waits => {}
            Initialization::NeedSecrets if self.disk_full => {}
            Initialization::NeedSecrets => {
                self.secrets = Secrets::Asked;
                self.outputs.push_back(Output::NeedSecrets);
            }
            Initialization::Done => {
                self.phase = Phase::Ready;
                self.file(Kind::Ready, Subject::Node);
                for EarlyRead { to, id, level, .. } in std::mem::take(&mut self.reads.early) {
                    self.read(to, id, level);
                }
            }
        }
    }
}

/// Whether the planes have to be complete before this is carried out.
fn speaks_of_state(output: &consensus::Output) -> bool {
    match output {
        consensus::Output::Apply { .. }
        | consensus::Output::Advance { .. }
        | consensus::Output::Restore { .. }
        | consensus::Output::Checkpoint
        | consensus::Output::SnapshotWanted { .. }
        | consensus::Output::ReadReady { .. } => true,
        consensus::Output::Persist { .. }
        | consensus::Output::Send { .. }
        | consensus::Output::SendSnapshot { .. }
        | consensus::Output::Refused { .. }
        | consensus::Output::Lost { .. }
        | consensus::Output::Unknown { .. }
        | consensus::Output::ReadFailed { .. }
        | consensus::Output::Leader { .. }
        | consensus::Output::MembersChanged { .. }
        | consensus::Output::MessageRefused { .. }
        | consensus::Output::Halt(_) => false,
    }
}
