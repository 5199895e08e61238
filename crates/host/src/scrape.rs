//! What a scrape of the metrics sees: plain numbers, copied at that moment. `server` names them.

use crate::{Host, LinkCounts, sessions::lock};
use access::{Action, Principal, Resource};
use base::{Duration, LogIndex, Now, Term};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

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
    /// Which node it is.
    pub node: base::NodeId,
    /// What the node has counted.
    pub tally: node::Tally,
    /// What is listed, by namespace. Whatever is in none of the first ones is in `other`.
    pub namespaces: BTreeMap<Arc<str>, NamespaceCounts>,
    /// Pushes and notifications that are not confirmed yet.
    pub pushes_in_flight: usize,
    /// Bytes that wait for clients on their streams.
    pub streams_bytes: usize,
    /// The nodes with a link.
    pub links: Vec<LinkGauge>,
    /// What was counted of links.
    pub link_counts: LinkCounts,
    /// Subscriptions to datagrams that were not taken at a limit.
    pub udp_refused: u64,
}

/// The link to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkGauge {
    /// Which node.
    pub node: base::NodeId,
    /// What waits on its urgent lane, in bytes.
    pub urgent_bytes: usize,
    /// What waits on its bulk lane, in bytes.
    pub bulk_bytes: usize,
    /// How long ago its registry agreed with this one's; `None` if it has not yet.
    pub registry_agreed_ago: Option<Duration>,
    /// Records of the registry that it has still to be sent.
    pub registry_unsent: usize,
}

/// Namespaces that are told apart; the rest is `other` together.
pub const NAMESPACES_SHOWN_MAX: usize = 100;

/// What is listed of a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamespaceCounts {
    /// Services, empty ones too.
    pub services: usize,
    /// Instances that are healthy.
    pub healthy: usize,
    /// Instances that are not.
    pub unhealthy: usize,
    /// Configs.
    pub configs: usize,
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

    fn link_gauge(&self, node: &node::Node, peer: base::NodeId) -> Option<LinkGauge> {
        let (urgent_bytes, bulk_bytes) = self.link_bytes(peer)?;
        let (registry_agreed_ago, registry_unsent) = node.registry_lag(peer);
        Some(LinkGauge {
            node: peer,
            urgent_bytes,
            bulk_bytes,
            registry_agreed_ago,
            registry_unsent,
        })
    }

    /// The numbers now. Waits for the node's lock: scrapes are few.
    #[must_use]
    pub fn gauges(&self, now: Now) -> Gauges {
        let (status, links) = {
            let node = &lock(&self.node).node;
            let status = node.status();
            let links = status.peers.iter().filter_map(|peer| self.link_gauge(node, *peer));
            let links = links.collect();
            (status, links)
        };
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
            node: status.node,
            tally: *status.tally,
            namespaces: self.views.namespaces(NAMESPACES_SHOWN_MAX),
            pushes_in_flight: self.tally.in_flight.load(std::sync::atomic::Ordering::Relaxed),
            streams_bytes: self.streams_bytes.load(std::sync::atomic::Ordering::Relaxed),
            links,
            link_counts: self.tally.links.counts(),
            udp_refused: self.udp.refused_count(),
        }
    }
}
