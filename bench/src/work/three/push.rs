//! An instance changed at one node until every one of many subscribers of the other two has been told of it.

use super::super::{
    naming::{self, HOSTS},
    push::{self, CHANGES_MAX},
};
use crate::{
    cluster::Cluster,
    grpc::Grpc,
    http::ANSWER_TIMEOUT,
    load::Tally,
    problem::Problem,
    process,
    row::{Goal, Row},
};
use std::time::{Duration, Instant};

pub(crate) async fn run(
    cluster: &Cluster,
    length: Duration,
    count: usize,
) -> Result<Vec<Row>, Problem> {
    let [first, others @ ..] = &cluster.nodes[..] else { return Err(Problem::NoCluster) };
    let mut owner = Grpc::open(first.grpc, None).await?;
    naming::register_hosts(&mut owner, "pushed", HOSTS).await?;
    for other in others {
        let until = Instant::now() + ANSWER_TIMEOUT;
        super::seen::counted(other.api, "pushed", usize::from(HOSTS), until).await?;
    }
    let mut subscribers = Vec::new();
    for other in others.iter().cycle().take(count) {
        subscribers.push(push::subscribe(other.grpc).await?);
    }
    let mut publisher = Grpc::open(first.grpc, None).await?;
    let tally = Tally::default();
    let processes = cluster.processes();
    let (cpu, began) = (process::cpu_of(&processes)?, Instant::now());
    for weight in 1..=CHANGES_MAX {
        if began.elapsed() > length {
            break;
        }
        let registering = Instant::now();
        naming::register(&mut publisher, "pushed", ("10.0.0.2", 80), weight).await?;
        for (_, events) in &mut subscribers {
            let seen = push::seen(events, weight, registering + ANSWER_TIMEOUT).await;
            tally.count(seen.map(|at| at.saturating_duration_since(registering)));
        }
    }
    let row = tally.row(began.elapsed(), process::cpu_of(&processes)?.saturating_sub(cpu));
    let name = format!("three nodes: changed, seen by {count} subscribers of the others");
    Ok(vec![row.named(&name, Goal::P99Millis(150.0))])
}
