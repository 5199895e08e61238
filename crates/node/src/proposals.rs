//! Proposals whose outcome is not known yet, and who waits for it.

use base::{ConnectionId, Duration, Instant, ProposalId, RequestId};
use std::collections::BTreeMap;

/// How long a write may wait for its outcome; then it is answered as unknown, and the client must read.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(5);
/// How many writes may wait at once, unless set otherwise; one more is answered as overloaded.
pub const PROPOSALS_MAX: usize = 65_536;

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) to: ConnectionId,
    pub(crate) id: RequestId,
}

#[derive(Debug)]
pub(crate) struct Proposals {
    len_max: usize,
    next: ProposalId,
    /// Ids grow with time, so the first one has the earliest deadline.
    pending: BTreeMap<ProposalId, (Waiter, Instant)>,
}

impl Proposals {
    pub(crate) fn new(len_max: usize) -> Self {
        Self { len_max, next: ProposalId(0), pending: BTreeMap::new() }
    }

    /// # Errors
    /// When too many wait already.
    pub(crate) fn add(&mut self, now: Instant, waiter: Waiter) -> Result<ProposalId, ()> {
        if self.pending.len() >= self.len_max {
            return Err(());
        }
        self.next = self.next.next();
        self.pending.insert(self.next, (waiter, now.after(OUTCOME_TIMEOUT)));
        Ok(self.next)
    }

    /// The outcome is known (or known to be unknowable): who waits for it, if still anyone.
    pub(crate) fn settle(&mut self, id: ProposalId) -> Option<Waiter> {
        self.pending.remove(&id).map(|(waiter, _)| waiter)
    }

    /// One proposal whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Waiter> {
        let (&id, &(waiter, deadline)) = self.pending.first_key_value()?;
        if deadline > now {
            return None;
        }
        self.pending.remove(&id);
        Some(waiter)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.pending.first_key_value().map(|(_, (_, deadline))| *deadline)
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_without_an_outcome_have_their_limit() {
        let mut proposals = Proposals::new(1);
        let to = crate::start::OURSELVES;
        let mut add = |proposals: &mut Proposals| {
            proposals.add(Instant::START, Waiter { to, id: RequestId(1) })
        };
        let first = add(&mut proposals).expect("room for one");
        assert_eq!(add(&mut proposals), Err(()));
        assert!(proposals.settle(first).is_some());
        assert!(add(&mut proposals).is_ok());
    }
}
