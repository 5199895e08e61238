//! Wall clocks that differ: the hybrid time that messages carry keeps what follows after what led to it.

use super::{Cluster, service};
use crate::{Reply, Request};
use base::{Duration, HybridTime, NodeId};
use journal::{Event, Kind, Subject};

const HOUR: Duration = Duration::from_secs(3600);
const DECADES: Duration = Duration::from_secs(30 * 365 * 86_400);
const MOMENT: Duration = Duration::from_millis(20);

/// Three nodes that serve: who leads, and the other two.
fn three() -> (Cluster, [NodeId; 3]) {
    let mut cluster = Cluster::new(3, false);
    cluster.wait(Duration::from_secs(5));
    let nodes = ["leader", "a", "b"].map(|name| cluster.named(name));
    (cluster, nodes)
}

impl Cluster {
    fn register(&mut self, name: &str, port: u16) {
        self.command(&format!("register {name} {port}"));
        self.wait(MOMENT);
    }

    fn version(&self, node: NodeId) -> u64 {
        self.seen[&node].version
    }

    /// What all journals hold about a subject, as this node merges it.
    fn story(&mut self, node: NodeId, subject: Subject) -> Vec<Event> {
        self.ask(node, Request::Explain { subject, limit: 1000 });
        self.wait(MOMENT);
        match self.replies.last() {
            Some((_, Reply::Events { events, silent, .. })) if silent.is_empty() => events.clone(),
            other => panic!("no story: {other:?}"),
        }
    }
}

#[test]
fn a_list_that_follows_looks_newer_than_one_of_a_node_whose_clock_is_ahead() {
    let (mut cluster, [leader, a, b]) = three();
    cluster.register("b", 80);
    for ahead in [a, leader] {
        cluster.ahead.insert(ahead, HOUR);
        cluster.register("b", 81);
        let there = cluster.version(ahead);
        assert!(there > cluster.now.unix_ms + 3_500_000, "its own wall clock: {there}");
        // Any message will do: no record of that node is on its way.
        cluster.wait(Duration::from_secs(1));
        cluster.register("b", 82);
        assert!(cluster.version(b) > there, "{} after {there}", cluster.version(b));
        // It does not go back when the clock does.
        let before = cluster.version(b);
        cluster.ahead.clear();
        cluster.register("b", 80);
        assert!(cluster.version(b) > before);
    }
}

#[test]
fn the_journals_of_nodes_whose_clocks_differ_list_a_cause_before_its_effects() {
    let (mut cluster, [leader, a, b]) = three();
    for (ahead, behind) in [(leader, a), (a, b), (b, leader)] {
        cluster.ahead.clear();
        cluster.ahead.insert(ahead, HOUR);
        let name = cluster.names.iter().find(|(_, node)| **node == ahead).expect("named").0.clone();
        let before = cluster.now.unix_ms;
        // The one that is ahead registers it; the others list it because of that.
        cluster.register(&name, 90 + ahead.0 as u16);
        let service = service();
        let subject = Subject::Service {
            namespace: service.namespace.clone(),
            service: format!("{}@@{}", service.group, service.name).into(),
        };
        let story = cluster.story(behind, subject);
        let at = |node: NodeId, wanted: fn(&Kind) -> bool| {
            let found =
                story.iter().rposition(|event| event.id.node == node && wanted(&event.kind));
            found.unwrap_or_else(|| panic!("{node} filed nothing: {story:#?}"))
        };
        let cause = at(ahead, |kind| matches!(kind, Kind::Registered));
        for node in [leader, a, b].into_iter().filter(|node| *node != ahead) {
            let effect = at(node, |kind| matches!(kind, Kind::Listed { .. }));
            assert!(cause < effect, "{ahead} is ahead, {node}: {story:#?}");
            assert!(story[effect].unix_ms < before + 60_000, "people read their own clock");
        }
    }
}

/// What the log tells is not in any record: only messages say how late it is.
#[test]
fn a_write_is_listed_where_it_was_decided_before_where_it_was_learnt() {
    let (mut cluster, [leader, a, b]) = three();
    cluster.ahead.insert(leader, HOUR);
    for (number, by) in ["leader", "a", "b"].into_iter().enumerate() {
        cluster.command(&format!("publish {by} k {number}"));
        cluster.wait(Duration::from_secs(1));
    }
    let subject =
        Subject::Config { namespace: "public".into(), group: "g".into(), data_id: "k".into() };
    let story = cluster.story(b, subject);
    let published: Vec<NodeId> = story
        .iter()
        .filter(|event| matches!(event.kind, Kind::Published { .. }))
        .map(|event| event.id.node)
        .collect();
    assert_eq!(published.len(), 9, "{story:#?}");
    for write in published.chunks(3) {
        assert_eq!(write[0], leader, "{published:?}");
    }
    let _ = a;
}

#[test]
fn a_clock_that_is_decades_ahead_takes_no_other_along_and_is_told_of_once() {
    let (mut cluster, [leader, a, b]) = three();
    cluster.register("b", 80);
    cluster.ahead.insert(a, DECADES);
    cluster.register("a", 81);
    cluster.wait(Duration::from_secs(5));
    let now = cluster.now.unix_ms;
    for node in [leader, b] {
        let high = cluster.nodes.get_mut(&node).expect("it runs").clock_high_water();
        assert!(high.unix_ms() < now + 60_000, "{node} was taken along to {high}");
        assert_eq!(cluster.seen[&node].hosts, 2, "its client is listed all the same");
        let tally = cluster.nodes[&node].status().tally;
        assert!(tally.times_not_followed > 10, "{}", tally.times_not_followed);
        let told = cluster.story(node, Subject::Node);
        let told = told.iter().filter(|event| {
            event.id.node == node
                && matches!(&event.kind, Kind::Refused(why) if why.contains("days ahead"))
        });
        assert_eq!(told.count(), 1);
    }
    // Lists go on growing newer there, and among the two.
    let before = cluster.version(b);
    cluster.register("leader", 82);
    assert!(cluster.version(b) > before);
    assert!(cluster.version(b) < now + 60_000);
}

#[test]
fn members_show_when_a_node_was_started_and_not_what_its_clock_had_reserved() {
    let (mut cluster, [leader, a, b]) = three();
    cluster.kill(a);
    let started = cluster.now.unix_ms;
    cluster.high_water = HybridTime::from_unix_ms(started + 60_000);
    cluster.start(a);
    cluster.wait(Duration::from_secs(5));
    for node in [leader, a, b] {
        let view = cluster.seen[&node].view.clone().expect("it was published");
        let member = view.members.iter().find(|member| member.node == a).expect("a member");
        assert!(
            member.life.is_some_and(|life| life.unix_ms() >= started + 60_000),
            "as {node} has it"
        );
        assert_eq!(member.started_ms, Some(started), "as {node} has it");
    }
}
