//! Links to other nodes. An address is a label here: there are as many as nodes in the cluster.

use super::page::Page;
use crate::peer::Told;
use host::{Gauges, Host, LinkGauge, LinkState};

pub(super) fn write(page: &mut Page, host: &Host, gauges: &Gauges, told: &Told) {
    let links = host.link_states();
    let linked = page.gauge("trine_peer_linked", "Whether a link leads to the node");
    for link in &links {
        linked.with(&[("peer", link.address.as_str())], link.node.is_some());
    }
    let failures = page.gauge("trine_peer_failures", "Attempts in a row that led to nothing");
    for link in &links {
        failures.with(&[("peer", link.address.as_str())], u64::from(link.failures));
    }
    let waiting = page.gauge("trine_peer_pending_bytes", "Waiting to be sent to the node");
    for (address, link) in linked_nodes(&links, gauges) {
        waiting.with(&[("peer", address)], link.urgent_bytes + link.bulk_bytes);
    }
    let lag = page.gauge(
        "trine_registry_lag_seconds",
        "Since the registries of this node and of the other one agreed",
    );
    for (address, link) in linked_nodes(&links, gauges) {
        if let Some(agreed_ago) = link.registry_agreed_ago {
            lag.with(&[("peer", address)], agreed_ago.as_secs_f64());
        }
    }
    let unsent = page.gauge("trine_registry_unsent", "Records that wait to be told to the node");
    for (address, link) in linked_nodes(&links, gauges) {
        unsent.with(&[("peer", address)], link.registry_unsent);
    }
    let came_up = told.links();
    let counts = |address| came_up.get(address).copied().unwrap_or_default();
    let linkings = page.counter("trine_peer_links", "How often a link to the node came up");
    for link in &links {
        linkings.with(&[("peer", link.address.as_str())], counts(&link.address));
    }
    let refused =
        page.counter("trine_peer_refused", "Connections that were not taken in, by reason");
    for (reason, count) in told.refusals() {
        refused.with(&[("reason", reason)], count);
    }
    let counts = host.tally.links.counts();
    page.counter("trine_peer_unsent", "Messages to nodes that no link leads to").is(counts.unsent);
    page.counter("trine_peer_overflows", "Links hung up because too much waited for them")
        .is(counts.overflows);
    page.counter("trine_peer_bad_frames", "Connections ended because of what came on them")
        .is(counts.bad_frames);
}

/// The links that lead to a node, with their addresses.
fn linked_nodes<'a>(
    links: &'a [LinkState],
    gauges: &'a Gauges,
) -> impl Iterator<Item = (&'a str, &'a LinkGauge)> {
    links.iter().filter_map(|link| {
        let node = link.node?;
        let gauge = gauges.links.iter().find(|gauge| gauge.node == node)?;
        Some((link.address.as_str(), gauge))
    })
}
