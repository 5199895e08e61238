//! `trine lab`: several nodes in a virtual world, and the story of what became of them.

use crate::problem::Exit;
use clap::{Args, Subcommand};
use std::{io::Write as _, process::ExitCode};

/// What the lab can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Lab {
    /// Run one seed and tell its story: the same seed is the same story
    Run(Run),
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// What everything is drawn from
    #[arg(long, value_name = "NUMBER")]
    seed: u64,
    /// How many nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=7))]
    nodes: u16,
    /// Print every event, not only the story
    #[arg(long)]
    trace: bool,
}

pub(crate) fn lab(lab: &Lab) -> ExitCode {
    let Lab::Run(run) = lab;
    let report = match run.nodes {
        1 => sim::run(run.seed, sim::Planted::Nothing, run.trace),
        nodes => sim::run_cluster(run.seed, nodes.into(), sim::Planted::Nothing, run.trace),
    };
    let lines = if run.trace { report.trace.lines() } else { &report.story };
    let mut out = std::io::stdout().lock();
    for line in lines {
        // Whoever closed the pipe has seen enough.
        if writeln!(out, "{line}").is_err() {
            return Exit::Done.into();
        }
    }
    let written = writeln!(out, "{report}");
    let passed = report.passed() || written.is_err();
    if passed { Exit::Done } else { Exit::Failed }.into()
}
