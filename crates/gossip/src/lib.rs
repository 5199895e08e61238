//! Gossip: who is in the cluster and alive.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
mod exchange;
mod health;
mod join;
mod learn;
mod logarithm;
mod member;
mod message;
mod probe;
mod receive;
mod record;
mod send;
mod settings;
mod spread;
mod surface;
mod suspicion;
mod table;
mod wire;

pub use error::Error;
pub use exchange::EXCHANGE_BYTES_MAX;
pub use learn::TWIN_REPORT_INTERVAL;
pub use member::{Member, State};
pub use message::{
    BUCKETS_LEN_MAX, Body, Bucket, CONFIRMERS_LEN_MAX, Delta, Digest, Entry, MEMBERS_LEN_MAX,
    Message, Seq, Summary, UPDATES_LEN_MAX, Update,
};
pub use probe::RELAYS_LEN_MAX;
pub use record::{
    ADDRESS_BYTES_MAX, ADDRESSES_LEN_MAX, Address, Description, FACT_BYTES_MAX, FACTS_LEN_MAX,
    Fact, Generation, Incarnation, NUMBER_MAX, Protocols, RECORD_BYTES_MAX, Record, RecordVersion,
    Roles,
};
pub use settings::{Exchange, Settings};
pub use surface::{Change, Counters, Event, Input, Lane, OUTPUTS_LEN_MAX, Output, SEEDS_LEN_MAX};
pub use wire::{MESSAGE_BYTES_MAX, WIRE_VERSION};

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use base::{Duration, Instant, Now, Rng};
use health::Health;
use join::Seeds;
use learn::TwinQuietUntil;
use probe::Probes;
use spread::Spread;
use suspicion::Suspicions;
use table::MemberTable;

/// When what is done again and again is due; `None` while there is nothing to do.
#[derive(Clone, Copy, Debug, Default)]
struct Timers {
    probe: Option<Instant>,
    gossip: Option<Instant>,
    exchange: Option<Instant>,
    reconnect: Option<Instant>,
    join: Option<Instant>,
}

/// Whether this node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Active,
    /// It says goodbye, and answers nobody.
    Leaving {
        until: Instant,
    },
    Gone,
}

/// One node's view of the cluster, and its part in everybody else's.
#[derive(Debug)]
pub struct Gossip {
    settings: Settings,
    rng: Rng,
    own: Member,
    standing: Standing,
    table: MemberTable,
    suspicions: Suspicions,
    spread: Spread,
    health: Health,
    probes: Probes,
    seeds: Seeds,
    timers: Timers,
    /// A stranger is greeted with an exchange, not before this.
    greet_after: Instant,
    twin_quiet_until: TwinQuietUntil,
    /// What is being taken in comes to a node that knew nobody.
    joining: bool,
    /// How often the list changed.
    news_taken: u64,
    counters: Counters,
    outputs: VecDeque<Output>,
    overflowed: bool,
}

impl Gossip {
    /// A node that knows nobody and begins to look for the seeds. Without seeds it waits until somebody finds it.
    ///
    /// # Errors
    /// If the settings, the description or the seeds may not be.
    pub fn new(
        now: Now,
        settings: Settings,
        description: Description,
        seeds: Vec<Address>,
        rng: Rng,
    ) -> Result<Self, Error> {
        settings.check()?;
        description.check()?;
        let (node, generation) = (settings.node, settings.generation);
        let record = Record { generation, version: RecordVersion(1), node, description };
        let own =
            Member { record: Arc::new(record), incarnation: Incarnation(0), state: State::Alive };
        let seeds = Seeds::new(seeds, settings.join_backoff_min)?;
        let timers = Timers { join: Some(now.instant), ..Timers::default() };
        Ok(Self {
            health: Health::new(settings.health_max),
            settings,
            rng,
            own,
            standing: Standing::Active,
            table: MemberTable::default(),
            suspicions: Suspicions::default(),
            spread: Spread::default(),
            probes: Probes::default(),
            seeds,
            timers,
            greet_after: now.instant,
            twin_quiet_until: None,
            joining: false,
            news_taken: 0,
            counters: Counters::default(),
            outputs: VecDeque::new(),
            overflowed: false,
        })
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input) {
        self.notice_pause(now.instant);
        match input {
            Input::Wake => self.wake(now),
            Input::Received { from, message } => self.received(now, from, message),
            Input::Join { seeds } => self.join(now, seeds),
            Input::Leave => self.leave(now),
            Input::SetLocal(description) => self.set_local(now, description),
        }
    }

