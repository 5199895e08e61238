//! Memory of an idle server, then with 100 000 instances; and its CPU when all of them just stay.

use super::naming;
use crate::{
    grpc::Grpc,
    problem::Problem,
    process,
    row::{Goal, Row},
    subject::Subject,
};
use std::time::{Duration, Instant};

pub(super) const CONNECTIONS: u16 = 10;
pub(super) const SERVICES_EACH: u16 = 100;
pub(super) const HOSTS: u16 = 100;
/// Until what registering allocated for the moment is given back.
const SETTLE: Duration = Duration::from_secs(2);
/// A tick is 10 ms, so less than this says nothing.
pub(super) const IDLE_LENGTH_MIN: Duration = Duration::from_secs(10);

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    tokio::time::sleep(SETTLE).await;
    let idle = Row { rss_bytes: Some(process::rss_bytes(subject.pid)?), ..Row::default() };
    let (cpu, began) = (process::cpu(subject.pid)?, Instant::now());
    let mut owners = Vec::new();
    for connection in 0..CONNECTIONS {
        let mut owner = Grpc::open(subject.grpc, None).await?;
        for number in 0..SERVICES_EACH {
            naming::register_hosts(&mut owner, &service(connection, number), HOSTS).await?;
        }
        owners.push(owner);
    }
    let spent = process::cpu(subject.pid)?.saturating_sub(cpu);
    let instances = u64::from(CONNECTIONS * SERVICES_EACH) * u64::from(HOSTS);
    let filled = Row {
        operations: instances,
        per_second: Some(instances as f64 / began.elapsed().as_secs_f64()),
        cpu_micros: Some(spent.as_secs_f64() * 1e6 / instances as f64),
        ..Row::default()
    };
    tokio::time::sleep(SETTLE).await;
    let filled = Row { rss_bytes: Some(process::rss_bytes(subject.pid)?), ..filled };

    let length = length.max(IDLE_LENGTH_MIN);
    let cpu = process::cpu(subject.pid)?;
    tokio::time::sleep(length).await;
    let spent = process::cpu(subject.pid)?.saturating_sub(cpu);
    let percent = 100.0 * spent.as_secs_f64() / length.as_secs_f64();
    let mut still = Row { cpu_percent: Some(percent), ..Row::default() };

    // They must all be there still; what this costs is not measured.
    for (connection, owner) in (0..CONNECTIONS).zip(&mut owners) {
        for number in 0..SERVICES_EACH {
            let there = naming::query(owner, &service(connection, number), HOSTS).await;
            still.operations += 1;
            if let Err(wrong) = there {
                still.wrong += 1;
                still.first_wrong.get_or_insert(wrong);
            }
        }
    }
    let thousands = instances / 1_000;
    let registered = format!("memory, {thousands} 000 instances");
    let nothing = format!("idle, {thousands} 000 instances");
    Ok(vec![
        idle.named("memory, idle", Goal::RssMegabytes(20.0)),
        filled.named(&registered, Goal::RssMegabytes(60.0)),
        still.named(&nothing, Goal::CpuPercent(0.5)),
    ])
}

pub(super) fn service(connection: u16, number: u16) -> String {
    format!("kept-{connection}-{number}")
}
