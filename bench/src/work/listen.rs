//! A config change until every one of 500 listeners has been told of it and has fetched it.

use super::config;
use crate::{
    grpc::{Event, Grpc},
    http::ANSWER_TIMEOUT,
    load::Tally,
    problem::{Problem, Wrong},
    process,
    row::{Goal, Row},
    subject::Subject,
};
use std::{
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{self, Receiver},
    task::JoinSet,
};

const LISTENERS: usize = 500;
/// Notifications of one listener that were not looked at yet.
const EVENTS_LEN_MAX: usize = 16;

struct Listener {
    client: Grpc,
    events: Receiver<Event>,
}

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let mut publisher = Grpc::open(subject.grpc, None).await?;
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        listeners.push(listen(subject).await?);
    }
    let tally = Tally::default();
    let until = Instant::now() + length;
    let (cpu, began) = (process::cpu(subject.pid)?, Instant::now());
    for number in 0.. {
        if Instant::now() > until {
            break;
        }
        let content: Rc<str> = config::content(number).into();
        let publishing = Instant::now();
        let mut fetching = JoinSet::new();
        for mut listener in listeners {
            let content = content.clone();
            fetching.spawn_local(async move {
                let fetched = fetch(&mut listener, &content).await;
                (listener, fetched)
            });
        }
        config::publish_grpc(&mut publisher, "listened", &content).await?;
        listeners = Vec::new();
        for (listener, fetched) in fetching.join_all().await {
            tally.count(fetched.map(|at| at.saturating_duration_since(publishing)));
            listeners.push(listener);
        }
    }
    let mut row = tally.row(began.elapsed(), process::cpu(subject.pid)?.saturating_sub(cpu));
    row.rss_bytes = Some(process::rss_bytes(subject.pid)?);
    let name = format!("config change fetched by {LISTENERS} listeners");
    Ok(vec![row.named(&name, Goal::P99Millis(45.0))])
}

async fn listen(subject: &Subject) -> Result<Listener, Wrong> {
    let (sender, events) = mpsc::channel(EVENTS_LEN_MAX);
    let mut client = Grpc::open(subject.grpc, Some(sender)).await?;
    let json = r#"{"listen":true,"configListenContexts":[{"dataId":"listened","group":"DEFAULT_GROUP","tenant":"","md5":""}],"requestId":"1"}"#;
    client.ask("ConfigBatchListenRequest", json, "ConfigChangeBatchListenResponse").await?;
    Ok(Listener { client, events })
}

/// When the content was here that the notification tells to fetch.
async fn fetch(listener: &mut Listener, content: &str) -> Result<Instant, Wrong> {
    loop {
        let event = match tokio::time::timeout(ANSWER_TIMEOUT, listener.events.recv()).await {
            Ok(Some(event)) => event,
            Ok(None) => return Err(Wrong::new("a listener's stream ended")),
            Err(_) => return Err(Wrong(format!("no notification within {ANSWER_TIMEOUT:?}"))),
        };
        if event.kind() == "ConfigChangeNotifyRequest" {
            config::read_grpc(&mut listener.client, "listened", content).await?;
            return Ok(Instant::now());
        }
    }
}
