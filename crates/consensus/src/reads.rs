//! Linearizable reads: one round of the leader's heartbeats confirms all reads that wait when it starts.
//!
//! A read that arrives while a round is under way waits for the next one: the index of the running round may be older
//! than what was committed before the read began (a mistake that batching invites). The next one does not wait for the
//! end of a round that is late: else a read would take two ways around a slow network, not one.

use base::{Duration, Instant, NodeId, RequestId};
use std::collections::VecDeque;

/// How many reads may wait. More fail at once.
pub const READS_WAITING_MAX: usize = 65_536;

/// How many rounds may be under way. At the limit reads wait for the end of one.
const ROUNDS_MAX: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Read {
    id: RequestId,
    deadline: Instant,
}

/// Who led, and when, as a round started: a round does not outlive that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leadership {
    pub(crate) leader: u64,
    pub(crate) term: u64,
}

#[derive(Debug)]
struct Round {
    name: Vec<u8>,
    reads: VecDeque<Read>,
    under: Leadership,
    /// When it is late.
    retry_at: Instant,
}

#[derive(Debug)]
pub(crate) struct Reads {
    /// Tells the rounds of this life from those of an earlier one, whose late answers would be too old.
    life: u64,
    node: NodeId,
    counter: u64,
    waiting: VecDeque<Read>,
    /// Oldest first, all under one leadership, none without reads. What confirms one confirms those before it.
    rounds: VecDeque<Round>,
}

impl Reads {
    pub(crate) fn new(node: NodeId, life: u64) -> Self {
        Self { life, node, counter: 0, waiting: VecDeque::new(), rounds: VecDeque::new() }
    }

    /// False if too many wait.
    pub(crate) fn add(&mut self, id: RequestId, deadline: Instant) -> bool {
        if self.waiting.len() >= READS_WAITING_MAX {
            return false;
        }
        self.waiting.push_back(Read { id, deadline });
        true
    }

