//! Plain counters of one host. Nothing here is counted on the path of a request that is simply served.

use crate::sessions::lock;
use base::{Duration, Limit};
use nacos::{Denial, Noted, Pushing};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// Kinds of clients that are told apart. They name themselves: whoever comes beyond this counts as `other`.
pub const AGENTS_MAX: usize = 64;
/// Characters of a client's name and of its version that tell it from others.
const AGENT_CHARS_MAX: usize = 32;

/// What was counted since the host began.
pub struct Tally {
    rejected: [AtomicU64; Limit::ALL.len()],
    denied: [AtomicU64; Denial::ALL.len()],
    registry: Pushes,
    config: Pushes,
    /// Pushes and notifications that are not confirmed yet.
    pub(crate) in_flight: AtomicUsize,
    agents: Mutex<BTreeMap<Agent, usize>>,
    /// How long the disk took to make writes of the log durable.
    pub fsync: Histogram,
    /// Of the links to other nodes.
    pub links: Arc<crate::LinkTally>,
}

/// What became of what was sent on the streams of clients.
#[derive(Default)]
struct Pushes {
    acknowledged: Histogram,
    lost: AtomicU64,
}

/// What a client says it is: safe as a label, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Agent {
    /// Such as `Nacos-Java-Client`.
    pub sdk: String,
    /// Such as `v2.5.1`; empty when it says none.
    pub version: String,
}

impl Agent {
    pub(crate) fn of(text: &str) -> Self {
        let (sdk, version) = text.split_once(':').unwrap_or((text, ""));
        let clean = |text: &str| {
            let fits = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
            text.chars().take(AGENT_CHARS_MAX).filter(fits).collect::<String>()
        };
        let sdk = clean(sdk);
        if sdk.is_empty() { Self::other() } else { Self { sdk, version: clean(version) } }
    }

    fn other() -> Self {
        Self { sdk: "other".to_owned(), version: String::new() }
    }
}

/// What is known of pushes of a plane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PushCounts {
    /// How long clients took to confirm.
    pub acknowledged: HistogramCounts,
    /// Not confirmed in time.
    pub lost: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            rejected: std::array::from_fn(|_| AtomicU64::new(0)),
            denied: std::array::from_fn(|_| AtomicU64::new(0)),
            registry: Pushes::default(),
            config: Pushes::default(),
            in_flight: AtomicUsize::new(0),
            agents: Mutex::default(),
            fsync: Histogram::default(),
            links: Arc::default(),
        }
    }
}

impl Tally {
    /// Something was refused at this limit.
    pub fn reject(&self, limit: Limit) {
        self.rejected[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was refused at this limit.
    #[must_use]
    pub fn rejected(&self, limit: Limit) -> u64 {
        self.rejected[limit as usize].load(Ordering::Relaxed)
    }

    /// How often somebody was not let in for this reason.
    #[must_use]
    pub fn denied(&self, denial: Denial) -> u64 {
        self.denied[denial as usize].load(Ordering::Relaxed)
    }

    /// What became of what was sent on streams.
    #[must_use]
    pub fn pushes(&self, plane: Pushing) -> PushCounts {
        let pushes = self.of(plane);
        let lost = pushes.lost.load(Ordering::Relaxed);
        PushCounts { acknowledged: pushes.acknowledged.counts(), lost }
    }

    /// Clients with a stream, by what they say they are.
    #[must_use]
    pub fn agents(&self) -> BTreeMap<Agent, usize> {
        lock(&self.agents).clone()
    }

    pub(crate) fn note(&self, noted: Noted) {
        match noted {
            Noted::Rejected(limit) => self.reject(limit),
            Noted::Denied(denial) => {
                self.denied[denial as usize].fetch_add(1, Ordering::Relaxed);
            }
            Noted::Acknowledged { plane, waited } => self.of(plane).acknowledged.observe(waited),
            Noted::Unacknowledged(plane) => {
                self.of(plane).lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A client came; what it counts as.
    pub(crate) fn came(&self, agent: &str) -> Agent {
        let mut agents = lock(&self.agents);
        let mut agent = Agent::of(agent);
        if !agents.contains_key(&agent) && agents.len() >= AGENTS_MAX {
            agent = Agent::other();
        }
        *agents.entry(agent.clone()).or_default() += 1;
        agent
    }

    pub(crate) fn left(&self, agent: &Agent) {
        let mut agents = lock(&self.agents);
        if let Some(count) = agents.get_mut(agent) {
            *count -= 1;
            if *count == 0 {
                agents.remove(agent);
            }
        }
    }

    fn of(&self, plane: Pushing) -> &Pushes {
        match plane {
            Pushing::Registry => &self.registry,
            Pushing::Config => &self.config,
        }
    }
}

/// Upper ends of the buckets, in microseconds: what a local disk and a distant client differ by.
pub const BUCKETS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000,
];

/// How long something took, in buckets.
#[derive(Default)]
pub struct Histogram {
    /// One more than there are ends: the last one has none.
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

/// A histogram at some moment. Of each bucket what is in it alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistogramCounts {
    /// One more than there are ends.
    pub buckets: [u64; BUCKETS_US.len() + 1],
    /// Of all that was observed.
    pub sum_us: u64,
}

impl Histogram {
    /// Once more, so long.
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(us)].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// The numbers now.
    #[must_use]
    pub fn counts(&self) -> HistogramCounts {
        let buckets = std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed));
        HistogramCounts { buckets, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

impl HistogramCounts {
    /// Once more, so long.
    pub fn observe(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(us)] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        for (own, others) in self.buckets.iter_mut().zip(other.buckets) {
            *own += others;
        }
        self.sum_us += other.sum_us;
    }
}

fn bucket(us: u64) -> usize {
    BUCKETS_US.partition_point(|end| *end < us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_name_themselves_and_cannot_break_a_page_or_fill_it() {
        for (said, sdk, version) in [
            ("Nacos-Java-Client:v2.5.1", "Nacos-Java-Client", "v2.5.1"),
            ("nacos\"} 1\ntrine 0\x1b[2J:1\\2", "nacos1trine02J", "12"),
        ] {
            let agent = Agent::of(said);
            assert_eq!((&*agent.sdk, &*agent.version), (sdk, version), "{said:?}");
        }
        assert_eq!(Agent::of("").sdk, "other");
        assert_eq!(Agent::of(&"x".repeat(1_000_000)).sdk.len(), AGENT_CHARS_MAX);
        let tally = Tally::default();
        let came: Vec<Agent> = (0..200).map(|n| tally.came(&format!("sdk{n}:1"))).collect();
        assert_eq!(tally.agents().len(), AGENTS_MAX + 1);
        came.iter().for_each(|agent| tally.left(agent));
        assert!(tally.agents().is_empty());
    }

    #[test]
    fn a_bucket_holds_what_is_not_over_its_end() {
        let histogram = Histogram::default();
        for us in [0, 100, 101, 5_000_000, 5_000_001] {
            histogram.observe(Duration::from_micros(us));
        }
        let counts = histogram.counts();
        assert_eq!((counts.buckets[0], counts.buckets[1]), (2, 1));
        assert_eq!((counts.buckets[13], counts.buckets[14]), (1, 1));
        assert_eq!(counts.sum_us, 10_000_202);
    }
}
