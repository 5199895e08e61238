//! Requests of this node that wait for their turn.

use crate::{Command, LockName, Locks, Outcome, Output, Reply, WAITS_MAX};
use base::{ConnectionId, Duration, Instant, LogIndex, RequestId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long a withdrawal may take before it is said again.
const WITHDRAWN_AGAIN: Duration = Duration::from_secs(2);

/// How long a client is left without an answer after its patience has ended and the log does not move.
const ANSWER_GRACE: Duration = Duration::from_secs(4);

/// For which lock, and with which entry it began.
type Place = (LockName, LogIndex);

/// A request that waits.
#[derive(Debug)]
struct Wait {
    /// `None`: nobody is to be told any more.
    asker: Option<(ConnectionId, RequestId)>,
    owner: Arc<str>,
    /// When to do something about it.
    due: Instant,
    /// Since when a withdrawal is on its way. From then on it does not take the lock, even if its turn comes.
    withdraws: Option<Instant>,
}

/// All requests of this node that wait.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    by_place: BTreeMap<Place, Wait>,
    due: BTreeSet<(Instant, Place)>,
    by_connection: BTreeSet<(ConnectionId, Place)>,
    /// What the entry that is being applied is about.
    moved: Vec<Place>,
}

impl Waits {
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.by_place.len() >= WAITS_MAX
    }

    fn insert(&mut self, place: Place, wait: Wait) {
        self.due.insert((wait.due, place.clone()));
        self.by_connection.extend(wait.asker.map(|(connection, _)| (connection, place.clone())));
        self.by_place.insert(place, wait);
    }

    fn take(&mut self, place: &Place) -> Option<Wait> {
        let wait = self.by_place.remove(place)?;
        self.due.remove(&(wait.due, place.clone()));
        if let Some((connection, _)) = wait.asker {
            self.by_connection.remove(&(connection, place.clone()));
        }
        Some(wait)
    }
}

impl Locks {
    /// An `Acquire` of this node was queued.
    pub(crate) fn wait(
        &mut self,
        asker: Option<(ConnectionId, RequestId)>,
        name: LockName,
        owner: Arc<str>,
        since: LogIndex,
        patience_ms: u64,
    ) {
        let place = (name, since);
        let former = self.waits.take(&place);
        if let Some((to, id)) = former.as_ref().and_then(|wait| wait.asker) {
            // The same owner asks again: whoever asked first is told that it does not wait any longer.
            self.reply(to, id, Reply::Outcome(Outcome::Withdrawn));
        }
        let now = self.now.instant;
        let patience = asker.map_or(Duration::ZERO, |_| Duration::from_millis(patience_ms));
        // What is on its way to the log takes the new one along, too: it will be told so.
        let withdraws = former.as_ref().and_then(|wait| wait.withdraws);
        let due = former.filter(|_| withdraws.is_some()).map(|wait| wait.due);
        let due = due.unwrap_or_else(|| now.after(patience));
        self.waits.insert(place.clone(), Wait { asker, owner, due, withdraws });
        self.review_wait(&place);
    }

    pub(crate) fn give_up(&mut self, connection: ConnectionId) {
        let first = (connection, (LockName { namespace: "".into(), name: "".into() }, LogIndex(0)));
        let places: Vec<Place> = self
            .waits
            .by_connection
            .range(first..)
            .take_while(|(of, _)| *of == connection)
            .map(|(_, place)| place.clone())
            .collect();
        for place in places {
            let wait = self.waits.take(&place).expect("the indices agree");
            let due = self.now.instant;
            self.waits.insert(place, Wait { asker: None, due, ..wait });
        }
    }

    /// Withdraws those whose patience has ended, and says so again where nothing came of it.
    pub(crate) fn lose_patience(&mut self) {
        let now = self.now.instant;
        while let Some((_, place)) = self.waits.due.first().filter(|(at, _)| *at <= now).cloned() {
            let mut wait = self.waits.take(&place).expect("the indices agree");
            let since = *wait.withdraws.get_or_insert(now);
            if since.after(ANSWER_GRACE) <= now
                && let Some((to, id)) = wait.asker.take()
            {
                self.reply(to, id, Reply::Unknown);
            }
            wait.due = now.after(WITHDRAWN_AGAIN);
            let (name, since) = place.clone();
            let command = Command::Withdraw { name, owner: wait.owner.clone(), since };
            self.outputs.push_back(Output::Tidy(command));
            self.waits.insert(place, wait);
        }
    }

    /// Somebody who had begun to wait with this entry left the queue, or its lease changed. What that means is seen when all
    /// of the entry is applied.
    pub(crate) fn moved(&mut self, name: &LockName, since: LogIndex) {
        let place = (name.clone(), since);
        if self.waits.by_place.contains_key(&place) {
            self.waits.moved.push(place);
        }
    }

    /// To be called when an entry is applied.
    pub(crate) fn review_moved(&mut self) {
        for place in std::mem::take(&mut self.waits.moved) {
            self.review_wait(&place);
        }
    }

    /// To be called when the state is another one.
    pub(crate) fn review_waits(&mut self) {
        self.waits.moved.clear();
        let places: Vec<Place> = self.waits.by_place.keys().cloned().collect();
        places.iter().for_each(|place| self.review_wait(place));
    }

    fn review_wait(&mut self, place: &Place) {
        let Some(wait) = self.waits.by_place.get(place) else { return };
        let (name, since) = place;
        let lock = self.locks.get(name);
        if lock.is_some_and(|lock| lock.waiters.contains_key(since)) {
            return;
        }
        let lease = lock.map(|lock| &lock.lease);
        let turn = lease.filter(|own| own.queued == Some(*since) && own.renewed == own.token);
        let outcome = match turn.map(|lease| lease.token) {
            // The withdrawal that is on its way, or will be said, gives the lock back.
            Some(_) if wait.withdraws.is_some() || wait.asker.is_none() => return,
            Some(token) => Outcome::Granted { token },
            None => Outcome::Withdrawn,
        };
        let wait = self.waits.take(place).expect("looked at above");
        if let Some((to, id)) = wait.asker {
            self.reply(to, id, Reply::Outcome(outcome));
        }
    }
}
