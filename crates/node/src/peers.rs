//! Other nodes: what is said to them, and what they ask of this one.
//!
//! A write may come to any node. The one that takes it makes the command (time, who asks) and hands it to the leader;
//! each entry carries its origin, so whoever asked knows its own entry when it is applied *here*, and answers with the
//! outcome that its own state came to. So there is no message that says "it is done": it could be lost, and it could
//! come before this node can show what was written.
//!
//! Every message carries its sender's hybrid time, and the receiver's clock follows it. Two things rest on that, whatever the
//! wall clocks of the nodes say: the merged journals list a cause before its effects, and a client that goes from one node to
//! another, and drops lists that look older than the one it has, is not left with an old one. A time that is too far ahead is
//! not followed (see [`base::HybridClock`]); it is counted, and told once while there is a link to that node.

use crate::{
    Node, Output, Phase, Reply, Unavailable,
    command::Entry,
    gather::GatherMessage,
    proposals::{PROPOSALS_MAX, Sent, Waiter},
};
use base::{Duration, HybridTime, Instant, NodeId, ProposalId, Term};
use cluster::{Address, Introduction};
use journal::{Cause, Kind, Subject};
use serde::{Deserialize, Serialize};

/// Version of the encoding; the first byte of every message.
const VERSION: u8 = 2;

/// One message between two nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerMessage {
    /// The sender's hybrid time: all that it had shown or filed by then is earlier than what follows at the receiver.
    pub at: HybridTime,
    /// What it says.
    pub said: Said,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Raft's. Each may be lost.
    Consensus(consensus::Message),
    /// The registry's. In order, or the link breaks.
    Naming(naming::PeerMessage),
    /// Who is in the cluster and alive, and who may come. Each may be lost.
    Cluster(cluster::Message),
    /// Questions about the journal and the clients of a node, and answers. Each may be lost.
    Gather(GatherMessage),
    /// About writes that another node leads. Lost: the asker's deadline comes.
    Proposal(ProposalMessage),
}

/// About a write on its way from the node that took it to the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProposalMessage {
    /// Bring this into the log.
    Propose {
        /// What the asker calls it.
        proposal: ProposalId,
        /// In which the asker knows the receiver to lead. In another one the outcome of an earlier attempt could not be
        /// told from that of this one.
        term: Term,
        /// The entry.
        entry: Vec<u8>,
    },
    /// It is not in the log, and will not be.
    NotProposed {
        /// Which.
        proposal: ProposalId,
        /// Why.
        why: NotProposed,
    },
    /// It was in the log and may be applied, or not: a snapshot jumped over it.
    Unknown {
        /// Which.
        proposal: ProposalId,
    },
}

/// Why a write did not get into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotProposed {
    /// The receiver does not lead, or not any more.
    NotLeader,
    /// The leader is at a limit.
    Overloaded,
    /// The leader's disk is full.
    DiskFull,
    /// The leader's build cannot read the entry.
    Unreadable,
}

impl From<NotProposed> for Unavailable {
    fn from(why: NotProposed) -> Self {
        match why {
            NotProposed::NotLeader => Self::NoLeader,
            NotProposed::Overloaded | NotProposed::Unreadable => Self::Overloaded,
            NotProposed::DiskFull => Self::DiskFull,
        }
    }
}

/// How soon a message has to leave: a long state must not hold up a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Votes, heartbeats, acknowledgements.
    Urgent,
    /// Entries and records.
    Bulk,
}

impl Said {
    /// On which lane it travels. Messages on one lane keep their order.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::Consensus(message) if message.entries() == 0 => Lane::Urgent,
            Self::Cluster(message) => match message.lane() {
                cluster::MessageLane::Urgent => Lane::Urgent,
                cluster::MessageLane::Bulk => Lane::Bulk,
            },
            // A client waits for it.
            Self::Naming(message) if message.is_awaited() => Lane::Urgent,
            Self::Consensus(_) | Self::Naming(_) | Self::Proposal(_) | Self::Gather(_) => {
                Lane::Bulk
            }
        }
    }

    /// Which it is; after the version and the time.
    fn kind(&self) -> u8 {
        match self {
            Self::Consensus(_) => 0,
            Self::Naming(_) => 1,
            Self::Proposal(_) => 2,
            Self::Cluster(_) => 3,
            Self::Gather(_) => 4,
        }
    }

    fn decode(kind: u8, bytes: &[u8]) -> Result<Self, String> {
        match kind {
            0 => consensus::Message::decode(bytes)
                .map(Self::Consensus)
                .map_err(|error| error.to_string()),
            1 => postcard::from_bytes(bytes)
                .map(Self::Naming)
                .map_err(|error| format!("a message of the registry: {error}")),
            2 => postcard::from_bytes(bytes)
                .map(Self::Proposal)
                .map_err(|error| format!("a message about a proposal: {error}")),
            3 => cluster::Message::decode(bytes)
                .map(Self::Cluster)
                .map_err(|error| error.to_string()),
            4 => postcard::from_bytes(bytes)
                .map(Self::Gather)
                .map_err(|error| format!("a question or an answer of all nodes: {error}")),
            kind => Err(format!("a message of unknown kind {kind}")),
        }
    }
}

