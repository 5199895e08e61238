//! What an operator does when nodes are lost.

use crate::{
    copy_directory,
    http::exchange,
    load::{Client, History, Load, read_everything},
    process::{Cluster, PATIENCE, trine},
};
use sim::Outcome;
use std::{net::SocketAddr, time::Instant};

/// As many writes as make a history worth judging.
const WRITES: usize = 60;

/// The members as a node lists them: state, role and peer address of each.
fn members(node: SocketAddr) -> Vec<[String; 3]> {
    let answer = exchange(node, "GET", "/v1/cluster/members", "").expect("it runs");
    let cluster: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    let members = cluster["members"].as_array().expect("a list");
    let text = |member: &serde_json::Value, field: &str| {
        member[field].as_str().unwrap_or_default().to_owned()
    };
    let mut members: Vec<[String; 3]> =
        members.iter().map(|m| ["state", "role", "peer"].map(|field| text(m, field))).collect();
    members.sort();
    members
}

/// Waits until this node lists so many members, and all of them as living voters.
fn wait_voters(node: SocketAddr, count: usize) {
    let began = Instant::now();
    loop {
        let listed = members(node);
        let fit = |[state, role, _]: &[String; 3]| state == "alive" && role == "voter";
        if listed.len() == count && listed.iter().all(fit) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{listed:?}");
    }
}

/// Two of three are lost for good. The third goes on as a cluster of its own: everything is there, others join, and who
/// comes back with an old disk is refused and stops.
#[test]
fn one_node_is_left_of_three_and_becomes_a_cluster_again() {
    let mut cluster = Cluster::on_loopback(3).started();
    let history = History::new();
    let load = Load::start(&history, &cluster.apis(), 2);
    load.wait_for(WRITES);
    load.stop();
    read_everything(&history, &cluster.apis());
    let old = cluster.directory().join("old");
    for lost in [0, 1] {
        cluster.kill(lost);
        if lost == 0 {
            copy_directory(&cluster.nodes[0].data, &old);
        }
        std::fs::remove_dir_all(&cluster.nodes[lost].data).expect("a directory");
    }
    let left = cluster.api(2);
    let refused = Client::new(&history).publish(left, 0);
    assert_ne!(refused, Outcome::Done, "one of three decides nothing");

    let data = cluster.nodes[2].data.display().to_string();
    let recover = |more: &[&str]| {
        trine(&[&["cluster", "recover", "--data", &data, "-o", "json"], more].concat())
    };
    let (code, _, said) = recover(&["--yes"]);
    assert!(code == Some(5) && said.contains("in use"), "the server runs: {said}");
    cluster.kill(2);
    let (code, _, said) = recover(&[]);
    assert!(code == Some(2) && said.contains("--yes"), "nobody can be asked: {said}");
    let (code, shown, said) = recover(&["--dry-run"]);
    assert!(code == Some(0) && shown.contains("\"done\": false"), "{said}");
    let (code, shown, said) = recover(&["--yes"]);
    assert!(code == Some(0) && shown.contains("\"done\": true"), "{said}");
    assert_eq!(shown.matches("\"voter\": true").count(), 2, "two are forgotten: {shown}");
    let (code, _, said) = recover(&["--yes"]);
    assert!(code == Some(5) && said.contains("the only voter"), "a second time: {said}");

    cluster.start(2);
    cluster.wait_ready(2);
    read_everything(&history, &[left]);
    let load = Load::start(&history, &[left], 2);
    load.wait_for(WRITES);
    load.stop();

    // One of the lost machines comes back with an empty disk, and one that nobody knew.
    cluster.start(1);
    let server = format!("http://{left}");
    let (code, line, said) = trine(&["cluster", "join-token", "--server", &server]);
    assert_eq!(code, Some(0), "{said}");
    let flags: Vec<&str> = line.split_whitespace().skip(2).collect();
    let invited = cluster.start_invited(&flags);
    cluster.wait_ready(1);
    cluster.wait_ready(invited);
    wait_voters(left, 3);

    // And the other one, with its old disk.
    cluster.start_from(0, &old);
    let (_, code, log) = cluster.wait_exit(&[0]);
    assert!(code == Some(70) && log.contains("was removed from the cluster for good"), "{log}");
    wait_voters(left, 3);
    let all = [cluster.api(1), left, cluster.api(invited)];
    let load = Load::start(&history, &all, 2);
    load.wait_for(WRITES);
    load.stop();
    read_everything(&history, &all);
    history.judge();
}
