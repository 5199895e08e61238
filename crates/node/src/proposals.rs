//! Proposals whose outcome is not known yet, and who waits for it.

use base::{ConnectionId, Duration, Instant, ProposalId, RequestId};
use std::collections::BTreeMap;

/// How long a write may wait for its outcome while somebody leads; then it is answered as unknown, and the client must
/// read.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may wait for somebody to lead. SDKs give up after 3 s.
const LEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// How many writes may wait at once, unless set otherwise; one more is answered as overloaded.
pub const PROPOSALS_MAX: usize = 65_536;
/// How much may wait for a leader, in bytes; more is answered as overloaded.
const HELD_BYTES_MAX: usize = 64 << 20;

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

#[derive(Debug)]
pub(crate) struct Proposals {
    len_max: usize,
    last: ProposalId,
    /// Ids grow with time, so the first one of each map is the oldest.
    sent: BTreeMap<ProposalId, (Waiter, Instant)>,
    /// Nobody leads: these wait here, complete.
    held: BTreeMap<ProposalId, (Waiter, Instant, Vec<u8>)>,
    held_bytes: usize,
}

impl Proposals {
    pub(crate) fn new(len_max: usize) -> Self {
        Self {
            len_max,
            last: ProposalId(0),
            sent: BTreeMap::new(),
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
    pub(crate) fn sent(
        &mut self,
        id: ProposalId,
        began: Instant,
        waiter: Waiter,
    ) -> Result<(), Waiter> {
        if self.sent.len() >= self.len_max {
            return Err(waiter);
        }
        self.sent.insert(id, (waiter, began));
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
        self.held.insert(id, (waiter, began, entry));
        Ok(())
    }

    /// Takes what waits for a leader, oldest first.
    pub(crate) fn take_held(&mut self) -> BTreeMap<ProposalId, (Waiter, Instant, Vec<u8>)> {
        self.held_bytes = 0;
        std::mem::take(&mut self.held)
    }

    /// The outcome is known (or known to be unknowable): who waits for it, if still anyone.
    pub(crate) fn settle(&mut self, id: ProposalId) -> Option<Waiter> {
        self.sent.remove(&id).map(|(waiter, _)| waiter)
    }

    /// One proposal whose time is over.
    pub(crate) fn expire(&mut self, now: Instant, led: bool) -> Option<Expired> {
        if let Some((&id, (waiter, began))) = self.sent.first_key_value()
            && began.after(timeout(led)) <= now
        {
            let expired = Expired::Sent(*waiter);
            self.sent.remove(&id);
            return Some(expired);
        }
        let (&id, (_, began, _)) = self.held.first_key_value()?;
        if began.after(LEADER_TIMEOUT) > now {
            return None;
        }
        let (waiter, _, entry) = self.held.remove(&id)?;
        self.held_bytes -= entry.len();
        Some(Expired::Held(waiter))
    }

    pub(crate) fn deadline(&self, led: bool) -> Option<Instant> {
        let sent = self.sent.first_key_value().map(|(_, (_, began))| began.after(timeout(led)));
        let held =
            self.held.first_key_value().map(|(_, (_, began, _))| began.after(LEADER_TIMEOUT));
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

    #[test]
    fn writes_without_an_outcome_have_their_limit() {
        let mut proposals = Proposals::new(1);
        let waiter = Waiter { to: crate::start::OURSELVES, id: RequestId(1) };
        let ids = [proposals.next_id(), proposals.next_id(), proposals.next_id()];
        assert_eq!(proposals.sent(ids[0], Instant::START, waiter), Ok(()));
        assert_eq!(proposals.sent(ids[1], Instant::START, waiter), Err(waiter));
        assert!(proposals.settle(ids[0]).is_some());
        assert_eq!(proposals.sent(ids[2], Instant::START, waiter), Ok(()));
    }
}
