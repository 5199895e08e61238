//! Runs seeds and says what came of them: `cargo run -p sim -- --seed 7 --trace`, `cargo run -p sim -- --seed 1000 --seeds 500`.
//! Fails if a run does.
#![forbid(unsafe_code)]

use sim::{Planted, run};
use std::process::ExitCode;

const USAGE: &str = "usage: sim [--seed N] [--seeds COUNT] [--trace] \
[--planted early-persisted|ignored-sync-failure|lost-hint]";

struct Options {
    first: u64,
    count: u64,
    trace: bool,
    planted: Planted,
}

fn options() -> Option<Options> {
    let mut options = Options { first: 1, count: 1, trace: false, planted: Planted::Nothing };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" => options.first = arguments.next()?.parse().ok()?,
            "--seeds" => options.count = arguments.next()?.parse().ok()?,
            "--trace" => options.trace = true,
            "--planted" => {
                options.planted = match arguments.next()?.as_str() {
                    "early-persisted" => Planted::EarlyPersisted,
                    "ignored-sync-failure" => Planted::IgnoredSyncFailure,
                    "lost-hint" => Planted::LostHint,
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut failed = false;
    for seed in options.first..options.first + options.count {
        let report = run(seed, options.planted, options.trace);
        for line in report.trace.lines() {
            println!("{line}");
        }
        println!("{report}");
        failed |= !report.passed();
    }
    ExitCode::from(u8::from(failed))
}
