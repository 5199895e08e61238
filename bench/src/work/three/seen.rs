//! An instance registered at one node until the other two list it, seen by clients that ask without a pause.

use super::super::naming;
use crate::{
    cluster::Cluster,
    grpc::Grpc,
    http::{ANSWER_TIMEOUT, Http},
    load::Tally,
    problem::{Problem, Wrong},
    row::{Goal, Row},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

pub(crate) async fn run(cluster: &Cluster, length: Duration) -> Result<Vec<Row>, Problem> {
    let [first, second, third] = &cluster.nodes[..] else { return Err(Problem::NoCluster) };
    let mut owner = Grpc::open(first.grpc, None).await?;
    let (mut second, mut third) = (Http::open(second.api).await?, Http::open(third.api).await?);
    let tally = Tally::default();
    let began = Instant::now();
    for number in 0.. {
        if began.elapsed() > length {
            break;
        }
        let service = format!("seen-{number}");
        let registering = Instant::now();
        let until = registering + ANSWER_TIMEOUT;
        let (registered, at_second, at_third) = tokio::join!(
            naming::register(&mut owner, &service, ("10.0.0.2", 80), 1),
            listed(&mut second, &service, until),
            listed(&mut third, &service, until),
        );
        registered?;
        for at in [at_second, at_third] {
            tally.count(at.map(|at| at.saturating_duration_since(registering)));
        }
    }
    let row = Row { cpu_micros: None, ..tally.row(began.elapsed(), Duration::ZERO) };
    Ok(vec![row.named("three nodes: registered, listed at the others", Goal::P99Millis(100.0))])
}

async fn listed(client: &mut Http, service: &str, until: Instant) -> Result<Instant, Wrong> {
    while Instant::now() < until {
        if naming::count(client, service).await? == 1 {
            return Ok(Instant::now());
        }
    }
    Err(Wrong(format!("{service} is not listed within {ANSWER_TIMEOUT:?}")))
}

/// Polls until the node lists so many hosts of the service; when that was.
pub(super) async fn counted(
    address: SocketAddr,
    service: &str,
    hosts: usize,
    until: Instant,
) -> Result<Instant, Wrong> {
    const RETRY: Duration = Duration::from_millis(20);
    let mut client = Http::open(address).await?;
    loop {
        let found = naming::count(&mut client, service).await?;
        if found == hosts {
            return Ok(Instant::now());
        }
        if Instant::now() > until {
            return Err(Wrong(format!("{address} lists {found} hosts of {service}, not {hosts}")));
        }
        tokio::time::sleep(RETRY).await;
    }
}
