//! What the journal says, as a table. Shared by every `history` and by `explain`.

use crate::{
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::Failure,
};
use console::shape::{Event, History};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// At most this many, the newest, up to 1000
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
}

pub(crate) async fn history(
    client: &Client,
    format: Format,
    call: Call,
    args: &Args,
) -> Result<(), Failure> {
    let history: History = client.call(call.with("limit", Some(args.limit))).await?;
    output::write(format, &history, || rows(&history.events));
    say_missing(&history);
    Ok(())
}

pub(super) fn rows(events: &[Event]) -> Rows {
    let mut rows = Rows::new(&["AT", "NODE", "ABOUT", "WHAT", "CAUSE"]);
    for event in events {
        rows.push([
            event.at.clone(),
            event.node.clone(),
            event.subject.clone(),
            event.what.clone(),
            event.cause.clone(),
        ]);
    }
    rows
}

/// What the story lacks, if anything.
pub(super) fn say_missing(history: &History) {
    if !history.silent.is_empty() {
        output::say(&format!("note: no answer from {}", history.silent.join(", ")));
    }
    if history.dropped > 0 {
        output::say(&format!(
            "note: the journals dropped {} older events: the story may begin earlier",
            history.dropped
        ));
    }
}
