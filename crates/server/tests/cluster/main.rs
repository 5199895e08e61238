//! Several servers in this process, linked over loopback: what one is told, the others know.
#![allow(missing_docs, clippy::disallowed_methods)]

mod balancing;
#[allow(dead_code, reason = "other tests need other parts of it")]
#[path = "../attacks/calls.rs"]
mod calls;
mod headers;
mod setup;

use setup::{Cluster, PATIENCE, soon};

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_are_one_cluster_and_go_on_without_one() {
    let mut cluster = Cluster::start(3).await;
    let [first, second, third] = [0, 1, 2];
    cluster.publish(first, "shared", "one").await;
    for node in [second, third] {
        cluster.reads(node, "shared", "one").await;
    }
    cluster.register(second, "svc", "10.0.0.2").await;
    for node in [first, third] {
        cluster.lists(node, "svc", &["10.0.0.2"]).await;
    }
    let page = cluster.page(second, "/metrics").await;
    let linked = page.lines().filter(|line| line.starts_with("trine_peer_linked{"));
    assert_eq!(linked.filter(|line| line.ends_with(" 1")).count(), 2, "{page}");
    cluster.stop(first).await;
    cluster.publish_soon(second, "shared", "two").await;
    cluster.reads(third, "shared", "two").await;
    cluster.register(third, "svc", "10.0.0.3").await;
    cluster.lists(second, "svc", &["10.0.0.3"]).await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_secret_stays_outside() {
    let cluster = Cluster::start(1).await;
    let stranger = cluster.stranger().await;
    let refused = async {
        while !cluster
            .page(0, "/metrics")
            .await
            .contains("trine_peer_refused_total{reason=\"proof\"}")
        {
            tokio::task::yield_now().await;
        }
    };
    soon("the stranger is refused", refused).await;
    assert!(!stranger.is_ready(), "it waits for a cluster that does not let it in");
    stranger.stop().await;
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_at_the_peer_door_keeps_no_node_out() {
    let mut cluster = Cluster::start(1).await;
    let token = cluster.invite(0).await;
    let mut crowd = Vec::new();
    // Many times more than there are places; none of them ever says a word.
    for _ in 0..1_000 {
        crowd.push(cluster.knock(0).await);
    }
    cluster.join(&token).await;
    cluster.publish(1, "through", "crowd").await;
    drop(crowd);
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_alone_has_no_peer_door() {
    let settings = setup::settings(0);
    let settings = server::Settings { cluster: server::ClusterSettings::default(), ..settings };
    let running = server::start(settings).await.expect("free ports");
    assert_eq!(running.peer, None);
    tokio::time::timeout(PATIENCE, running.ready()).await.expect("ready");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_door_and_lets_one_more_node_in() {
    let mut cluster = Cluster::alone().await;
    cluster.publish(0, "before", "one").await;
    let token = cluster.invite(0).await;
    cluster.join(&token).await;
    cluster.reads(1, "before", "one").await;
    cluster.publish(1, "after", "two").await;
    cluster.reads(0, "after", "two").await;
    cluster.end().await;
}
