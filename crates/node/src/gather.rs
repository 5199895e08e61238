//! A question whose answer is spread over all nodes: each of them has seen a part of a story in its own journal, and serves
//! clients of its own.
//!
//! The node that is asked asks those it has a link to, and itself, and merges what comes. Who does not answer in time is
//! named in the reply: an answer that lacks a node's part must say so.

use crate::{Node, Output, Reply, Said, Unavailable};
use base::{ConnectionId, Duration, Instant, NodeId, RequestId};
use cluster::{Crowd, Shift};
use journal::{Event, Subject};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How many questions may wait for other nodes; one more is answered "overloaded".
pub const GATHERINGS_MAX: usize = 64;
/// How long the others may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// How many events a node gives to another at once.
const EVENTS_MAX: usize = 1000;
/// How many shifts a node takes at once.
const SHIFTS_MAX: usize = 1000;

/// Between a node that was asked and the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatherMessage {
    /// Lost: the asker's deadline comes.
    Ask {
        /// Names it, for the answer.
        question: u64,
        /// What is asked.
        inquiry: Inquiry,
    },
    /// Lost: the asker's deadline comes.
    Answer {
        /// As in `Ask`.
        question: u64,
        /// What came of it.
        part: Part,
    },
}

/// What one node asks another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inquiry {
    /// What does your journal hold about this?
    Journal {
        /// What it is about.
        subject: Subject,
        /// How many events at most, the newest.
        limit: u32,
    },
    /// What do you know of your clients?
    Clients(ClientsInquiry),
}

/// A question to the clients' sessions of a node; only its host can answer it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientsInquiry {
    /// How many are there?
    Count,
    /// Ask so many of them to go, each shift from the node that is asked. It takes the place of what is left of an earlier
    /// one.
    Move(Vec<Shift>),
}

/// What one node answers another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// To `Journal`.
    Journal {
        /// Oldest first.
        events: Vec<Event>,
        /// How many events the journal dropped since the node started.
        dropped: u64,
    },
    /// To `Clients(Count)`.
    Crowd(Crowd),
    /// To `Clients(Move)`: so many clients are being asked to go.
    Moved(u32),
}

/// The questions that wait for other nodes.
#[derive(Debug, Default)]
pub(crate) struct Gatherings {
    last: u64,
    waiting: BTreeMap<u64, Gathering>,
}

#[derive(Debug)]
struct Gathering {
    to: ConnectionId,
    id: RequestId,
    wanted: Wanted,
    until: Instant,
    /// Who has not answered yet.
    awaited: BTreeSet<NodeId>,
    /// Who will not.
    silent: BTreeSet<NodeId>,
    parts: BTreeMap<NodeId, Part>,
}

/// What the parts are merged to.
#[derive(Debug)]
enum Wanted {
    Events { limit: usize },
    Crowds,
    Moves,
}

impl Gatherings {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|gathering| gathering.until).min()
    }
}

impl Node {
    /// Asks everybody for what their journals hold about a subject.
    pub(crate) fn gather_events(
        &mut self,
        to: ConnectionId,
        id: RequestId,
        subject: Subject,
        limit: usize,
    ) {
        let wire_limit = u32::try_from(limit.min(EVENTS_MAX)).expect("a small number");
        let inquiry = Inquiry::Journal { subject, limit: wire_limit };
        let asked = self.everybody().map(|node| (node, inquiry.clone())).collect();
        self.gather(to, id, Wanted::Events { limit }, asked);
    }

    /// Asks everybody for how many clients they serve.
    pub(crate) fn gather_crowds(&mut self, to: ConnectionId, id: RequestId) {
        let inquiry = Inquiry::Clients(ClientsInquiry::Count);
        let asked = self.everybody().map(|node| (node, inquiry.clone())).collect();
        self.gather(to, id, Wanted::Crowds, asked);
    }

    /// Has nodes ask some of their clients to go elsewhere.
    pub(crate) fn shift_clients(&mut self, to: ConnectionId, id: RequestId, shifts: &[Shift]) {
        let mut by_giver: BTreeMap<NodeId, Vec<Shift>> = BTreeMap::new();
        for shift in shifts {
            by_giver.entry(shift.from).or_default().push(*shift);
        }
        let inquiry = |shifts| Inquiry::Clients(ClientsInquiry::Move(shifts));
        let asked = by_giver.into_iter().map(|(node, shifts)| (node, inquiry(shifts))).collect();
        self.gather(to, id, Wanted::Moves, asked);
    }

    fn gather(
        &mut self,
        to: ConnectionId,
        id: RequestId,
        wanted: Wanted,
        asked: BTreeMap<NodeId, Inquiry>,
    ) {
        if self.gatherings.waiting.len() >= GATHERINGS_MAX {
            return self.reply(to, id, Reply::Unavailable(Unavailable::Overloaded));
        }
        let reached = |node: &NodeId| *node == self.id || self.peers.contains(node);
        let (awaited, silent) = asked.keys().partition(|node| reached(node));
        let until = self.now.instant.after(ANSWERED_WITHIN);
        let parts = BTreeMap::new();
        self.gatherings.last += 1;
        let question = self.gatherings.last;
        let gathering = Gathering { to, id, wanted, until, awaited, silent, parts };
        self.gatherings.waiting.insert(question, gathering);
        for (node, inquiry) in asked {
            if node == self.id {
                self.inquired(node, question, inquiry);
            } else if self.peers.contains(&node) {
                self.tell(node, Said::Gather(GatherMessage::Ask { question, inquiry }));
            }
        }
        self.settle_gathering(question);
    }

