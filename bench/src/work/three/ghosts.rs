//! A node is killed with its clients, as when a machine loses power: until the others do not list their instances any more.

use super::{super::naming, seen::counted};
use crate::{
    cluster::{Cluster, NODES},
    grpc::Grpc,
    http::ANSWER_TIMEOUT,
    load::Tally,
    problem::Problem,
    row::{Goal, Row},
};
use std::time::{Duration, Instant};

const HOSTS: u16 = 100;
const GONE_TIMEOUT: Duration = Duration::from_secs(200);

pub(crate) async fn run(mut cluster: Cluster) -> Result<Vec<Row>, Problem> {
    // Not the leader: losing that is another work.
    let lost = (cluster.leader_now().await? + 1) % NODES;
    let mut owner = Grpc::open(cluster.nodes[lost].grpc, None).await?;
    naming::register_hosts(&mut owner, "ghosts", HOSTS).await?;
    for node in &cluster.nodes {
        let until = Instant::now() + ANSWER_TIMEOUT;
        counted(node.api, "ghosts", usize::from(HOSTS), until).await?;
    }
    cluster.nodes[lost].kill();
    let killed = Instant::now();
    drop(owner);
    let tally = Tally::default();
    let left: Vec<_> = cluster.nodes.iter().filter(|node| node.is_alive()).collect();
    let [first, second] = left[..] else { return Err(Problem::NoCluster) };
    let until = killed + GONE_TIMEOUT;
    let (first, second) = tokio::join!(
        counted(first.api, "ghosts", 0, until),
        counted(second.api, "ghosts", 0, until)
    );
    for gone in [first, second] {
        tally.count(gone.map(|at| at.saturating_duration_since(killed)));
    }
    let row = tally.row(killed.elapsed(), Duration::ZERO);
    let row = Row { per_second: None, cpu_micros: None, ..row };
    Ok(vec![row.named(
        "three nodes: one killed with its clients, until they are gone",
        Goal::P99Millis(25_000.0),
    )])
}
