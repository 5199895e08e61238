//! How fresh a read must be, and how fresh its answer is.

use crate::{LogIndex, NodeId};
use core::time::Duration;

/// What a reader asks for: the dial between speed and agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Consistency {
    /// Whatever this node holds.
    Stale,
    /// Not older than this.
    Bounded(Duration),
    /// Not older than what this connection has seen or written.
    Session,
    /// What a single up-to-date copy would answer at some moment during the request.
    Linearizable,
}

/// What a reply is worth. Every reply carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The level that was reached; may be below the level that was asked for.
    pub level: Consistency,
    /// How far the answer may lag behind the newest write; zero when linearizable.
    pub staleness: Duration,
    /// The last log entry that the answer contains.
    pub applied: LogIndex,
    /// The node whose state was read.
    pub served_by: NodeId,
}
