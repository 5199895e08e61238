//! `trine lock acquire|release|list|get|run`.

use super::{lock_run, service};
use crate::{
    cli::{Consistency, duration},
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::{Exit, Failure},
};
use clap::Subcommand;
use console::shape::{Acquisition, Grant, List, Lock, Written};
use http::Method;
use std::{process::ExitCode, sync::Arc, time::Duration};

/// What can be done with locks.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Hold a lock, and print its fencing token; it ends by itself when nobody renews it
    Acquire(Wanted),
    /// Hold a lock no longer
    Release {
        /// The lock
        key: String,
        /// The token of the grant
        #[arg(required_unless_present = "force")]
        token: Option<u64>,
        /// Whoever holds it: they are not asked, and go on until they notice
        #[arg(long, conflicts_with = "token")]
        force: bool,
    },
    /// The locks that are held
    List {
        /// Only locks whose key contains this text
        #[arg(long, value_name = "TEXT")]
        contains: Option<String>,
        /// Skip this many
        #[arg(long, default_value_t = 0, value_name = "COUNT")]
        offset: usize,
        /// At most this many, up to 1000
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// Who holds a lock
    Get {
        /// The lock
        key: String,
        #[command(flatten)]
        consistency: Consistency,
    },
    /// Run a command while holding a lock: renewed as long as it runs, released when it ends. The command finds its fencing
    /// token in TRINE_FENCING_TOKEN, and is stopped when the lock is lost
    Run {
        #[command(flatten)]
        wanted: Wanted,
        /// The command, after --
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
}

/// Which lock, and how.
#[derive(clap::Args, Debug)]
pub(crate) struct Wanted {
    /// The lock
    pub(crate) key: String,
    /// How the holder calls itself: the same name holds it already if it asks again; made up if not given
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// How long it is held unless it is renewed
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pub(crate) ttl: Duration,
    /// How long to wait while somebody else holds it; not at all if not given
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) wait: Option<Duration>,
}

impl Wanted {
    /// The name given, or one that nobody else has.
    #[expect(
        clippy::disallowed_methods,
        reason = "chance and the host's name, asked of this side of the wire"
    )]
    pub(crate) fn owner(&self) -> Result<Arc<str>, Failure> {
        if let Some(owner) = &self.owner {
            return Ok(owner.as_str().into());
        }
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| {
            Failure::usage(
                "there is no name for the holder",
                error.to_string(),
                "give --owner NAME",
            )
        })?;
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "trine".to_owned());
        let (process, chance) = (std::process::id(), u64::from_be_bytes(bytes));
        Ok(format!("{host:.100}-{process}-{chance:016x}").into())
    }

    /// One request, that waits no longer than this.
    pub(crate) fn call(&self, owner: &Arc<str>, wait: Duration) -> Call {
        Call::new(Method::PUT, &["v1", "locks", &self.key]).json(&Acquisition {
            owner: Arc::clone(owner),
            ttl_ms: Some(millis(self.ttl)),
            wait_ms: Some(millis(wait)),
        })
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) async fn run(client: &Client, format: Format, verb: Verb) -> Result<ExitCode, Failure> {
    match verb {
        Verb::Acquire(wanted) => {
            let owner = wanted.owner()?;
            let (grant, _) = lock_run::acquire(client, &wanted, &owner).await?;
            show_grant(format, &grant, &owner);
        }
        Verb::Release { key, token, force } => {
            let call = Call::new(Method::DELETE, &["v1", "locks", &key])
                .with("token", token)
                .with("force", force.then_some(true));
            let written: Written = client.call(call).await?;
            service::say_written(format, &written, "released", "nobody held it");
        }
        Verb::List { contains, offset, limit, consistency } => {
            let call = Call::get(&["v1", "locks"])
                .with("contains", contains)
                .with("offset", Some(offset))
                .with("limit", Some(limit))
                .with("consistency", consistency.or_linearizable());
            let list: List<Lock> = client.call(call).await?;
            output::write(format, &list, || rows(&list.items));
            service::say_rest(&list);
        }
        Verb::Get { key, consistency } => {
            let call = Call::get(&["v1", "locks", &key])
                .with("consistency", consistency.or_linearizable());
            let lock: Lock = client.call(call).await?;
            output::write(format, &lock, || rows(std::slice::from_ref(&lock)));
        }
        Verb::Run { wanted, command } => return lock_run::run(client, &wanted, &command).await,
    }
    Ok(Exit::Done.into())
}

fn show_grant(format: Format, grant: &Grant, owner: &str) {
    match format {
        Format::Json => output::json(grant),
        Format::Table => {
            output::line(&grant.token.to_string());
            let Grant { key, ttl_ms, .. } = grant;
            output::say(&format!("{key} is held by {owner} for {ttl_ms} ms unless it is renewed"));
        }
    }
}

fn rows(locks: &[Lock]) -> Rows {
    let mut rows = Rows::new(&["KEY", "OWNER", "TOKEN", "TTL MS", "SINCE", "RENEWED", "WAITING"]);
    for lock in locks {
        rows.push([
            lock.key.to_string(),
            lock.owner.to_string(),
            lock.token.to_string(),
            lock.ttl_ms.to_string(),
            lock.granted_at.clone(),
            lock.renewed_at.clone(),
            lock.waiters.to_string(),
        ]);
    }
    rows
}
