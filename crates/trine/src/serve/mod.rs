//! `trine dev` and `trine server`: nodes in this process.

mod banner;
mod dev;
mod logs;
mod signals;

use server::{Auth, Flags, LogLevel, RunError, Running, Settings};
use std::{convert::Infallible, path::PathBuf, process::ExitCode, time::Duration};

/// The server ended as it was told to.
const STOPPED: u8 = 0;
/// It was told so twice: it did not wait for its clients.
const STOPPED_AT_ONCE: i32 = 130;
/// It could not start: starting it again as it is will not help.
const NOT_STARTED: u8 = 1;
/// The settings are wrong.
const WRONG_SETTINGS: u8 = 2;
/// A broken invariant, or a disk that cannot be trusted.
const BROKEN: u8 = 70;

/// Nodes of `trine dev`, unless told otherwise.
const DEV_NODES: u16 = 3;

/// Arguments of `trine dev`.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// How many nodes; several found a cluster in this process, with ports 10 apart
    #[arg(long, value_name = "N", default_value_t = DEV_NODES, value_parser = clap::value_parser!(u16).range(1..=9))]
    nodes: u16,
    #[command(flatten)]
    flags: Flags,
}

/// Arguments of `trine server`.
#[derive(Debug, clap::Args)]
pub struct Server {
    /// Settings file
    #[arg(short = 'f', long = "file", value_name = "FILE", env = "TRINE_FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// Runs nodes on loopback, for trying things out.
pub fn dev(dev: Dev) -> ExitCode {
    let mut flags = dev.flags;
    let keeps_data = flags.data.is_some() && flags.memory != Some(true);
    flags.listen_api.get_or_insert_with(|| "127.0.0.1:8848".to_owned());
    flags.listen_peer.get_or_insert_with(|| "127.0.0.1:7848".to_owned());
    flags.auth.get_or_insert(Auth::Off);
    let settings = match Settings::resolve(flags, None) {
        Ok(settings) => settings,
        Err(error) => return fail(WRONG_SETTINGS, "the settings are wrong", &error.to_string()),
    };
    if !is_loopback(&settings) {
        let why = "`trine dev` lets clients in without a login, so it listens on loopback only";
        return fail(WRONG_SETTINGS, why, "use `trine server` to be reached from elsewhere");
    }
    let several = (dev.nodes > 1).then(|| dev::apart(&settings, dev.nodes, keeps_data));
    let all = match several.transpose() {
        Ok(all) => all,
        Err(why) => return fail(WRONG_SETTINGS, "the settings are wrong", &why),
    };
    logs::start(settings.log_format, settings.log_level.unwrap_or(LogLevel::Warn));
    match all {
        Some(all) => run(dev::serve(all)),
        None => run(serve(settings, banner::dev)),
    }
}

/// Runs a node.
pub fn server(server: Server) -> ExitCode {
    let settings = match Settings::resolve(server.flags, server.file.as_deref()) {
        Ok(settings) => settings,
        Err(error) => return fail(WRONG_SETTINGS, "the settings are wrong", &error.to_string()),
    };
    logs::start(settings.log_format, settings.log_level.unwrap_or(LogLevel::Info));
    run(serve(settings, banner::server))
}

fn run(serving: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(NOT_STARTED, "no threads for the server", &error.to_string()),
    };
    runtime.block_on(serving)
}

async fn serve(settings: Settings, show: fn(&Settings, &Running, Duration)) -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the banner says how long the start took")]
    let begun = std::time::Instant::now();
    for notice in &settings.notices {
        tracing::warn!("{notice}");
    }
    // Before the doors open: a signal that comes early must not kill the process half way.
    let mut signals = match signals::Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(NOT_STARTED, "no signals", &error.to_string()),
    };
    let running = match server::start(settings.clone()).await {
        Ok(running) => running,
        Err(error) => return fail(NOT_STARTED, "the server did not start", &explain(&error)),
    };
    // A node that comes before the others of its cluster serves when they have come, however late that is.
    let shown = async {
        running.ready().await;
        if running.is_ready() {
            show(&settings, &running, begun.elapsed());
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        never = shown => match never {},
        reason = running.halted() => fail(BROKEN, "the node stopped itself", &reason),
        () = signals.stop() => {
            tracing::info!(timeout_s = settings.stop_timeout.as_secs_f64(), "stopping");
            tokio::select! {
                biased;
                () = running.stop() => {
                    tracing::info!("stopped");
                    ExitCode::from(STOPPED)
                }
                () = signals.stop() => stop_at_once(),
            }
        }
    }
}

/// Durable is what was acknowledged; the rest is as after a power cut.
fn stop_at_once() -> ! {
    tracing::warn!("told to stop at once");
    std::process::exit(STOPPED_AT_ONCE)
}

/// What to do about a failed start.
fn explain(error: &RunError) -> String {
    let next = match error {
        RunError::Listen { .. } => {
            "is another server running? choose other doors with --listen-api and --listen-peer"
        }
        RunError::PeerTls(_) => "look at --peer-tls-cert, --peer-tls-key and --peer-tls-ca",
        RunError::NoPorts => "",
        // The error says what to do.
        RunError::Start(host::StartError::Disk(storage::Error::Corrupt { .. })) => {
            "keep the damaged directory until the node is back: move it, do not delete it"
        }
        RunError::Start(_) => "look at the data directory; --data DIR chooses another",
        RunError::System { .. } => "look at the limits of this process",
    };
    format!("{error}\n  next      {next}")
}

fn fail(code: u8, what: &str, why: &str) -> ExitCode {
    eprintln!("error: {what}\n  because   {why}");
    ExitCode::from(code)
}

fn is_loopback(settings: &Settings) -> bool {
    let doors = [settings.listen.api, settings.listen.grpc, settings.listen.peer];
    doors.into_iter().flatten().all(|door| door.ip().is_loopback())
}
