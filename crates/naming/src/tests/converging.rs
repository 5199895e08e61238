//! How far nodes agree, and what helps when they do not.

use super::forwarding::{Net, client, id, register, service, three};
use crate::*;
use base::{ConnectionId, Duration, HybridClock, HybridTime, Now, RequestId};

fn after(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Another node's part: services with an instance each, registered by one connection.
fn fill(net: &mut Net, index: usize, count: u64) {
    let from = ConnectionId { node: id(index), boot: HybridTime(1), counter: 1 << 32 };
    net.step(index, Input::Opened(from));
    for number in 0..count {
        let service = super::script::service(&format!("s{number:05}"));
        let instance = client(1);
        let request = Request::Register { client: ClientId::Connection(from), service, instance };
        net.step(
            index,
            Input::Request { from, id: RequestId((index as u64 + 1) << 40 | number), request },
        );
    }
}

fn digest(net: &mut Net, index: usize) -> Vec<InstanceDigest> {
    match net.request(index, Request::Digest { service: service() }) {
        Reply::Digest(instances) => instances,
        other => panic!("{other:?}"),
    }
}

fn digests(net: &mut Net, index: usize) -> Vec<ServiceDigest> {
    let (mut all, mut more): (Vec<ServiceDigest>, bool) = (Vec::new(), true);
    while more {
        let after = all.last().map(|last| last.service.clone());
        let Reply::Digests { services, more: rest } =
            net.request(index, Request::Digests { after })
        else {
            panic!("not an answer to that")
        };
        assert!(services.len() <= DIGESTS_PER_PIECE);
        more = rest;
        all.extend(services);
    }
    all
}

#[test]
fn a_node_without_peers_is_ready_unless_it_knows_of_other_members() {
    let mut now = Now::START;
    let mut naming = Naming::new(Settings::default(), now, id(0), HybridClock::default());
    naming.step(now, Input::Restored);
    assert_eq!(naming.caught_up(), CaughtUp::Alone);
    assert!(naming.is_ready(1) && !naming.is_ready(3));
    now = now.after(CATCH_UP_TIMEOUT);
    naming.step(now, Input::Wake);
    assert_eq!(naming.caught_up(), CaughtUp::Alone);
    assert!(naming.is_ready(3), "a minority of one serves, too");
}

#[test]
fn a_node_that_starts_catches_up_with_all_its_peers() {
    let mut net = three();
    fill(&mut net, 0, 3000);
    fill(&mut net, 1, 10);
    net.wait(after(5000));
    net.restart(2, &Settings::default());
    assert_eq!(net.nodes[2].caught_up(), CaughtUp::Waiting);
    net.link(2, 1);
    net.wait(after(1));
    assert!(!net.nodes[2].is_ready(3));
    net.link(2, 0);
    while net.nodes[2].caught_up() == CaughtUp::Waiting {
        net.wait(after(1));
    }
    assert_eq!(net.nodes[2].caught_up(), CaughtUp::Agreed);
    assert!(net.nodes[2].is_ready(3));
    assert_eq!((net.views[2].len(), digests(&mut net, 2)), (3000, digests(&mut net, 0)));
    // It stays so, whatever comes.
    net.cut(2, 0);
    net.wait(after(10_000));
    assert_eq!(net.nodes[2].caught_up(), CaughtUp::Agreed);
}

#[test]
fn a_node_whose_peers_say_nothing_serves_after_a_time_and_says_so() {
    let mut net = three();
    net.restart(2, &Settings::default());
    net.swallowed = vec![(0, 2)];
    net.link_all();
    net.wait(CATCH_UP_TIMEOUT - after(1));
    assert_eq!((net.nodes[2].caught_up(), net.nodes[2].is_ready(3)), (CaughtUp::Waiting, false));
    net.wait(after(1));
    assert_eq!((net.nodes[2].caught_up(), net.nodes[2].is_ready(3)), (CaughtUp::TimedOut, true));
}

#[test]
fn the_lag_of_a_peer_grows_while_it_says_nothing() {
    let mut net = three();
    net.wait(after(5000));
    let lags = |net: &Net| -> Vec<(u64, Option<u64>, bool)> {
        let all = net.nodes[0].convergence();
        all.iter().map(|one| (one.peer.0, one.lag.map(|lag| lag.as_secs()), one.linked)).collect()
    };
    assert!(lags(&net).iter().all(|(_, lag, linked)| *lag <= Some(2) && *linked));
    net.swallowed = vec![(1, 0)];
    net.wait(after(10_000));
    let lags_now = lags(&net);
    assert!(
        matches!(lags_now[..], [(2, Some(9..=12), true), (3, Some(0..=2), true)]),
        "{lags_now:?}"
    );
    net.cut(0, 1);
    assert!(matches!(lags(&net)[..], [(2, None, false), (3, Some(0..=2), true)]));
}

#[test]
fn digests_tell_where_two_nodes_differ_and_a_repair_ends_it() {
    let mut net = three();
    let (first, second) = (net.client_of(0), net.client_of(1));
    net.request(0, register(&first));
    net.wait(after(3000));
    assert_eq!(digests(&mut net, 0), digests(&mut net, 1));
    net.swallowed = vec![(1, 0), (1, 2)];
    net.request(1, register(&second));
    net.wait(after(5));
    let (ours, theirs) = (digest(&mut net, 0), digest(&mut net, 1));
    assert_eq!(differing(&ours, &theirs), [Place::of(&second)]);
    let of_second = theirs.iter().find(|one| one.place == Place::of(&second));
    assert_eq!(of_second.map(|one| (one.owner, one.orphan)), Some((Some(id(1)), false)));
    assert_ne!(digests(&mut net, 0), digests(&mut net, 1));
    net.swallowed.clear();
    assert_eq!(net.request(0, Request::Repair { peer: id(1) }), Reply::Done);
    net.wait(after(5));
    assert_eq!(differing(&digest(&mut net, 0), &digest(&mut net, 1)), []);
    assert_eq!(digests(&mut net, 0), digests(&mut net, 1));
}

#[test]
fn without_a_link_there_is_no_repair() {
    let mut net = three();
    net.cut(0, 1);
    let reply = net.request(0, Request::Repair { peer: id(1) });
    assert_eq!(reply, Reply::Refused(Refusal::NoLink(id(1))));
}

#[test]
fn digests_come_in_pieces() {
    let mut net = Net::new(1, &Settings::default());
    fill(&mut net, 0, 2 * DIGESTS_PER_PIECE as u64 + 1);
    let all = digests(&mut net, 0);
    assert_eq!(all.len(), 2 * DIGESTS_PER_PIECE + 1);
    assert!(all.is_sorted_by(|a, b| a.service < b.service));
}
