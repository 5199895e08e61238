//! The members that a node lists, and the order in which it probes them.

use crate::{MEMBERS_LEN_MAX, Member};
use alloc::{collections::BTreeMap, vec::Vec};
use base::{Instant, NodeId, Rng};

/// One listed member.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) member: Member,
    /// When it came into its state.
    pub(crate) since: Instant,
}

/// All other members. Present ones are also in `order`, which is shuffled anew after each round: each is probed once
/// per round, so the time until a given one is probed has a bound (`2n − 1` intervals), which random choice has not.
#[derive(Debug, Default)]
pub(crate) struct MemberTable {
    listed: BTreeMap<NodeId, Listed>,
    order: Vec<NodeId>,
    next: usize,
}

impl MemberTable {
    pub(crate) fn get(&self, node: NodeId) -> Option<&Member> {
        self.listed.get(&node).map(|listed| &listed.member)
    }

    /// By id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Listed> {
        self.listed.values()
    }

    /// Present ones by id.
    pub(crate) fn present(&self) -> impl Iterator<Item = &Member> {
        self.iter().map(|listed| &listed.member).filter(|member| member.state.is_present())
    }

    pub(crate) fn present_len(&self) -> usize {
        self.order.len()
    }

    /// Room for one more, if need be by giving up who is away the longest. `Err` if all are present.
    pub(crate) fn make_room(&mut self) -> Result<Option<Member>, ()> {
        if self.listed.len() < MEMBERS_LEN_MAX {
            return Ok(None);
        }
        let away = self.iter().filter(|listed| !listed.member.state.is_present());
        let oldest = away.min_by_key(|listed| listed.since).map(|listed| listed.member.node());
        oldest.map(|node| self.forget(node)).ok_or(())
    }

    /// Writes a member down. A new or returning one gets a random place in the round that is under way.
    pub(crate) fn put(&mut self, now: Instant, member: Member, rng: &mut Rng) {
        let node = member.node();
        let state = member.state;
        let former = self.listed.get(&node);
        let was_present = former.is_some_and(|listed| listed.member.state.is_present());
        let since = former.filter(|f| f.member.state == state).map_or(now, |f| f.since);
        self.listed.insert(node, Listed { member, since });
        if state.is_present() && !was_present {
            // An inside-out step of the shuffle over what is left of the round.
            let left = (self.order.len() - self.next) as u64;
            let place = self.next + rng.below(left + 1) as usize;
            self.order.push(node);
            let last = self.order.len() - 1;
            self.order.swap(place, last);
        } else if !state.is_present() && was_present {
            self.take_from_order(node);
        }
    }

    /// Strikes a member that is not present off the list.
    pub(crate) fn forget(&mut self, node: NodeId) -> Option<Member> {
        let listed = self.listed.remove(&node)?;
        assert!(!listed.member.state.is_present(), "only those that are away are forgotten");
        Some(listed.member)
    }

    fn take_from_order(&mut self, node: NodeId) {
        let at = self.order.iter().position(|other| *other == node);
        let at = at.expect("who is present is in the order");
        // Those before `next` were probed in this round, those from it on were not; both stay so.
        if at < self.next {
            self.next -= 1;
            self.order.swap(at, self.next);
            self.order.swap_remove(self.next);
        } else {
            self.order.swap_remove(at);
        }
    }

    /// Who is probed next.
    pub(crate) fn next_target(&mut self, rng: &mut Rng) -> Option<NodeId> {
        if self.next >= self.order.len() {
            self.next = 0;
            shuffle(&mut self.order, rng);
        }
        let target = self.order.get(self.next).copied()?;
        self.next += 1;
        Some(target)
    }

    /// Up to `count` different present members that are `wanted`, at random.
    pub(crate) fn pick(
        &self,
        rng: &mut Rng,
        count: usize,
        wanted: impl Fn(&Member) -> bool,
    ) -> Vec<NodeId> {
        let suits = |node: &NodeId| self.get(*node).is_some_and(&wanted);
        let mut picked: Vec<NodeId> = Vec::new();
        // A few draws are enough in a big cluster with few that are unwanted; else all are looked at.
        if self.order.len() > 8 * count {
            for _ in 0..4 * count {
                let node = self.order[rng.below(self.order.len() as u64) as usize];
                if picked.len() < count && !picked.contains(&node) && suits(&node) {
                    picked.push(node);
                }
            }
        }
        if picked.len() < count {
            picked = self.order.iter().copied().filter(suits).collect();
            shuffle(&mut picked, rng);
            picked.truncate(count);
        }
        picked
    }

    /// Panics if the list and the order of probes do not fit together.
    pub(crate) fn check(&self) {
        assert!(self.listed.len() <= MEMBERS_LEN_MAX);
        assert!(self.next <= self.order.len());
        let mut order = self.order.clone();
        order.sort_unstable();
        assert!(order.into_iter().eq(self.present().map(Member::node)), "order = present members");
    }
}

/// Fisher and Yates.
pub(crate) fn shuffle(nodes: &mut [NodeId], rng: &mut Rng) {
    for last in (1..nodes.len()).rev() {
        nodes.swap(last, rng.below(last as u64 + 1) as usize);
    }
}
