//! `trine dev` and `trine server`: a node in this process.

mod banner;
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

/// Arguments of `trine dev`.
#[derive(Debug, clap::Args)]
pub struct Dev {
    /// How many nodes; this build runs one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1))]
    nodes: u32,
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

/// Runs a node on loopback, for trying things out.
pub fn dev(dev: Dev) -> ExitCode {
    let mut flags = dev.flags;
    flags.listen_api.get_or_insert_with(|| "127.0.0.1:8848".to_owned());
    flags.auth.get_or_insert(Auth::Off);
    let settings = match Settings::resolve(flags, None) {
        Ok(settings) => settings,
        Err(error) => return fail(WRONG_SETTINGS, "the settings are wrong", &error.to_string()),
    };
    if !is_loopback(&settings) {
        let why = "`trine dev` lets clients in without a login, so it listens on loopback only";
        return fail(WRONG_SETTINGS, why, "use `trine server` to be reached from elsewhere");
    }
    logs::start(settings.log_format, settings.log_level.unwrap_or(LogLevel::Warn));
    run(settings, banner::dev)
}

/// Runs a node.
pub fn server(server: Server) -> ExitCode {
    let settings = match Settings::resolve(server.flags, server.file.as_deref()) {
        Ok(settings) => settings,
        Err(error) => return fail(WRONG_SETTINGS, "the settings are wrong", &error.to_string()),
    };
    logs::start(settings.log_format, settings.log_level.unwrap_or(LogLevel::Info));
    run(settings, banner::server)
}

fn run(settings: Settings, show: fn(&Settings, &Running, Duration)) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(NOT_STARTED, "no threads for the server", &error.to_string()),
    };
    runtime.block_on(serve(settings, show))
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
                () = signals.stop() => {
                    // Durable is what was acknowledged; the rest is as after a power cut.
                    tracing::warn!("told to stop at once");
                    std::process::exit(STOPPED_AT_ONCE)
                }
            }
        }
    }
}

/// What to do about a failed start.
fn explain(error: &RunError) -> String {
    let next = match error {
        RunError::Listen { .. } => {
            "is another server running? choose other doors with --listen-api"
        }
        RunError::NoPorts => "",
        RunError::PeerTls(_) => "look at the certificates for other nodes",
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
    let doors = [settings.listen.api, settings.listen.grpc];
    doors.into_iter().flatten().all(|door| door.ip().is_loopback())
}
