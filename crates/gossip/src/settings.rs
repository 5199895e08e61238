//! How one node takes part.

use crate::{CONFIRMERS_LEN_MAX, Error, Generation, NUMBER_MAX, RECORD_BYTES_MAX, logarithm};
use base::{Duration, NodeId};

/// What a datagram needs at most besides one record: the frame of the message with the address of an indirect probe.
const MESSAGE_FRAME_BYTES: usize = 224;

/// Longer intervals are mistakes, and multiplying them could overflow.
const PAUSE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Larger factors are mistakes.
const FACTOR_MAX: u32 = 1000;

/// How the full view is compared with another node's now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Hashes of buckets first, then what differs.
    Incremental,
    /// All records both ways. What SWIM implementations usually do; here for comparison.
    Full,
}

/// How one node takes part. The defaults are those of memberlist for a local network where it has the same setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// This node. Never 0.
    pub node: NodeId,
    /// This life of it: greater than in all earlier ones.
    pub generation: Generation,
    /// Tells clusters apart: messages of another are refused. A hash of what the nodes of one share.
    pub cluster: u32,
    /// One member is probed per interval: SWIM's protocol period `T'`.
    pub probe_interval: Duration,
    /// How long an ack may take before others are asked to probe. Less than the interval.
    pub probe_timeout: Duration,
    /// How many others are asked: SWIM's `k`.
    pub indirect_probes: usize,
    /// The shortest suspicion is this many probe intervals times `max(1, log10(members))`: Lifeguard's `α`.
    pub suspicion_factor: u32,
    /// The longest suspicion is this many times the shortest: Lifeguard's `β`.
    pub suspicion_max_factor: u32,
    /// How many confirmations shorten a suspicion to its minimum: Lifeguard's `K`.
    pub confirmations: usize,
    /// A node in doubt of itself slows down to `health_max + 1` times its intervals: Lifeguard's `S`.
    pub health_max: u32,
    /// How often updates are sent on while there are any.
    pub gossip_interval: Duration,
    /// To how many members each time.
    pub gossip_fanout: usize,
    /// An update is sent on this many times `ceil(log10(members + 1))`: SWIM's `λ`.
    pub retransmit_factor: u32,
    /// The longest message of [`crate::Lane::Urgent`] in bytes.
    pub datagram_bytes_max: usize,
    /// How often the full view is compared with that of a random member.
    pub exchange_interval: Duration,
    /// How long after an exchange that brought news another one follows, at most.
    pub exchange_again: Duration,
    /// In which way.
    pub exchange: Exchange,
    /// Messages of at least this many bytes are marked as worth compressing.
    pub compress_bytes_min: usize,
    /// How long an isolated node waits between its first attempts to find the seeds.
    pub join_backoff_min: Duration,
    /// The wait doubles up to this.
    pub join_backoff_max: Duration,
    /// How often one of those that are down, or a seed that is no member, is looked for.
    pub reconnect_interval: Duration,
    /// How long those that are down or left are remembered.
    pub forget_after: Duration,
    /// How long a node that leaves goes on telling so at most.
    pub leave_time: Duration,
}

impl Settings {
    /// The usual settings of a node.
    #[must_use]
    pub fn new(node: NodeId, generation: Generation, cluster: u32) -> Self {
        Self {
            node,
            generation,
            cluster,
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            indirect_probes: 3,
            suspicion_factor: 4,
            suspicion_max_factor: 6,
            confirmations: 3,
            health_max: 8,
            gossip_interval: Duration::from_millis(200),
            gossip_fanout: 3,
            retransmit_factor: 4,
            datagram_bytes_max: 1200,
            exchange_interval: Duration::from_secs(30),
            exchange_again: Duration::from_secs(2),
            exchange: Exchange::Incremental,
            compress_bytes_min: 1024,
            join_backoff_min: Duration::from_secs(1),
            join_backoff_max: Duration::from_secs(30),
            reconnect_interval: Duration::from_secs(10),
            forget_after: Duration::from_secs(3600),
            leave_time: Duration::from_secs(5),
        }
    }

    /// Whether they fit together.
    ///
    /// # Errors
    /// [`Error::Settings`] with what does not.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |what| Err(Error::Settings { what });
        if self.node.0 == 0 {
            return wrong("node id 0 is reserved");
        }
        if self.generation.0 > NUMBER_MAX {
            return wrong("generation is beyond the limit; is it the hybrid clock at boot?");
        }
        if self.probe_timeout.is_zero() || self.probe_timeout >= self.probe_interval {
            return wrong("probe_timeout must be less than probe_interval and not zero");
        }
        let pauses = [
            self.gossip_interval,
            self.exchange_interval,
            self.exchange_again,
            self.join_backoff_min,
            self.join_backoff_max,
            self.reconnect_interval,
            self.forget_after,
            self.leave_time,
        ];
        if pauses.iter().any(Duration::is_zero) {
            return wrong("an interval is zero");
        }
        if pauses.iter().chain([&self.probe_interval]).any(|pause| *pause > PAUSE_MAX) {
            return wrong("an interval is longer than a year");
        }
        if self.join_backoff_min > self.join_backoff_max {
            return wrong("join_backoff_min must not be more than join_backoff_max");
        }
        let factors = [self.suspicion_factor, self.suspicion_max_factor, self.retransmit_factor];
        if factors.iter().any(|factor| !(1..=FACTOR_MAX).contains(factor)) {
            return wrong("a factor must be between 1 and 1000");
        }
        if self.gossip_fanout == 0 || self.health_max > FACTOR_MAX {
            return wrong("gossip_fanout must be at least 1, health_max at most 1000");
        }
        if self.confirmations >= CONFIRMERS_LEN_MAX {
            return wrong("confirmations must be less than 8: a message names no more accusers");
        }
        if self.datagram_bytes_max < RECORD_BYTES_MAX + MESSAGE_FRAME_BYTES {
            return wrong("datagram_bytes_max must be at least 1024, so that a record fits");
        }
        Ok(())
    }

    /// The shortest suspicion among this many members.
    #[must_use]
    pub fn suspicion_min(&self, members: usize) -> Duration {
        let shortest = self.probe_interval * self.suspicion_factor;
        logarithm::scale_by_log10(shortest, members)
    }

    /// How often an update is sent on among this many members.
    #[must_use]
    pub fn retransmit_max(&self, members: usize) -> u32 {
        self.retransmit_factor * logarithm::digits(members)
    }
}
