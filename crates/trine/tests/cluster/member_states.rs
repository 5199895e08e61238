//! A node that hangs, as Nacos's clients and consoles, and our own command line, are told of it.

use crate::{
    http::exchange,
    process::{Cluster, PATIENCE, trine},
};
use serde_json::Value;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// The states that a node lists, by address.
fn listed(at: SocketAddr, path: &str, list: &str) -> Vec<(String, String)> {
    let answer = exchange(at, "GET", path, "").expect("it serves");
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    let nodes = answer[list].as_array().expect("a list");
    let text = |node: &Value, field: &str| node[field].as_str().unwrap_or_default().to_owned();
    nodes.iter().map(|node| (text(node, "address"), text(node, "state"))).collect()
}

fn body(at: SocketAddr, path: &str) -> String {
    exchange(at, "GET", path, "").expect("it serves").body
}

/// Waits until all forms of the list show this state of the third node.
fn wait_state(at: SocketAddr, third: SocketAddr, wanted: &str) {
    let began = Instant::now();
    loop {
        let fits = [
            ("/nacos/v1/core/cluster/nodes", "data"),
            ("/nacos/v2/core/cluster/node/list", "data"),
            ("/nacos/v3/admin/core/cluster/node/list", "data"),
            ("/nacos/v1/ns/operator/servers", "servers"),
        ]
        .map(|(path, list)| {
            let nodes = listed(at, path, list);
            assert_eq!(nodes.len(), 3, "{path}: {nodes:?}");
            nodes.contains(&(third.to_string(), wanted.to_owned()))
        });
        if fits == [true; 4] {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it is never {wanted}");
    }
}

#[test]
fn a_node_that_hangs_is_down_is_named_and_comes_back() {
    let cluster = Cluster::on_loopback(3).started();
    let (at, third) = (cluster.api(0), cluster.api(2));
    wait_state(at, third, "UP");
    assert_eq!(body(at, "/nacos/v2/core/loader/smartReloadCluster"), "Ok");
    let servers = body(at, "/nacos/serverlist");
    assert!(servers.contains(&format!("{third}\n")), "{servers}");

    cluster.signal(2, "STOP");
    // Nobody waits for it for long, also while nobody has noticed yet.
    let asked = Instant::now();
    let answer = body(at, "/nacos/v2/core/loader/smartReloadCluster");
    assert!(answer.starts_with(&format!("Fail: {third} did not answer")), "{answer}");
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    let told: Value =
        serde_json::from_str(&body(at, "/nacos/v2/core/loader/cluster")).expect("JSON");
    assert_eq!((&told["completed"], &told["metricsCount"]), (&false.into(), &2.into()), "{told}");

    wait_state(at, third, "DOWN");
    let servers = body(at, "/nacos/serverlist");
    assert!(!servers.contains(&format!("{third}\n")) && servers.lines().count() == 2, "{servers}");
    let server = format!("http://{at}");
    let (code, table, said) = trine(&["--server", &server, "cluster", "rebalance", "--dry-run"]);
    assert_eq!((code, table.lines().count()), (Some(6), 3), "{table}{said}");
    assert!(said.contains("did not answer"), "{said}");
    let (code, table, _) = trine(&["--server", &server, "cluster", "members"]);
    let clients: Vec<&str> = table.lines().filter_map(|line| line.split('\t').nth(6)).collect();
    assert_eq!(code, Some(0));
    assert_eq!(clients.iter().filter(|count| **count == "-").count(), 1, "{table}");
    assert_eq!(clients.iter().filter(|count| **count == "0").count(), 2, "{table}");

    cluster.signal(2, "CONT");
    wait_state(at, third, "UP");
    let began = Instant::now();
    while body(at, "/nacos/v2/core/loader/smartReloadCluster") != "Ok" {
        assert!(began.elapsed() < PATIENCE, "it does not answer");
    }
}