impl PeerMessage {
    /// To be dated when it leaves.
    pub(crate) fn unsent(said: Said) -> Self {
        Self { at: HybridTime::default(), said }
    }

    /// On which lane it travels. Messages on one lane keep their order.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.said.lane()
    }

    /// As it travels: version, time in 8 bytes (little-endian), kind, what is said.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_onto(Vec::new())
    }

    /// As it travels, behind the bytes that are there: a long one is not to be copied once more.
    #[must_use]
    pub fn encode_onto(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        const PLAIN: &str = "a message is plain data and memory does not refuse it";
        bytes.push(VERSION);
        bytes.extend(self.at.0.to_le_bytes());
        bytes.push(self.said.kind());
        match &self.said {
            Said::Consensus(message) => message.encode_onto(bytes),
            Said::Cluster(message) => [bytes, message.encode()].concat(),
            Said::Naming(message) => postcard::to_extend(message, bytes).expect(PLAIN),
            Said::Proposal(message) => postcard::to_extend(message, bytes).expect(PLAIN),
            Said::Gather(message) => postcard::to_extend(message, bytes).expect(PLAIN),
        }
    }

    /// Reads a message. The time may be any: whether it is followed is decided where a clock is.
    ///
    /// # Errors
    /// What is wrong with the bytes: of another version, or not of a node of ours.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let rest = match bytes.split_first() {
            Some((&VERSION, rest)) => rest,
            Some((version, _)) => {
                return Err(format!("a message of version {version}, this build reads {VERSION}"));
            }
            None => return Err("an empty message".to_owned()),
        };
        let Some((time, [kind, said @ ..])) = rest.split_first_chunk() else {
            return Err("a message that ends before it says anything".to_owned());
        };
        let at = HybridTime(u64::from_le_bytes(*time));
        Ok(Self { at, said: Said::decode(*kind, said)? })
    }
}

impl Node {
    pub(crate) fn peer_up(&mut self, address: Address, peer: Introduction) {
        let node = peer.node;
        self.peers.insert(node);
        self.cluster.step(self.now, cluster::Input::PeerUp { address, peer });
        self.naming.step(self.now, naming::Input::PeerUp(node));
        self.send_held();
    }

    pub(crate) fn peer_down(&mut self, peer: NodeId) {
        if self.peers.remove(&peer) {
            self.cluster.step(self.now, cluster::Input::PeerDown(peer));
            self.naming.step(self.now, naming::Input::PeerDown(peer));
            self.engine(consensus::Input::Unreachable { peer });
            self.gather_without(peer);
            self.ahead.remove(&peer);
        }
    }

    pub(crate) fn tell(&mut self, to: NodeId, said: Said) {
        self.outputs.push_back(Output::Peer { to, message: PeerMessage::unsent(said) });
    }

    /// Dates what leaves. Not earlier than now: what this step has filed and listed meanwhile shall be before whatever the
    /// message leads to. And each a tick later than all before it, so that a node that says nothing else carries its wall
    /// clock to the others by its heartbeats: versions of lists are milliseconds, and equal ones look old.
    pub(crate) fn dated(&mut self, mut output: Output) -> Output {
        if let Output::Peer { message, .. } | Output::SendSnapshot { message, .. } = &mut output {
            message.at = self.naming.time_to_say(self.now);
        }
        output
    }

    /// What follows from a message is later than what led to it.
    fn follow(&mut self, from: NodeId, at: HybridTime) {
        if self.naming.observe(self.now, at) {
            return;
        }
        self.tally.times_not_followed += 1;
        if self.ahead.insert(from) {
            let ahead = Duration::from_millis(at.unix_ms().saturating_sub(self.now.unix_ms));
            let why = format!(
                "the time of {from} is {} days ahead of the wall clock here, which follows no further than one: set the clocks",
                ahead.as_secs() / 86_400
            );
            self.file(Kind::Refused(why.into()), Subject::Node);
        }
    }

    pub(crate) fn peer_said(&mut self, from: NodeId, PeerMessage { at, said }: PeerMessage) {
        self.cause = Cause::Peer(from);
        self.follow(from, at);
        self.cluster.step(self.now, cluster::Input::Heard(from));
        match said {
            Said::Cluster(message) => {
                self.cluster.step(self.now, cluster::Input::Peer { from, message });
            }
            Said::Consensus(message) => {
                self.engine(consensus::Input::Message { from, message });
            }
            Said::Gather(message) => self.gather_said(from, message),
            Said::Naming(message) => {
                self.naming.step(self.now, naming::Input::Peer { from, message });
            }
            Said::Proposal(ProposalMessage::Propose { proposal, term, entry }) => {
                if let Err(why) = self.propose_for(from, proposal, term, entry) {
                    self.answer_proposal(from, ProposalMessage::NotProposed { proposal, why });
                }
            }
            Said::Proposal(ProposalMessage::NotProposed { proposal, why }) => {
                self.not_in_the_log(proposal, why);
            }
            Said::Proposal(ProposalMessage::Unknown { proposal }) => {
                self.settle(proposal, Reply::Unavailable(Unavailable::OutcomeUnknown));
            }
        }
    }

