//! HTTP v1 register: a thousand instances in a hundred services, over and over, each time with another weight.

use super::list_http::connections;
use crate::{
    http::{Http, form},
    load,
    problem::{Problem, Wrong},
    row::{Goal, Row},
    subject::Subject,
};
use http::Method;
use std::time::Duration;

const SERVICES: u64 = 100;
const INSTANCES: u64 = 1_000;

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let lanes = connections(subject).await?;
    let row = load::closed_loop(subject, length, lanes, async |client: &mut Http, number| {
        let (instance, round) = (number % INSTANCES, number / INSTANCES);
        let weight = (round % 100 + 1).to_string();
        register(client, instance, &weight).await
    })
    .await?;
    Ok(vec![row.named("HTTP v1 register", Goal::CpuMicros(20.0))])
}

async fn register(client: &mut Http, instance: u64, weight: &str) -> Result<(), Wrong> {
    let body = form(&[
        ("serviceName", &service(instance)),
        ("namespaceId", "public"),
        ("ip", "10.0.0.1"),
        ("port", &port(instance)),
        ("weight", weight),
        ("ephemeral", "true"),
    ]);
    let answer = client.call(Method::POST, "/nacos/v1/ns/instance", body).await?;
    if answer == "ok" { Ok(()) } else { Err(Wrong::expected("ok", &answer)) }
}

fn service(instance: u64) -> String {
    format!("DEFAULT_GROUP@@http-{}", instance % SERVICES)
}

fn port(instance: u64) -> String {
    (10_000 + instance % INSTANCES).to_string()
}
