//! Links to other nodes. An address is a label here: there are as many as nodes in the cluster.

use super::page::Page;
use crate::peer::Told;
use host::Host;

pub(super) fn write(page: &mut Page, host: &Host, told: &Told) {
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
    for link in links.iter().filter(|link| link.node.is_some()) {
        let bytes = link.link.map_or(0, |link| host.waiting_bytes(link));
        waiting.with(&[("peer", link.address.as_str())], bytes);
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
