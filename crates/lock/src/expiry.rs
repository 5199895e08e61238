//! What runs out, on the clock of the leader.

use crate::{Command, LockName, Locks, Output};
use base::{Duration, Instant, LogIndex};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

/// How many leases and waiters one command ends at most.
pub const EXPIRED_PER_COMMAND: usize = 200;

/// How many locks a new leader looks at in one step.
pub const LOCKS_SWEPT_PER_WAKE: usize = 1_000;

/// A proposal of which nothing was seen for so long was lost.
const PROPOSED_AGAIN: Duration = Duration::from_secs(2);

/// How long after its patience a waiter is ended by others than its own node.
const WAITER_GRACE: Duration = Duration::from_secs(10);

/// Something that runs out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Lease(LockName),
    Waiter(LockName, LogIndex),
}

/// When what runs out. Empty on a node that does not lead.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    leads: bool,
    at: BTreeMap<Timer, Instant>,
    due: BTreeSet<(Instant, Timer)>,
    /// What changed since the last step. `apply` reads no clock, so its time is that of the step that follows.
    touched: BTreeSet<Timer>,
    /// How far a new leader has come in giving everything its time.
    sweep: Option<Option<LockName>>,
}

impl Timers {
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn is_unfinished(&self) -> bool {
        !self.touched.is_empty() || self.sweep.is_some()
    }

    pub(crate) fn touch_lease(&mut self, name: &LockName) {
        self.touch(Timer::Lease(name.clone()));
    }

    pub(crate) fn touch_waiter(&mut self, name: &LockName, since: LogIndex) {
        self.touch(Timer::Waiter(name.clone(), since));
    }

    /// Everything has its full time again.
    pub(crate) fn begin_anew(&mut self) {
        *self = Self { leads: self.leads, ..Self::default() };
        self.sweep = self.leads.then_some(None);
    }

    fn touch(&mut self, timer: Timer) {
        if self.leads {
            self.set(&timer, None);
            self.touched.insert(timer);
        }
    }

    fn set(&mut self, timer: &Timer, at: Option<Instant>) {
        let former = match at {
            Some(at) => self.at.insert(timer.clone(), at),
            None => self.at.remove(timer),
        };
        if let Some(former) = former {
            self.due.remove(&(former, timer.clone()));
        }
        if let Some(at) = at {
            self.due.insert((at, timer.clone()));
        }
    }
}

impl Locks {
    pub(crate) fn lead(&mut self, leads: bool) {
        if self.timers.leads != leads {
            self.timers.leads = leads;
            self.timers.begin_anew();
        }
    }

    /// Gives what was there before this node led its time, for one piece.
    pub(crate) fn sweep(&mut self) {
        let Some(after) = self.timers.sweep.take() else { return };
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        let piece = self.locks.range::<LockName, _>((from, Bound::Unbounded));
        for (count, (name, lock)) in piece.take(LOCKS_SWEPT_PER_WAKE).enumerate() {
            self.timers.touched.insert(Timer::Lease(name.clone()));
            let waiters = lock.waiters.keys().map(|since| Timer::Waiter(name.clone(), *since));
            self.timers.touched.extend(waiters);
            last = (count + 1 == LOCKS_SWEPT_PER_WAKE).then(|| name.clone());
        }
        self.timers.sweep = last.map(Some);
    }

    /// From now on the time of what changed is counted.
    pub(crate) fn stamp(&mut self) {
        for timer in std::mem::take(&mut self.timers.touched) {
            let left = match &timer {
                Timer::Lease(name) => {
                    self.locks.get(name).map(|lock| Duration::from_millis(lock.lease.ttl_ms))
                }
                Timer::Waiter(name, since) => {
                    let lock = self.locks.get(name);
                    let waiter = lock.and_then(|lock| lock.waiters.get(since));
                    waiter.map(|one| Duration::from_millis(one.patience_ms) + WAITER_GRACE)
                }
            };
            let at = left.map(|left| self.now.instant.after(left));
            self.timers.set(&timer, at);
        }
    }

    /// Proposes to end what has run out, for one piece.
    pub(crate) fn expire(&mut self) {
        let (mut leases, mut waiters) = (Vec::new(), Vec::new());
        let now = self.now.instant;
        while leases.len() + waiters.len() < EXPIRED_PER_COMMAND {
            let Some((_, timer)) = self.timers.due.first().filter(|(at, _)| *at <= now).cloned()
            else {
                break;
            };
            self.timers.set(&timer, Some(now.after(PROPOSED_AGAIN)));
            match timer {
                Timer::Lease(name) => {
                    let lock = self.locks.get(&name).expect("what is gone was touched");
                    let (token, renewed) = (lock.lease.token, lock.lease.renewed);
                    leases.push((name, token, renewed));
                }
                Timer::Waiter(name, since) => waiters.push((name, since)),
            }
        }
        if !leases.is_empty() || !waiters.is_empty() {
            self.outputs.push_back(Output::Tidy(Command::Expire { leases, waiters }));
        }
    }
}
