//! HTTP v1 list of a service with 10 hosts.

use super::{
    CONNECTIONS,
    naming::{self, HOSTS, ServiceInfo},
};
use crate::{
    grpc::Grpc,
    http::Http,
    load,
    problem::{Problem, Wrong},
    row::{Goal, Row},
    subject::Subject,
};
use http::Method;
use std::time::Duration;

const PATH: &str =
    "/nacos/v1/ns/instance/list?serviceName=DEFAULT_GROUP%40%40listed&namespaceId=public";

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let mut owner = Grpc::open(subject.grpc, None).await?;
    naming::register_hosts(&mut owner, "listed", HOSTS).await?;
    let lanes = connections(subject).await?;
    let row = load::closed_loop(subject, length, lanes, async |client: &mut Http, _| {
        let body = client.call(Method::GET, PATH, String::new()).await?;
        let info: ServiceInfo =
            serde_json::from_slice(&body).map_err(|_| Wrong::expected("a list", &body))?;
        info.verify(HOSTS)
    })
    .await?;
    Ok(vec![row.named(&format!("HTTP v1 list of {HOSTS} hosts"), Goal::CpuMicros(10.0))])
}

/// As many connections as a work has that is not about their number.
pub(crate) async fn connections(subject: &Subject) -> Result<Vec<Http>, Problem> {
    let mut all = Vec::new();
    for _ in 0..CONNECTIONS {
        all.push(Http::open(subject.api).await?);
    }
    Ok(all)
}
