//! Checks of persistent instances by three nodes.

use super::{
    forwarding::{Net, id, service},
    script::instance,
};
use crate::*;
use base::Duration;

fn settings() -> Settings {
    Settings { checks_at_once_max: CHECKS_AT_ONCE_MAX, ..Settings::default() }
}

fn three() -> Net {
    Net::new(3, &settings())
}

fn put(net: &mut Net, ip: &str) {
    let instance = instance(&[&format!("{ip}:80"), "persistent"]);
    net.apply(&Command::Register { service: service(), instance });
}

fn drop_it(net: &mut Net, ip: &str) {
    net.apply(&Command::Deregister { service: service(), ip: ip.into(), port: 80 });
}

fn check_as(net: &mut Net, checker: Checker) {
    let settings = ClusterSettings { checker, check_port: 99, ..ClusterSettings::default() };
    let cluster_name = "DEFAULT".into();
    net.apply(&Command::UpdateCluster { service: service(), cluster_name, settings });
}

/// What all nodes show, if they show the same.
fn shown(net: &Net) -> Vec<String> {
    let all: Vec<Vec<String>> = (0..net.nodes.len()).map(|index| net.shown(index)).collect();
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    all[0].clone()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Who has checked since the last call.
fn checkers(net: &mut Net) -> Vec<usize> {
    let counts = std::mem::replace(&mut net.checked, vec![0; net.nodes.len()]);
    (0..counts.len()).filter(|index| counts[*index] > 0).collect()
}

#[test]
fn one_node_checks_and_all_show_what_it_finds() {
    let mut net = three();
    net.answering = Some(vec!["10.0.0.1"]);
    put(&mut net, "10.0.0.1");
    put(&mut net, "10.0.0.2");
    assert_eq!(shown(&net), ["1", "2"], "as they were registered");
    net.wait(secs(30));
    assert_eq!(shown(&net), ["1!", "2"]);
    net.answering = Some(vec![]);
    net.wait(secs(20));
    assert_eq!(shown(&net), ["1", "2"]);
    checkers(&mut net);
    drop_it(&mut net, "10.0.0.2");
    net.wait(secs(20));
    assert_eq!(checkers(&mut net).len(), 1, "each instance is checked by one node");
    drop_it(&mut net, "10.0.0.1");
    net.wait(secs(20));
    assert_eq!(checkers(&mut net), Vec::<usize>::new());
    assert!(net.nodes.iter().all(|node| node.health.is_empty()), "verdicts end with the instance");
}

#[test]
fn a_verdict_takes_three_checks_in_a_row() {
    let mut net = Net::new(1, &settings());
    put(&mut net, "10.0.0.1");
    for (healthy, expected) in [
        (false, "1"),
        (false, "1"),
        (true, "1"),
        (false, "1"),
        (false, "1"),
        (false, "1!"),
        (true, "1!"),
        (true, "1!"),
        (false, "1!"),
        (true, "1!"),
        (true, "1!"),
        (true, "1"),
    ] {
        while net.checks.is_empty() {
            net.wait(Duration::from_millis(100));
        }
        let (index, check) = net.checks.remove(0);
        net.step(index, Input::Checked { id: check.id, healthy });
        assert_eq!(shown(&net), [expected]);
        // Said twice, it counts once.
        net.step(index, Input::Checked { id: check.id, healthy });
    }
}

#[test]
fn what_a_check_is_to_do_is_what_was_said_of_the_cluster_name() {
    let mut net = Net::new(1, &settings());
    put(&mut net, "10.0.0.1");
    net.wait(secs(8));
    let of = |net: &mut Net| net.checks.pop().map(|(_, check)| (check.port, check.checker));
    assert_eq!(of(&mut net), Some((80, Checker::Tcp)));
    net.checks.clear();
    let http = Checker::Http { path: "/live".into(), headers: "a:b".into(), expected_code: 204 };
    let cluster_name = "DEFAULT".into();
    let settings = ClusterSettings {
        checker: http.clone(),
        check_port: 99,
        checks_instance_port: false,
        ..ClusterSettings::default()
    };
    net.apply(&Command::UpdateCluster { service: service(), cluster_name, settings });
    net.wait(secs(20));
    assert_eq!(of(&mut net), Some((99, http)));
}

#[test]
fn where_nothing_is_checked_the_registered_health_is_shown() {
    let mut net = three();
    net.answering = Some(vec!["10.0.0.1"]);
    put(&mut net, "10.0.0.1");
    net.wait(secs(30));
    assert_eq!(shown(&net), ["1!"]);
    check_as(&mut net, Checker::None);
    assert_eq!(shown(&net), ["1"]);
    checkers(&mut net);
    net.wait(secs(20));
    assert_eq!(checkers(&mut net), Vec::<usize>::new());
    check_as(&mut net, Checker::Tcp);
    net.apply(&Command::Switch(Switch::HealthCheck(false)));
    net.wait(secs(20));
    assert_eq!((shown(&net), checkers(&mut net)), (vec!["1".to_owned()], Vec::new()));
}

#[test]
fn another_node_goes_on_when_the_one_that_checked_dies_and_verdicts_stand() {
    let mut net = three();
    net.answering = Some(vec!["10.0.0.1"]);
    put(&mut net, "10.0.0.1");
    net.wait(secs(30));
    let first = checkers(&mut net)[0];
    let others: Vec<usize> = (0..3).filter(|index| *index != first).collect();
    let heard = net.now.instant;
    for other in &others {
        net.cut(first, *other);
        net.step(*other, Input::NodeGone { node: id(first), heard });
    }
    // The dead one is still there, and is not asked.
    net.nodes.swap_remove(first);
    net.nodes.insert(
        first,
        Naming::new(Settings::default(), net.now, id(first), HybridClock::default()),
    );
    for _ in 0..600 {
        net.wait(secs(2));
        assert!(others.iter().all(|index| net.shown(*index) == ["1!"]), "it was forgotten");
    }
    assert_eq!(checkers(&mut net).len(), 1);
    net.answering = Some(vec![]);
    net.wait(secs(20));
    assert!(others.iter().all(|index| net.shown(*index) == ["1"]));
}

#[test]
fn nodes_that_were_apart_show_the_last_verdict() {
    let mut net = three();
    net.answering = Some(vec![]);
    put(&mut net, "10.0.0.1");
    net.wait(secs(10));
    let first = checkers(&mut net)[0];
    let others: Vec<usize> = (0..3).filter(|index| *index != first).collect();
    for other in &others {
        net.cut(first, *other);
    }
    net.answering = Some(vec!["10.0.0.1"]);
    net.wait(secs(20));
    assert_eq!((net.shown(first), net.shown(others[0])), (vec!["1!".into()], vec!["1".into()]));
    net.link_all();
    net.wait(secs(1));
    assert_eq!(shown(&net), ["1!"]);
}

#[test]
fn checks_are_begun_up_to_the_limit_and_lost_ones_are_given_up() {
    let settings = Settings { checks_at_once_max: 3, ..Settings::default() };
    let mut net = Net::new(1, &settings);
    for number in 1..=9 {
        put(&mut net, &format!("10.0.0.{number}"));
    }
    while net.checks.len() < 3 {
        net.wait(Duration::from_millis(100));
    }
    let lost = net.checks[0].1.id;
    net.wait(secs(1));
    assert_eq!(net.checks.len(), 3, "the others wait");
    net.wait(secs(10));
    assert!(net.checks.len() >= 6, "the first three were lost");
    net.step(0, Input::Checked { id: lost, healthy: false });
    net.answering = Some(vec![]);
    net.wait(secs(60));
    let all: Vec<String> = (1..=9).map(|number| number.to_string()).collect();
    assert_eq!(shown(&net), all);
}

#[test]
fn a_restored_instance_is_checked_and_pushed() {
    let mut net = three();
    net.answering = Some(vec!["10.0.0.1"]);
    put(&mut net, "10.0.0.1");
    net.wait(secs(30));
    let before = net.views[0][&service()].version;
    net.answering = Some(vec![]);
    net.wait(secs(20));
    assert!(net.views[0][&service()].version > before);
    let settings = settings();
    for index in 0..3 {
        net.restart(index, &settings);
        net.link_all();
        net.wait(secs(3));
    }
    assert!(net.nodes.iter().all(|node| node.caught_up() == CaughtUp::Agreed));
}
