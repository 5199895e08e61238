//! What was counted of links.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was counted since the host began.
#[derive(Debug, Default)]
pub struct LinkTally {
    unsent: AtomicU64,
    overflows: AtomicU64,
    bad_frames: AtomicU64,
    not_accepted: AtomicU64,
    snapshots_sent: AtomicU64,
    snapshots_failed: AtomicU64,
    snapshots_refused: AtomicU64,
}

/// The counts at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// Messages to nodes without a link: dropped.
    pub unsent: u64,
    /// Links hung up because their outbox was full.
    pub overflows: u64,
    /// Connections of other nodes closed because of what came on them.
    pub bad_frames: u64,
    /// Connections of other nodes that were not accepted.
    pub not_accepted: u64,
    /// Snapshots handed to the link of another node.
    pub snapshots_sent: u64,
    /// Snapshots for other nodes that were not: the link broke, or the disk is full.
    pub snapshots_failed: u64,
    /// Snapshots from other nodes that were not taken, or not to their end.
    pub snapshots_refused: u64,
}

impl LinkTally {
    /// The numbers now.
    #[must_use]
    pub fn counts(&self) -> LinkCounts {
        LinkCounts {
            unsent: self.unsent.load(Ordering::Relaxed),
            overflows: self.overflows.load(Ordering::Relaxed),
            bad_frames: self.bad_frames.load(Ordering::Relaxed),
            not_accepted: self.not_accepted.load(Ordering::Relaxed),
            snapshots_sent: self.snapshots_sent.load(Ordering::Relaxed),
            snapshots_failed: self.snapshots_failed.load(Ordering::Relaxed),
            snapshots_refused: self.snapshots_refused.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn unsent(&self) {
        self.unsent.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn overflow(&self) {
        self.overflows.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn bad_frame(&self) {
        self.bad_frames.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn not_accepted(&self) {
        self.not_accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot_sent(&self) {
        self.snapshots_sent.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot_failed(&self) {
        self.snapshots_failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot_refused(&self) {
        self.snapshots_refused.fetch_add(1, Ordering::Relaxed);
    }
}
