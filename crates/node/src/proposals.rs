//! Proposals whose outcome is not known yet, and who waits for it.
//!
//! A proposal goes to the leader of one term and can only be in the log with that term. So it will never be in the log once
//! this node has applied an entry of a later term without it, or once the leader said so; then it goes to the next leader,
//! under a new name: whatever is still said about the old one is about nothing. A copy of the entry is kept for that, as
//! long as there is room.

use base::{ConnectionId, Duration, Instant, ProposalId, RequestId, Term};
use std::collections::{BTreeMap, BTreeSet};

/// How long a write may wait for its outcome while somebody leads; then it is answered as unknown, and the client must
/// read. The answer shall be there within 5 s.
const OUTCOME_TIMEOUT: Duration = Duration::from_millis(4_500);
/// How long it may wait for somebody to lead. SDKs give up after 3 s.
const LEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// How many writes may wait at once, unless set otherwise; one more is answered as overloaded.
pub const PROPOSALS_MAX: usize = 65_536;
/// How much may wait for a leader, in bytes; more is answered as overloaded.
const HELD_BYTES_MAX: usize = 64 << 20;
/// How much is kept of what was sent, in bytes. What is not kept is not sent again.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) to: ConnectionId,
    pub(crate) id: RequestId,
}

/// What is known of a proposal whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// It never left this node.
    Held(Waiter),
    /// It may have got into the log.
    Sent(Waiter),
}

/// A proposal on its way into the log.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) waiter: Waiter,
    pub(crate) began: Instant,
    /// In which it was proposed.
    pub(crate) term: Term,
    /// To another node: the engine here says nothing about it.
    pub(crate) remote: bool,
    /// To be sent again, if it is known not to be in the log.
    pub(crate) entry: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(crate) struct Proposals {
    len_max: usize,
    last: ProposalId,
    sent: BTreeMap<ProposalId, Sent>,
    /// Those that were sent, the oldest first. One that was sent again has a new id and its old age.
    sent_since: BTreeSet<(Instant, ProposalId)>,
    kept_bytes: usize,
    /// Nobody leads: these wait here, complete.
    held: BTreeMap<(Instant, ProposalId), (Waiter, Vec<u8>)>,
    held_bytes: usize,
}

impl Proposals {
    pub(crate) fn new(len_max: usize) -> Self {
        Self {
            len_max,
            last: ProposalId(0),
            sent: BTreeMap::new(),
            sent_since: BTreeSet::new(),
            kept_bytes: 0,
            held: BTreeMap::new(),
            held_bytes: 0,
        }
    }

    pub(crate) fn next_id(&mut self) -> ProposalId {
        self.last = self.last.next();
        self.last
    }

    /// A proposal that is on its way to the log.
    ///
    /// # Errors
    /// When too many wait already.
    pub(crate) fn sent(&mut self, id: ProposalId, mut sent: Sent) -> Result<(), Waiter> {
        if self.sent.len() >= self.len_max {
            return Err(sent.waiter);
        }
        let room = KEPT_BYTES_MAX - self.kept_bytes;
        sent.entry = sent.entry.filter(|entry| entry.len() <= room);
        self.kept_bytes += sent.entry.as_ref().map_or(0, Vec::len);
        self.sent_since.insert((sent.began, id));
        self.sent.insert(id, sent);
        Ok(())
    }

    /// A proposal that waits for a leader.
    ///
    /// # Errors
    /// When too much waits already.
    pub(crate) fn hold(
        &mut self,
        id: ProposalId,
        began: Instant,
        waiter: Waiter,
        entry: Vec<u8>,
    ) -> Result<(), Waiter> {
        if self.held.len() >= self.len_max || self.held_bytes + entry.len() > HELD_BYTES_MAX {
            return Err(waiter);
        }
        self.held_bytes += entry.len();
        self.held.insert((began, id), (waiter, entry));
        Ok(())
    }

    /// Takes what waits for a leader, oldest first.
    pub(crate) fn take_held(&mut self) -> BTreeMap<(Instant, ProposalId), (Waiter, Vec<u8>)> {
        self.held_bytes = 0;
        std::mem::take(&mut self.held)
    }

    /// The outcome is known (or known to be unknowable): who waits for it, if still anyone.
    pub(crate) fn settle(&mut self, id: ProposalId) -> Option<Waiter> {
        self.take_sent(id).map(|sent| sent.waiter)
    }

