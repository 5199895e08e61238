//! `trine explain instance|config|lock`: why something is as it is.

use super::events;
use crate::{
    cli::{Consistency, Place},
    client::{Call, Client},
    output::{self, Format},
    problem::Failure,
};
use clap::Subcommand;
use console::shape::Explanation;

/// What is to be explained.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Why an instance is listed, or is not
    Instance {
        /// The service
        service: String,
        /// ip:port
        address: String,
        /// The cluster name
        #[arg(long, default_value = "DEFAULT")]
        cluster: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// Why a config is as it is, or is not there
    Config {
        /// The data id
        data_id: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// Who holds a lock, and who held it before and waited for it
    Lock {
        /// Its name
        name: String,
        #[command(flatten)]
        consistency: Consistency,
    },
}

pub(crate) async fn run(client: &Client, format: Format, what: What) -> Result<(), Failure> {
    let call = match &what {
        What::Instance { service, address, cluster, place, consistency } => {
            Call::get(&["v1", "services", service, "instances", address, "explain"])
                .query(place.query())
                .with("cluster", Some(cluster))
                .with("consistency", consistency.or_stale())
        }
        What::Config { data_id, place, consistency } => {
            Call::get(&["v1", "configs", data_id, "explain"])
                .query(place.query())
                .with("consistency", consistency.or_linearizable())
        }
        What::Lock { name, consistency } => Call::get(&["v1", "locks", name, "explain"])
            .with("consistency", consistency.or_linearizable()),
    };
    let told: Explanation = client.call(call).await?;
    match format {
        Format::Json => output::json(&told),
        Format::Table => {
            if !told.history.events.is_empty() {
                output::write(format, &told, || events::rows(&told.history.events));
            }
            events::say_missing(&told.history);
            output::line(&told.sentence);
        }
    }
    Ok(())
}
