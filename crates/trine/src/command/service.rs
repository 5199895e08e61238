//! `trine service list|get|put|delete|watch|history`.

use super::{events, instance, watch};
use crate::{
    cli::{Consistency, Namespace, Page, Place},
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::Failure,
};
use clap::Subcommand;
use console::shape::{List, Service, ServiceLine, Written};
use http::Method;

/// What can be done with services.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The services of a namespace
    List {
        #[command(flatten)]
        namespace: Namespace,
        #[command(flatten)]
        page: Page,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// A service with its instances
    Get {
        #[command(flatten)]
        service: Named,
        /// Only of these cluster names, separated by commas
        #[arg(long, value_name = "NAMES")]
        clusters: Option<String>,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// Create an empty service, if there is none of that name
    Put(Named),
    /// Remove a service that has no instances
    Delete(Named),
    /// Show each change of a service's instances, until interrupted
    Watch {
        #[command(flatten)]
        service: Named,
        /// Only of these cluster names, separated by commas
        #[arg(long, value_name = "NAMES")]
        clusters: Option<String>,
    },
    /// What happened to a service
    History {
        #[command(flatten)]
        service: Named,
        #[command(flatten)]
        args: events::Args,
    },
}

/// A service by its name.
#[derive(clap::Args, Debug)]
pub(crate) struct Named {
    /// The service
    #[arg(value_name = "SERVICE")]
    pub(super) name: String,
    #[command(flatten)]
    pub(super) place: Place,
}

impl Named {
    fn call(&self, method: Method) -> Call {
        Call::new(method, &["v1", "services", &self.name]).query(self.place.query())
    }
}

pub(crate) async fn run(client: &Client, format: Format, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { namespace, page, consistency } => {
            let call = Call::get(&["v1", "services"])
                .query(page.query(&namespace))
                .with("consistency", consistency.or_stale());
            let list: List<ServiceLine> = client.call(call).await?;
            output::write(format, &list, || lines(&list));
            say_rest(&list);
        }
        Verb::Get { service, clusters, consistency } => {
            let call = service
                .call(Method::GET)
                .with("clusters", clusters)
                .with("consistency", consistency.or_stale());
            let service: Service = client.call(call).await?;
            output::write(format, &service, || instance::rows(&service.instances));
        }
        Verb::Put(service) => {
            let written: Written = client.call(service.call(Method::PUT)).await?;
            say_written(format, &written, "created", "there is one of that name already");
        }
        Verb::Delete(service) => {
            let written: Written = client.call(service.call(Method::DELETE)).await?;
            say_written(format, &written, "removed", "there was nothing to remove");
        }
        Verb::Watch { service, clusters } => {
            instance::watch(client, format, &service, clusters.as_deref()).await?;
        }
        Verb::History { service, args } => {
            let call = Call::get(&["v1", "services", &service.name, "history"])
                .query(service.place.query());
            events::history(client, format, call, &args).await?;
        }
    }
    Ok(())
}

/// The call that a watch makes, each time anew.
pub(super) fn watched(service: &Named, clusters: Option<&str>) -> Call {
    service.call(Method::GET).with("clusters", clusters)
}

/// What an event of a watch says.
pub(super) fn view(event: &crate::client::Event) -> Result<Service, Failure> {
    watch::data(event)
}

fn lines(list: &List<ServiceLine>) -> Rows {
    let mut rows = Rows::new(&["GROUP", "SERVICE", "INSTANCES", "HEALTHY", "CHANGED"]);
    for line in &list.items {
        rows.push([
            line.group.to_string(),
            line.name.to_string(),
            line.instances.to_string(),
            line.healthy.to_string(),
            line.changed_at.clone(),
        ]);
    }
    rows
}

/// Says that a list goes on.
pub(super) fn say_rest<T>(list: &List<T>) {
    let shown = list.offset + list.items.len();
    if shown < list.count && !list.items.is_empty() {
        output::say(&format!(
            "note: {} of {} shown; go on with --offset {shown}",
            list.items.len(),
            list.count
        ));
    }
}

/// Says what a write came to.
pub(super) fn say_written(format: Format, written: &Written, changed: &str, unchanged: &str) {
    match format {
        Format::Json => output::json(written),
        Format::Table => output::say(if written.changed { changed } else { unchanged }),
    }
}
