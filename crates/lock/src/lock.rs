//! The state of the plane and its three verbs.

use crate::{
    Asker, Command, Input, Lease, LeaseEnd, Outcome, Output, Reply, Request, View, Waiter,
    asked::{ANSWER_TIMEOUT, Answered, AskedRequests},
    check::{self, millis},
    timers::{Due, Timers},
};
use base::{ConnectionId, Duration, Instant, LogIndex, Now, RequestId};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
    sync::Arc,
};

/// Leases and waiters that one `Command::End` ends: no entry of the log costs more for how many are due.
pub(crate) const ENDED_MAX: usize = 256;
/// Locks that a new leader gives their times in one step.
const SCHEDULED_MAX: usize = 512;
/// Requests to acquire that one node has without an answer; one more is answered "full".
pub const ASKED_MAX: usize = 100_000;
/// After which time a `Command::End` that did nothing yet is proposed again.
const END_RETRY: Duration = Duration::from_secs(2);

/// The locks of one node.
#[derive(Clone, Debug, Default)]
pub struct Lock {
    pub(crate) leases: BTreeMap<Arc<str>, Lease>,
    /// By ticket; never an empty queue.
    pub(crate) queues: BTreeMap<Arc<str>, BTreeMap<LogIndex, Waiter>>,
    /// Of all queues.
    pub(crate) waiters_len: usize,
    /// Published before the last `Reset` and not restored since.
    pub(crate) before_reset: BTreeSet<Arc<str>>,
    /// Rows come in.
    pub(crate) restoring: bool,
    pub(crate) asked: AskedRequests,
    leads: bool,
    timers: Timers,
    /// A new leader has given all locks their times through this key, and goes on; `None`: all of them.
    scheduling: Option<Bound<Arc<str>>>,
    /// What was granted, renewed, queued or taken away since times were last set.
    pub(crate) touched: Vec<Due>,
    pub(crate) outputs: VecDeque<Output>,
}

impl Lock {
    /// No lock is held.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an input.
    pub fn step(&mut self, now: Now, input: Input) {
        match input {
            Input::Request { from, id, request } => self.request(now, from, id, request),
            Input::Unanswered { asker, maybe_written: false } => {
                self.asked.remove(&asker);
            }
            Input::Unanswered { asker, maybe_written: true } => {
                let place = self.asked.abandon(&asker, now.instant.after(ANSWER_TIMEOUT));
                self.leave(now, place.into_iter().collect());
            }
            Input::Closed(connection) => {
                let places = self.asked.close(connection);
                self.leave(now, places);
            }
            Input::Leads(leads) => self.leads(now, leads),
            Input::Applied => self.set_times(now),
            Input::Restore(piece) => self.restore(&piece),
            Input::Reset => self.reset(),
            Input::Restored => self.settle(),
            Input::Wake => self.wake(now),
        }
    }

