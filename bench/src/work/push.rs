//! A changed instance until every one of many subscribers has been told of it.

use super::naming::{self, HOSTS, ServiceInfo};
use crate::{
    grpc::{Event, Grpc},
    http::ANSWER_TIMEOUT,
    load::Tally,
    problem::{Problem, Wrong},
    process,
    row::{Goal, Row},
    subject::Subject,
};
use serde::Deserialize;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{self, Receiver};

/// Nacos takes no weight above.
pub(super) const CHANGES_MAX: u64 = 10_000;
/// Pushes of one subscriber that were not looked at yet.
const EVENTS_LEN_MAX: usize = 16;

/// The JSON of a push.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pushed {
    service_info: ServiceInfo,
}

pub(crate) async fn run(
    subject: &Subject,
    length: Duration,
    count: usize,
) -> Result<Vec<Row>, Problem> {
    let mut owner = Grpc::open(subject.grpc, None).await?;
    naming::register_hosts(&mut owner, "pushed", HOSTS).await?;
    let mut subscribers = Vec::new();
    for _ in 0..count {
        subscribers.push(subscribe(subject.grpc).await?);
    }
    let mut publisher = Grpc::open(subject.grpc, None).await?;
    let tally = Tally::default();
    let until = Instant::now() + length;
    let (cpu, began) = (process::cpu(subject.pid)?, Instant::now());
    // One instance whose weight changes: not every server takes one client's second instance for its first.
    for weight in 1..=CHANGES_MAX {
        if Instant::now() > until {
            break;
        }
        let registering = Instant::now();
        naming::register(&mut publisher, "pushed", ("10.0.0.2", 80), weight).await?;
        for (_, events) in &mut subscribers {
            let seen = seen(events, weight, registering + ANSWER_TIMEOUT).await;
            tally.count(seen.map(|at| at.saturating_duration_since(registering)));
        }
    }
    let mut row = tally.row(began.elapsed(), process::cpu(subject.pid)?.saturating_sub(cpu));
    row.rss_bytes = Some(process::rss_bytes(subject.pid)?);
    let name = format!("changed instance seen by {count} subscribers");
    Ok(vec![row.named(&name, Goal::P99Millis(60.0))])
}

pub(super) async fn subscribe(address: SocketAddr) -> Result<(Grpc, Receiver<Event>), Wrong> {
    let (sender, events) = mpsc::channel(EVENTS_LEN_MAX);
    let mut client = Grpc::open(address, Some(sender)).await?;
    let json = r#"{"namespace":"public","serviceName":"pushed","groupName":"DEFAULT_GROUP","subscribe":true,"clusters":"","requestId":"1"}"#;
    client.ask("SubscribeServiceRequest", json, "SubscribeServiceResponse").await?;
    Ok((client, events))
}

/// When the push arrived that holds this weight and all that was there before.
pub(super) async fn seen(
    events: &mut Receiver<Event>,
    weight: u64,
    until: Instant,
) -> Result<Instant, Wrong> {
    loop {
        let event = match tokio::time::timeout_at(until.into(), events.recv()).await {
            Ok(Some(event)) => event,
            Ok(None) => return Err(Wrong::new("a subscriber's stream ended")),
            Err(_) => return Err(Wrong(format!("no push within {ANSWER_TIMEOUT:?}"))),
        };
        if event.kind() != "NotifySubscriberRequest" {
            continue;
        }
        let hosts = event.read::<Pushed>()?.service_info.hosts;
        if hosts.iter().any(|host| host.weight == weight as f64 && host.ip == "10.0.0.2") {
            let (all, expected) = (hosts.len(), usize::from(HOSTS) + 1);
            return if all == expected {
                Ok(event.at)
            } else {
                Err(Wrong(format!("a push of {all} hosts instead of {expected}")))
            };
        }
    }
}
