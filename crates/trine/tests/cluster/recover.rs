//! What an operator does when nodes are lost.

use crate::{
    copy_directory,
    http::exchange,
    load::{Client, History, Load, read_everything},
    process::{Cluster, PATIENCE, trine},
    status::wait_leader,
};
use sim::Outcome;
use std::{net::SocketAddr, path::Path, time::Instant};

/// As many writes as make a history worth judging.
const WRITES: usize = 60;

/// The cluster as a node tells of it.
fn cluster_of(node: SocketAddr) -> serde_json::Value {
    let answer = exchange(node, "GET", "/v1/cluster/members", "").expect("it runs");
    serde_json::from_str(&answer.body).expect("JSON")
}

/// The members as a node lists them: state, role and peer address of each.
fn members(node: SocketAddr) -> Vec<[String; 3]> {
    let cluster = cluster_of(node);
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

/// Flips one bit in every copy of these bytes that a file holds; how many.
fn flip_a_bit_of(bytes: &[u8], file: &Path) -> usize {
    let mut content = std::fs::read(file).expect("a file");
    let found = content.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes);
    let found: Vec<usize> = found.map(|(at, _)| at).collect();
    found.iter().for_each(|at| content[*at] ^= 1);
    std::fs::write(file, content).expect("a file");
    found.len()
}

/// A node whose disk has changed what it wrote does not start, and says what to do; done so, it has its old place again, and
/// nobody had to tell the others.
#[test]
fn a_node_with_a_corrupt_disk_is_started_with_an_empty_one_and_has_its_old_place_again() {
    let mut cluster = Cluster::on_loopback(3).started();
    let history = History::new();
    let load = Load::start(&history, &cluster.apis(), 2);
    load.wait_for(WRITES);
    cluster.kill(2);
    let data = cluster.nodes[2].data.clone();
    assert!(flip_a_bit_of(b"c0-", &data.join("raft.redb")) > 0, "its writes are in its log");
    cluster.start(2);
    let (_, code, log) = cluster.wait_exit(&[2]);
    assert!(code == Some(1) && log.contains("raft.redb is corrupt"), "{log}");
    assert!(log.contains("start it with an empty data directory and the same settings"), "{log}");
    load.wait_for(WRITES);
    std::fs::rename(&data, cluster.directory().join("damaged")).expect("a directory");
    cluster.start(2);
    cluster.wait_ready(2);
    for node in cluster.apis() {
        wait_voters(node, 3);
    }
    load.wait_for(WRITES);
    load.stop();
    let first = wait_leader(&cluster.apis());
    let listed = &cluster_of(cluster.api(first))["members"];
    for member in listed.as_array().expect("a list") {
        assert!(member["log_behind"].is_u64(), "who leads knows how far all logs are: {listed}");
        assert_eq!(member["lag_ms"].is_u64(), member["self"] == false, "and registries: {listed}");
    }
    read_everything(&history, &cluster.apis());
    history.judge();
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