    /// Takes one that was sent.
    pub(crate) fn take_sent(&mut self, id: ProposalId) -> Option<Sent> {
        let sent = self.sent.remove(&id)?;
        self.sent_since.remove(&(sent.began, id));
        self.kept_bytes -= sent.entry.as_ref().map_or(0, Vec::len);
        Some(sent)
    }

    /// Those that were sent to other nodes in terms before this one.
    pub(crate) fn sent_before(&self, term: Term) -> Vec<ProposalId> {
        let before = self.sent.iter().filter(|(_, sent)| sent.remote && sent.term < term);
        before.map(|(id, _)| *id).collect()
    }

    /// Nobody can say any more what of this is in the log: nothing of it may be sent again.
    pub(crate) fn forget_entries(&mut self) {
        self.sent.values_mut().for_each(|sent| sent.entry = None);
        self.kept_bytes = 0;
    }

    /// One proposal whose time is over.
    pub(crate) fn expire(&mut self, now: Instant, led: bool) -> Option<Expired> {
        if let Some(&(began, id)) = self.sent_since.first()
            && began.after(timeout(led)) <= now
        {
            return self.settle(id).map(Expired::Sent);
        }
        let first = self.held.first_entry()?;
        if first.key().0.after(LEADER_TIMEOUT) > now {
            return None;
        }
        let (waiter, entry) = first.remove();
        self.held_bytes -= entry.len();
        Some(Expired::Held(waiter))
    }

    pub(crate) fn deadline(&self, led: bool) -> Option<Instant> {
        let sent = self.sent_since.first().map(|(began, _)| began.after(timeout(led)));
        let held = self.held.first_key_value().map(|((began, _), _)| began.after(LEADER_TIMEOUT));
        sent.into_iter().chain(held).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.sent.len() + self.held.len()
    }
}

/// How long the outcome may take. Without a leader it is not coming soon.
fn timeout(led: bool) -> Duration {
    if led { OUTCOME_TIMEOUT } else { LEADER_TIMEOUT }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(began: Instant, entry_bytes: usize) -> Sent {
        let waiter = Waiter { to: crate::start::OURSELVES, id: RequestId(1) };
        let entry = Some(vec![0; entry_bytes]);
        Sent { waiter, began, term: Term(1), remote: true, entry }
    }

    #[test]
    fn writes_without_an_outcome_have_their_limit() {
        let mut proposals = Proposals::new(1);
        let ids = [proposals.next_id(), proposals.next_id(), proposals.next_id()];
        assert!(proposals.sent(ids[0], sent(Instant::START, 1)).is_ok());
        assert!(proposals.sent(ids[1], sent(Instant::START, 1)).is_err());
        assert!(proposals.settle(ids[0]).is_some());
        assert!(proposals.sent(ids[2], sent(Instant::START, 1)).is_ok());
    }

    #[test]
    fn one_that_was_sent_again_is_as_old_as_it_was() {
        let mut proposals = Proposals::new(9);
        let (old, young) = (Instant::START, Instant::START.after(Duration::from_secs(1)));
        let (first, again) = (proposals.next_id(), proposals.next_id());
        assert!(proposals.sent(first, sent(young, 1)).is_ok());
        assert!(proposals.sent(again, sent(old, 1)).is_ok());
        assert_eq!(proposals.deadline(true), Some(old.after(OUTCOME_TIMEOUT)));
        assert!(proposals.expire(old.after(OUTCOME_TIMEOUT), true).is_some());
        assert!(proposals.take_sent(again).is_none() && proposals.take_sent(first).is_some());
    }

    #[test]
    fn copies_have_their_limit_and_what_is_not_kept_is_sent_all_the_same() {
        let mut proposals = Proposals::new(9);
        let ids = [proposals.next_id(), proposals.next_id(), proposals.next_id()];
        assert!(proposals.sent(ids[0], sent(Instant::START, KEPT_BYTES_MAX)).is_ok());
        assert!(proposals.sent(ids[1], sent(Instant::START, 1)).is_ok());
        assert!(proposals.take_sent(ids[1]).is_some_and(|sent| sent.entry.is_none()));
        proposals.forget_entries();
        assert!(proposals.take_sent(ids[0]).is_some_and(|sent| sent.entry.is_none()));
        assert!(proposals.sent(ids[2], sent(Instant::START, 1)).is_ok());
        assert!(proposals.take_sent(ids[2]).is_some_and(|sent| sent.entry.is_some()));
    }
}
