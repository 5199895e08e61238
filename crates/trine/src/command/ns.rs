//! `trine ns list|get|put|delete|watch|history`.

use super::{events, service, watch};
use crate::{
    cli::Consistency,
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::Failure,
};
use clap::Subcommand;
use console::shape::{List, Namespace, NamespaceText, Written};
use http::Method;

/// What can be done with namespaces.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The namespaces
    List {
        /// Skip this many
        #[arg(long, default_value_t = 0, value_name = "COUNT")]
        offset: usize,
        /// At most this many, up to 1000
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// One namespace
    Get {
        /// Its id
        id: String,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// Create a namespace, or change its name and description
    Put {
        /// Its id
        id: String,
        /// Its name for people; the id if not given
        #[arg(long)]
        name: Option<String>,
        /// What it is for
        #[arg(long, default_value = "", value_name = "TEXT")]
        description: String,
    },
    /// Forget a namespace; what is in it stays
    Delete {
        /// Its id
        id: String,
    },
    /// Show all namespaces each time one changes, until interrupted
    Watch,
    /// What happened to a namespace
    History {
        /// Its id
        id: String,
        #[command(flatten)]
        args: events::Args,
    },
}

pub(crate) async fn run(client: &Client, format: Format, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { offset, limit, consistency } => {
            let call = Call::get(&["v1", "namespaces"])
                .with("offset", Some(offset))
                .with("limit", Some(limit))
                .with("consistency", consistency.or_linearizable());
            let list: List<Namespace> = client.call(call).await?;
            output::write(format, &list, || rows(&list.items));
            service::say_rest(&list);
        }
        Verb::Get { id, consistency } => {
            let call = Call::get(&["v1", "namespaces", &id])
                .with("consistency", consistency.or_linearizable());
            let namespace: Namespace = client.call(call).await?;
            output::write(format, &namespace, || rows(std::slice::from_ref(&namespace)));
        }
        Verb::Put { id, name, description } => {
            let text =
                NamespaceText { name: name.map(Into::into), description: description.into() };
            let call = Call::new(Method::PUT, &["v1", "namespaces", &id]).json(&text);
            let written: Written = client.call(call).await?;
            service::say_written(format, &written, "done", "it was so already");
        }
        Verb::Delete { id } => {
            let call = Call::new(Method::DELETE, &["v1", "namespaces", &id]);
            let written: Written = client.call(call).await?;
            service::say_written(format, &written, "removed", "there was nothing to remove");
        }
        Verb::Watch => {
            let call = || Call::get(&["v1", "namespaces"]);
            watch::watch(client, call, |event| {
                let namespaces: Vec<Namespace> = watch::data(event)?;
                match format {
                    Format::Json => output::json_line(&namespaces),
                    Format::Table => output::write(format, &namespaces, || rows(&namespaces)),
                }
                Ok(())
            })
            .await?;
        }
        Verb::History { id, args } => {
            let call = Call::get(&["v1", "namespaces", &id, "history"]);
            events::history(client, format, call, &args).await?;
        }
    }
    Ok(())
}

fn rows(namespaces: &[Namespace]) -> Rows {
    let mut rows = Rows::new(&["ID", "NAME", "DESCRIPTION"]);
    for namespace in namespaces {
        rows.push([
            namespace.id.to_string(),
            namespace.name.to_string(),
            namespace.description.to_string(),
        ]);
    }
    rows
}
