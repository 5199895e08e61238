//! What a scrape of the metrics sees: plain numbers, copied at that moment. `server` names them.

use crate::{Host, sessions::lock};
use access::{Action, Principal, Resource};
use base::{Duration, LogIndex, Now, Term};
use std::net::IpAddr;

/// The numbers of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// Whether it serves.
    pub ready: bool,
    /// Whether it leads the Raft group.
    pub leads: bool,
    /// Current term.
    pub term: Term,
    /// Through which entry the log is known to be committed.
    pub commit: LogIndex,
    /// Through which entry the state is.
    pub applied: LogIndex,
    /// Whether writes are refused because the disk is full.
    pub disk_full: bool,
    /// Writes that wait for their outcome.
    pub proposals_pending: usize,
    /// What the registry holds.
    pub counts: naming::Counts,
    /// Configs of all namespaces.
    pub configs: usize,
    /// Connections that are open now.
    pub connections_open: usize,
    /// Connections since the start.
    pub connections_opened: u64,
    /// Sessions that ended by a broken invariant of their own: each is a defect.
    pub sessions_broken: u64,
    /// Since the node started.
    pub uptime: Duration,
}

impl Host {
    /// Whether someone may see the metrics: from loopback anyone, else with a token that may look at the server.
    #[must_use]
    pub fn may_scrape(&self, now: Now, from: IpAddr, token: Option<&str>) -> bool {
        if from.is_loopback() {
            return true;
        }
        let access = nacos::Views::access(&self.views);
        let principal = token
            .and_then(|token| access.authenticate(token, now.unix_ms).ok())
            .unwrap_or(Principal::Anonymous);
        access.allows(&principal, Action::Read, &Resource::Server).is_ok()
    }

    /// The numbers now. Waits for the node's lock: scrapes are few.
    #[must_use]
    pub fn gauges(&self, now: Now) -> Gauges {
        let status = lock(&self.node).node.status();
        // An input that came meanwhile found the node taken, and counts on whoever held it to take it along.
        self.run(now, &[]);
        Gauges {
            ready: self.is_ready(),
            leads: status.leader == Some(status.node),
            term: status.term,
            commit: status.commit,
            applied: status.applied,
            disk_full: status.disk_full,
            proposals_pending: status.proposals_pending,
            counts: status.counts,
            configs: self.views.configs_len(),
            connections_open: self.connections_open(),
            connections_opened: self.connections.load(std::sync::atomic::Ordering::Relaxed),
            sessions_broken: self.sessions_broken.load(std::sync::atomic::Ordering::Relaxed),
            uptime: status.uptime,
        }
    }
}
