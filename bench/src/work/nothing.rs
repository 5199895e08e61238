//! Calls that do nothing: what the protocols alone cost on this machine today. The other rows are read beside these.

use super::list_http::connections;
use crate::{grpc::Grpc, http::Http, load, problem::Problem, row::Row, subject::Subject};
use http::Method;
use std::time::Duration;

/// Answered by every server of Nacos's kind without looking at anything that was stored.
const PATH: &str = "/nacos/v1/ns/operator/metrics";

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let mut rows = Vec::new();
    for in_flight in [1, 8] {
        let client = Grpc::open(subject.grpc, None).await?;
        let row = load::closed_loop(
            subject,
            length,
            vec![client; in_flight],
            async |client: &mut Grpc, _| {
                let json = r#"{"requestId":"1"}"#;
                client.ask("HealthCheckRequest", json, "HealthCheckResponse").await.map(drop)
            },
        )
        .await?;
        rows.push(Row { work: format!("gRPC health check, {in_flight} in flight"), ..row });
    }
    let lanes = connections(subject).await?;
    let row = load::closed_loop(subject, length, lanes, async |client: &mut Http, _| {
        client.call(Method::GET, PATH, String::new()).await.map(drop)
    })
    .await?;
    rows.push(Row { work: "HTTP metrics".to_owned(), ..row });
    Ok(rows)
}