    /// Starts a round if reads wait and none is under way or the newest is late, or asks again for that one; gives its
    /// name. A late round keeps its name: on a slow network the answer to the first asking comes after the second one,
    /// and is as good.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        under: Leadership,
        retry: Duration,
    ) -> Option<Vec<u8>> {
        if self.rounds.back().is_some_and(|round| round.under != under) {
            self.give_up_rounds();
        }
        let is_full = self.rounds.len() >= ROUNDS_MAX;
        let newest = self.rounds.back_mut();
        if newest.as_ref().is_some_and(|round| round.retry_at > now) {
            return None;
        }
        if let Some(round) = newest.filter(|_| is_full || self.waiting.is_empty()) {
            round.retry_at = now.after(retry);
            return Some(round.name.clone());
        }
        if self.waiting.is_empty() {
            return None;
        }
        self.counter += 1;
        let name = [self.life, self.node.0, self.counter].map(u64::to_le_bytes).concat();
        let reads = std::mem::take(&mut self.waiting);
        let retry_at = now.after(retry);
        self.rounds.push_back(Round { name: name.clone(), reads, under, retry_at });
        Some(name)
    }

    /// The reads of abandoned rounds go first in the next one: a later index serves them as well.
    fn give_up_rounds(&mut self) {
        while let Some(mut round) = self.rounds.pop_back() {
            round.reads.append(&mut self.waiting);
            self.waiting = round.reads;
        }
    }

    /// A round was confirmed. Gives its reads and those of the rounds before it; none if it is not under way.
    pub(crate) fn confirmed(&mut self, name: &[u8]) -> Vec<RequestId> {
        let Some(last) = self.rounds.iter().position(|round| round.name == name) else {
            return Vec::new();
        };
        let rounds = self.rounds.drain(..=last);
        rounds.flat_map(|round| round.reads).map(|read| read.id).collect()
    }

    /// Takes out the reads whose time is over.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<RequestId> {
        self.take_if(|read| read.deadline <= now)
    }

    /// Takes out all reads: nobody leads.
    pub(crate) fn all(&mut self) -> Vec<RequestId> {
        self.take_if(|_| true)
    }

    fn take_if(&mut self, over: impl Fn(&Read) -> bool) -> Vec<RequestId> {
        let mut taken = Vec::new();
        let mut sift = |reads: &mut VecDeque<Read>| {
            reads.retain(|read| {
                let over = over(read);
                if over {
                    taken.push(read.id);
                }
                !over
            });
        };
        for round in &mut self.rounds {
            sift(&mut round.reads);
        }
        sift(&mut self.waiting);
        self.rounds.retain(|round| !round.reads.is_empty());
        taken
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let reads = self.rounds.iter().map(|round| &round.reads).chain([&self.waiting]);
        // Deadlines grow along each queue, so their first ones are the least.
        let first = reads.filter_map(|reads| reads.front().map(|read| read.deadline)).min();
        first.into_iter().chain(self.rounds.back().map(|round| round.retry_at)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const UNDER: Leadership = Leadership { leader: 1, term: 1 };

    fn started(life: u64, id: u64) -> (Reads, Vec<u8>) {
        let mut reads = Reads::new(NodeId(1), life);
        assert!(reads.add(RequestId(id), Instant::START.after(HOUR)));
        let name = reads.start(Instant::START, UNDER, HOUR).unwrap();
        (reads, name)
    }

    #[test]
    fn the_answer_to_a_round_of_an_earlier_life_confirms_nothing() {
        let (_, old) = started(1, 1);
        let (mut reads, new) = started(2, 2);
        assert_eq!(reads.confirmed(&old), [], "its index is from before the restart");
        assert_eq!(reads.confirmed(&new), [RequestId(2)]);
        assert_eq!(reads.confirmed(&new), [], "once");
    }

    #[test]
    fn a_change_of_leader_starts_the_round_anew_under_another_name() {
        let (mut reads, old) = started(1, 1);
        let later = Leadership { leader: 2, term: 2 };
        let new = reads.start(Instant::START, later, HOUR).unwrap();
        assert_ne!(old, new);
        assert_eq!(reads.confirmed(&old), [], "an answer of the old leader may be too old");
        assert_eq!(reads.confirmed(&new), [RequestId(1)]);
    }

    #[test]
    fn a_round_that_takes_longer_than_its_retry_is_confirmed_all_the_same() {
        let mut reads = Reads::new(NodeId(1), 1);
        assert!(reads.add(RequestId(1), Instant::START.after(HOUR)));
        let retry = Duration::from_millis(100);
        let name = reads.start(Instant::START, UNDER, retry).unwrap();
        assert_eq!(reads.start(Instant::START.after(retry / 2), UNDER, retry), None);
        let again = reads.start(Instant::START.after(retry), UNDER, retry).unwrap();
        assert_eq!(name, again);
        assert_eq!(reads.confirmed(&name), [RequestId(1)]);
    }

    #[test]
    fn reads_that_come_during_a_late_round_do_not_wait_for_its_end() {
        let retry = Duration::from_millis(100);
        let late = |n: u32| Instant::START.after(retry * n);
        let mut reads = Reads::new(NodeId(1), 1);
        let mut names = Vec::new();
        for n in 0..4 {
            assert!(reads.add(RequestId(n.into()), Instant::START.after(HOUR)));
            if n > 0 {
                assert_eq!(reads.start(late(n - 1), UNDER, retry), None, "the newest is not late");
            }
            names.extend(reads.start(late(n), UNDER, retry));
        }
        assert_eq!(reads.confirmed(&names[0]), [RequestId(0)], "the others came after it began");
        assert_eq!(
            reads.confirmed(&names[2]),
            [RequestId(1), RequestId(2)],
            "a later index serves"
        );
        assert_eq!(reads.confirmed(&names[1]), []);
        let later = Leadership { leader: 2, term: 2 };
        assert!(reads.add(RequestId(4), Instant::START.after(HOUR)));
        let new = reads.start(late(3), later, retry).unwrap();
        assert_eq!(reads.confirmed(&names[3]), [], "of the old leader");
        assert_eq!(reads.confirmed(&new), [RequestId(3), RequestId(4)]);
    }

    #[test]
    fn at_the_limit_of_rounds_the_newest_is_asked_for_again() {
        let retry = Duration::from_millis(100);
        let mut reads = Reads::new(NodeId(1), 1);
        let mut names = Vec::new();
        for n in 0..=ROUNDS_MAX as u32 {
            assert!(reads.add(RequestId(n.into()), Instant::START.after(HOUR)));
            names.extend(reads.start(Instant::START.after(retry * n), UNDER, retry));
        }
        assert_eq!(names[ROUNDS_MAX], names[ROUNDS_MAX - 1]);
        assert_eq!(reads.confirmed(&names[ROUNDS_MAX]).len(), ROUNDS_MAX);
    }

    #[test]
    fn reads_end_at_their_deadline_wherever_they_wait() {
        let (mut reads, name) = started(1, 1);
        let soon = Instant::START.after(Duration::from_secs(1));
        assert!(reads.add(RequestId(2), soon));
        assert_eq!(reads.deadline(), Some(soon));
        assert_eq!(reads.expired(soon), [RequestId(2)]);
        assert_eq!(reads.expired(Instant::START.after(HOUR)), [RequestId(1)]);
        assert_eq!(reads.confirmed(&name), []);
        assert_eq!(reads.deadline(), None);
    }

    #[test]
    fn too_many_reads_fail_at_once() {
        let mut reads = Reads::new(NodeId(1), 1);
        for n in 0..READS_WAITING_MAX as u64 {
            assert!(reads.add(RequestId(n), Instant::START));
        }
        assert!(!reads.add(RequestId(0), Instant::START));
    }
}
