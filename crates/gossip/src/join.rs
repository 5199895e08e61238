//! Finding others: at first, after isolation, and after a partition. And leaving them.

use crate::{
    Address, Error, Event, Gossip, Member, SEEDS_LEN_MAX, Standing, State, Timers, table::shuffle,
};
use alloc::vec::Vec;
use base::{Duration, Instant, NodeId, Now};

/// So many seeds are tried at one time.
const JOIN_FANOUT: usize = 3;

/// What is known of the way back.
#[derive(Debug)]
pub(crate) struct Seeds {
    pub(crate) addresses: Vec<Address>,
    /// How long to wait after the next attempt.
    backoff: Duration,
}

impl Seeds {
    pub(crate) fn new(addresses: Vec<Address>, backoff: Duration) -> Result<Self, Error> {
        if addresses.len() > SEEDS_LEN_MAX {
            return Err(Error::Settings { what: "there are more than 64 seeds" });
        }
        Ok(Self { addresses, backoff })
    }
}

impl Gossip {
    pub(crate) fn join(&mut self, now: Now, addresses: Vec<Address>) {
        match Seeds::new(addresses, self.settings.join_backoff_min) {
            Ok(seeds) => self.seeds = seeds,
            Err(error) => {
                self.refuse(None, error);
                return;
            }
        }
        if self.standing != Standing::Active {
            self.standing = Standing::Active;
            self.own.state = State::Alive;
            // Above its own goodbye.
            self.raise_above(self.own.generation(), self.own.incarnation);
            self.spread.add(self.own.node(), true);
            if self.table.present_len() > 0 {
                self.begin_routine(now);
            }
        }
        self.join_tick(now);
    }

    /// One attempt to reach somebody, and the time of the next one as long as nobody is there.
    pub(crate) fn join_tick(&mut self, now: Now) {
        let own = &self.own.record.description.addresses;
        let addresses = self.seeds.addresses.iter().filter(|seed| !own.contains(seed));
        let mut addresses: Vec<Address> = addresses.cloned().collect();
        // Not all at once: after a power cut everybody comes to the same few.
        while addresses.len() > JOIN_FANOUT {
            addresses.swap_remove(self.rng.below(addresses.len() as u64) as usize);
        }
        self.timers.join = None;
        let mut tried = false;
        for address in addresses {
            tried = true;
            self.counters.joins += 1;
            self.begin_exchange(None, address);
        }
        let mut down = self.down();
        shuffle(&mut down, &mut self.rng);
        if let Some(address) = down.first().and_then(|node| self.address(*node)) {
            tried = true;
            self.begin_exchange(Some(down[0]), address);
        }
        if tried && self.table.present_len() == 0 {
            let backoff = self.seeds.backoff;
            let wait = backoff / 2 + self.up_to(backoff / 2);
            self.timers.join = Some(now.instant.after(wait));
            self.seeds.backoff = (backoff * 2).min(self.settings.join_backoff_max);
        }
    }

    /// The first other member is there.
    pub(crate) fn found_others(&mut self, now: Now) {
        self.timers.join = None;
        self.seeds.backoff = self.settings.join_backoff_min;
        self.event(Event::Joined);
        if self.standing == Standing::Active {
            self.spread.add(self.own.node(), true);
            self.begin_routine(now);
        }
    }

    fn begin_routine(&mut self, now: Now) {
        // At random, so that nodes which start together do not probe together for ever.
        let settings = &self.settings;
        let (probe, exchange, reconnect) =
            (settings.probe_interval, settings.exchange_again, settings.reconnect_interval);
        self.timers.probe = Some(now.instant.after(self.up_to(probe)));
        self.timers.exchange = Some(now.instant.after(self.up_to(exchange)));
        self.timers.reconnect = Some(now.instant.after(self.up_to(reconnect)));
        self.plan_gossip(now);
    }

    /// The last other member is gone.
    pub(crate) fn lost_all(&mut self, now: Now) {
        self.timers = Timers::default();
        // Whoever did not answer this probe is down; it must not be judged by it when it is back.
        self.probes.abandon();
        self.event(Event::Isolated);
        let wait = self.up_to(self.settings.join_backoff_min);
        self.timers.join = Some(now.instant.after(wait));
    }

    /// Halves that took each other for down find each other again, and so do those that never met: a seed that is no
    /// member may lead to others.
    pub(crate) fn reconnect_tick(&mut self, now: Now) {
        let interval = self.settings.reconnect_interval;
        let wait = interval * 9 / 10 + self.up_to(interval / 5);
        self.timers.reconnect = Some(now.instant.after(wait));
        self.forget(now.instant);
        let down = self.down();
        let seeds: Vec<Address> =
            self.seeds.addresses.iter().filter(|seed| !self.is_present_at(seed)).cloned().collect();
        let count = down.len() + seeds.len();
        if count == 0 {
            return;
        }
        let chosen = self.rng.below(count as u64) as usize;
        match down.get(chosen) {
            Some(node) => {
                let address = self.address(*node).expect("it was just listed");
                self.begin_exchange(Some(*node), address);
            }
            None => self.begin_exchange(None, seeds[chosen - down.len()].clone()),
        }
    }

    fn forget(&mut self, now: Instant) {
        let long_ago = |since: Instant| now.since(since) >= self.settings.forget_after;
        let away = self.table.iter().filter(|listed| !listed.member.state.is_present());
        let over: Vec<NodeId> =
            away.filter(|listed| long_ago(listed.since)).map(|l| l.member.node()).collect();
        for node in over {
            let member = self.table.forget(node).expect("it was just listed");
            self.forgot(member);
        }
    }

    fn down(&self) -> Vec<NodeId> {
        let members = self.table.iter().map(|listed| &listed.member);
        members.filter(|member| member.state == State::Down).map(Member::node).collect()
    }

    fn address(&self, node: NodeId) -> Option<Address> {
        self.table.get(node).map(|member| member.record.address().clone())
    }

    fn is_present_at(&self, address: &Address) -> bool {
        let mut present = self.table.present().chain([&self.own]);
        present.any(|member| member.record.description.addresses.contains(address))
    }

    pub(crate) fn leave(&mut self, now: Now) {
        if self.standing != Standing::Active {
            return;
        }
        self.own.state = State::Left;
        self.timers = Timers::default();
        self.probes.abandon();
        self.standing = Standing::Leaving { until: now.instant.after(self.settings.leave_time) };
        self.spread.add(self.own.node(), true);
        self.gossip(now);
        self.leave_if_told(now);
    }

    /// The goodbye was told often enough, or there is no time left.
    pub(crate) fn leave_if_told(&mut self, now: Now) {
        let Standing::Leaving { until } = self.standing else { return };
        let told = !self.spread.contains(self.own.node()) || self.table.present_len() == 0;
        if told || until <= now.instant {
            self.standing = Standing::Gone;
            self.timers = Timers::default();
            self.event(Event::LeaveDone);
        }
    }
}
