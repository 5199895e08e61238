//! The three verbs around the engine.

use crate::{
    Error, HaltReason, Input, MemberChange, Members, Message, MessageFault, Output, Recovered,
    Settings, WriteId,
    admit::{Gate, Verdict},
    memory_log::MemoryLog,
    proposals::{Proposals, Wish},
    reads::{Leadership, Reads},
    recover::{self, Start},
    snapshots::Snapshots,
    wire::HardState,
    writes::Writes,
};
use base::{Instant, LogIndex, NodeId, Now, RequestId, Term};
use raft::{Config, RawNode, ReadOnlyOption, StateRole, eraftpb::MessageType};
use std::collections::{BTreeMap, VecDeque};

/// Append messages on their way to one follower; more wait for an answer.
pub const APPENDS_IN_FLIGHT_MAX: usize = 256;
/// Entries in one append message, in bytes; one longer entry travels alone.
pub const APPEND_BYTES_MAX: u64 = 1 << 20;
/// Committed entries that are handed out before the next look at the engine, in bytes.
pub const APPLY_BYTES_MAX: u64 = 4 << 20;
/// Ticks that are made up for at one wake. Time in which the node stood still is not silence of the leader.
const TICKS_AT_ONCE_MAX: u32 = 2;

/// One voter or learner of the Raft group.
pub struct Consensus {
    pub(crate) settings: Settings,
    pub(crate) raw: RawNode<MemoryLog>,
    pub(crate) now: Now,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) writes: Writes,
    pub(crate) proposals: Proposals,
    pub(crate) snapshots: Snapshots,
    reads: Reads,
    next_tick: Instant,
    /// When the role or the term last changed; the election timeout is drawn from it.
    drawn: (Instant, u64, StateRole),
    /// Members by the index since which they are, back to the last compaction.
    pub(crate) members: BTreeMap<u64, Members>,
    /// Through where entries were handed out, or were in the tables at start.
    pub(crate) applied: u64,
    /// Through where `Advance` or `Apply` has told the host.
    told: u64,
    leader: (u64, u64, bool),
    halted: bool,
}

impl std::fmt::Debug for Consensus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consensus")
            .field("id", &self.settings.id)
            .field("term", &self.raw.raft.term)
            .field("role", &self.raw.raft.state)
            .field("applied", &self.applied)
            .finish_non_exhaustive()
    }
}

