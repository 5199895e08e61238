//! Config read over gRPC.

use super::config;
use crate::{
    grpc::Grpc,
    load,
    problem::Problem,
    row::{Goal, Row},
    subject::Subject,
};
use std::time::Duration;

const IN_FLIGHT: usize = 8;

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let content = config::content(7);
    let mut client = Grpc::open(subject.grpc, None).await?;
    config::publish_grpc(&mut client, "read", &content).await?;
    config::settled(subject.api, "read", &content).await?;
    let operation =
        async move |client: &mut Grpc, _| config::read_grpc(client, "read", &content).await;
    let lanes = vec![client; IN_FLIGHT];
    let row = load::closed_loop(subject, length, lanes, operation).await?;
    Ok(vec![row.named("config read gRPC", Goal::CpuMicros(12.0))])
}
