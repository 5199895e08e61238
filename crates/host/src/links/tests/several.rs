//! What clients of several nodes see.

use super::net::Net;
use crate::{Flow, Lane, NotAccepted, Reading, sessions::lock};
use base::Duration;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Wake,
};
use storage::{Disk, Place, SimDisk};

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

#[test]
fn three_fresh_nodes_found_one_cluster_and_a_fourth_comes_by_a_token() {
    let mut net = Net::fresh(3);
    net.run_until_ready();
    net.publish(1, "a", "five");
    let cluster = net.host(0).introduction().expect("it runs").cluster;
    assert!((1..3).all(|m| net.host(m).introduction().expect("it runs").cluster == cluster));
    // Of no door: what is asked for here has no edge yet.
    let (node, boot) = (base::NodeId(0), base::HybridTime(0));
    let from = base::ConnectionId { node, boot, counter: 7 };
    let make = cluster::Request::MakeToken { ttl: Duration::from_secs(3600) };
    let (id, request) = (base::RequestId(1), node::Request::Cluster(make));
    net.host(0).push_input(node::Input::Request { from, id, request });
    let mut token = None;
    net.run_until("the token is made", |net| {
        let view = net.host(0).views.cluster().expect("it runs");
        token = view.tokens.first_key_value().map(|(id, token)| (*id, token.key.clone()));
        token.is_some()
    });
    let (id, key) = token.expect("just seen");
    let fourth = net.add(cluster::JoinToken { id, key });
    net.run_until("the fourth one serves", |net| net.host(fourth).is_ready());
    assert_eq!(net.config(fourth, "a").as_deref(), Some("five"));
    net.run_until("all dial it", |net| (0..3).all(|other| net.are_linked(other, fourth)));
    // The secret is on its disk: it comes back without the token.
    net.crash(fourth);
    net.forget_token(fourth);
    net.start(fourth);
    net.run_until("it serves again", |net| net.host(fourth).is_ready());
}

#[test]
fn a_node_that_was_removed_is_told_so_and_stops() {
    let mut net = three();
    let (leader, removed) = (net.leader().expect("somebody leads"), net.follower());
    let (node, boot) = (base::NodeId(0), base::HybridTime(0));
    let from = base::ConnectionId { node, boot, counter: 7 };
    let remove = cluster::Request::Remove(net.host(removed).id());
    let (id, request) = (base::RequestId(1), node::Request::Cluster(remove));
    net.host(leader).push_input(node::Input::Request { from, id, request });
    net.run_until("it stops", |net| net.host(removed).halted().is_some());
    let why = net.host(removed).halted().expect("just seen");
    assert!(why.contains("was removed from the cluster for good"), "{why}");
    net.publish(leader, "a", "without it");
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_node_that_cannot_keep_up_reads_no_further_and_goes_on_where_it_stopped() {
    let mut net = three();
    let (host, inbound) = net.inbound(0, 1);
    let woken = Arc::new(Woken::default());
    let message = node::ProposalMessage::Unknown { proposal: base::ProposalId(1) };
    let message =
        node::PeerMessage { at: base::HybridTime(0), said: node::Said::Proposal(message) };
    let frame = super::super::frame::of_message(&message);
    let busy = lock(&host.node);
    let mut taken = 0;
    while host.peer_frame(net.now, inbound, frame.clone()) == Ok(Flow::Go) {
        taken += 1;
        assert!(taken < 2 * crate::PEERS_LEN_MAX, "it never ends");
    }
    host.listen_inbound(inbound, woken.clone().into());
    assert_eq!(host.reading(inbound), Reading::Pause);
    drop(busy);
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    host.wake(net.now);
    assert!(woken.0.load(Ordering::Relaxed) > 0);
    assert_eq!(host.reading(inbound), Reading::Go);
    net.publish(1, "a", "six");
}

#[test]
fn a_connection_takes_the_place_of_the_former_one_and_a_stranger_is_not_let_in() {
    let net = three();
    let (host, former) = net.inbound(0, 1);
    let mut peer = net.host(0).introduction().expect("it runs");
    let later = host.accept(&peer, Lane::Bulk).expect("a member");
    assert_eq!((host.reading(former), host.reading(later)), (Reading::Closed, Reading::Go));
    let refused = |peer: &cluster::Introduction| host.accept(peer, Lane::Bulk);
    peer.cluster = Some(cluster::ClusterId(9));
    let other = NotAccepted::Refused(cluster::Refusal::OtherCluster);
    assert_eq!(refused(&peer), Err(other));
    let itself = NotAccepted::Refused(cluster::Refusal::Itself);
    assert_eq!(refused(&host.introduction().expect("it runs")), Err(itself));
    assert_eq!(host.tally.links.counts().not_accepted, 2);
    assert_eq!(host.reading(later), Reading::Go);
}

#[test]
fn what_this_node_leads_is_handed_over_when_it_leaves() {
    let mut net = three();
    let leader = net.leader().expect("somebody leads");
    net.host(leader).leave(net.now);
    net.run_until("it has left", |net| net.host(leader).has_left());
    assert!((0..3).any(|m| m != leader && net.host(m).gauges(net.now).leads));
}

#[test]
fn a_scrape_shows_every_linked_node_and_how_far_its_registry_is() {
    let mut net = three();
    net.run_until("their registries agree", |net| {
        let gauges = net.host(0).gauges(net.now);
        let agreed = |link: &crate::LinkGauge| link.registry_agreed_ago.is_some();
        gauges.links.len() == 2 && gauges.links.iter().all(agreed)
    });
    net.stalled.insert((0, 1));
    net.publish(2, "a", "seven");
    net.run(Duration::from_secs(1));
    let links = net.host(0).gauges(net.now).links;
    let waiting: usize = links.iter().map(|link| link.urgent_bytes + link.bulk_bytes).sum();
    assert!(waiting > 0, "{links:?}");
}

#[test]
fn a_node_that_halts_lets_go_of_its_links() {
    let mut net = three();
    let (host, inbound) = net.inbound(0, 1);
    host.disk_done(net.now, vec![crate::DiskDone::Failed("pulled".to_owned())]);
    assert!(host.halted().is_some());
    assert_eq!(host.reading(inbound), Reading::Closed);
    net.run(Duration::from_secs(1));
    assert!(!net.are_linked(1, 0) && !net.are_linked(0, 1) && net.are_linked(0, 2));
    assert_eq!(host.deadline(), None);
}

#[test]
fn a_disk_of_a_build_that_knew_no_others_starts_as_a_cluster_of_its_own() {
    let disk = SimDisk::new(base::Rng::from_seed([1; 32]));
    let (mut opened, _) = Disk::open(Place::Simulated(disk.clone())).expect("empty");
    opened.set_identity(&[&[1][..], &77u64.to_be_bytes()].concat()).expect("room");
    drop(opened);
    let mut net = Net::of_disks(vec![disk], crate::LOG_BYTES_MAX);
    net.start(0);
    net.run_until_ready();
    assert_eq!(net.host(0).id(), base::NodeId(77));
    net.publish(0, "a", "eight");
    let cluster = net.host(0).introduction().expect("it runs").cluster;
    assert!(cluster.is_some());
    // From now on the record is of this build.
    net.crash(0);
    net.start(0);
    net.run_until_ready();
    assert_eq!(net.host(0).introduction().expect("it runs").cluster, cluster);
    assert_eq!(net.config(0, "a").as_deref(), Some("eight"));
}
