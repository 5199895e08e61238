//! gRPC register: one connection offers an instance in a thousand services, over and over, each time with another weight.

use super::naming;
use crate::{
    grpc::Grpc,
    load,
    problem::Problem,
    row::{Goal, Row},
    subject::Subject,
};
use std::time::Duration;

const SERVICES: u64 = 1_000;

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::new();
    for (in_flight, goal) in [(1, 20.0), (8, 10.0)] {
        let client = Grpc::open(subject.grpc, None).await?;
        let row = load::closed_loop(
            subject,
            length,
            vec![client; in_flight],
            async |client: &mut Grpc, number| {
                let service = format!("register-{}", number % SERVICES);
                // Never the weight of the last round: each is a change.
                let weight = number / SERVICES % 100 + 1;
                naming::register(client, &service, ("10.0.0.1", 8_080), weight).await
            },
        )
        .await?;
        let name = format!("gRPC register, {in_flight} in flight");
        rows.push(row.named(&name, Goal::CpuMicros(goal)));
    }
    Ok(rows)
}
