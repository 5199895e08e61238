//! What clients of several nodes see.

use super::net::Net;
use base::Duration;

fn three() -> Net {
    let mut net = Net::new(3, crate::LOG_BYTES_MAX);
    net.run_until_ready();
    net
}

#[test]
fn what_is_published_at_a_follower_is_read_there_at_once_and_soon_everywhere() {
    let mut net = three();
    let follower = net.follower();
    net.publish(follower, "a", "one");
    assert_eq!(net.config(follower, "a").as_deref(), Some("one"));
    for machine in 0..3 {
        net.run_until("the others have it", |net| {
            net.config(machine, "a").as_deref() == Some("one")
        });
    }
}

#[test]
fn an_instance_registered_at_one_node_is_listed_at_all_and_gone_from_all() {
    let mut net = three();
    let instance = "serviceName=s&ip=10.1.1.1&port=80";
    let (status, body) = net.ask(0, "POST", &format!("/nacos/v1/ns/instance?{instance}"));
    assert_eq!((status, &*body), (200, "ok"));
    let listed = |net: &mut Net, machine| {
        let uri = "/nacos/v1/ns/instance/list?serviceName=s";
        net.ask(machine, "GET", uri).1.contains("10.1.1.1")
    };
    for machine in 0..3 {
        net.run_until("it is listed", |net| listed(net, machine));
    }
    net.ask(1, "DELETE", &format!("/nacos/v1/ns/instance?{instance}"));
    for machine in 0..3 {
        net.run_until("it is gone", |net| !listed(net, machine));
    }
}

#[test]
fn a_node_that_was_away_comes_back_and_has_what_was_missed() {
    let mut net = three();
    let away = net.follower();
    net.crash(away);
    let there = net.follower();
    net.publish(there, "a", "two");
    net.run(Duration::from_secs(1));
    net.start(away);
    net.run_until("it serves again", |net| net.host(away).is_ready());
    net.run_until("it has it", |net| net.config(away, "a").as_deref() == Some("two"));
    assert!((0..3).all(|other| other == away || net.are_linked(other, away)));
}

#[test]
fn links_are_dialed_again_after_a_cut_and_writes_go_on() {
    let mut net = three();
    let lost = net.leader().expect("somebody leads");
    net.isolate(lost);
    net.run_until("another one leads", |net| {
        (0..3).any(|machine| machine != lost && net.host(machine).gauges(net.now).leads)
    });
    let there = (lost + 1) % 3;
    net.publish(there, "a", "three");
    net.heal();
    net.run_until("it has it", |net| net.config(lost, "a").as_deref() == Some("three"));
}

#[test]
fn junk_ends_a_connection_and_nothing_else() {
    let mut net = three();
    assert_eq!(net.inject(0, 1, vec![9, 9].into()).as_deref(), Some("a frame of unknown kind 9"));
    assert_eq!(net.inject(1, 0, Default::default()).as_deref(), Some("an empty frame"));
    let piece = super::super::frame::of_piece(base::LogIndex(9), 3, b"x");
    let why = net.inject(2, 1, piece);
    assert_eq!(why.as_deref(), Some("piece 3 of a snapshot, 0 was expected"));
    assert_eq!(net.host(1).tally.links.counts().bad_frames, 2);
    assert_eq!(net.host(0).tally.links.counts().bad_frames, 1);
    net.run_until("they are linked again", |net| {
        net.are_linked(0, 1) && net.are_linked(1, 0) && net.are_linked(2, 1)
    });
    let follower = net.follower();
    net.publish(follower, "a", "four");
}

#[test]
fn a_link_that_takes_nothing_is_hung_up_and_dialed_anew() {
    let mut net = Net::new(3, 1 << 20);
    net.run_until_ready();
    let leader = net.leader().expect("somebody leads");
    let stalled = (leader + 1) % 3;
    net.stalled.insert((leader, stalled));
    let content = "x".repeat(100_000);
    for n in 0..100 {
        if net.host(leader).tally.links.counts().overflows > 0 {
            net.heal();
            net.run_until("they are linked again", |net| net.are_linked(leader, stalled));
            let last = format!("d{}", n - 1);
            net.run_until("it has caught up", |net| net.config(stalled, &last).is_some());
            return;
        }
        net.publish(leader, &format!("d{n}"), &content);
    }
    panic!("a link that carries nothing holds 10 MB");
}
