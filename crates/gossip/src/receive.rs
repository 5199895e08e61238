//! A message comes in.

use crate::{Address, Body, Error, Event, Gossip, Message, Standing, State, Update, learn::Via};
use base::{NodeId, Now};

impl Gossip {
    pub(crate) fn received(&mut self, now: Now, from: Address, message: Message) {
        if self.standing != Standing::Active {
            return;
        }
        if message.cluster != self.settings.cluster {
            self.refuse(Some(from), Error::Cluster { from: message.from });
            return;
        }
        if let Err(error) = message.check() {
            self.refuse(Some(from), error);
            return;
        }
        if message.from == self.own.node() {
            self.received_from_own_id(now, from, message);
            return;
        }
        let Message { from: sender, body, updates, cluster: _ } = message;
        let mut mistaken = false;
        for update in updates {
            mistaken |= self.learn(now, sender, update, Via::Infection);
        }
        // The ack says already what is to be said of the sender.
        let told = matches!(body, Body::Probe { .. });
        mistaken |= self.take(now, (sender, from.clone()), body);
        if mistaken {
            self.send_own(sender, from);
        } else {
            self.greet(now, sender, from, told);
        }
    }

    fn take(&mut self, now: Now, sender: (NodeId, Address), body: Body) -> bool {
        let (from, address) = sender;
        match body {
            Body::Probe { seq, target } => self.probed(from, address, seq, target),
            Body::Ack { seq } => self.acked(from, seq),
            Body::IndirectProbe { seq, target, address: target_address } => {
                self.asked(now, (from, address), seq, (target, target_address));
            }
            Body::Nack { seq } => self.nacked(from, seq),
            Body::Gossip => {}
            Body::Digest(digest) => {
                self.joining = self.table.present_len() == 0;
                self.compare_digest(now, (from, address), digest);
            }
            Body::Summary(summary) => self.compare_summary((from, address), &summary),
            Body::Delta(delta) => {
                self.joining = self.table.present_len() == 0;
                let mistaken = self.take_delta(now, (from, address), delta);
                self.joining = false;
                return mistaken;
            }
        }
        self.joining = false;
        false
    }

    /// One who is not listed as present talks: let it know, or get to know it. An exchange costs more than a word, so
    /// strangers get one per gossip interval.
    fn greet(&mut self, now: Now, sender: NodeId, address: Address, told: bool) {
        let state = self.table.get(sender).map(|member| member.state);
        match state {
            Some(State::Alive | State::Suspect) => {}
            Some(State::Down) if told => {}
            Some(State::Down) => self.send(Some(sender), address, Body::Gossip),
            Some(State::Left) | None => {
                if self.greet_after <= now.instant {
                    self.greet_after = now.instant.after(self.settings.gossip_interval);
                    self.begin_exchange(Some(sender), address);
                }
            }
        }
    }

    /// A seed may be this node under another name; or there is another node with this id.
    fn received_from_own_id(&mut self, now: Now, from: Address, message: Message) {
        let Message { from: sender, body, updates, cluster: _ } = message;
        self.counters.loopbacks += 1;
        let digest = match body {
            Body::Digest(digest) => Some(Update::Member(digest.member)),
            Body::Probe { .. }
            | Body::Ack { .. }
            | Body::IndirectProbe { .. }
            | Body::Nack { .. }
            | Body::Gossip
            | Body::Summary(_)
            | Body::Delta(_) => None,
        };
        let mut mistaken = false;
        for update in updates.into_iter().chain(digest) {
            if update.node() == sender {
                mistaken |= self.learn(now, sender, update, Via::Infection);
            }
        }
        if mistaken {
            self.send_own(sender, from);
        }
    }

    pub(crate) fn refuse(&mut self, from: Option<Address>, error: Error) {
        self.counters.refused += 1;
        self.event(Event::Refused { from, error });
    }
}
