//! Nodes that stop in good order, and connections that are asked to go: nobody is missing from any list meanwhile.

use super::forwarding::{Net, beat, client, deregister, id, register, service, three};
use crate::*;
use base::{ConnectionId, Duration, HybridClock, HybridTime, Now, RequestId};

/// Beats less often than an orphan is listed.
fn slow(mut one: Instance) -> Instance {
    for (name, value) in
        [("preserved.heart.beat.timeout", "60000"), ("preserved.ip.delete.timeout", "90000")]
    {
        one.metadata.insert(name.into(), value.into());
    }
    one
}

fn leave(net: &mut Net, index: usize) {
    net.step(index, Input::Leave);
    net.wait(Duration::from_millis(100));
    assert!(net.left[index], "it is not finished");
}

/// A node that has left is gone for the others.
fn stop(net: &mut Net, index: usize) {
    for other in (0..net.nodes.len()).filter(|other| *other != index) {
        net.gone(other, index);
        net.cut(index, other);
    }
}

#[test]
fn what_http_clients_offer_passes_to_the_responsible_node_before_a_node_stops() {
    let mut net = three();
    let one = slow(net.client_of(2));
    net.request(0, register(&one));
    net.wait(Duration::from_secs(1));
    leave(&mut net, 2);
    let owner = net.owner(0, &one).expect("it is there");
    assert!([id(0), id(1)].contains(&owner));
    assert!((1..3).all(|index| net.owner(index, &one) == Some(owner)));
    stop(&mut net, 2);
    for _ in 0..50 {
        net.wait(Duration::from_secs(1));
        assert!((0..2).all(|index| net.shown(index).len() == 1), "at {:?}", net.now.instant);
    }
    net.wait(Duration::from_secs(45));
    assert!((0..2).all(|index| net.shown(index).is_empty()), "it never beat again");
}

#[test]
fn nobody_lives_longer_for_being_handed_over() {
    let mut net = three();
    let one = net.client_of(2);
    net.request(2, register(&one));
    net.wait(Duration::from_secs(12));
    leave(&mut net, 2);
    stop(&mut net, 2);
    net.wait(Duration::from_secs(4));
    assert!((0..2).all(|index| net.shown(index)[0].ends_with('!')), "silent for 16 s");
    net.wait(Duration::from_secs(15));
    assert!((0..2).all(|index| net.shown(index).is_empty()), "silent for 31 s");
}

#[test]
fn nothing_comes_back_to_a_node_that_leaves() {
    let mut net = three();
    let one = net.client_of(2);
    net.request(2, register(&one));
    leave(&mut net, 2);
    // The others have not heard yet that it leaves.
    for at in [0, 1, 2] {
        let began = net.now.instant;
        assert!(matches!(net.request(at, beat(&one)), Reply::Beat { known: true, .. }));
        assert!(net.now.instant.since(began) < FORWARD_TIMEOUT, "it said no at once");
        net.wait(Duration::from_millis(100));
        assert!((0..3).all(|index| net.owner(index, &one) != Some(id(2))), "heard at {at}");
    }
    let other = slow(net.client_of(2));
    net.request(2, deregister(&one));
    net.request(2, register(&other));
    net.wait(Duration::from_millis(100));
    assert!((0..3).all(|index| net.owner(index, &other).is_some_and(|owner| owner != id(2))));
}

#[test]
fn a_crowd_is_handed_over_in_pieces_and_its_hint_is_written_to_the_end() {
    let mut net = three();
    let count = 2 * HANDED_PER_WAKE + 100;
    for number in 0..count {
        let mut one = client(1);
        one.ip = format!("10.1.{}.{}", number / 250, number % 250).into();
        let at = net.ask(2, register(&one));
        net.wait(Duration::from_millis(2));
        assert_eq!(net.reply(at), Some(Reply::Done));
    }
    net.step(2, Input::Leave);
    assert!(!net.left[2], "not in one piece");
    net.wait(Duration::from_millis(500));
    assert!(net.left[2]);
    assert_eq!(net.nodes[2].distro.owned_count(), 0);
    let hint = std::mem::take(&mut net.hints[2]);
    let clock = HybridClock::above(hint_high_water(&hint).expect("there is one"));
    let mut again = Naming::new(Settings::default(), net.now, id(2), clock);
    again.step(net.now, Input::Hint(hint));
    again.step(net.now, Input::Restored);
    while again.restoring() {
        again.step(net.now, Input::Wake);
    }
    assert_eq!(again.counts().instances, count);
}

#[test]
fn a_node_that_is_alone_leaves_at_once() {
    let now = Now::START.after(Duration::from_secs(1));
    let mut node = Naming::new(Settings::default(), now, id(0), HybridClock::default());
    node.step(now, Input::Restored);
    node.step(now, Input::Leave);
    let left = std::iter::from_fn(|| node.poll()).filter(|output| *output == Output::Left);
    assert_eq!(left.count(), 1);
}

fn connection(index: usize, counter: u64) -> ConnectionId {
    ConnectionId { node: id(index), boot: HybridTime(1), counter: 1_000 + counter }
}

