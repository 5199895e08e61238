//! Clients of one node are asked to go to others, and nobody misses their instances meanwhile.

use crate::{
    calls::{Client, Open, body, kind},
    setup::{Cluster, soon},
};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::task::JoinHandle;

/// A client with one instance, that goes where it is asked to as the official one does: it connects there, closes the former
/// connection, and registers what it has only then.
struct Roamer {
    client: Client,
    stream: Open,
}

impl Roamer {
    async fn come(door: SocketAddr) -> Self {
        let client = Client::connect(door, "").await;
        let stream = client.set_up().await;
        Self { client, stream }
    }

    async fn register(&self, number: usize) {
        let instance = json!({"ip": address(number), "port": 80, "ephemeral": true});
        let request = json!({
            "namespace": "public",
            "serviceName": "svc",
            "groupName": "DEFAULT_GROUP",
            "type": "registerInstance",
            "instance": instance,
        });
        let registered = self.client.ask("InstanceRequest", request).await.json();
        assert_eq!(registered["resultCode"], 200, "{registered}");
    }

    async fn roam(mut self, number: usize) {
        while let Ok(payload) = self.stream.next().await {
            match kind(&payload) {
                "ConnectResetRequest" => {
                    let asked = body(&payload);
                    let part = |name: &str| asked[name].as_str().expect("it says where").to_owned();
                    let to = format!("{}:{}", part("serverIp"), part("serverPort"));
                    self = Self::come(to.parse().expect("an address")).await;
                    self.register(number).await;
                }
                "ClientDetectionRequest" => {
                    self.client.ask("HealthCheckRequest", json!({})).await;
                }
                _ => {}
            }
        }
    }
}

fn address(number: usize) -> String {
    format!("10.0.1.{number}")
}

/// How many clients the nodes have, sorted.
async fn spread(cluster: &Cluster) -> Vec<u64> {
    let page = cluster.page(1, "/nacos/v2/core/loader/cluster").await;
    let told: Value = serde_json::from_str(&page).expect("JSON");
    assert_eq!((&told["completed"], &told["memberCount"]), (&json!(true), &json!(3)), "{page}");
    let details = told["detail"].as_array().expect("a list");
    let count = |detail: &Value| detail["metric"]["sdkConCount"].as_str()?.parse().ok();
    let mut counts: Vec<u64> = details.iter().map(|one| count(one).expect("a number")).collect();
    counts.sort_unstable();
    counts
}

async fn spreads(cluster: &Cluster, wanted: &[u64]) {
    let spread = async {
        while spread(cluster).await != wanted {
            tokio::task::yield_now().await;
        }
    };
    soon("the clients are spread", spread).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_one_node_go_to_the_others_and_are_listed_all_the_time() {
    let cluster = Cluster::start(3).await;
    let mut roaming: Vec<JoinHandle<()>> = Vec::new();
    for number in 1..=30 {
        let roamer = Roamer::come(cluster.api(0)).await;
        roamer.register(number).await;
        roaming.push(tokio::spawn(roamer.roam(number)));
    }
    let all: Vec<String> = (1..=30).map(|number| format!("\"{}\"", address(number))).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for node in 0..3 {
        cluster.lists(node, "svc", &all).await;
    }
    spreads(&cluster, &[0, 0, 30]).await;
    let dry = cluster.post(2, "/v1/cluster/rebalance", r#"{"dry_run":true}"#).await;
    assert!(dry.contains("\"asked\":0") && dry.contains("\"clients\":10}]"), "{dry}");

    // Asked of a node that has none of them.
    assert_eq!(cluster.page(1, "/nacos/v2/core/loader/smartReloadCluster").await, "Ok");
    let spreading = async {
        while spread(&cluster).await != [10, 10, 10] {
            for node in 0..3 {
                let list = cluster.page(node, "/nacos/v1/ns/instance/list?serviceName=svc").await;
                let missing = all.iter().find(|ip| !list.contains(**ip));
                assert_eq!(missing, None, "at node {node}");
            }
        }
    };
    soon("the clients are spread", spreading).await;

    let again = cluster.post(2, "/v1/cluster/rebalance", "").await;
    assert!(again.contains("\"moves\":[],\"asked\":0,\"silent\":[]"), "{again}");
    let members = cluster.page(0, "/v1/cluster/members?clients=true").await;
    assert_eq!(members.matches("\"clients\":10").count(), 3, "{members}");
    for node in 0..3 {
        cluster.lists(node, "svc", &all).await;
    }
    assert!(roaming.iter().all(|roamer| !roamer.is_finished()), "nobody was cut off");
    roaming.iter().for_each(JoinHandle::abort);
    cluster.end().await;
}
