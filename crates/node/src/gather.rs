//! A question whose answer is spread over all nodes: each of them has seen a part of the story in its own journal.
//!
//! The node that is asked tells what its own journal holds, asks those it has a link to, and merges what comes. Who does not
//! answer in time is named in the reply: a story that lacks a node's part must say so.

use crate::{Node, Reply, Said, Unavailable};
use base::{ConnectionId, Duration, Instant, NodeId, RequestId};
use journal::{Event, Subject};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How many questions may wait for other nodes; one more is answered "overloaded".
pub const GATHERINGS_MAX: usize = 64;
/// How long the others may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);
/// How many events a node gives to another at once.
const EVENTS_MAX: usize = 1000;

/// Between a node that was asked and the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GatherMessage {
    /// What does your journal hold about this? Lost: the asker's deadline comes.
    Ask {
        /// Names it, for the answer.
        question: u64,
        /// What it is about.
        subject: Subject,
        /// How many events at most, the newest.
        limit: u32,
    },
    /// This.
    Answer {
        /// As in `Ask`.
        question: u64,
        /// Oldest first.
        events: Vec<Event>,
        /// How many events the journal dropped since the node started.
        dropped: u64,
    },
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
    limit: usize,
    until: Instant,
    /// Who has not answered yet.
    awaited: BTreeSet<NodeId>,
    /// Who will not.
    silent: BTreeSet<NodeId>,
    journals: Vec<Vec<Event>>,
    dropped: u64,
}

impl Gatherings {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|gathering| gathering.until).min()
    }
}

impl Node {
    /// Asks everybody for what their journals hold about a subject.
    pub(crate) fn gather(
        &mut self,
        to: ConnectionId,
        id: RequestId,
        subject: Subject,
        limit: usize,
    ) {
        if self.gatherings.waiting.len() >= GATHERINGS_MAX {
            return self.reply(to, id, Reply::Unavailable(Unavailable::Overloaded));
        }
        let (events, dropped) = self.explain(&subject, limit);
        let gathering = Gathering {
            to,
            id,
            limit,
            until: self.now.instant.after(ANSWERED_WITHIN),
            awaited: self.peers.clone(),
            silent: self.members_unlinked(),
            journals: vec![events],
            dropped,
        };
        self.gatherings.last += 1;
        let question = self.gatherings.last;
        let limit = u32::try_from(limit.min(EVENTS_MAX)).expect("a small number");
        for peer in &gathering.awaited {
            let message = GatherMessage::Ask { question, subject: subject.clone(), limit };
            self.tell(*peer, Said::Gather(message));
        }
        self.gatherings.waiting.insert(question, gathering);
        self.settle_gathering(question);
    }

    pub(crate) fn gather_said(&mut self, from: NodeId, message: GatherMessage) {
        match message {
            GatherMessage::Ask { question, subject, limit } => {
                let (events, dropped) = self.explain(&subject, (limit as usize).min(EVENTS_MAX));
                let answer = GatherMessage::Answer { question, events, dropped };
                self.tell(from, Said::Gather(answer));
            }
            GatherMessage::Answer { question, mut events, dropped } => {
                let Some(gathering) = self.gatherings.waiting.get_mut(&question) else { return };
                if gathering.awaited.remove(&from) {
                    events.truncate(EVENTS_MAX);
                    gathering.journals.push(events);
                    gathering.dropped = gathering.dropped.saturating_add(dropped);
                    self.settle_gathering(question);
                }
            }
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
        if !self.gatherings.waiting[&question].awaited.is_empty() {
            return;
        }
        let Gathering { to, id, limit, silent, journals, dropped, .. } =
            self.gatherings.waiting.remove(&question).expect("looked at above");
        let mut events = journal::merge(journals);
        events.drain(..events.len().saturating_sub(limit));
        let silent = silent.into_iter().collect();
        self.reply(to, id, Reply::Events { events, dropped, silent });
    }

    /// Members of the Raft group with which there is no link.
    fn members_unlinked(&self) -> BTreeSet<NodeId> {
        let Some(engine) = &self.consensus else { return BTreeSet::new() };
        let members = engine.members();
        let all = members.voters.iter().chain(&members.learners).copied();
        all.filter(|node| *node != self.id && !self.peers.contains(node)).collect()
    }
}
