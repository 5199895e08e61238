//! How much a host takes before it refuses, where an operator may choose.

use crate::{BULK_BYTES_MAX, DATAGRAMS_LEN_MAX, LANE_LEN_MAX, StreamLimits, WORK_LEN_MAX};

/// How much may be kept of what was written out for readers, unless set otherwise: the lists of
/// some 40 000 instances.
pub const RENDERED_BYTES_MAX: usize = 16 << 20;
/// How much the journal may hold, unless set otherwise.
pub const JOURNAL_BYTES_MAX: usize = 6 << 20;
/// How much log is kept since the last checkpoint, unless set otherwise.
pub const LOG_BYTES_MAX: usize = 64 << 20;

/// The limits of a host and of everything in it. Given once, when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Inputs of one lane that wait for the node: "overloaded".
    pub lane_len_max: usize,
    /// Passwords of one address that wait for a worker: "overloaded".
    pub work_len_max: usize,
    /// Datagrams that wait to be sent: dropped, as a network would.
    pub datagrams_len_max: usize,
    /// Bytes of what was written out for readers: what was not used lately is forgotten, and written out again when it is
    /// wanted.
    pub rendered_bytes_max: usize,
    /// Bytes of the journal: the oldest events go.
    pub journal_bytes_max: usize,
    /// Bytes of the log since the last checkpoint, at least four of the longest entries: "overloaded".
    pub log_bytes_max: usize,
    /// Writes without an outcome: "overloaded".
    pub proposals_max: usize,
    /// Bytes that wait for one other node, beyond the longest log: its link is hung up, and dialed anew.
    pub link_bytes_max: usize,
    /// Clients that are pushed to by datagrams: one more polls.
    pub udp_subscribers_max: usize,
    /// What may wait for clients on their streams.
    pub streams: StreamLimits,
    /// Of every connection of a Nacos client.
    pub nacos: nacos::Limits,
    /// Of the config center.
    pub config: config::Settings,
    /// Of access.
    pub access: access::Settings,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lane_len_max: LANE_LEN_MAX,
            work_len_max: WORK_LEN_MAX,
            datagrams_len_max: DATAGRAMS_LEN_MAX,
            rendered_bytes_max: RENDERED_BYTES_MAX,
            journal_bytes_max: JOURNAL_BYTES_MAX,
            log_bytes_max: LOG_BYTES_MAX,
            proposals_max: node::PROPOSALS_MAX,
            link_bytes_max: BULK_BYTES_MAX,
            udp_subscribers_max: nacos::SUBSCRIBERS_MAX,
            streams: StreamLimits::default(),
            nacos: nacos::Limits::default(),
            config: config::Settings::default(),
            access: access::Settings::default(),
        }
    }
}
