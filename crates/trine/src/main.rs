//! The one binary: it is the server, and it speaks to one.
#![forbid(unsafe_code)]

mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Service registry and config center for Nacos clients, proven under faults.
#[derive(Debug, Parser)]
#[command(name = "trine", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: a node on loopback that SDKs may use without a login
    Dev(serve::Dev),
    /// Run a node
    Server(serve::Server),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Dev(dev) => serve::dev(dev),
        Command::Server(server) => serve::server(server),
    }
}
