//! The load generator: clients of Nacos by the thousand, and what they cost the server.
//!
//! # The problem
//!
//! How fast a server is depends on the machine and on who else runs on it. What an operation costs the server's process in
//! CPU does so much less, and beside a peer in the same run least of all. So each work says server CPU per operation
//! first, throughput and waiting second; and with a second server it does the same with both, one after the other.
//!
//! # How
//!
//! One thread speaks gRPC (HTTP/2) and HTTP/1.1 over loopback; the server keeps the other cores. Each work has a server of
//! its own, freshly started on free ports with an empty folder, unless a running one is given. Every answer is verified:
//! a wrong one is counted, its first text is shown, and the run fails. Time and number of operations are bounded.
//!
//! Works of three nodes start a cluster on loopback: what is said of it is what its nodes cost, and how long they need,
//! with all of them and their clients on one machine.
//!
//! # Left out
//!
//! Open loops (a rate that does not wait for answers), several load machines, TLS, logins.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods)] // it measures real time on a real machine

mod cluster;
mod grpc;
mod http;
mod load;
mod problem;
mod process;
mod row;
mod subject;
mod work;

use crate::{
    problem::Problem,
    row::Row,
    subject::{Kind, Source},
    work::Work,
};
use clap::{Parser, ValueEnum};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};
use tokio::task::LocalSet;

/// Load on a server over loopback, every answer verified; server CPU per operation
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Cli {
    /// The API address of a running server (its gRPC port is 1000 above)
    #[arg(long, value_name = "ADDR", requires = "pid", conflicts_with = "bin")]
    server: Option<SocketAddr>,
    /// The process of the running server
    #[arg(long, requires = "server")]
    pid: Option<u32>,
    /// The server to start, one for each work
    #[arg(long, value_name = "PATH", default_value = "target/release/trine")]
    bin: PathBuf,
    /// A second server, for the same works
    #[arg(long, value_enum, requires = "against_bin")]
    against: Option<Against>,
    /// Its binary
    #[arg(long, value_name = "PATH")]
    against_bin: Option<PathBuf>,
    /// How long each work lasts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Bytes of a config in three-publish; without it some 500 that hardly differ
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(32..=1_000_000))]
    content: Option<u32>,
    /// Subscribers in push and three-push
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    subscribers: u16,
    /// Without works: all of those that need one node, or all that need three
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    nodes: u8,
    /// What to do; everything for that many nodes if nothing is given
    #[arg(value_enum)]
    work: Vec<Work>,
}

/// A server to compare with.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Against {
    /// r-nacos, or another build of it
    RNacos,
    /// Another build of this server
    Trine,
}

impl Cli {
    fn sources(&self) -> Vec<Source> {
        let first = match (self.server, self.pid) {
            (Some(api), Some(pid)) => Source::Running { api, pid },
            (Some(_), None) | (None, _) => {
                Source::Binary { name: "trine", kind: Kind::Trine, path: self.bin.clone() }
            }
        };
        let second = self.against.zip(self.against_bin.clone()).map(|(kind, path)| match kind {
            Against::RNacos => Source::Binary { name: "r-nacos", kind: Kind::RNacos, path },
            Against::Trine => Source::Binary { name: "other", kind: Kind::Trine, path },
        });
        [Some(first), second].into_iter().flatten().collect()
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (rows, failed) = LocalSet::new().block_on(&runtime, run(&cli));
    println!("{}", row::table(&rows));
    let wrong: Vec<&Row> = rows.iter().filter(|row| row.wrong > 0).collect();
    for row in &wrong {
        let first = row.first_wrong.as_ref().map_or("", |wrong| &wrong.0);
        eprintln!("{} ({}): {} wrong, first: {first}", row.work, row.server, row.wrong);
    }
    if failed || !wrong.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Every work with every server; true when one could not be done.
async fn run(cli: &Cli) -> (Vec<Row>, bool) {
    let all = Work::value_variants().iter().filter(|work| work.nodes() == cli.nodes).copied();
    let works = if cli.work.is_empty() { all.collect() } else { cli.work.clone() };
    let (mut rows, mut failed) = (Vec::new(), false);
    for work in works {
        for source in cli.sources() {
            eprintln!("{work:?} with {} …", source.name());
            match measure(work, &source, cli).await {
                Ok(measured) => rows
                    .extend(measured.into_iter().map(|row| Row { server: source.name(), ..row })),
                Err(problem) => {
                    eprintln!("{work:?} with {}: {problem}", source.name());
                    failed = true;
                }
            }
        }
    }
    (rows, failed)
}

async fn measure(work: Work, source: &Source, cli: &Cli) -> Result<Vec<Row>, Problem> {
    let length = Duration::from_secs(cli.seconds);
    let (content, subscribers) = (cli.content, usize::from(cli.subscribers));
    match work {
        Work::Ports => work::ports::run(source, length).await,
        Work::Nothing => work::nothing::run(&source.subject().await?, length).await,
        Work::Memory => work::memory::run(&source.subject().await?, length).await,
        Work::RegisterGrpc => work::register_grpc::run(&source.subject().await?, length).await,
        Work::QueryGrpc => work::query_grpc::run(&source.subject().await?, length).await,
        Work::ListHttp => work::list_http::run(&source.subject().await?, length).await,
        Work::RegisterHttp => work::register_http::run(&source.subject().await?, length).await,
        Work::BeatHttp => work::beat_http::run(&source.subject().await?, length).await,
        Work::PublishHttp => work::publish_http::run(&source.subject().await?, length).await,
        Work::PublishGrpc => work::publish_grpc::run(&source.subject().await?, length).await,
        Work::ReadHttp => work::read_http::run(&source.subject().await?, length).await,
        Work::ReadGrpc => work::read_grpc::run(&source.subject().await?, length).await,
        Work::Push => work::push::run(&source.subject().await?, length, subscribers).await,
        Work::Listen => work::listen::run(&source.subject().await?, length).await,
        Work::LongPolls => work::long_polls::run(&source.subject().await?, length).await,
        Work::ThreePublish => work::three::publish(&source.cluster().await?, length, content).await,
        Work::ThreeSeen => work::three::seen(&source.cluster().await?, length).await,
        Work::ThreePush => work::three::push(&source.cluster().await?, length, subscribers).await,
        Work::ThreeStill => work::three::still(&source.cluster().await?, length).await,
        Work::ThreeLeaderLost => work::three::leader_lost(source).await,
        Work::ThreeGhosts => work::three::ghosts(source.cluster().await?).await,
    }
}
