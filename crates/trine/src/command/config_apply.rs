//! `trine config apply FILE…`: several configs at once, all of them or none.

use crate::{
    cli::Place,
    client::{Call, Client},
    output::{self, Format},
    problem::Failure,
};
use console::shape::{PlannedChange, Written};
use http::Method;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What is to be so.
#[derive(clap::Args, Debug)]
pub(crate) struct Apply {
    /// Files, each published under its name, with the type that its ending says
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Remove this config as well; may be given several times
    #[arg(long, value_name = "DATA_ID")]
    remove: Vec<Arc<str>>,
    /// A file with a JSON list of changes: data_id, content or "remove": true, and if wanted namespace, group, cas_md5,
    /// type, description, tags, app
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(client: &Client, format: Format, apply: Apply) -> Result<(), Failure> {
    let changes = changes(&apply)?;
    let call = Call::new(Method::POST, &["v1", "configs"]).json(&changes);
    let written: Written = client.call(call).await?;
    match (format, written.revision) {
        (Format::Json, _) => output::json(&written),
        (Format::Table, revision) => {
            let revision = revision.map_or(String::new(), |number| format!(", revision {number}"));
            output::say(&format!("{} configs changed together{revision}", changes.len()));
        }
    }
    Ok(())
}

fn changes(apply: &Apply) -> Result<Vec<PlannedChange>, Failure> {
    let here = |data_id: Arc<str>| PlannedChange {
        namespace: Some(apply.place.namespace.namespace.as_str().into()),
        group: Some(apply.place.group.as_str().into()),
        data_id,
        ..PlannedChange::default()
    };
    let mut changes = Vec::new();
    for path in &apply.files {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| unreadable(path, "it has no name that could be a data id"))?;
        let content_type = content_type(path).map(Arc::from);
        let content = Some(text(path)?.into());
        changes.push(PlannedChange { content, content_type, ..here(name.into()) });
    }
    for data_id in &apply.remove {
        changes.push(PlannedChange { remove: true, ..here(Arc::clone(data_id)) });
    }
    if let Some(path) = &apply.plan {
        let planned: Vec<PlannedChange> = serde_json::from_str(&text(path)?)
            .map_err(|error| unreadable(path, &format!("it is no list of changes: {error}")))?;
        for mut change in planned {
            // What a plan does not say is said by the command line.
            let PlannedChange { namespace, group, .. } = here("".into());
            change.namespace = change.namespace.or(namespace);
            change.group = change.group.or(group);
            changes.push(change);
        }
    }
    if changes.is_empty() {
        return Err(Failure::usage(
            "there is nothing to change",
            "no file, no --remove and no --plan is given",
            "name the files to publish",
        ));
    }
    Ok(changes)
}

fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error.to_string()))
}

fn unreadable(path: &Path, why: &str) -> Failure {
    let why = format!("{}: {why}", path.display());
    Failure::usage("nothing was changed", why, "correct it and apply all of them again")
}

/// The type that the ending of a file says, if it says one.
fn content_type(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "yaml" | "yml" => Some("yaml"),
        "json" => Some("json"),
        "properties" => Some("properties"),
        "toml" => Some("toml"),
        "xml" => Some("xml"),
        "html" | "htm" => Some("html"),
        "txt" => Some("text"),
        _ => None,
    }
}
