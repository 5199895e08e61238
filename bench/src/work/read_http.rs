//! Config read over HTTP.

use super::{config, list_http::connections};
use crate::{
    http::Http,
    load,
    problem::{Problem, Wrong},
    row::{Goal, Row},
    subject::Subject,
};
use std::time::Duration;

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let content = config::content(7);
    let mut lanes = connections(subject).await?;
    let client = lanes.first_mut().ok_or_else(|| Wrong::new("no connections"))?;
    config::publish_http(client, "read", &content).await?;
    config::settled(subject.api, "read", &content).await?;
    let operation =
        async move |client: &mut Http, _| config::read_http(client, "read", &content).await;
    let row = load::closed_loop(subject, length, lanes, operation).await?;
    Ok(vec![row.named("config read HTTP", Goal::CpuMicros(9.0))])
}
