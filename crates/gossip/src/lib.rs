//! Gossip: who is in the cluster and alive.
//!
//! # The problem
//!
//! Every node must know which others there are, where they are and whether they live, without anyone in charge, on every
//! side of a partition, and at a cost per node that does not grow with the cluster. Nobody can be *known* to be dead: a
//! slow node, a cut cable and a corpse look alike. So a node is suspected first, told so, and given time to object.
//!
//! Gossip informs, Raft decides. What is said here steers who is asked, listed and shown; it never changes who may vote.
//!
//! # Roles
//!
//! All nodes are alike. A *member* is a node as another one lists it. Once per interval a node *probes* one member, going
//! round all of them in an order that is shuffled after each round. A *seed* is an address where the first members may
//! be found; it has no other meaning.
//!
//! ```text
//! member = record, incarnation, state
//! record = node id, generation, version, description (addresses, roles, protocol versions, a few opaque facts)
//! state  = Alive | Suspect | Down | Left
//! ```
//!
//! A node is its id. Its *generation* is another in each life, its *version* grows with each description it gives of
//! itself (a new address is a new version), its *incarnation* grows when it objects to being suspect or down. Only the node
//! itself raises these; others may only say `Suspect` or `Down` of an incarnation that they have heard of.
//!
//! # Messages
//!
//! | message | from → to | if it is lost |
//! |---|---|---|
//! | `Probe`, `Ack` | prober ⇄ target | after the probe timeout others are asked to probe |
//! | `IndirectProbe`, `Nack` | prober ⇄ others | there are several; a missing nack makes the prober doubt itself, not the target |
//! | `Gossip` | anyone → a few | each piece of news is sent several times by everybody who hears it |
//! | `Digest`, `Summary`, `Delta` | one ⇄ another, now and then | the next exchange finds the same difference |
//!
//! News (`Update`) travels on the first three kinds as well: whatever is left of a datagram's budget of bytes is filled with
//! what was sent least so far. Every message may also come twice, late or out of order: `Member::merge` decides.
//!
//! # A death, step by step
//!
//! 1. The next prober of the dead node gets no ack, asks three others, gets three nacks and no ack, and at the end of
//!    its interval suspects it. The suspicion spreads as news; a probe of the suspect carries it as well (*buddy*).
//! 2. A living suspect raises its incarnation; that is news which ends the suspicion wherever it comes.
//! 3. Everybody who suspects it waits `max − (max − min) · log(c + 1) / log(K + 1)` for that, where `c` others independently
//!    say the same. Then it is down, which is news too. It stays listed for a while, and is looked for now and then.
//!
//! A node that gets too few answers first doubts itself: each missing nack, each refutation it had to make and each late wake
//! multiplies its own interval and timeout (*local health*), each ack takes one back. A node that was stopped altogether (its
//! wake comes late) adds the lost time to all suspicions, because nobody could object to it in that time.
//!
//! # Exchange
//!
//! Infection reaches all but a few; the exchange reaches the rest, and those that were away. It compares hashes of buckets,
//! then versions in the buckets that differ, then sends what differs: two equal views cost one message. One who knows nobody
//! gets everything at once. A record that is `Down` is only a suspicion when it comes by exchange: it may be what
//! the other believed while it was cut off. An exchange that brought news is followed by another one soon.
//!
//! Messages of an exchange may be long. `Output::Send` marks those that are worth compressing; compression is no matter of a
//! core without std, but of the transport, between `Message::encode` and encryption, with a bit of its own in the frame.
//!
//! # Finding each other again
//!
//! * Nobody is left: seeds and those that are down are tried with waits that double, each with jitter.
//! * Somebody is left: now and then one of those that are down, or a seed that is no member, gets an exchange. In a healed
//!   partition one such contact is enough: both hear that they are down, object, and tell their halves of each other.
//! * A message of somebody who is not listed is answered with an exchange; of somebody who is down, with the word that it is.
//!
//! # Two nodes with one id
//!
//! Somebody copied a data directory. Others list the later generation, and tell the other node so when it talks from an
//! address that is not listed. It cannot know yet whether that is its own past or a twin, and takes the generation that
//! follows. The twin does the same: a generation that follows one's own comes from no clock. Then both report
//! [`Event::Twin`], and stop answering each other.
//!
//! # Invariants
//!
//! ```text
//! merge:      commutative, associative, idempotent
//!             a later generation wins whole; else record = max by (version, content), (incarnation, state) = max
//! growth:     (generation, incarnation) of a member in a view never fall, until it is forgotten
//! origin:     only node n issues generations, incarnations, versions and Left of n
//! suspicion:  state(m) = Suspect  ⇔  there is a suspicion of (generation(m), incarnation(m)), by somebody else than m
//! rounds:     the probe order has exactly the present members; each is probed within 2n − 1 intervals
//! news:       at most one piece per member; sent at most λ · ceil(log10(n + 1)) times by each node
//! self:       a node does not list itself; Left ⇔ it takes no part
//! ```
//!
//! [`Gossip::check`] is the same list as code; tests call it after every conversation, and after every message of junk.
//!
//! # Limits and their answers
//!
//! [`MEMBERS_LEN_MAX`]: who is away longest is forgotten; if all are present, a new one is not listed, and counted.
//! [`RELAYS_LEN_MAX`]: no more probes for others. [`OUTPUTS_LEN_MAX`]: messages are dropped, news is replaced by
//! [`Event::Overflowed`]. [`EXCHANGE_BYTES_MAX`]: the rest comes with the next exchange. A message that contradicts itself or
//! belongs to another cluster is an [`Error`], counted, and changes nothing, not even by its good parts.
//!
//! # Theory and measurement
//!
//! In virtual time on a network of real cores (`cargo test -p gossip`, `cargo run -p gossip --example measure --release`):
//!
//! ```text
//!                                          3 nodes       10      100     1000
//! first suspicion of a dead node, mean      1.68 s     1.85     1.99     1.67    theory 1.66, 1.87, 2.00 (50 nodes)
//!   99th percentile                         3.57 s     4.17     4.73     2.50    a model of the rounds: 3.22, 4.74
//! down in all views, mean                   5.69 s     6.34    10.35    14.24    shortest suspicion 4, 4, 8, 12 s
//! news everywhere, rounds of 200 ms, p99    1.0        2.6      4.0      5.2     theory -, 3, 6, 7 (500 nodes)
//!   with 30 % loss                          4.2        4.6      8.5      133     theory -, -, 7, 9 (500 nodes)
//! bytes per node and second, idle           90         90       93       111     28 per datagram included
//!   with full exchanges                     97        118      394      3189
//!   busy (news each second, restarts)      500        974     1359      1767
//!   busy with full exchanges               504       1001     1770      5299
//! a cluster forms from three seeds          0.1 s      0.1      0.7      5.9
//! two halves are whole again                4.6 s      1.4      2.8     10.8
//! ```
//!
//! In ten minutes with 10 % loss, or with some nodes that are deaf or stand still for 12 s again and again, nobody that works
//! is taken for down at 10, 30 and 100 nodes; without local health and long suspicions the deaf do it hundreds of times.
//! Spread is faster than in theory since news travels on probes and acks too, and a node that hears it need not wait for a
//! round that all begin together. With 30 % loss a thousand nodes suspect each other so often that accusations and their
//! refutations fill the datagrams; then it is the exchange that brings news. With 10 % they do not (4.9 rounds).
//! At 1000 nodes a death is seen sooner than in theory because five runs are few.
//!
//! # What was left out, and what was changed
//!
//! * No TCP probe beside the datagram (memberlist): the transport below may be one already.
//! * No second send of a suspicion to all who confirmed, no "dead" messages with an author: a confirmation counts once, by
//!   the name in it.
//! * No scaling of the exchange interval with the size of the cluster (memberlist): equal views cost almost nothing.
//! * Generations. SWIM has incarnations only, and a restarted node must learn its former one before it is seen again.
//! * A digest before the full state. memberlist and Serf send all of it every time; chitchat sends versions of all nodes.
//! * Nothing is stored: after a restart a node has its seeds. Keys, encryption and who may take part at all are the
//!   transport's; a cluster number in each message only keeps two clusters apart that share addresses.
//! * Round-trip times, weights and zones do not influence who is chosen.
//!
//! Sources: A. Das, I. Gupta, A. Motivala, *SWIM* (DSN 2002): probes, suspicion, infection. A. Dadgar, J. Phillips, J. Currey,
//! *Lifeguard* (arXiv 1707.00788): local health, suspicion times, buddy. A. Demers et al., *Epidemic algorithms* (PODC
//! 1987): push, push-pull, anti-entropy. Defaults: HashiCorp memberlist.
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
    pub fn present_len(&self) -> usize {
        self.table.present_len() + 1
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
        self.spread(now, node, true);
    }

    /// A random wait below `longest`.
    fn up_to(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos(self.rng.below(nanos))
    }
}
