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
    net.forget_replies();
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
    assert_eq!(
        naming.deadline(),
        Some(now.instant.after(CATCH_UP_TIMEOUT)),
        "it is to be looked at"
    );
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

fn verify(net: &mut Net, index: usize) -> Verified {
    match net.request(index, Request::Verify { after: None }) {
        Reply::Verified(found) => *found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_node_says_where_others_list_something_else() {
    let mut net = three();
    fill(&mut net, 2, 50);
    net.wait(after(100));
    let (first, second) = (net.client_of(0), net.client_of(1));
    net.request(0, register(&first));
    // What was just registered has arrived when it is compared.
    let found = verify(&mut net, 0);
    assert_eq!((found.services, found.differences, found.last), (51, vec![], None));
    assert_eq!((found.answered, found.silent), (vec![id(1), id(2)], vec![]));
    net.swallowed = vec![(1, 0), (1, 2)];
    net.request(1, register(&second));
    net.swallowed.clear();
    for (index, peers) in [(0, vec![id(1)]), (1, vec![id(0), id(2)]), (2, vec![id(1)])] {
        let found = verify(&mut net, index);
        let differing: Vec<_> = found.differences.iter().map(|one| one.peer).collect();
        assert_eq!(differing, peers);
        let of = |one: &Difference| (one.service.clone(), one.places.clone(), one.places_count);
        let expected = (service(), vec![Place::of(&second)], 1);
        assert!(found.differences.iter().all(|one| of(one) == expected));
    }
    net.wait(after(5_000));
    assert_eq!(verify(&mut net, 0).differences, vec![]);
}

#[test]
fn a_service_that_only_one_node_lists_is_a_difference_on_both_sides() {
    let mut net = Net::new(2, &Settings::default());
    fill(&mut net, 0, 3);
    net.wait(after(3_000));
    net.swallowed = vec![(0, 1)];
    fill(&mut net, 0, 5);
    net.swallowed.clear();
    for index in 0..2 {
        let differences = verify(&mut net, index).differences;
        let names: Vec<&str> = differences.iter().map(|one| &*one.service.name).collect();
        assert_eq!(names, ["s00003", "s00004"]);
    }
}

#[test]
fn who_does_not_answer_is_named_and_many_services_are_compared_in_pieces() {
    let mut net = three();
    fill(&mut net, 0, DIGESTS_PER_PIECE as u64 + 7);
    net.wait(after(5_000));
    net.swallowed = vec![(1, 0)];
    let begun = net.ask(0, Request::Verify { after: None });
    net.wait(VERIFY_TIMEOUT);
    let Some(Reply::Verified(found)) = net.reply(begun) else { panic!("no answer") };
    assert_eq!((&found.answered, &found.silent), (&vec![id(2)], &vec![id(1)]));
    assert_eq!((found.services, found.differences.len()), (DIGESTS_PER_PIECE, 0));
    let begun = net.ask(0, Request::Verify { after: found.last });
    net.cut(0, 1);
    net.wait(after(100));
    let Some(Reply::Verified(found)) = net.reply(begun) else { panic!("no answer") };
    assert_eq!((found.silent, found.services, found.last), (vec![id(1)], 7, None));
}

#[test]
fn many_differences_are_told_up_to_a_limit_and_comparisons_are_bounded() {
    let mut net = Net::new(2, &Settings::default());
    net.swallowed = vec![(0, 1)];
    fill(&mut net, 0, 3 * DIFFERENCES_PER_PEER_MAX as u64);
    net.swallowed.clear();
    for index in 0..2 {
        let found = verify(&mut net, index);
        assert_eq!(found.differences.len(), DIFFERENCES_PER_PEER_MAX);
        assert!(found.more_differences);
    }
    net.swallowed = vec![(0, 1)];
    for _ in 0..VERIFIES_MAX {
        net.ask(0, Request::Verify { after: None });
    }
    let reply = net.request(0, Request::Verify { after: None });
    assert!(matches!(reply, Reply::Refused(Refusal::Busy { .. })), "{reply:?}");
}

#[test]
fn a_service_too_large_for_a_message_is_named_without_its_instances() {
    let mut net = Net::new(2, &Settings::default());
    net.swallowed = vec![(0, 1)];
    let from = ConnectionId { node: id(0), boot: HybridTime(1), counter: 1 << 32 };
    net.step(0, Input::Opened(from));
    let instances = (1..=201).map(client).collect();
    let (client, service) = (ClientId::Connection(from), service());
    let request = Request::RegisterBatch { client, service, instances };
    net.step(0, Input::Request { from, id: RequestId(1 << 40), request });
    net.swallowed.clear();
    let found = verify(&mut net, 1).differences;
    assert_eq!(
        found.iter().map(|one| (one.places_count, one.places.len())).collect::<Vec<_>>(),
        [(201, 0)]
    );
    let found = verify(&mut net, 0).differences;
    let counts = found.iter().map(|one| (one.places_count, one.places.len()));
    assert_eq!(counts.collect::<Vec<_>>(), [(201, PLACES_PER_DIFFERENCE_MAX)]);
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
