//! HTTP long polls that wait for one config: their memory, their CPU while nothing happens, then all are answered.

use crate::{
    http::{Http, form},
    load::Tally,
    problem::{Problem, Wrong},
    process,
    row::Row,
    subject::Subject,
};
use http::Method;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const POLLS: usize = 10_000;
/// Descriptors that either process needs for something else.
const FILES_SPARE: usize = 100;
const LISTEN_PATH: &str = "/nacos/v1/cs/configs/listener";
const HEADERS: &[(&str, &str)] = &[("Long-Pulling-Timeout", "60000")];
/// Longer than the polls may wait.
const POLL_TIMEOUT: Duration = Duration::from_secs(70);
/// Until the last poll has surely arrived.
const SETTLE: Duration = Duration::from_secs(2);

pub(crate) async fn run(subject: &Subject, length: Duration) -> Result<Vec<Row>, Problem> {
    let polls = polls(subject)?;
    let mut waiting = JoinSet::new();
    for _ in 0..polls {
        let mut client = Http::open(subject.api).await?;
        waiting.spawn_local(async move {
            // An unknown config with no md5: nothing to tell until it is published.
            let body = form(&[("Listening-Configs", "polled\u{2}DEFAULT_GROUP\u{2}\u{1}")]);
            let answer =
                client.call_within(POLL_TIMEOUT, Method::POST, LISTEN_PATH, body, HEADERS).await;
            (Instant::now(), answer)
        });
    }
    tokio::time::sleep(SETTLE).await;
    let early = waiting.try_join_next().is_some();
    let cpu = process::cpu(subject.pid)?;
    tokio::time::sleep(length).await;
    let spent = process::cpu(subject.pid)?.saturating_sub(cpu);
    let mut held = Row {
        work: format!("{polls} long polls that wait"),
        operations: polls as u64,
        cpu_percent: Some(100.0 * spent.as_secs_f64() / length.as_secs_f64()),
        rss_bytes: Some(process::rss_bytes(subject.pid)?),
        ..Row::default()
    };
    if early {
        held.wrong += 1;
        held.first_wrong = Some(Wrong::new("a poll was answered though nothing had changed"));
    }
    let answered = answer(subject, waiting).await?;
    Ok(vec![held, answered])
}

async fn answer(
    subject: &Subject,
    waiting: JoinSet<(Instant, Result<bytes::Bytes, Wrong>)>,
) -> Result<Row, Problem> {
    let mut publisher = Http::open(subject.api).await?;
    let (cpu, began) = (process::cpu(subject.pid)?, Instant::now());
    super::config::publish_http(&mut publisher, "polled", "x").await?;
    let tally = Tally::default();
    for (at, answer) in waiting.join_all().await {
        tally.count(answer.and_then(|body| {
            if body.starts_with(b"polled%02DEFAULT_GROUP%01") {
                Ok(at.saturating_duration_since(began))
            } else {
                Err(Wrong::expected("the changed key", &body))
            }
        }));
    }
    let mut row = tally.row(began.elapsed(), process::cpu(subject.pid)?.saturating_sub(cpu));
    row.work = format!("{} long polls answered", row.operations);
    Ok(row)
}

/// As many as both processes may have open.
fn polls(subject: &Subject) -> Result<usize, Problem> {
    let own = process::files_max(std::process::id())?;
    let files = own.min(process::files_max(subject.pid)?);
    let polls = POLLS.min(files.saturating_sub(FILES_SPARE));
    if polls < POLLS {
        eprintln!(
            "only {polls} long polls: {files} files may be open; raise it with `ulimit -n {}`",
            POLLS + FILES_SPARE
        );
    }
    Ok(polls)
}