impl Consensus {
    /// A node with what its disk gave back.
    ///
    /// # Errors
    /// [`Error::Settings`]; or [`Error::Version`], [`Error::Malformed`], [`Error::Log`] if the disk's bytes do not fit
    /// together. Then the node must not take part.
    pub fn recover(settings: Settings, now: Now, recovered: Recovered) -> Result<Self, Error> {
        settings.check()?;
        let Start { log, durable, hard_state, applied, is_first } =
            recover::read(&settings, recovered)?;
        let start = log.start().clone();
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config(&settings, start.index), log, &logger)
            .expect("the settings and the log were checked");
        let mut writes = Writes::new(durable);
        if is_first {
            writes.put_compact(start.clone());
            writes.put_hard_state(hard_state);
            writes.flush();
        }
        let life = mix(settings.seed, now.unix_ms);
        let mut node = Self {
            reads: Reads::new(settings.id, life),
            next_tick: now.instant.after(settings.tick()),
            drawn: (now.instant, hard_state.term, StateRole::Follower),
            members: BTreeMap::from([(start.index, start.members.clone())]),
            proposals: Proposals::default(),
            snapshots: Snapshots::default(),
            outputs: VecDeque::new(),
            applied: applied.max(start.index),
            told: applied.max(start.index),
            leader: (0, 0, false),
            halted: false,
            settings,
            raw,
            now,
            writes,
        };
        node.pin();
        if !start.members.voters.is_empty() {
            node.tell_members(start.index, None);
        }
        Ok(node)
    }

    /// Something happened.
    pub fn step(&mut self, now: Now, input: Input) {
        self.now = now;
        if self.halted {
            return;
        }
        match input {
            Input::Propose { id, data } => self.wish(id, Wish::Data(data)),
            Input::ChangeMembers { id, changes } => self.wish(id, Wish::Members(changes)),
            Input::ReadIndex { id } => self.read(id),
            Input::Message { from, message } => self.receive(from, message),
            Input::Persisted(id) => self.persisted(id),
            Input::Checkpointed { applied } => self.checkpointed(applied),
            Input::SnapshotReady { to, index } => self.snapshot_ready(to, index),
            Input::SnapshotSent { to, ok } => self.snapshot_sent(to, ok),
            Input::Unreachable { peer } => self.raw.report_unreachable(peer.0),
            Input::TransferLeader { to } => {
                if self.raw.raft.state == StateRole::Leader {
                    self.raw.transfer_leader(to.0);
                }
            }
            Input::Wake => self.wake(),
        }
        self.pin();
    }

    /// What the host shall do next. Everything that was stepped before the first `poll` goes into one write.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if self.halted || !self.pump() {
                return None;
            }
        }
    }

    /// When to step `Wake`. `None` when there is nobody to hear from or to talk to.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.halted {
            return None;
        }
        let leads_alone =
            self.raw.raft.state == StateRole::Leader && self.members().is_alone(self.settings.id);
        let tick = (!leads_alone).then_some(self.next_tick);
        tick.into_iter().chain(self.reads.deadline()).min()
    }

    /// Everything through here was handed out as `Apply` or `Advance`.
    #[must_use]
    pub fn applied(&self) -> LogIndex {
        LogIndex(self.told)
    }

    /// Through here the disk knows that entries are committed. A checkpoint of the tables that contains more is no
    /// harm: a restart raises its commit index to it.
    #[must_use]
    pub fn durable_commit(&self) -> LogIndex {
        LogIndex(self.writes.durable().commit)
    }

    /// The current term.
    #[must_use]
    pub fn term(&self) -> Term {
        Term(self.raw.raft.term)
    }

    /// The leader, as far as is known.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        known(self.raw.raft.leader_id)
    }

    /// Whether this node leads.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// How many entries of the log are missing: at whom, if this node leads; else here, of what it knows to be committed.
    #[must_use]
    pub fn behind(&self) -> Vec<(NodeId, u64)> {
        let log = &self.raw.raft.raft_log;
        if !self.is_leader() {
            return vec![(self.settings.id, log.committed.saturating_sub(self.applied))];
        }
        let last = log.last_index();
        let known = self.raw.raft.prs().iter();
        let mut behind: Vec<(NodeId, u64)> =
            known.map(|(id, known)| (NodeId(*id), last.saturating_sub(known.matched))).collect();
        behind.sort_unstable();
        behind
    }

    /// The members as of the newest applied entry.
    #[must_use]
    pub fn members(&self) -> &Members {
        let newest = self.members.last_key_value();
        newest.expect("compaction keeps the members it starts from").1
    }

    /// Whether a snapshot was taken over whose [`crate::Write::install`] is not durable yet.
    #[must_use]
    pub fn installs(&self) -> bool {
        self.writes.has_install()
    }

    /// Bytes of log in memory.
    #[must_use]
    pub fn log_bytes(&self) -> usize {
        self.raw.store().bytes()
    }

    fn read(&mut self, id: RequestId) {
        let deadline = self.now.instant.after(self.settings.read_timeout);
        if self.leader().is_none() && !self.alone_soon() || !self.reads.add(id, deadline) {
            self.outputs.push_back(Output::ReadFailed { id });
        }
    }

    /// The sole voter will lead as soon as its disk has answered: its reads may wait for that.
    fn alone_soon(&self) -> bool {
        self.members().is_sole_voter(self.settings.id)
    }

    fn receive(&mut self, from: NodeId, message: Message) {
        let gate = Gate {
            raw: &self.raw,
            has_unpersisted_log: self.writes.has_unpersisted_log(),
            has_install: self.writes.has_install(),
            log_bytes_max: self.settings.log_bytes_max,
        };
        let refuse = |why| Output::MessageRefused { from, why };
        match gate.verdict(from, &message) {
            Verdict::Take => {
                let message = message.into_engine(from.0, self.settings.id.0);
                if self.raw.step(message).is_err() {
                    // A reply of a node that is no member any more.
                    let why = MessageFault::Invalid("its sender is no member");
                    self.outputs.push_back(refuse(why));
                }
            }
            Verdict::Ignore => {}
            Verdict::Refuse(why) => self.outputs.push_back(refuse(why)),
            Verdict::Halt(reason) => self.halt(reason),
        }
    }

    fn halt(&mut self, reason: HaltReason) {
        self.halted = true;
        self.outputs.clear();
        self.outputs.push_back(Output::Halt(reason));
    }

    fn wake(&mut self) {
        let now = self.now.instant;
        for _ in 0..TICKS_AT_ONCE_MAX {
            if self.next_tick > now {
                break;
            }
            // A node that waits for its disk does not stand for election: it would lead with what it may yet lose.
            if self.is_leader() || !self.writes.has_unpersisted_log() {
                self.raw.tick();
                self.pin();
            }
            self.next_tick = self.next_tick.after(self.settings.tick());
        }
        if self.next_tick <= now {
            self.next_tick = now.after(self.settings.tick());
        }
        for id in self.reads.expired(now) {
            self.outputs.push_back(Output::ReadFailed { id });
        }
    }

    /// One look at the engine. False if there was nothing to do.
    fn pump(&mut self) -> bool {
        self.propose_gathered();
        self.campaign_if_alone();
        self.start_reads();
        self.pin();
        let had_ready = self.raw.has_ready();
        if had_ready {
            self.take_ready();
            self.pin();
        }
        self.step_down_if_removed();
        self.ask_for_snapshots();
        self.ask_for_checkpoint();
        self.tell_leader();
        self.outputs.extend(self.writes.start());
        had_ready || !self.outputs.is_empty()
    }

    fn campaign_if_alone(&mut self) {
        let raft = &self.raw.raft;
        if raft.state != StateRole::Leader
            && self.alone_soon()
            && !self.writes.has_unpersisted_log()
            && self.members_applied()
        {
            // It fails only for a node that cannot vote.
            let _ = self.raw.campaign();
        }
    }

    /// Whether everything committed was handed out: an entry behind may change who votes.
    fn members_applied(&self) -> bool {
        let log = &self.raw.raft.raft_log;
        log.applied() == log.committed
    }

    fn start_reads(&mut self) {
        let raft = &self.raw.raft;
        let under = Leadership { leader: raft.leader_id, term: raft.term };
        if under.leader == 0 {
            if !self.alone_soon() {
                for id in self.reads.all() {
                    self.outputs.push_back(Output::ReadFailed { id });
                }
            }
            return;
        }
        // The engine drops reads silently until the leader has committed an entry of its own term.
        if raft.state == StateRole::Leader && !raft.commit_to_current_term() {
            return;
        }
        let retry = self.settings.heartbeat_interval;
        if let Some(name) = self.reads.start(self.now.instant, under, retry) {
            self.raw.read_index(name);
        }
    }

    fn take_ready(&mut self) {
        let mut ready = self.raw.ready();
        let urgent = ready.must_sync();
        if let Some(state) = ready.hs() {
            self.writes.put_hard_state(HardState {
                term: state.term,
                vote: state.vote,
                commit: state.commit,
            });
        }
        if !ready.snapshot().is_empty() {
            self.take_snapshot(ready.snapshot().clone());
        }
        self.take_entries(&ready.take_entries());
        let nothing_to_wait_for = self.writes.note_ready(ready.number(), urgent);
        let term_is_durable = self.writes.durable().term == self.raw.raft.term;
        for message in ready.take_messages() {
            // A leader may send entries that are not yet on its own disk, but never in a term that is not: a sole voter
            // leads without asking, could crash, and would lead in the same term with other entries.
            self.send(message, !term_is_durable);
        }
        for message in ready.take_persisted_messages() {
            // These two speak of nothing that is written, and a read shall not take as long as the writes of a quorum.
            let is_of_read = [MessageType::MsgReadIndex, MessageType::MsgHeartbeatResponse]
                .contains(&message.msg_type);
            self.send(message, !(is_of_read && term_is_durable));
        }
        for state in ready.take_read_states() {
            for id in self.reads.confirmed(&state.request_ctx) {
                self.outputs.push_back(Output::ReadReady { id, index: LogIndex(state.index) });
            }
        }
        let committed = ready.take_committed_entries();
        let number = ready.number();
        self.raw.advance_append_async(ready);
        if nothing_to_wait_for {
            self.raw.on_persist_ready(number);
        }
        self.apply(&committed);
    }

    fn send(&mut self, message: raft::eraftpb::Message, after_persist: bool) {
        let to = NodeId(message.to);
        let Some(message) = Message::from_engine(message) else { return };
        let message = if after_persist { self.writes.hold(to, message) } else { Some(message) };
        if let Some(message) = message {
            self.send_now(to, message);
        }
    }

    fn send_now(&mut self, to: NodeId, message: Message) {
        self.outputs.push_back(match message.snapshot.as_ref().map(|meta| LogIndex(meta.index)) {
            Some(index) => Output::SendSnapshot { to, index, message },
            None => Output::Send { to, message },
        });
    }

    fn persisted(&mut self, id: WriteId) {
        let (done, free) = self.writes.persisted(id);
        for (to, message) in free {
            // What was said in an earlier term may speak of entries that a later leader has replaced since.
            if message.term == 0 || message.term >= self.raw.raft.term {
                self.send_now(to, message);
            }
        }
        if done.ready > 0 {
            self.raw.on_persist_ready(done.ready);
        }
        if let Some(meta) = done.install {
            self.installed(&meta);
        }
        if self.snapshots.checkpoint_after.is_some_and(|write| write <= id) {
            self.snapshots.checkpoint_after = None;
            self.outputs.push_back(Output::Checkpoint);
        }
    }

    /// Hands out what is committed and on disk here.
    fn apply(&mut self, entries: &[raft::eraftpb::Entry]) {
        let Some((last, term)) = entries.last().map(|entry| (entry.index, entry.term)) else {
            return;
        };
        for entry in entries {
            self.apply_one(entry);
        }
        self.raw.advance_apply_to(last);
        if self.told < last {
            self.outputs.push_back(Output::Advance { index: LogIndex(last), term: Term(term) });
            self.told = last;
        }
    }

    fn apply_one(&mut self, entry: &raft::eraftpb::Entry) {
        let outcome = self.proposals.committed(entry.index, entry.term);
        for id in outcome.lost {
            self.outputs.push_back(Output::Lost { id });
        }
        if entry.get_entry_type() != raft::eraftpb::EntryType::EntryNormal {
            self.change_members(entry, outcome.ours);
        } else if !entry.data.is_empty() && entry.index > self.applied {
            self.outputs.push_back(Output::Apply {
                index: LogIndex(entry.index),
                term: Term(entry.term),
                proposal: outcome.ours,
                data: entry.data.to_vec(),
            });
            self.told = entry.index;
        }
        // At start the entries that the tables contain pass by once more, for the members they changed.
        self.applied = self.applied.max(entry.index);
    }

    fn change_members(&mut self, entry: &raft::eraftpb::Entry, proposal: Option<base::ProposalId>) {
        let changes = crate::wire::changes_of(entry);
        let mut change = raft::eraftpb::ConfChangeV2::default();
        change
            .set_changes(changes.into_iter().map(MemberChange::single).collect::<Vec<_>>().into());
        // A change that makes no sense is one for every node alike, and changes nothing.
        if let Ok(state) = self.raw.apply_conf_change(&change) {
            self.members.insert(entry.index, Members::from_state(&state));
        }
        self.tell_members(entry.index, proposal);
    }

    pub(crate) fn tell_members(&mut self, index: u64, proposal: Option<base::ProposalId>) {
        let members = self.members().clone();
        self.outputs.push_back(Output::MembersChanged {
            index: LogIndex(index),
            proposal,
            members,
        });
    }

    fn step_down_if_removed(&mut self) {
        if self.is_leader() && !self.members().is_voter(self.settings.id) {
            let term = self.raw.raft.term;
            self.raw.raft.become_follower(term, 0);
            self.pin();
        }
    }

    fn tell_leader(&mut self) {
        let raft = &self.raw.raft;
        let leader = (raft.leader_id, raft.term, raft.state == StateRole::Leader);
        if leader != self.leader {
            self.leader = leader;
            if !leader.2 {
                self.forget_transfers();
            }
            self.outputs.push_back(Output::Leader {
                leader: known(leader.0),
                term: Term(leader.1),
                is_self: leader.2,
            });
        }
    }

    pub(crate) fn set_applied(&mut self, index: u64) {
        self.applied = index;
        self.told = index;
    }

    /// The engine draws its election timeout from the operating system whenever it resets itself. Put ours in its place
    /// after every call: a pure function of what can be replayed.
    pub(crate) fn pin(&mut self) {
        let raft = &mut self.raw.raft;
        let (_, term, role) = self.drawn;
        if (raft.term, raft.state) != (term, role) {
            self.drawn = (self.now.instant, raft.term, raft.state);
        }
        let least = self.settings.election_ticks();
        let at = mix(self.drawn.0.as_nanos(), self.drawn.1);
        let draw = mix(mix(self.settings.seed, self.settings.id.0), at);
        raft.set_randomized_election_timeout(least + (draw % least as u64) as usize);
    }
}

pub(crate) fn known(id: u64) -> Option<NodeId> {
    (id != 0).then_some(NodeId(id))
}

/// Spreads two numbers over all others (the finalizer of SplitMix64).
fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn config(settings: &Settings, applied: u64) -> Config {
    Config {
        id: settings.id.0,
        election_tick: settings.election_ticks(),
        heartbeat_tick: crate::settings::TICKS_PER_HEARTBEAT,
        applied,
        max_size_per_msg: APPEND_BYTES_MAX,
        max_inflight_msgs: APPENDS_IN_FLIGHT_MAX,
        check_quorum: true,
        pre_vote: true,
        read_only_option: ReadOnlyOption::Safe,
        max_committed_size_per_ready: APPLY_BYTES_MAX,
        ..Config::default()
    }
}
