//! Taking in what others say of members: about others, and about this node itself.

use crate::{
    Address, Change, Event, Generation, Gossip, Incarnation, Member, NUMBER_MAX, Output, State,
    Update, suspicion::Terms,
};
use alloc::sync::Arc;
use base::{Duration, Instant, NodeId, Now};

/// How often a twin is reported while it lasts.
pub const TWIN_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Until when a reported twin is not reported again, nor answered: two that keep outbidding each other would keep the
/// whole cluster busy.
pub(crate) type TwinQuietUntil = Option<Instant>;

/// How an update came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// By infection: it is new in the cluster.
    Infection,
    /// By an exchange: it may be old, and news only to this node.
    Exchange,
}

impl Gossip {
    /// Takes one update in. `true` if the sender has a wrong idea of this node and should hear from it.
    pub(crate) fn learn(&mut self, now: Now, from: NodeId, update: Update, via: Via) -> bool {
        let own = self.own.node();
        match update {
            Update::Member(member) if member.node() == own => self.hear_of_self(now, from, &member),
            Update::Suspect { node, generation, incarnation, by: _ } if node == own => {
                self.accused(now, from, (generation, incarnation))
            }
            Update::Down { node, generation, incarnation } if node == own => {
                self.accused(now, from, (generation, incarnation))
            }
            Update::Member(member) => {
                self.hear_of_member(now, from, member, via);
                false
            }
            Update::Suspect { node, generation, incarnation, by } => {
                for by in by {
                    self.hear_suspicion(now, node, (generation, incarnation), by);
                }
                false
            }
            Update::Down { node, generation, incarnation } => {
                self.hear_down(now, node, (generation, incarnation));
                false
            }
        }
    }

    fn hear_of_member(&mut self, now: Now, from: NodeId, mut heard: Member, via: Via) {
        let node = heard.node();
        let known = self.table.get(node).cloned();
        // In an exchange others tell what they took for true while they were cut off; who is alive gets a chance to say so.
        if via == Via::Exchange
            && heard.state == State::Down
            && known.as_ref().is_some_and(|known| known.state.is_present())
        {
            heard.state = State::Suspect;
        }
        // A suspicion has its own way in, with who has it.
        let accused = heard.state == State::Suspect;
        if accused {
            heard.state = State::Alive;
        }
        match known {
            // Those that are gone are no news to one who never knew them.
            None if !heard.state.is_present() => return,
            None => {
                if !self.list(now, heard.clone()) {
                    return;
                }
            }
            Some(known) => self.relist(now, &known, known.merge(&heard)),
        }
        if accused {
            self.hear_suspicion(now, node, (heard.generation(), heard.incarnation), from);
        }
    }

    fn hear_suspicion(
        &mut self,
        now: Now,
        node: NodeId,
        (generation, incarnation): (Generation, Incarnation),
        by: NodeId,
    ) {
        let Some(member) = self.table.get(node) else { return };
        // Nobody suspects itself.
        if by == node || member.generation() != generation || member.incarnation > incarnation {
            return;
        }
        match member.state {
            State::Suspect if member.incarnation == incarnation => {
                if self.suspicions.confirm(now.instant, node, by) {
                    self.spread(now, node, false);
                }
            }
            State::Alive | State::Suspect => self.suspect(now, node, incarnation, by),
            // A suspicion of a later incarnation says that the member had refuted, which will come here, too.
            State::Down | State::Left => {}
        }
    }

    /// Begins to suspect a member that is present, in the incarnation that is known.
    pub(crate) fn suspect_present(&mut self, now: Now, node: NodeId, by: NodeId) {
        let Some(member) = self.table.get(node) else { return };
        let (generation, incarnation, state) =
            (member.generation(), member.incarnation, member.state);
        if state == State::Alive && by == self.own.node() {
            self.counters.suspected += 1;
        }
        self.hear_suspicion(now, node, (generation, incarnation), by);
    }

    fn suspect(&mut self, now: Now, node: NodeId, incarnation: Incarnation, by: NodeId) {
        let known = self.table.get(node).expect("the caller found it").clone();
        let suspected = Member { incarnation, state: State::Suspect, ..known.clone() };
        let min = self.settings.suspicion_min(self.present_len());
        let terms = Terms {
            generation: known.generation(),
            incarnation,
            min,
            max: min * self.settings.suspicion_max_factor,
            // Neither the suspect nor this node can confirm it.
            wanted: self.settings.confirmations.min(self.present_len().saturating_sub(2)),
        };
        self.suspicions.begin(now.instant, node, terms, by);
        self.relist(now, &known, suspected);
    }

    fn hear_down(
        &mut self,
        now: Now,
        node: NodeId,
        (generation, incarnation): (Generation, Incarnation),
    ) {
        let Some(known) = self.table.get(node).cloned() else { return };
        if known.generation() == generation {
            let heard = Member { incarnation, state: State::Down, ..known.clone() };
            self.relist(now, &known, known.merge(&heard));
        }
    }

    /// Suspicions whose time is over.
    pub(crate) fn end_suspicions(&mut self, now: Now) {
        while let Some((node, suspicion)) = self.suspicions.take_due(now.instant) {
            let known = self.table.get(node).expect("who is suspect is listed").clone();
            assert!(
                (known.generation(), known.incarnation, known.state)
                    == (suspicion.generation, suspicion.incarnation, State::Suspect),
                "a suspicion ends with what it is about"
            );
            self.counters.declared_down += 1;
            let down = Member { state: State::Down, ..known.clone() };
            self.relist(now, &known, down);
        }
    }

