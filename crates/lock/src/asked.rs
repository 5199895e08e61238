//! Requests of this node's connections that are to be answered, and what is known of them.

use crate::Asker;
use base::{ConnectionId, Duration, Instant, LogIndex, RequestId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long after its wait a request is given up here: by then the log said what became of it, or nobody leads.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A request to acquire, from its proposal to its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) key: Arc<str>,
    /// Where it stands in the queue, once it does.
    pub(crate) ticket: Option<LogIndex>,
    /// Nobody waits for the answer any more: what is granted to it is released.
    pub(crate) abandoned: bool,
    /// When it is given up.
    pub(crate) until: Instant,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskedRequests {
    all: BTreeMap<Asker, Asked>,
    order: BTreeSet<(Instant, Asker)>,
}

/// What becomes of a request that is answered by the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is of another node, of an earlier life, or was answered before.
    NotOurs,
    /// Whoever asked is to be told.
    Told,
    /// Whoever asked is gone.
    Abandoned,
}

impl AskedRequests {
    pub(crate) fn insert(&mut self, asker: Asker, key: Arc<str>, until: Instant) {
        let asked = Asked { key, ticket: None, abandoned: false, until };
        let before = self.all.insert(asker, asked);
        assert!(before.is_none(), "a request id is used once: {asker:?}");
        self.order.insert((until, asker));
    }

    /// The request stands in the queue now. Gives its ticket back if nobody waits for it any more.
    pub(crate) fn queued(&mut self, asker: &Asker, ticket: LogIndex) -> bool {
        let Some(asked) = self.all.get_mut(asker) else { return false };
        asked.ticket = Some(ticket);
        asked.abandoned
    }

    /// The log has answered it.
    pub(crate) fn answer(&mut self, asker: &Asker) -> Answered {
        match self.remove(asker) {
            None => Answered::NotOurs,
            Some(Asked { abandoned: true, .. }) => Answered::Abandoned,
            Some(Asked { abandoned: false, .. }) => Answered::Told,
        }
    }

    pub(crate) fn remove(&mut self, asker: &Asker) -> Option<Asked> {
        let asked = self.all.remove(asker)?;
        self.order.remove(&(asked.until, *asker));
        Some(asked)
    }

    /// Nobody waits for the answer of this one any more; if the log says nothing of it until then, it is forgotten. Its
    /// place in the queue, if it stands there.
    pub(crate) fn abandon(
        &mut self,
        asker: &Asker,
        until: Instant,
    ) -> Option<(Arc<str>, LogIndex)> {
        let Asked { key, ticket, until: before, .. } = self.remove(asker)?;
        let until = until.min(before);
        let place = ticket.map(|ticket| (Arc::clone(&key), ticket));
        self.all.insert(*asker, Asked { key, ticket, abandoned: true, until });
        self.order.insert((until, *asker));
        place
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The same of all of a connection.
    pub(crate) fn close(&mut self, connection: ConnectionId) -> Vec<(Arc<str>, LogIndex)> {
        let first = Asker { connection, id: RequestId(0) };
        let last = Asker { connection, id: RequestId(u64::MAX) };
        let mut places = Vec::new();
        for (_, asked) in self.all.range_mut(first..=last) {
            asked.abandoned = true;
            places.extend(asked.ticket.map(|ticket| (Arc::clone(&asked.key), ticket)));
        }
        places
    }

    /// One whose time is over.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<(Asker, Asked)> {
        let &(until, asker) = self.order.first()?;
        if until > now {
            return None;
        }
        Some((asker, self.remove(&asker)?))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.order.first().map(|(until, _)| *until)
    }

    /// All that stand in a queue, as far as is known here.
    pub(crate) fn in_queues(&self) -> Vec<(Asker, Arc<str>)> {
        let queued = self.all.iter().filter(|(_, asked)| asked.ticket.is_some());
        queued.map(|(asker, asked)| (*asker, Arc::clone(&asked.key))).collect()
    }
}
