//! gRPC query of a service with 10 hosts.

use super::naming::{self, HOSTS};
use crate::{
    grpc::Grpc,
    load,
    problem::Problem,
    row::{Goal, Row},
    subject::Subject,
};
use std::time::Duration;

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let mut owner = Grpc::open(subject.grpc, None).await?;
    naming::register_hosts(&mut owner, "queried", HOSTS).await?;
    let mut rows = Vec::new();
    for in_flight in [1, 8] {
        let client = Grpc::open(subject.grpc, None).await?;
        let row = load::closed_loop(
            subject,
            length,
            vec![client; in_flight],
            async |client: &mut Grpc, _| naming::query(client, "queried", HOSTS).await,
        )
        .await?;
        let name = format!("gRPC query of {HOSTS} hosts, {in_flight} in flight");
        rows.push(row.named(&name, Goal::CpuMicros(14.0)));
    }
    Ok(rows)
}