    /// A member that is not listed yet. `false` if there is no room.
    fn list(&mut self, now: Now, member: Member) -> bool {
        match self.table.make_room() {
            Err(()) => {
                self.counters.members_refused += 1;
                return false;
            }
            Ok(None) => {}
            Ok(Some(forgotten)) => self.forgot(forgotten),
        }
        self.write(now, member, Change::Added, true);
        true
    }

    /// Another view of a listed member; nothing happens if it is the same.
    fn relist(&mut self, now: Now, known: &Member, member: Member) {
        if *known == member {
            return;
        }
        let change = if known.state == member.state && known.record == member.record {
            // It refuted what never came here: worth passing on, but nothing that anyone sees.
            None
        } else if known.state == member.state {
            Some(Change::Record)
        } else {
            Some(Change::State(known.state))
        };
        let record = known.record != member.record;
        match change {
            Some(change) => self.write(now, member, change, record),
            None => {
                let node = member.node();
                self.enter(now, member);
                self.spread(now, node, record);
            }
        }
    }

    fn write(&mut self, now: Now, member: Member, change: Change, record: bool) {
        let node = member.node();
        self.enter(now, member.clone());
        // One who comes to a cluster learns of all its members, which is news to nobody else.
        if !self.joining {
            self.spread(now, node, record);
        }
        self.output(Output::Changed { member, change });
    }

    /// The one place where the list changes, so that what depends on it follows.
    fn enter(&mut self, now: Now, member: Member) {
        self.news_taken += 1;
        let node = member.node();
        if let Some(suspicion) = self.suspicions.get(node) {
            let same = member.state == State::Suspect
                && (member.generation(), member.incarnation)
                    == (suspicion.generation, suspicion.incarnation);
            if !same {
                self.suspicions.end(node);
            }
        }
        let before = self.table.present_len();
        self.table.put(now.instant, member, &mut self.rng);
        match (before, self.table.present_len()) {
            (0, 1) => self.found_others(now),
            (1, 0) => self.lost_all(now),
            _ => {}
        }
    }

    pub(crate) fn forgot(&mut self, member: Member) {
        self.spread.remove(member.node());
        self.output(Output::Changed { member, change: Change::Forgotten });
    }

    /// A description of this node, by its own id. `true` if the sender should hear the truth.
    fn hear_of_self(&mut self, now: Now, from: NodeId, heard: &Member) -> bool {
        if *heard == self.own {
            return false;
        }
        let (generation, own) = (heard.generation(), self.own.generation());
        if generation < own {
            return true;
        }
        // Of this life others can only know what it said, and accuse it. All else is said by another.
        let never_said = heard.incarnation > self.own.incarnation
            || heard.record.version > self.own.record.version
            || (heard.record.version == self.own.record.version && heard.record != self.own.record)
            || (heard.state == State::Left
                && heard.incarnation == self.own.incarnation
                && self.own.state != State::Left);
        if generation > own || never_said {
            return self.hear_of_twin(now, generation, Some(heard.record.address()));
        }
        match heard.state {
            State::Suspect | State::Down => {
                self.accused(now, from, (generation, heard.incarnation))
            }
            State::Alive | State::Left => true,
        }
    }

    /// Somebody says that this node is suspect or down. `true` if it should hear that it is not.
    fn accused(
        &mut self,
        now: Now,
        from: NodeId,
        (generation, incarnation): (Generation, Incarnation),
    ) -> bool {
        if generation > self.own.generation() {
            return self.hear_of_twin(now, generation, None);
        }
        let own = (self.own.generation(), self.own.incarnation);
        if (generation, incarnation) < own {
            return true;
        }
        if !self.raise_above(generation, incarnation) {
            return false;
        }
        self.counters.refuted += 1;
        self.health.worsen(1);
        self.spread(now, self.own.node(), true);
        let incarnation = self.own.incarnation;
        self.event(Event::Refuted { told_by: from, incarnation });
        true
    }

    /// Takes an incarnation above this one. `false` if there is none: only a broken peer counts that far.
    pub(crate) fn raise_above(&mut self, generation: Generation, incarnation: Incarnation) -> bool {
        if incarnation.0 < NUMBER_MAX {
            self.own.incarnation = Incarnation(incarnation.0 + 1);
            return true;
        }
        self.begin_generation_above(generation)
    }

    fn begin_generation_above(&mut self, generation: Generation) -> bool {
        if generation.0 >= NUMBER_MAX {
            return false;
        }
        let mut record = (*self.own.record).clone();
        record.generation = Generation(generation.0 + 1);
        self.own = Member { record: Arc::new(record), incarnation: Incarnation(0), ..self.own };
        true
    }

    /// A later life of this node, or words of this life that it never said. `true` if the sender should hear the truth.
    ///
    /// BACKGROUND: a life of this node that is over may have had a later generation, if the clock was set back since. Then
    /// others keep that record, and this node must get above it to be seen at all. A copy of the data directory looks
    /// the same at first, but it lives: it gets above this node in turn.
    ///
    /// BEHAVIOR: this node takes the generation that follows. A generation that follows its own, which no clock gives, is
    /// the answer of a twin, and so is anything of its own generation that it never said. Then an event is due, and the
    /// twin is answered once; whoever is not answered any more stays above in the views of the others.
    fn hear_of_twin(
        &mut self,
        now: Now,
        generation: Generation,
        address: Option<&Address>,
    ) -> bool {
        if self.twin_quiet_until.is_some_and(|until| now.instant < until) {
            return false;
        }
        let own = self.own.generation();
        if generation == own || generation.0 == own.0 + 1 {
            self.twin_quiet_until = Some(now.instant.after(TWIN_REPORT_INTERVAL));
            self.event(Event::Twin { generation, address: address.cloned() });
        }
        let raised = self.begin_generation_above(generation);
        if raised {
            self.spread(now, self.own.node(), true);
        }
        raised
    }
}
