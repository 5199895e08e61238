//! What operators are told of links and of who knocks: counted always, written to the log as often as it says something.

use super::Broken;
use base::NodeId;
use cluster::Address;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The same kind of refusal is written so often at most: who knocks in masses must not fill the log.
const TOLD_INTERVAL: Duration = Duration::from_secs(10);

/// What was counted, and what was said last.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Connections that were not taken in, by reason.
    refused: BTreeMap<&'static str, Refused>,
    /// Why an address could not be reached when it was written last.
    failures: BTreeMap<Address, &'static str>,
    /// How often a link to an address came up.
    links: BTreeMap<Address, u64>,
}

#[derive(Debug, Default)]
struct Refused {
    count: u64,
    untold: u64,
    told: Option<Instant>,
}

impl Told {
    /// A connection was not taken in.
    pub(super) fn refused(&self, from: SocketAddr, why: &Broken) {
        if why.is_itself() {
            return;
        }
        let mut counts = self.counts();
        let refused = counts.refused.entry(why.label()).or_default();
        refused.count += 1;
        refused.untold += 1;
        if refused.told.is_none_or(|told| told.elapsed() >= TOLD_INTERVAL) {
            let refused_count = std::mem::take(&mut refused.untold);
            refused.told = Some(Instant::now());
            tracing::warn!(%from, %why, refused_count, "a connection to the peer door was refused");
        }
    }

    /// A connection that was taken in is gone.
    pub(super) fn inbound_ended(&self, from: SocketAddr, why: &Broken) {
        match why {
            Broken::Frame(_) | Broken::FrameBytes { .. } => {
                tracing::warn!(%from, %why, "a node said what cannot be read");
            }
            _ => tracing::debug!(%from, %why, "a connection of another node ended"),
        }
    }

    /// A link leads to a node.
    pub(super) fn link_up(&self, address: &Address, node: NodeId) {
        let mut counts = self.counts();
        counts.failures.remove(address);
        *counts.links.entry(address.clone()).or_default() += 1;
        tracing::info!(%address, peer = %node, "linked to another node");
    }

    /// A link is gone, or an attempt led to nothing.
    pub(super) fn link_ended(&self, address: &Address, was_up: bool, why: &Broken) {
        if matches!(why, Broken::HungUp) || why.is_itself() {
            tracing::debug!(%address, %why, "a link is no longer wanted");
            return;
        }
        let before = self.counts().failures.insert(address.clone(), why.label());
        // It is tried again and again: once is enough, until the reason is another one.
        if was_up {
            tracing::warn!(%address, %why, "a link to another node is gone");
        } else if before != Some(why.label()) {
            tracing::warn!(%address, %why, "another node cannot be reached; it is tried again");
        }
    }

    /// Connections that were not taken in, by reason.
    pub(crate) fn refusals(&self) -> Vec<(&'static str, u64)> {
        self.counts().refused.iter().map(|(label, refused)| (*label, refused.count)).collect()
    }

    /// How often a link to each address came up.
    pub(crate) fn links(&self) -> BTreeMap<Address, u64> {
        self.counts().links.clone()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
