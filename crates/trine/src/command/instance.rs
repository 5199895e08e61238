//! `trine instance list|get|put|delete|watch|history`.

use super::{
    events,
    service::{self, Named, say_written},
    watch,
};
use crate::{
    cli::{Consistency, Place},
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::{Exit, Failure},
};
use clap::Subcommand;
use console::shape::{Beat, Instance, Registered, Registration, Service, Written};
use http::Method;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// What can be done with instances.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The instances of a service
    List {
        #[command(flatten)]
        service: Named,
        /// Only of these cluster names, separated by commas
        #[arg(long, value_name = "NAMES")]
        clusters: Option<String>,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// One instance
    Get {
        #[command(flatten)]
        instance: Placed,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// Register an instance and beat for it until interrupted, then take it back
    Put {
        #[command(flatten)]
        instance: Placed,
        #[command(flatten)]
        offer: Offer,
    },
    /// Take an instance back that lives by beats
    Delete(Placed),
    /// Show each change of a service's instances, until interrupted
    Watch {
        #[command(flatten)]
        service: Named,
        /// Only of these cluster names, separated by commas
        #[arg(long, value_name = "NAMES")]
        clusters: Option<String>,
    },
    /// What happened to an instance
    History {
        #[command(flatten)]
        instance: Placed,
        #[command(flatten)]
        args: events::Args,
    },
}

/// An instance by its place.
#[derive(clap::Args, Debug)]
pub(crate) struct Placed {
    /// The service
    service: String,
    /// ip:port
    address: String,
    /// The cluster name
    #[arg(long, default_value = "DEFAULT")]
    cluster: String,
    #[command(flatten)]
    place: Place,
}

/// What is said of an instance when it is registered.
#[derive(clap::Args, Debug)]
pub(crate) struct Offer {
    /// Register it once and do not beat: it expires soon
    #[arg(long)]
    once: bool,
    /// Its share of the traffic, 0 to 10000
    #[arg(long, default_value_t = 1.0)]
    weight: f64,
    /// Register it, but do not show it to callers
    #[arg(long)]
    disabled: bool,
    /// What it says of itself; may be repeated
    #[arg(short, long = "metadata", value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

impl Placed {
    /// `then` is what follows in the path.
    fn call(&self, method: Method, then: &[&str]) -> Call {
        let mut path = vec!["v1", "services", &self.service, "instances", &self.address];
        path.extend(then);
        Call::new(method, &path).query(self.place.query()).with("cluster", Some(&self.cluster))
    }

    fn registration(&self, offer: &Offer) -> Result<Registration, Failure> {
        let address = self.address.rsplit_once(':');
        let parsed = address.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parsed.ok_or_else(|| {
            Failure::usage(
                format!("`{}` is no address of an instance", self.address),
                "it must be ip:port with a port from 0 to 65535",
                "e.g. 10.0.0.1:8080 or [2001:db8::1]:8080",
            )
        })?;
        let metadata: BTreeMap<Arc<str>, Arc<str>> = offer
            .metadata
            .iter()
            .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
            .collect();
        Ok(Registration {
            ip: host.trim_start_matches('[').trim_end_matches(']').into(),
            port,
            cluster: Some(self.cluster.as_str().into()),
            weight: Some(offer.weight),
            enabled: Some(!offer.disabled),
            metadata,
        })
    }
}

pub(crate) async fn run(client: &Client, format: Format, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List { service, clusters, consistency } => {
            let call = service::watched(&service, clusters.as_deref())
                .with("consistency", consistency.or_stale());
            let service: Service = client.call(call).await?;
            output::write(format, &service.instances, || rows(&service.instances));
        }
        Verb::Get { instance, consistency } => {
            let call = instance.call(Method::GET, &[]).with("consistency", consistency.or_stale());
            let instance: Instance = client.call(call).await?;
            output::write(format, &instance, || rows(std::slice::from_ref(&instance)));
        }
        Verb::Put { instance, offer } => put(client, format, &instance, &offer).await?,
        Verb::Delete(instance) => {
            let written: Written = client.call(instance.call(Method::DELETE, &[])).await?;
            say_written(format, &written, "removed", "there was nothing to remove");
        }
        Verb::Watch { service, clusters } => {
            watch(client, format, &service, clusters.as_deref()).await?;
        }
        Verb::History { instance, args } => {
            let call = instance.call(Method::GET, &["history"]);
            events::history(client, format, call, &args).await?;
        }
    }
    Ok(())
}

async fn put(
    client: &Client,
    format: Format,
    instance: &Placed,
    offer: &Offer,
) -> Result<(), Failure> {
    let registration = instance.registration(offer)?;
    let registered = register(client, instance, &registration).await?;
    let name = format!("{} of {}", instance.address, instance.service);
    if format == Format::Json {
        output::json(&registered);
    }
    if offer.once {
        let seconds = registered.expires_after_ms.div_ceil(1_000);
        output::say(&format!("registered {name}; it expires in {seconds} s unless it beats"));
        return Ok(());
    }
    output::say(&format!("registered {name}; beating until interrupted"));
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signals)?;
    tokio::select! {
        biased;
        failure = keep_alive(client, instance, &registration) => return Err(failure),
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    let _: Written = client.call(instance.call(Method::DELETE, &[])).await?;
    output::say(&format!("took {name} back"));
    Ok(())
}

async fn register(
    client: &Client,
    instance: &Placed,
    registration: &Registration,
) -> Result<Registered, Failure> {
    let call = Call::new(Method::POST, &["v1", "services", &instance.service, "instances"])
        .query(instance.place.query())
        .json(registration);
    client.call(call).await
}

/// Beats for ever. A server that is away for a while is waited for; one that forgot the instance is told anew.
async fn keep_alive(client: &Client, instance: &Placed, registration: &Registration) -> Failure {
    let mut interval = Duration::from_secs(5);
    loop {
        let result = match client.call::<Beat>(instance.call(Method::POST, &["beat"])).await {
            Ok(Beat { known: true, interval_ms }) => {
                interval = Duration::from_millis(interval_ms.clamp(100, 60_000));
                Ok(())
            }
            Ok(Beat { known: false, .. }) => {
                output::say("note: the server did not know the instance; registering it again");
                register(client, instance, registration).await.map(|_| ())
            }
            Err(failure) => Err(failure),
        };
        match result {
            Ok(()) => {}
            Err(failure) if matches!(failure.exit, Exit::Unavailable | Exit::TimedOut) => {
                output::say("note: a beat did not come through; beating on");
            }
            Err(failure) => return failure,
        }
        tokio::time::sleep(interval).await;
    }
}

fn no_signals(error: std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "signals",
        "the instance is registered, but nothing beats for it",
        format!("signals cannot be received: {error}"),
        "use --once and beat from elsewhere",
    )
}

