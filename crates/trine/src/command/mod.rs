//! The commands that ask a running server, and one for a server that does not run: one file per noun.

mod cluster;
mod completion;
mod config;
mod config_apply;
mod events;
mod explain;
mod instance;
mod lock;
mod lock_run;
mod login;
mod ns;
mod recover;
mod service;
mod status;
pub(crate) mod watch;

use crate::{
    cli::Global,
    client::Client,
    problem::{Exit, Failure},
};
use clap::Subcommand;
use std::process::ExitCode;

/// What can be asked of a server.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// How a node is
    Status(status::Args),
    /// Log in and keep the token for this server
    Login(login::LoginArgs),
    /// Forget the token for this server
    Logout,
    /// Services
    #[command(subcommand)]
    Service(service::Verb),
    /// Instances of a service
    #[command(subcommand)]
    Instance(instance::Verb),
    /// Configs
    #[command(subcommand)]
    Config(config::Verb),
    /// Locks: leases with fencing tokens
    #[command(subcommand)]
    Lock(lock::Verb),
    /// Namespaces
    #[command(subcommand)]
    Ns(ns::Verb),
    /// Nodes that belong together
    #[command(subcommand)]
    Cluster(cluster::Verb),
    /// Why something is as it is
    #[command(subcommand)]
    Explain(explain::What),
    /// A script that completes commands, for your shell
    Completion(completion::Args),
}

/// Runs one. Gives the exit code: that of the command that it ran, if it ran one.
pub(crate) async fn run(global: &Global, command: Command) -> Result<ExitCode, Failure> {
    let format = global.output;
    let done = match command {
        Command::Lock(verb) => return lock::run(&Client::new(global)?, format, verb).await,
        // Neither needs a token, and a broken store of tokens must not stand in their way.
        Command::Completion(args) => completion::run(&args),
        Command::Logout => login::logout(global),
        Command::Login(args) => login::login(global, args).await,
        Command::Status(args) => status::run(&Client::new(global)?, format, args).await,
        Command::Service(verb) => service::run(&Client::new(global)?, format, verb).await,
        Command::Instance(verb) => instance::run(&Client::new(global)?, format, verb).await,
        Command::Config(verb) => config::run(&Client::new(global)?, format, verb).await,
        Command::Ns(verb) => ns::run(&Client::new(global)?, format, verb).await,
        // Nothing runs that could be asked.
        Command::Cluster(cluster::Verb::Recover(args)) => recover::run(format, &args),
        Command::Cluster(verb) => cluster::run(&Client::new(global)?, format, verb).await,
        Command::Explain(what) => explain::run(&Client::new(global)?, format, what).await,
    };
    done.map(|()| Exit::Done.into())
}
