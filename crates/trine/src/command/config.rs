//! `trine config list|get|put|apply|delete|watch|history`.

use super::{
    config_apply::{self, Apply},
    service, watch,
};
use crate::{
    cli::{Consistency, Namespace, Page, Place},
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::{Exit, Failure},
};
use clap::Subcommand;
use console::shape::{Config, ConfigHistory, ConfigLine, List, Written};
use http::{Method, header};
use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

/// What can be done with configs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The configs of a namespace
    List {
        #[command(flatten)]
        namespace: Namespace,
        #[command(flatten)]
        page: Page,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// The content of a config; with -o json all that is known of it
    Get {
        #[command(flatten)]
        config: Named,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// Publish a config
    Put {
        #[command(flatten)]
        config: Named,
        #[command(flatten)]
        publish: Publish,
    },
    /// Publish several files at once, each under its name: all of them or none
    Apply(Apply),
    /// Remove a config
    Delete(Named),
    /// Show each change of a config, until interrupted
    Watch {
        #[command(flatten)]
        config: Named,
        /// Show the content, too
        #[arg(long)]
        content: bool,
    },
    /// The changes of a config, newest first
    History {
        #[command(flatten)]
        config: Named,
        /// At most this many, up to 100
        #[arg(long, default_value_t = 20, value_name = "COUNT")]
        limit: usize,
        /// Only changes before this revision
        #[arg(long, value_name = "REVISION")]
        before: Option<u64>,
        /// Show the content as this revision made it
        #[arg(long, conflicts_with_all = ["limit", "before"])]
        revision: Option<u64>,
        #[command(flatten)]
        consistency: Consistency,
    },
}

/// A config by its name.
#[derive(clap::Args, Debug)]
pub(crate) struct Named {
    /// The data id
    #[arg(value_name = "DATA_ID")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// What is published.
#[derive(clap::Args, Debug)]
pub(crate) struct Publish {
    /// A file with the content; without it, or with -, standard input
    file: Option<PathBuf>,
    /// The content itself
    #[arg(long, conflicts_with = "file", value_name = "TEXT")]
    content: Option<String>,
    /// properties, xml, json, text, html, yaml or toml; without it, as it was
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// Only if the content now has this md5
    #[arg(long, value_name = "MD5")]
    if_md5: Option<String>,
    /// What it is; without it, as it was
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Separated by commas; without it, as they were
    #[arg(long)]
    tags: Option<String>,
    /// The application that owns it; without it, as it was
    #[arg(long)]
    app: Option<String>,
}

impl Named {
    fn call(&self, method: Method, then: &[&str]) -> Call {
        let mut path = vec!["v1", "configs", &self.name];
        path.extend(then);
        Call::new(method, &path).query(self.place.query())
    }
}

pub(crate) async fn run(client: &Client, format: Format, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { namespace, page, consistency } => {
            let call = Call::get(&["v1", "configs"])
                .query(page.query(&namespace))
                .with("consistency", consistency.or_linearizable());
            let list: List<ConfigLine> = client.call(call).await?;
            output::write(format, &list, || lines(&list));
            service::say_rest(&list);
            Ok(())
        }
        Verb::Get { config, consistency } => {
            let call =
                config.call(Method::GET, &[]).with("consistency", consistency.or_linearizable());
            let config: Config = client.call(call).await?;
            match format {
                Format::Json => output::json(&config),
                Format::Table => show_content(&config.content),
            }
            Ok(())
        }
        Verb::Put { config, publish } => put(client, format, &config, publish).await,
        Verb::Apply(apply) => config_apply::run(client, format, apply).await,
        Verb::Delete(config) => {
            let written: Written = client.call(config.call(Method::DELETE, &[])).await?;
            service::say_written(format, &written, "removed", "there was nothing to remove");
            Ok(())
        }
        Verb::Watch { config, content } => show_changes(client, format, &config, content).await,
        Verb::History { config, limit, before, revision, consistency } => {
            let call = config
                .call(Method::GET, &["history"])
                .with("consistency", consistency.or_linearizable());
            match revision {
                Some(revision) => at_revision(client, format, call, revision).await,
                None => {
                    let call = call.with("limit", Some(limit)).with("before", before);
                    let history: ConfigHistory = client.call(call).await?;
                    output::write(format, &history, || change_rows(&history));
                    Ok(())
                }
            }
        }
    }
}

async fn put(
    client: &Client,
    format: Format,
    config: &Named,
    publish: Publish,
) -> Result<(), Failure> {
    let content = match publish.content {
        Some(content) => content.into_bytes(),
        None => content(publish.file.as_deref())?,
    };
    let mut call = config
        .call(Method::PUT, &[])
        .with("type", publish.r#type)
        .with("description", publish.description)
        .with("tags", publish.tags)
        .with("app", publish.app)
        .body(content);
    if let Some(md5) = publish.if_md5 {
        call = call.header(header::IF_MATCH, format!("\"{md5}\""));
    }
    let written: Written = client.call(call).await?;
    match (format, written.revision) {
        (Format::Json, _) => output::json(&written),
        (Format::Table, Some(revision)) => output::say(&format!("published, revision {revision}")),
        (Format::Table, None) => output::say("published"),
    }
    Ok(())
}

/// The content of a file, or of standard input.
fn content(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let file = file.filter(|path| *path != Path::new("-"));
    let (source, read) = match file {
        Some(path) => (path.display().to_string(), fs::read(path)),
        None if io::stdin().is_terminal() => {
            return Err(Failure::usage(
                "there is no content",
                "no file is named, and standard input is a terminal",
                "name a file, use --content TEXT, or pipe it in",
            ));
        }
        None => {
            let mut bytes = Vec::new();
            ("standard input".to_owned(), io::stdin().read_to_end(&mut bytes).map(|_| bytes))
        }
    };
    read.map_err(|error| {
        Failure::usage(
            "the content cannot be read",
            format!("{source}: {error}"),
            "name another file",
        )
    })
}

/// One change of the history, with its content.
async fn at_revision(
    client: &Client,
    format: Format,
    call: Call,
    revision: u64,
) -> Result<(), Failure> {
    let call = call
        .with("content", Some(true))
        .with("limit", Some(1))
        .with("before", revision.checked_add(1));
    let history: ConfigHistory = client.call(call).await?;
    let change = history.changes.into_iter().next().filter(|change| change.revision == revision);
    let change = change.ok_or_else(|| {
        Failure::new(
            Exit::NotFound,
            "not-found",
            format!("the history has no revision {revision} of this config"),
            "it is another config's, or it was dropped at the limit of the history",
            "`trine config history DATA_ID` shows what there is",
        )
    })?;
    match format {
        Format::Json => output::json(&change),
        Format::Table => show_content(change.content.as_deref().unwrap_or_default()),
    }
    Ok(())
}

/// As it is: `trine config get x > file` must give the very bytes. On a terminal, the prompt starts on a new line.
fn show_content(content: &str) {
    output::text(content);
    if io::stdout().is_terminal() && !content.ends_with('\n') {
        output::text("\n");
    }
}

async fn show_changes(
    client: &Client,
    format: Format,
    config: &Named,
    content: bool,
) -> Result<(), Failure> {
    watch::watch(
        client,
        || config.call(Method::GET, &[]),
        |event| {
            if format == Format::Json {
                let value: serde_json::Value = watch::data(event)?;
                output::json_line(&serde_json::json!({ "event": event.name, "data": value }));
                return Ok(());
            }
            if event.name != "config" {
                output::line("there is no such config");
                return Ok(());
            }
            let config: Config = watch::data(event)?;
            output::line(&changed(&config.line));
            if content {
                output::line(&config.content);
            }
            Ok(())
        },
    )
    .await
}

fn changed(line: &ConfigLine) -> String {
    let by = if line.modified_by.is_empty() { "someone" } else { &*line.modified_by };
    format!(
        "{}  revision {} by {by}, {} bytes, md5 {}",
        line.modified_at, line.revision, line.bytes, line.md5
    )
}

fn lines(list: &List<ConfigLine>) -> Rows {
    let mut rows =
        Rows::new(&["GROUP", "DATA ID", "TYPE", "BYTES", "REVISION", "MODIFIED", "BY", "MD5"]);
    for line in &list.items {
        rows.push([
            line.group.to_string(),
            line.data_id.to_string(),
            line.content_type.to_string(),
            line.bytes.to_string(),
            line.revision.to_string(),
            line.modified_at.clone(),
            line.modified_by.to_string(),
            line.md5.to_string(),
        ]);
    }
    rows
}

fn change_rows(history: &ConfigHistory) -> Rows {
    let mut rows = Rows::new(&["REVISION", "WHAT", "AT", "BY", "FROM", "BYTES", "MD5"]);
    for change in &history.changes {
        rows.push([
            change.revision.to_string(),
            change.operation.clone(),
            change.modified_at.clone(),
            change.modified_by.to_string(),
            change.address.to_string(),
            change.bytes.to_string(),
            change.md5.to_string(),
        ]);
    }
    rows
}
