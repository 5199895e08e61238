//! Watching: events until the user has enough. A stream that breaks off is opened again.

use crate::{
    client::{Call, Client, Event},
    output,
    problem::{Exit, Failure},
};
use console::shape::Problem;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long to wait before a stream is opened again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Hands each event to `show`. Ends only with an error: the first opening failed, or the server says why it ends.
pub(crate) async fn watch(
    client: &Client,
    call: impl Fn() -> Call,
    mut show: impl FnMut(&Event) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut stream = client.events(call().with("watch", Some(true))).await?;
    let mut last = None;
    loop {
        let broken = match stream.next().await {
            Ok(Some(event)) => {
                if event.name == "end" {
                    return Err(Failure::of(data::<Problem>(&event)?));
                }
                // After a reopening the server begins with what was the last one here.
                if last.as_ref() != Some(&event) {
                    show(&event)?;
                    last = Some(event);
                }
                continue;
            }
            Ok(None) => "note: the server ended the stream; watching again".to_owned(),
            Err(_) => "note: the connection broke off; watching again".to_owned(),
        };
        output::say(&broken);
        stream = reopen(client, &call).await?;
    }
}

async fn reopen(
    client: &Client,
    call: &impl Fn() -> Call,
) -> Result<crate::client::Events, Failure> {
    loop {
        tokio::time::sleep(REOPEN_AFTER).await;
        match client.events(call().with("watch", Some(true))).await {
            Ok(stream) => return Ok(stream),
            // It may come back; anything else will not get better by waiting.
            Err(failure) if matches!(failure.exit, Exit::Unavailable | Exit::TimedOut) => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// What an event says.
pub(super) fn data<T: DeserializeOwned>(event: &Event) -> Result<T, Failure> {
    serde_json::from_str(&event.data).map_err(|error| {
        Failure::new(
            Exit::Failed,
            "strange-answer",
            "an event is not understood",
            error.to_string(),
            "is the server of this version? `trine status` shows it",
        )
    })
}
