//! Composing messages: what is asked for, and news as far as there is room.

use crate::{
    Address, Body, CONFIRMERS_LEN_MAX, Event, Gossip, Lane, Member, Message, OUTPUTS_LEN_MAX,
    Output, State, UPDATES_LEN_MAX, Update, wire,
};
use alloc::vec::Vec;
use base::{NodeId, Now};

/// So many pieces that are too long for what is left of a message are passed over in search of a shorter one.
const TOO_LONG_MAX: usize = 4;
/// What the length of the list of updates takes beyond the one byte of an empty list.
const LIST_LEN_BYTES: usize = 1;

impl Gossip {
    /// Sends to a member at the address in its record.
    pub(crate) fn send_to(&mut self, to: NodeId, body: Body) {
        let Some(member) = self.table.get(to) else { return };
        let address = member.record.address().clone();
        self.send(Some(to), address, body);
    }

    /// Sends, and lets news travel along if the message may be a datagram.
    pub(crate) fn send(&mut self, to: Option<NodeId>, address: Address, body: Body) {
        let lane = match &body {
            Body::Probe { .. }
            | Body::Ack { .. }
            | Body::IndirectProbe { .. }
            | Body::Nack { .. }
            | Body::Gossip => Lane::Urgent,
            Body::Digest(_) | Body::Summary(_) | Body::Delta(_) => Lane::Bulk,
        };
        let mut message = self.message(body);
        // Lifeguard's buddy system: whoever is suspected is told first, since only it can refute.
        let told = to.and_then(|to| self.to_be_told(to, &address));
        message.updates.extend(told);
        if lane == Lane::Urgent {
            self.add_news(&mut message, to);
        }
        self.output_send(to, address, message, lane);
    }

    /// Answers one who has a wrong idea of this node.
    pub(crate) fn send_own(&mut self, to: NodeId, address: Address) {
        let mut message = self.message(Body::Gossip);
        message.updates.push(Update::Member(self.own.clone()));
        self.output_send(Some(to), address, message, Lane::Urgent);
    }

    /// Passes news on to a few.
    pub(crate) fn gossip(&mut self, now: Now) {
        let wanted = self.settings.gossip_fanout;
        for node in self.table.pick(&mut self.rng, wanted, |_| true) {
            if !self.spread.is_empty() {
                self.send_to(node, Body::Gossip);
            }
        }
        let again = !self.spread.is_empty() && self.table.present_len() > 0;
        self.timers.gossip = again.then(|| now.instant.after(self.settings.gossip_interval));
    }

    /// There is news about this member: of its record, or only of how it stands.
    pub(crate) fn spread(&mut self, now: Now, node: NodeId, record: bool) {
        self.spread.add(node, record);
        self.plan_gossip(now);
    }

    /// The first time is chosen at random, so that nodes which learn something together do not tell it together.
    pub(crate) fn plan_gossip(&mut self, now: Now) {
        if self.timers.gossip.is_none() && !self.spread.is_empty() && self.table.present_len() > 0 {
            let wait = self.up_to(self.settings.gossip_interval);
            self.timers.gossip = Some(now.instant.after(wait));
        }
    }

    fn message(&self, body: Body) -> Message {
        Message { cluster: self.settings.cluster, from: self.own.node(), body, updates: Vec::new() }
    }

    /// What one should know of its own image: that it is accused, or that it is listed elsewhere than where it is. The
    /// latter is how a node whose id is used twice hears of it.
    fn to_be_told(&self, node: NodeId, address: &Address) -> Option<Update> {
        let member = self.table.get(node)?;
        match member.state {
            State::Suspect | State::Down => Some(self.news(member)),
            State::Alive if member.record.description.addresses.contains(address) => None,
            State::Alive => Some(self.news(member)),
            State::Left => None,
        }
    }

    /// What to say of a member now. Suspicions and ends go without the record: who hears them has it, or has no use for
    /// them.
    fn news(&self, member: &Member) -> Update {
        let (node, generation, incarnation) =
            (member.node(), member.generation(), member.incarnation);
        match member.state {
            State::Alive | State::Left => Update::Member(member.clone()),
            State::Suspect => {
                let suspicion = self.suspicions.get(node).expect("a suspect has a suspicion");
                let by = suspicion.by().iter().copied().take(CONFIRMERS_LEN_MAX).collect();
                Update::Suspect { node, generation, incarnation, by }
            }
            State::Down => Update::Down { node, generation, incarnation },
        }
    }

    fn add_news(&mut self, message: &mut Message, to: Option<NodeId>) {
        let frame = message.encoded_len() + LIST_LEN_BYTES;
        let mut left = self.settings.datagram_bytes_max.saturating_sub(frame);
        let mut too_long = 0;
        let mut sent = Vec::new();
        for node in self.spread.iter() {
            if too_long == TOO_LONG_MAX || message.updates.len() + 2 > UPDATES_LEN_MAX {
                break;
            }
            // Nobody needs to be told what it said itself, and what it is accused of is in front already.
            if Some(node) == to {
                continue;
            }
            let member =
                if node == self.own.node() { Some(&self.own) } else { self.table.get(node) };
            let member = member.expect("who is forgotten is no news any more");
            // A suspicion says nothing of the record, and must not stand in the way of one.
            let record = (member.state == State::Suspect && self.spread.tells_record(node))
                .then(|| Update::Member(Member { state: State::Alive, ..member.clone() }));
            let updates = record.into_iter().chain([self.news(member)]);
            let updates: Vec<Update> = updates.collect();
            let bytes: usize = updates.iter().map(wire::size).sum();
            if bytes > left {
                too_long += 1;
                continue;
            }
            left -= bytes;
            message.updates.extend(updates);
            sent.push(node);
        }
        let sent_max = self.settings.retransmit_max(self.present_len());
        for node in sent {
            self.spread.sent(node, sent_max);
        }
    }

    fn output_send(&mut self, to: Option<NodeId>, address: Address, message: Message, lane: Lane) {
        let large = lane == Lane::Bulk && message.encoded_len() >= self.settings.compress_bytes_min;
        self.output(Output::Send { to, address, message, lane, large });
    }

    pub(crate) fn output(&mut self, output: Output) {
        if self.outputs.len() < OUTPUTS_LEN_MAX {
            self.outputs.push_back(output);
            return;
        }
        self.counters.outputs_dropped += 1;
        match output {
            Output::Send { .. } => {}
            Output::Changed { .. } | Output::Event(_) => self.overflowed = true,
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.output(Output::Event(event));
    }
}
