//! 100 000 instances, a third of them registered at each node: memory of each node, and what they say to each other when
//! nothing happens.

use super::super::{
    memory::{CONNECTIONS, HOSTS, IDLE_LENGTH_MIN, SERVICES_EACH, service},
    naming,
};
use crate::{
    cluster::Cluster,
    grpc::Grpc,
    load::Tally,
    problem::{Problem, Wrong},
    process,
    row::Row,
    subject::Subject,
};
use std::time::{Duration, Instant};

/// Until all nodes must have heard of all instances.
const AGREE_TIMEOUT: Duration = Duration::from_secs(60);
const AGREE_RETRY: Duration = Duration::from_millis(100);
/// Until what registering allocated and set going has come to rest.
const SETTLE: Duration = Duration::from_secs(5);

pub(crate) async fn run(cluster: &Cluster, length: Duration) -> Result<Vec<Row>, Problem> {
    let processes = cluster.processes();
    let idle = row(cluster, length.max(IDLE_LENGTH_MIN), "idle").await?;
    let (cpu, began) = (process::cpu_of(&processes)?, Instant::now());
    let mut owners = Vec::new();
    for (connection, node) in (0..CONNECTIONS).zip(cluster.nodes.iter().cycle()) {
        let mut owner = Grpc::open(node.grpc, None).await?;
        for number in 0..SERVICES_EACH {
            naming::register_hosts(&mut owner, &service(connection, number), HOSTS).await?;
        }
        owners.push(owner);
    }
    let agreed = Tally::default();
    for node in &cluster.nodes {
        agreed.count(agree(node, began + AGREE_TIMEOUT).await.map(|()| began.elapsed()));
    }
    let spent = process::cpu_of(&processes)?.saturating_sub(cpu);
    let instances = u64::from(CONNECTIONS * SERVICES_EACH) * u64::from(HOSTS);
    let mut filled = agreed.row(began.elapsed(), spent);
    filled.operations = instances;
    filled.per_second = Some(instances as f64 / began.elapsed().as_secs_f64());
    filled.cpu_micros = Some(spent.as_secs_f64() * 1e6 / instances as f64);
    let thousands = instances / 1_000;
    let filled = filled.titled(&format!("three nodes: {thousands} 000 instances are everywhere"));
    tokio::time::sleep(SETTLE).await;
    let name = format!("{thousands} 000 instances, nothing happens");
    let still = row(cluster, length.max(IDLE_LENGTH_MIN), &name).await?;
    let mut rows = idle;
    rows.push(filled);
    rows.extend(still);
    // They must all be there still; what this costs is not measured.
    for (node, row) in cluster.nodes.iter().zip(rows.iter_mut().rev()) {
        if let Err(wrong) = agree(node, Instant::now()).await {
            row.wrong += 1;
            row.first_wrong.get_or_insert(wrong);
        }
    }
    Ok(rows)
}

/// One row for each node, and what all of them have sent to each other in the first.
async fn row(cluster: &Cluster, length: Duration, what: &str) -> Result<Vec<Row>, Problem> {
    let processes = cluster.processes();
    let sent = process::bytes_between(&processes)?;
    let mut spent = Vec::new();
    for pid in &processes {
        spent.push(process::cpu(*pid)?);
    }
    let began = Instant::now();
    tokio::time::sleep(length).await;
    let elapsed = began.elapsed().as_secs_f64();
    let mut rows = Vec::new();
    for (number, (pid, before)) in processes.iter().zip(spent).enumerate() {
        let cpu = process::cpu(*pid)?.saturating_sub(before).as_secs_f64();
        let row = Row {
            cpu_percent: Some(100.0 * cpu / elapsed),
            rss_bytes: Some(process::rss_bytes(*pid)?),
            ..Row::default()
        };
        rows.push(row.titled(&format!("three nodes: {what}, node {}", number + 1)));
    }
    let sent = process::bytes_between(&processes)?.saturating_sub(sent);
    rows[0].link_bytes = Some(sent as f64 / elapsed);
    Ok(rows)
}

/// All instances are listed there, at the latest then.
async fn agree(node: &Subject, until: Instant) -> Result<(), Wrong> {
    let mut client = Grpc::open(node.grpc, None).await?;
    for connection in 0..CONNECTIONS {
        for number in 0..SERVICES_EACH {
            while let Err(wrong) =
                naming::query(&mut client, &service(connection, number), HOSTS).await
            {
                if Instant::now() > until {
                    return Err(wrong);
                }
                tokio::time::sleep(AGREE_RETRY).await;
            }
        }
    }
    Ok(())
}