    pub(crate) fn gather_said(&mut self, from: NodeId, message: GatherMessage) {
        match message {
            GatherMessage::Ask { question, inquiry } => self.inquired(from, question, inquiry),
            GatherMessage::Answer { question, part } => self.answered(from, question, part),
        }
    }

    /// The host's answer to `Output::Clients`.
    pub(crate) fn clients_told(&mut self, asker: NodeId, question: u64, part: Part) {
        self.answer_inquiry(asker, question, part);
    }

    /// A node wants to know something; this one, too, may be the one that does.
    fn inquired(&mut self, asker: NodeId, question: u64, inquiry: Inquiry) {
        match inquiry {
            Inquiry::Journal { subject, limit } => {
                let (events, dropped) = self.explain(&subject, (limit as usize).min(EVENTS_MAX));
                self.answer_inquiry(asker, question, Part::Journal { events, dropped });
            }
            Inquiry::Clients(mut inquiry) => {
                if let ClientsInquiry::Move(shifts) = &mut inquiry {
                    shifts.truncate(SHIFTS_MAX);
                }
                self.outputs.push_back(Output::Clients { asker, question, inquiry });
            }
        }
    }

    fn answer_inquiry(&mut self, asker: NodeId, question: u64, part: Part) {
        if asker == self.id {
            return self.answered(asker, question, part);
        }
        self.tell(asker, Said::Gather(GatherMessage::Answer { question, part }));
    }

    fn answered(&mut self, from: NodeId, question: u64, part: Part) {
        let Some(gathering) = self.gatherings.waiting.get_mut(&question) else { return };
        if gathering.awaited.remove(&from) {
            gathering.parts.insert(from, part);
            self.settle_gathering(question);
        }
    }

    /// A link is gone: its node will not answer.
    pub(crate) fn gather_without(&mut self, peer: NodeId) {
        let questions: Vec<u64> = self.gatherings.waiting.keys().copied().collect();
        for question in questions {
            let gathering = self.gatherings.waiting.get_mut(&question).expect("listed above");
            if gathering.awaited.remove(&peer) {
                gathering.silent.insert(peer);
                self.settle_gathering(question);
            }
        }
    }

    /// Answers what has waited long enough.
    pub(crate) fn expire_gatherings(&mut self) {
        let now = self.now.instant;
        let late = self.gatherings.waiting.iter().filter(|(_, each)| each.until <= now);
        let late: Vec<u64> = late.map(|(question, _)| *question).collect();
        for question in late {
            let gathering = self.gatherings.waiting.get_mut(&question).expect("listed above");
            let awaited = std::mem::take(&mut gathering.awaited);
            gathering.silent.extend(awaited);
            self.settle_gathering(question);
        }
    }

    /// Replies if nobody is waited for any more.
    fn settle_gathering(&mut self, question: u64) {
        let settled = self.gatherings.waiting.get(&question).is_some_and(|g| g.awaited.is_empty());
        if !settled {
            return;
        }
        let Gathering { to, id, wanted, silent, parts, .. } =
            self.gatherings.waiting.remove(&question).expect("looked at above");
        self.reply(to, id, wanted.merge(parts, silent));
    }

    /// This node, its peers, and the members of the Raft group with which there is no link.
    fn everybody(&self) -> impl Iterator<Item = NodeId> {
        let members = self.consensus.as_ref().map(|engine| engine.members());
        let members =
            members.iter().flat_map(|all| all.voters.iter().chain(&all.learners).copied());
        let all: BTreeSet<NodeId> =
            self.peers.iter().copied().chain([self.id]).chain(members).collect();
        all.into_iter()
    }
}

impl Wanted {
    /// One reply of all parts. Who answered something else than it was asked is silent.
    fn merge(self, parts: BTreeMap<NodeId, Part>, mut silent: BTreeSet<NodeId>) -> Reply {
        let (mut journals, mut dropped) = (Vec::new(), 0_u64);
        let (mut crowds, mut moved) = (Vec::new(), 0_u64);
        for (node, part) in parts {
            match (&self, part) {
                (Self::Events { .. }, Part::Journal { mut events, dropped: lost }) => {
                    events.truncate(EVENTS_MAX);
                    journals.push(events);
                    dropped = dropped.saturating_add(lost);
                }
                (Self::Crowds, Part::Crowd(crowd)) => crowds.push(Crowd { node, ..crowd }),
                (Self::Moves, Part::Moved(clients)) => moved += u64::from(clients),
                (Self::Events { .. } | Self::Crowds | Self::Moves, other) => {
                    let (Part::Journal { .. } | Part::Crowd(_) | Part::Moved(_)) = other;
                    silent.insert(node);
                }
            }
        }
        let silent = silent.into_iter().collect();
        match self {
            Self::Events { limit } => {
                let mut events = journal::merge(journals);
                events.drain(..events.len().saturating_sub(limit));
                Reply::Events { events, dropped, silent }
            }
            Self::Crowds => Reply::Crowds { crowds, silent },
            Self::Moves => Reply::Moved { clients: moved, silent },
        }
    }
}
