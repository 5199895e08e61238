//! HTTP v1 beat: the full form, which every server takes, for instances that are registered.

use super::list_http::connections;
use crate::{
    http::{Http, form},
    load,
    problem::{Problem, Wrong},
    row::{Goal, Row},
    subject::Subject,
};
use http::Method;
use serde::Deserialize;
use std::time::Duration;

const INSTANCES: u64 = 1_000;
const SERVICES: u64 = 100;

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let mut lanes = connections(subject).await?;
    let client = lanes.first_mut().ok_or_else(|| Wrong::new("no connections"))?;
    for instance in 0..INSTANCES {
        let body = form(&[
            ("serviceName", &service(instance)),
            ("namespaceId", "public"),
            ("ip", "10.0.0.1"),
            ("port", &port(instance)),
            ("ephemeral", "true"),
        ]);
        let answer = client.call(Method::POST, "/nacos/v1/ns/instance", body).await?;
        if answer != "ok" {
            return Err(Wrong::expected("ok", &answer).into());
        }
    }
    let row = load::closed_loop(subject, length, lanes, async |client: &mut Http, number| {
        beat(client, number % INSTANCES).await
    })
    .await?;
    Ok(vec![row.named("HTTP v1 beat", Goal::CpuMicros(10.0))])
}

async fn beat(client: &mut Http, instance: u64) -> Result<(), Wrong> {
    #[derive(Deserialize)]
    struct Beaten {
        code: u16,
    }
    let (service, port) = (service(instance), port(instance));
    let beat = format!(
        r#"{{"cluster":"DEFAULT","ip":"10.0.0.1","metadata":{{}},"period":5000,"port":{port},"scheduled":false,"serviceName":"{service}","stopped":false,"weight":1.0}}"#
    );
    let query = form(&[
        ("serviceName", &service),
        ("namespaceId", "public"),
        ("ip", "10.0.0.1"),
        ("port", &port),
        ("clusterName", "DEFAULT"),
        ("ephemeral", "true"),
        ("beat", &beat),
    ]);
    let path = format!("/nacos/v1/ns/instance/beat?{query}");
    let answer = client.call(Method::PUT, &path, String::new()).await?;
    match serde_json::from_slice::<Beaten>(&answer) {
        Ok(Beaten { code: 10_200 }) => Ok(()),
        Ok(_) | Err(_) => Err(Wrong::expected("code 10200", &answer)),
    }
}

fn service(instance: u64) -> String {
    format!("DEFAULT_GROUP@@beaten-{}", instance % SERVICES)
}

fn port(instance: u64) -> String {
    (10_000 + instance).to_string()
}