fn register_on(net: &mut Net, index: usize, from: ConnectionId, one: &Instance) {
    net.step(index, Input::Opened(from));
    let (client, instance) = (ClientId::Connection(from), one.clone());
    let request = Request::Register { client, service: service(), instance };
    net.step(index, Input::Request { from, id: RequestId(0), request });
    net.forget_replies();
}

fn deregister_on(net: &mut Net, index: usize, from: ConnectionId, one: &Instance) {
    let Instance { ip, port, cluster_name, .. } = one.clone();
    let client = ClientId::Connection(from);
    let request = Request::Deregister { client, service: service(), ip, port, cluster_name };
    net.step(index, Input::Request { from, id: RequestId(0), request });
    net.forget_replies();
}

/// A client of n1 that was asked to go, and has closed its connection.
fn moved(net: &mut Net) -> (ConnectionId, Instance) {
    let (here, one) = (connection(0, 0), client(1));
    register_on(net, 0, here, &one);
    net.wait(Duration::from_secs(1));
    net.step(0, Input::Moving(here));
    (here, one)
}

#[test]
fn a_client_that_is_asked_to_go_is_listed_until_it_is_there() {
    let mut net = three();
    let (here, one) = moved(&mut net);
    net.step(0, Input::Closed(here));
    for _ in 0..10 {
        net.wait(Duration::from_secs(1));
        assert!((0..3).all(|index| net.shown(index) == ["1"]));
    }
    let there = connection(1, 1);
    register_on(&mut net, 1, there, &one);
    net.wait(Duration::from_secs(1));
    assert!((0..3).all(|index| net.shown(index) == ["1"]));
    deregister_on(&mut net, 1, there, &one);
    net.wait(Duration::from_millis(10));
    assert!((0..3).all(|index| net.shown(index).is_empty()), "nothing was left behind");
}

/// The node that it left says that it is there, to those who have not heard it from the other one.
#[test]
fn whoever_hears_that_a_client_left_hears_where_it_is() {
    let mut net = three();
    let (here, one) = moved(&mut net);
    let there = connection(1, 1);
    net.swallowed = vec![(1, 2)];
    register_on(&mut net, 1, there, &one);
    net.wait(Duration::from_millis(5));
    net.step(0, Input::Closed(here));
    for _ in 0..20 {
        net.wait(Duration::from_millis(1));
        assert_eq!(net.shown(2), ["1"]);
    }
    assert_eq!(net.nodes[2].distro.len(), 1, "only where it is");
}

#[test]
fn a_client_that_is_there_before_it_closes_leaves_nothing_behind() {
    let mut net = three();
    let (here, one) = moved(&mut net);
    let there = connection(1, 1);
    register_on(&mut net, 1, there, &one);
    net.wait(Duration::from_secs(1));
    net.step(0, Input::Closed(here));
    net.wait(Duration::from_secs(1));
    assert!((0..3).all(|index| net.shown(index) == ["1"]));
    deregister_on(&mut net, 1, there, &one);
    net.wait(Duration::from_millis(10));
    assert!((0..3).all(|index| net.shown(index).is_empty()));
}

#[test]
fn a_client_that_never_comes_is_listed_no_longer_than_an_orphan() {
    let mut net = three();
    let (here, one) = moved(&mut net);
    net.step(0, Input::Closed(here));
    net.wait(Duration::from_secs(14));
    assert!((0..3).all(|index| net.shown(index) == ["1"]));
    net.wait(Duration::from_secs(2));
    assert!((0..3).all(|index| net.shown(index).is_empty()));
    // One that did not go, and is closed later, has ended.
    let here = connection(0, 3);
    register_on(&mut net, 0, here, &one);
    net.step(0, Input::Moving(here));
    net.wait(Duration::from_secs(20));
    net.step(0, Input::Closed(here));
    net.wait(Duration::from_millis(10));
    assert!((0..3).all(|index| net.shown(index).is_empty()));
    // One that takes its instance back before it closes is gone at once.
    let here = connection(0, 2);
    register_on(&mut net, 0, here, &one);
    net.step(0, Input::Moving(here));
    deregister_on(&mut net, 0, here, &one);
    net.step(0, Input::Closed(here));
    net.wait(Duration::from_millis(10));
    assert!((0..3).all(|index| net.shown(index).is_empty()));
}

#[test]
fn a_client_that_moves_away_from_a_node_that_stops_is_listed_until_it_is_there() {
    let mut net = three();
    let (here, one) = moved(&mut net);
    net.step(0, Input::Closed(here));
    leave(&mut net, 0);
    stop(&mut net, 0);
    net.wait(Duration::from_secs(10));
    assert!((1..3).all(|index| net.shown(index) == ["1"]));
    let there = connection(1, 1);
    register_on(&mut net, 1, there, &one);
    net.wait(Duration::from_secs(1));
    assert!((1..3).all(|index| net.shown(index) == ["1"]));
    deregister_on(&mut net, 1, there, &one);
    net.wait(Duration::from_millis(10));
    assert!((1..3).all(|index| net.shown(index).is_empty()));
}