    /// Sends a complete entry to whoever leads, this node too; if nobody is known to, it waits for that.
    pub(crate) fn send_proposal(
        &mut self,
        proposal: ProposalId,
        began: Instant,
        waiter: Waiter,
        entry: Vec<u8>,
    ) {
        let Some(leader) = self.leader.filter(|node| *node == self.id || self.peers.contains(node))
        else {
            if let Err(Waiter { to, id }) = self.proposals.hold(proposal, began, waiter, entry) {
                self.reply(to, id, Reply::Unavailable(Unavailable::Overloaded));
            }
            return;
        };
        let (term, remote) = (self.term, leader != self.id);
        // Who is alone has no other leader to go to.
        let copy = (!self.standing.sole_voter).then(|| entry.clone());
        let sent = Sent { waiter, began, term, remote, entry: copy };
        if let Err(Waiter { to, id }) = self.proposals.sent(proposal, sent) {
            self.reply(to, id, Reply::Unavailable(Unavailable::Overloaded));
        } else if remote {
            self.answer_proposal(leader, ProposalMessage::Propose { proposal, term, entry });
        } else {
            self.engine(consensus::Input::Propose { id: proposal, data: entry });
        }
    }

    /// What waited for a leader goes to the one that is known now.
    pub(crate) fn send_held(&mut self) {
        if self.leader.is_some() {
            for ((began, proposal), (waiter, entry)) in self.proposals.take_held() {
                self.send_proposal(proposal, began, waiter, entry);
            }
        }
    }

    /// An entry of this term is applied: what was sent to the leaders of earlier ones and is not applied never will be.
    pub(crate) fn propose_again(&mut self, term: Term) {
        if term > self.applied_term {
            self.applied_term = term;
            for proposal in self.proposals.sent_before(term) {
                self.not_in_the_log(proposal, NotProposed::NotLeader);
            }
        }
    }

    /// A proposal of this node will not be in the log. If another leader may take it, it waits for that one.
    fn not_in_the_log(&mut self, proposal: ProposalId, why: NotProposed) {
        let Some(Sent { waiter, began, term, entry, .. }) = self.proposals.take_sent(proposal)
        else {
            return;
        };
        let Waiter { to, id } = waiter;
        let (NotProposed::NotLeader, Some(entry)) = (why, entry) else {
            return self.reply(to, id, Reply::Unavailable(why.into()));
        };
        let Entry { mut origin, command } = Entry::decode(&entry).expect("this node encoded it");
        origin.proposal = self.proposals.next_id();
        let entry = Entry { origin, command }.encode();
        let held = self.proposals.hold(origin.proposal, began, waiter, entry);
        if held.is_err() {
            return self.reply(to, id, Reply::Unavailable(Unavailable::Overloaded));
        }
        // The one that did not take it is not asked again: who leads next, or in another term, is.
        if self.term > term {
            self.send_held();
        }
    }

    /// Brings another node's entry into the log.
    fn propose_for(
        &mut self,
        from: NodeId,
        proposal: ProposalId,
        term: Term,
        entry: Vec<u8>,
    ) -> Result<(), NotProposed> {
        if self.leader != Some(self.id) || self.term != term || self.phase == Phase::Restoring {
            return Err(NotProposed::NotLeader);
        }
        if self.disk_full {
            return Err(NotProposed::DiskFull);
        }
        if self.forwarded.len() >= PROPOSALS_MAX {
            return Err(NotProposed::Overloaded);
        }
        // An entry that this build cannot apply would stop it once it is committed.
        Entry::decode(&entry).map_err(|_| NotProposed::Unreadable)?;
        let id = self.proposals.next_id();
        self.forwarded.insert(id, (from, proposal));
        self.engine(consensus::Input::Propose { id, data: entry });
        Ok(())
    }

    /// The engine has decided against a proposal: tells whoever asked.
    pub(crate) fn not_proposed(&mut self, id: ProposalId, why: NotProposed) {
        match self.forwarded.remove(&id) {
            Some((to, proposal)) => {
                self.answer_proposal(to, ProposalMessage::NotProposed { proposal, why });
            }
            None => self.not_in_the_log(id, why),
        }
    }

    /// Nobody can know what became of a proposal.
    pub(crate) fn outcome_unknown(&mut self, id: ProposalId) {
        match self.forwarded.remove(&id) {
            Some((to, proposal)) => {
                self.answer_proposal(to, ProposalMessage::Unknown { proposal });
            }
            None => self.settle(id, Reply::Unavailable(Unavailable::OutcomeUnknown)),
        }
    }

    fn answer_proposal(&mut self, to: NodeId, message: ProposalMessage) {
        self.tell(to, Said::Proposal(message));
    }
}
