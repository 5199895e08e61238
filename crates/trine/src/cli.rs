//! The command line: global options and what is said about exit codes.

use crate::{client::Server, command, lab, output::Format, serve};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, time::Duration};

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    failed at run time
  2    wrong usage, or something given is not valid
  3    not found
  4    not logged in, or not allowed
  5    conflict: it exists already, or it has changed meanwhile
  6    unavailable: no server there, no leader, not ready, disk full
  7    timed out; the outcome may be unknown
  130  interrupted

`trine dev` and `trine server` end with 0 after a clean stop, 1 when they could not start, 2 when the
settings are wrong, 70 when the node broke, and 130 when a second signal ends a stop at once.

Data goes to standard output, talk to standard error. With -o json both are JSON.
An error says what happened, where, why, and what to do next.";

/// Service registry and config center for Nacos clients, proven under faults.
#[derive(Debug, Parser)]
#[command(name = "trine", version, after_help = AFTER_HELP, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try it: a node on loopback that SDKs may use without a login
    Dev(serve::Dev),
    /// Run a node
    Server(serve::Server),
    /// Nodes in a virtual world: what faults do to a cluster, told from a seed
    #[command(subcommand)]
    Lab(lab::Lab),
    /// Everything that asks a running server.
    #[command(flatten)]
    Client(command::Command),
}

/// Options of every command that asks a server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Asking a server")]
pub(crate) struct Global {
    /// Where the server is; the port is 8848 if none is given
    #[arg(
        long,
        global = true,
        env = "TRINE_SERVER",
        default_value = "http://127.0.0.1:8848",
        value_name = "URL"
    )]
    pub(crate) server: Server,
    /// A file with the token; without it, the one that `trine login` stored for this server
    #[arg(long, global = true, env = "TRINE_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Tables for people, JSON for programs
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Format,
    /// How long to wait for an answer
    #[arg(
        long,
        global = true,
        default_value = "10s",
        value_parser = duration,
        value_name = "DURATION"
    )]
    pub(crate) timeout: Duration,
}

/// How fresh a read must be.
#[derive(Args, Clone, Debug)]
pub(crate) struct Consistency {
    /// stale, bounded(500ms), session or linearizable; stale for services, linearizable for configs if not given
    #[arg(short, long, value_name = "LEVEL")]
    consistency: Option<String>,
}

impl Consistency {
    /// As given, or what suits the registry.
    pub(crate) fn or_stale(&self) -> Option<&str> {
        Some(self.consistency.as_deref().unwrap_or("stale"))
    }

    /// As given, or what suits what is agreed on.
    pub(crate) fn or_linearizable(&self) -> Option<&str> {
        Some(self.consistency.as_deref().unwrap_or("linearizable"))
    }
}

/// Where names belong.
#[derive(Args, Clone, Debug)]
pub(crate) struct Namespace {
    /// The namespace
    #[arg(short, long, env = "TRINE_NAMESPACE", default_value = "public", value_name = "ID")]
    pub(crate) namespace: String,
}

/// Where a name belongs.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) namespace: Namespace,
    /// The group
    #[arg(short, long, default_value = "DEFAULT_GROUP")]
    pub(crate) group: String,
}

impl Place {
    /// As query parameters.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        vec![("namespace", self.namespace.namespace.clone()), ("group", self.group.clone())]
    }
}

/// Which part of a list.
#[derive(Args, Clone, Debug)]
pub(crate) struct Page {
    /// Only of this group
    #[arg(short, long)]
    pub(crate) group: Option<String>,
    /// Only names that contain this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) contains: Option<String>,
    /// Skip this many
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    pub(crate) offset: usize,
    /// At most this many, up to 1000
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub(crate) limit: usize,
}

impl Page {
    /// As query parameters.
    pub(crate) fn query(&self, namespace: &Namespace) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("namespace", namespace.namespace.clone()),
            ("offset", self.offset.to_string()),
            ("limit", self.limit.to_string()),
        ];
        query.extend(self.group.clone().map(|group| ("group", group)));
        query.extend(self.contains.clone().map(|text| ("contains", text)));
        query
    }
}

/// `500ms`, `10s`, `2m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("it needs a number and a unit, e.g. 500ms, 10s or 2m".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "it needs a number first, e.g. 10s".to_owned())?;
    match number.checked_mul(unit_ms) {
        Some(0) => Err("it must be more than nothing".to_owned()),
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err("it is too long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, error::ErrorKind};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "10", "s", "0s", "-1s", "10 s", "99999999999999999999s", "1d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_a_usage_error() {
        let table = [
            (&["trine"][..], ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            (&["trine", "confg", "list"], ErrorKind::InvalidSubcommand),
            (&["trine", "config", "get"], ErrorKind::MissingRequiredArgument),
            (&["trine", "config", "get", "app", "--grup", "x"], ErrorKind::UnknownArgument),
            (&["trine", "status", "-o", "xml"], ErrorKind::InvalidValue),
            (&["trine", "--server", "https://h", "status"], ErrorKind::ValueValidation),
            (&["trine", "--timeout", "10", "status"], ErrorKind::ValueValidation),
        ];
        for (line, kind) in table {
            let error = Cli::try_parse_from(line).expect_err("it is wrong");
            assert_eq!(error.kind(), kind, "{line:?}");
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }

    #[test]
    fn every_verb_of_every_noun_parses() {
        let lines = [
            "status",
            "status --ready",
            "login",
            "login dev --password-file /p",
            "logout",
            "service list -n team --contains web --limit 10",
            "service get web -g g --clusters a,b -c bounded(500ms)",
            "service put web",
            "service delete web",
            "service watch web",
            "service history web --limit 5",
            "instance list web",
            "instance get web 10.0.0.1:8080",
            "instance put web 10.0.0.1:8080 --once --weight 2 -m zone=a -m b=c=d",
            "instance delete web 10.0.0.1:8080 --cluster c",
            "instance watch web",
            "instance history web [::1]:80",
            "config list",
            "config get app",
            "config put app file.yaml --type yaml --if-md5 0cc175b9c0f1b6a831c399e269772661",
            "config apply a.yaml b.json --remove c -g g --plan plan.json",
            "config delete app",
            "lock acquire job --ttl 10s --wait 1m --owner me",
            "lock release job 41",
            "lock release job --force",
            "lock list --contains jo",
            "lock get job",
            "lock run job --ttl 10s -- make -C /tmp all",
            "config watch app --content",
            "config history app --revision 12",
            "ns list",
            "ns get team",
            "ns put team --name Team --description d",
            "ns delete team",
            "ns history team",
            "cluster members",
            "cluster join-token --ttl 2h",
            "cluster remove n7",
            "cluster transfer-leader n7",
            "cluster verify --fix",
            "explain instance web 10.0.0.1:8080",
            "explain config app",
            "explain lock job",
            "completion zsh",
            "-o json --server h:1 --token-file f status",
            "status -o json --server h:1 --timeout 3s",
        ];
        for line in lines {
            let words = std::iter::once("trine").chain(line.split(' '));
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn the_help_lists_every_exit_code() {
        let help = Cli::command().render_help().to_string();
        for exit in crate::problem::Exit::ALL {
            let code = format!("\n  {:<5}", exit.code());
            assert!(help.contains(&code), "{exit:?} is missing in:\n{help}");
        }
    }
}