    /// The next output, if there is one.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `Input::Wake` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let scheduling = self.scheduling.as_ref().map(|_| Instant::START);
        [scheduling, self.timers.deadline(), self.asked.deadline()].into_iter().flatten().min()
    }

    /// Who holds a lock.
    #[must_use]
    pub fn lease(&self, key: &str) -> Option<&Lease> {
        self.leases.get(key)
    }

    /// How many locks are held, and how many wait for one.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        (self.leases.len(), self.waiters_len)
    }

    /// How many times the leader keeps.
    #[must_use]
    pub fn timers_len(&self) -> usize {
        self.timers.len()
    }

    fn request(&mut self, now: Now, to: ConnectionId, id: RequestId, request: Request) {
        if let Err(why) = check::request(&request) {
            self.outputs.push_back(Output::Reply { to, id, reply: Reply::Refused(why) });
            return;
        }
        if matches!(request, Request::Acquire { .. }) && self.asked.len() >= ASKED_MAX {
            let full = Outcome::Full { what: "requests for locks at this node", limit: ASKED_MAX };
            self.outputs.push_back(Output::Reply { to, id, reply: Reply::Outcome(full) });
            return;
        }
        let at_ms = now.unix_ms;
        let command = match request {
            Request::Acquire { key, owner, ttl, wait } => {
                let asker = Asker { connection: to, id };
                let until = now.instant.after(wait).after(ANSWER_TIMEOUT);
                self.asked.insert(asker, Arc::clone(&key), until);
                let (ttl_ms, wait_ms) = (millis(ttl), millis(wait));
                Command::Acquire { key, owner, ttl_ms, wait_ms, asker, at_ms }
            }
            Request::Renew { key, token, ttl } => {
                Command::Renew { key, token, ttl_ms: ttl.map(millis), at_ms }
            }
            Request::Release { key, token } => Command::Release { key, token, at_ms },
        };
        self.outputs.push_back(Output::Propose { to, id, command });
    }

    /// Takes those out of the queues who wait for nothing any more. If that is lost, their time will come.
    fn leave(&mut self, now: Now, mut places: Vec<(Arc<str>, LogIndex)>) {
        while !places.is_empty() {
            let rest = places.split_off(places.len().min(ENDED_MAX));
            let waiters = std::mem::replace(&mut places, rest);
            let command = Command::End { leases: Vec::new(), waiters, at_ms: now.unix_ms };
            self.outputs.push_back(Output::Tidy(command));
        }
    }

    fn leads(&mut self, now: Now, leads: bool) {
        if self.leads == leads {
            return;
        }
        self.leads = leads;
        self.timers.clear();
        self.scheduling = leads.then_some(Bound::Unbounded);
        self.schedule(now);
    }

    /// Gives some of those that have none their full times again: later than could be is no harm.
    fn schedule(&mut self, now: Now) {
        let Some(from) = self.scheduling.take() else { return };
        let mut keys =
            self.leases.range::<Arc<str>, _>((from, Bound::Unbounded)).map(|(key, _)| key);
        let piece: Vec<Arc<str>> = keys.by_ref().take(SCHEDULED_MAX).cloned().collect();
        if keys.next().is_some() {
            self.scheduling = piece.last().cloned().map(Bound::Excluded);
        }
        for key in piece {
            let tickets: Vec<LogIndex> =
                self.queues.get(&key).into_iter().flat_map(BTreeMap::keys).copied().collect();
            for ticket in tickets {
                self.set_time(now, Due::Waiter(Arc::clone(&key), ticket));
            }
            self.set_time(now, Due::Lease(key));
        }
    }

    /// Sets the times of what was touched: from now on, which is when it was applied or a little later.
    fn set_times(&mut self, now: Now) {
        for due in std::mem::take(&mut self.touched) {
            if self.leads {
                self.set_time(now, due);
            }
        }
    }

    fn set_time(&mut self, now: Now, due: Due) {
        let millis = match &due {
            Due::Lease(key) => self.leases.get(key).map(|lease| lease.ttl_ms),
            Due::Waiter(key, ticket) => {
                let waiter = self.queues.get(key).and_then(|queue| queue.get(ticket));
                waiter.map(|waiter| waiter.wait_ms)
            }
        };
        match millis {
            Some(millis) => {
                self.timers.set(due, now.instant.after(Duration::from_millis(millis)));
            }
            None => self.timers.unset(&due),
        }
    }

    fn wake(&mut self, now: Now) {
        self.set_times(now);
        self.schedule(now);
        self.end_due(now);
        while let Some((asker, asked)) = self.asked.expired(now.instant) {
            if !asked.abandoned {
                let Asker { connection: to, id } = asker;
                self.outputs.push_back(Output::Reply { to, id, reply: Reply::Unknown });
            }
        }
    }

    /// Proposes the end of what is due. What ends takes its time with it; what does not is proposed again.
    fn end_due(&mut self, now: Now) {
        let due = self.timers.due(now.instant, ENDED_MAX);
        if due.is_empty() {
            return;
        }
        let (mut leases, mut waiters) = (Vec::new(), Vec::new());
        for due in due {
            self.timers.set(due.clone(), now.instant.after(END_RETRY));
            match due {
                Due::Lease(key) => {
                    let lease = self.leases.get(&key).expect("its time goes with the lease");
                    let (token, renewed) = (lease.token, lease.renewed);
                    leases.push(LeaseEnd { key, token, renewed });
                }
                Due::Waiter(key, ticket) => waiters.push((key, ticket)),
            }
        }
        let command = Command::End { leases, waiters, at_ms: now.unix_ms };
        self.outputs.push_back(Output::Tidy(command));
    }

    /// Tells whoever waited in a queue of this node what became of it.
    pub(crate) fn tell(&mut self, key: &Arc<str>, asker: Asker, outcome: Outcome, at_ms: u64) {
        match (self.asked.answer(&asker), outcome) {
            (Answered::NotOurs, _) => {}
            (Answered::Told, outcome) => {
                let Asker { connection: to, id } = asker;
                let reply = Reply::Outcome(outcome);
                self.outputs.push_back(Output::Reply { to, id, reply });
            }
            (Answered::Abandoned, outcome) => self.give_back(key, &outcome, at_ms),
        }
    }

    /// Nobody was told of this grant, and nobody will be: the next one shall have it. Unless it was renewed since: the
    /// same owner asked again, and was told then.
    pub(crate) fn give_back(&mut self, key: &Arc<str>, outcome: &Outcome, at_ms: u64) {
        if let Outcome::Granted { token, .. } = outcome {
            let renewed = LogIndex(token.0);
            let leases = vec![LeaseEnd { key: Arc::clone(key), token: *token, renewed }];
            let command = Command::End { leases, waiters: Vec::new(), at_ms };
            self.outputs.push_back(Output::Tidy(command));
        }
    }

    /// No thing of before a snapshot has a time.
    pub(crate) fn forget_times(&mut self) {
        self.touched.clear();
        self.timers.clear();
        self.scheduling = self.leads.then_some(Bound::Unbounded);
    }

    /// Shows readers a lock as it is now.
    pub(crate) fn show(&mut self, key: &Arc<str>) {
        let output = match self.leases.get(key) {
            Some(lease) => Output::Publish(Arc::new(View {
                key: Arc::clone(key),
                lease: lease.clone(),
                waiters: self.queues.get(key).map_or(0, BTreeMap::len),
            })),
            None => Output::Retire(Arc::clone(key)),
        };
        self.outputs.push_back(output);
    }
}
