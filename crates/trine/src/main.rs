//! The one binary: it is the server, and it speaks to one.
#![forbid(unsafe_code)]

mod cli;
mod client;
mod command;
mod lab;
mod output;
mod problem;
mod serve;

use clap::Parser;
use cli::{Cli, Command};
use problem::{Exit, Failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    // A usage error ends here with 2, `--help` and `--version` with 0.
    let cli = Cli::parse();
    let asked = match cli.command {
        Command::Dev(dev) => return serve::dev(dev),
        Command::Server(server) => return serve::server(server),
        Command::Lab(lab) => return lab::lab(&lab),
        Command::Client(command) => ask_a_server(&cli.global, command),
    };
    match asked {
        Ok(code) => code,
        Err(failure) => {
            failure.print(cli.global.output);
            failure.exit.into()
        }
    }
}

/// Runs a command that talks to a running server.
fn ask_a_server(global: &cli::Global, command: command::Command) -> Result<ExitCode, Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            Failure::new(
                Exit::Failed,
                "runtime",
                "the command could not start",
                error.to_string(),
                "look at the limits of this shell (`ulimit -a`)",
            )
        })?;
    runtime.block_on(command::run(global, command))
}
