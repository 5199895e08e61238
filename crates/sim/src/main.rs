//! Runs seeds and says what came of them: `cargo run -p sim -- --seed 7 --trace`, `cargo run -p sim -- --seed 1000 --seeds 500`.
//! Fails if a run does.
#![forbid(unsafe_code)]

use sim::{Drill, PLANTED, Planted, run, run_cluster, run_drill};
use std::process::ExitCode;

const USAGE: &str = "usage: sim [--seed N] [--seeds COUNT] [--nodes COUNT] [--drill crashes|cuts|lies|flips|locks|calm|founding] [--story] [--trace] [--planted BUG]";

struct Options {
    first: u64,
    count: u64,
    nodes: usize,
    drill: Option<Drill>,
    story: bool,
    trace: bool,
    planted: Planted,
}

fn options() -> Option<Options> {
    let mut options = Options {
        first: 1,
        count: 1,
        nodes: 1,
        drill: None,
        story: false,
        trace: false,
        planted: Planted::Nothing,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" => options.first = arguments.next()?.parse().ok()?,
            "--seeds" => options.count = arguments.next()?.parse().ok()?,
            "--nodes" => options.nodes = arguments.next()?.parse().ok()?,
            "--drill" => options.drill = Some(Drill::named(&arguments.next()?)?),
            "--story" => options.story = true,
            "--trace" => options.trace = true,
            "--planted" => {
                let name = arguments.next()?;
                options.planted = PLANTED.iter().find(|(known, _)| *known == name)?.1;
            }
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        let bugs: Vec<&str> = PLANTED.iter().map(|(name, _)| *name).collect();
        eprintln!("{USAGE}\n  BUG is one of {}", bugs.join(", "));
        return ExitCode::from(2);
    };
    let mut failed = false;
    for seed in options.first..options.first + options.count {
        let report = match (options.nodes, &options.drill) {
            (0 | 1, _) => run(seed, options.planted, options.trace),
            (nodes, None) => run_cluster(seed, nodes, options.planted, options.trace),
            (nodes, Some(drill)) => run_drill(seed, nodes, drill, options.planted, options.trace),
        };
        for line in report.story.iter().filter(|_| options.story) {
            println!("{line}");
        }
        for line in report.trace.lines() {
            println!("{line}");
        }
        println!("{report}");
        failed |= !report.passed();
    }
    ExitCode::from(u8::from(failed))
}