    /// The next thing to be sent or told, in the order in which it happened.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() && self.overflowed {
            self.overflowed = false;
            return Some(Output::Event(Event::Overflowed));
        }
        output
    }

    /// When to step `Wake` at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let Timers { probe, gossip, exchange, reconnect, join } = self.timers;
        match self.standing {
            Standing::Active => [
                probe,
                gossip,
                exchange,
                reconnect,
                join,
                self.probes.deadline(),
                self.suspicions.deadline(),
            ]
            .into_iter()
            .flatten()
            .min(),
            Standing::Leaving { until } => Some(gossip.map_or(until, |gossip| gossip.min(until))),
            Standing::Gone => None,
        }
    }

    /// This node as it tells others.
    #[must_use]
    pub fn own(&self) -> &Member {
        &self.own
    }

    /// All others that are listed, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.table.iter().map(|listed| &listed.member)
    }

    /// What is known of a node, unless it is this one.
    #[must_use]
    pub fn member(&self, node: base::NodeId) -> Option<&Member> {
        self.table.get(node)
    }

    /// How many present members there are, this node counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.present_len() + 1
    }

    /// Never: there is always this node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The local health multiplier less one: 0 is healthy, [`Settings::health_max`] the worst.
    #[must_use]
    pub fn health(&self) -> u32 {
        self.health.score()
    }

    /// How many pieces of news are still to be passed on.
    #[must_use]
    pub fn news_len(&self) -> usize {
        self.spread.len()
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Looks at every invariant, in time proportional to the number of members. For tests and simulators.
    ///
    /// # Panics
    /// If one is broken.
    pub fn check(&self) {
        self.table.check();
        self.spread.check();
        let suspects = self.members().filter(|member| member.state == State::Suspect);
        let mut suspects_len = 0;
        for suspect in suspects {
            suspects_len += 1;
            let suspicion = self.suspicions.get(suspect.node()).expect("suspect ⇒ suspicion");
            assert_eq!(
                (suspicion.generation, suspicion.incarnation),
                (suspect.generation(), suspect.incarnation)
            );
            assert!(!suspicion.by().is_empty() && !suspicion.by().contains(&suspect.node()));
        }
        assert_eq!(suspects_len, self.suspicions.len(), "suspicion ⇒ suspect");
        for node in self.spread.iter() {
            assert!(
                node == self.own.node() || self.table.get(node).is_some(),
                "news is of somebody"
            );
        }
        assert!(self.table.get(self.own.node()).is_none(), "a node does not list itself");
        assert_eq!(self.own.state == State::Left, self.standing != Standing::Active);
        let idle = self.table.present_len() == 0 || self.standing != Standing::Active;
        assert_eq!(self.timers.probe.is_none(), idle, "who has others probes them");
    }

    fn wake(&mut self, now: Now) {
        let due = |timer: Option<Instant>| timer.is_some_and(|at| at <= now.instant);
        match self.standing {
            Standing::Gone => return,
            Standing::Leaving { .. } => {
                if due(self.timers.gossip) {
                    self.gossip(now);
                }
                self.leave_if_told(now);
                return;
            }
            Standing::Active => {}
        }
        self.probe_wake(now);
        if due(self.timers.probe) {
            self.probe_tick(now);
        }
        // After the probe: its failure may have confirmed one to its end.
        self.end_suspicions(now);
        if due(self.timers.exchange) {
            self.exchange_tick(now);
        }
        if due(self.timers.reconnect) {
            self.reconnect_tick(now);
        }
        if due(self.timers.join) {
            self.join_tick(now);
        }
        if due(self.timers.gossip) {
            self.gossip(now);
        }
    }

    /// A node that was stopped for a while heard nothing in that time, and nobody can refute to the deaf. The time does
    /// not count against others.
    fn notice_pause(&mut self, now: Instant) {
        let Some(due) = self.deadline() else { return };
        let lost = now.since(due);
        if lost < self.health.scale(self.settings.probe_timeout) {
            return;
        }
        self.counters.pauses += 1;
        self.health.worsen(1);
        self.suspicions.postpone(lost);
        self.probes.abandon();
        let Timers { probe, gossip, exchange, reconnect, join } = &mut self.timers;
        for timer in [probe, gossip, exchange, reconnect, join] {
            *timer = timer.map(|at| at.max(now));
        }
    }

    fn set_local(&mut self, now: Now, description: Description) {
        if let Err(error) = description.check() {
            self.refuse(None, error);
            return;
        }
        if description == self.own.record.description {
            return;
        }
        let Record { generation, version, node, description: _ } = *self.own.record;
        let version = RecordVersion(version.0 + 1);
        self.own.record = Arc::new(Record { generation, version, node, description });
        self.spread(now, node);
    }

    /// A random wait below `longest`.
    fn up_to(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(self.rng.below(nanos))
    }
}