pub(super) fn rows(instances: &[Instance]) -> Rows {
    let mut rows = Rows::new(&["INSTANCE", "CLUSTER", "STATE", "WEIGHT", "KIND", "METADATA"]);
    for instance in instances {
        let kind = if instance.ephemeral { "ephemeral" } else { "persistent" };
        let metadata: Vec<_> =
            instance.metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
        rows.push([
            address(instance),
            instance.cluster.to_string(),
            state(instance).to_owned(),
            instance.weight.to_string(),
            kind.to_owned(),
            metadata.join(" "),
        ]);
    }
    rows
}

fn address(instance: &Instance) -> String {
    if instance.ip.contains(':') {
        return format!("[{}]:{}", instance.ip, instance.port);
    }
    format!("{}:{}", instance.ip, instance.port)
}

fn state(instance: &Instance) -> &'static str {
    match (instance.enabled, instance.healthy) {
        (true, true) => "healthy",
        (true, false) => "unhealthy",
        (false, true) => "disabled",
        (false, false) => "disabled, unhealthy",
    }
}

/// Shows each change: as lines of what came (`+`), went (`-`) or became another (`~`), or as a document per line.
pub(super) async fn watch(
    client: &Client,
    format: Format,
    service: &Named,
    clusters: Option<&str>,
) -> Result<(), Failure> {
    let mut known = Vec::new();
    watch::watch(
        client,
        || service::watched(service, clusters),
        |event| {
            let view = service::view(event)?;
            match format {
                Format::Json => output::json_line(&view),
                Format::Table => {
                    for change in changes(&known, &view.instances) {
                        output::line(&format!("{}  {change}", view.changed_at));
                    }
                }
            }
            known = view.instances;
            Ok(())
        },
    )
    .await
}

fn changes(before: &[Instance], after: &[Instance]) -> Vec<String> {
    type Key<'a> = (&'a str, u16, &'a str);
    fn by_place(instances: &[Instance]) -> BTreeMap<Key<'_>, &Instance> {
        instances.iter().map(|one| ((&*one.ip, one.port, &*one.cluster), one)).collect()
    }
    let (before, after) = (by_place(before), by_place(after));
    let shown = |sign: char, one: &Instance| {
        format!("{sign} {} {} {} weight {}", address(one), one.cluster, state(one), one.weight)
    };
    let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
    let mut lines: Vec<String> = gone.map(|(_, one)| shown('-', one)).collect();
    for (key, one) in &after {
        match before.get(key) {
            None => lines.push(shown('+', one)),
            Some(old) if old != one => lines.push(shown('~', one)),
            Some(_) => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(port: u16) -> Instance {
        Instance {
            ip: "10.0.0.1".into(),
            port,
            cluster: "DEFAULT".into(),
            weight: 1.0,
            healthy: true,
            enabled: true,
            ephemeral: true,
            metadata: BTreeMap::new(),
        }
    }

    #[test]
    fn a_watch_shows_what_came_went_and_changed() {
        let ill = Instance { healthy: false, ..instance(2) };
        assert_eq!(
            changes(&[instance(1), instance(2), instance(4)], &[ill, instance(3), instance(4)]),
            [
                "- 10.0.0.1:1 DEFAULT healthy weight 1",
                "~ 10.0.0.1:2 DEFAULT unhealthy weight 1",
                "+ 10.0.0.1:3 DEFAULT healthy weight 1",
            ]
        );
    }

    #[test]
    fn metadata_is_key_and_value() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }
}
