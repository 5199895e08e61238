//! What was measured of one work, and the table of all.

use crate::problem::Wrong;
use comfy_table::{CellAlignment, Table};
use std::time::Duration;

/// One line of the table. What a work does not measure is `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) server: &'static str,
    pub(crate) goal: Option<Goal>,
    pub(crate) operations: u64,
    pub(crate) per_second: Option<f64>,
    /// Server CPU per operation, µs.
    pub(crate) cpu_micros: Option<f64>,
    /// Server CPU, percent of one core.
    pub(crate) cpu_percent: Option<f64>,
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
    pub(crate) rss_bytes: Option<u64>,
    /// Bytes per second between the nodes of a cluster.
    pub(crate) link_bytes: Option<f64>,
    pub(crate) wrong: u64,
    pub(crate) first_wrong: Option<Wrong>,
}

/// What a work is meant to stay under.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// Server CPU per operation, µs.
    CpuMicros(f64),
    /// Server CPU, percent of one core.
    CpuPercent(f64),
    P99Millis(f64),
    RssMegabytes(f64),
}

impl Row {
    pub(crate) fn named(mut self, work: &str, goal: Goal) -> Self {
        self.work = work.to_owned();
        self.goal = Some(goal);
        self
    }

    /// A row without a goal.
    pub(crate) fn titled(mut self, work: &str) -> Self {
        self.work = work.to_owned();
        self
    }

    /// What the goal is about; without a goal, the CPU, or else the time.
    fn measured(&self) -> Option<f64> {
        match self.goal {
            None => self.cpu_micros.or(self.cpu_percent).or(self.p99.map(millis)),
            Some(Goal::CpuMicros(_)) => self.cpu_micros,
            Some(Goal::CpuPercent(_)) => self.cpu_percent,
            Some(Goal::P99Millis(_)) => self.p99.map(millis),
            Some(Goal::RssMegabytes(_)) => self.rss_bytes.map(megabytes),
        }
    }

    fn verdict(&self) -> String {
        let (limit, unit) = match self.goal {
            None => return String::new(),
            Some(Goal::CpuMicros(limit)) => (limit, "µs/op"),
            Some(Goal::CpuPercent(limit)) => (limit, "% CPU"),
            Some(Goal::P99Millis(limit)) => (limit, "ms p99"),
            Some(Goal::RssMegabytes(limit)) => (limit, "MB"),
        };
        match self.measured() {
            None => format!("{limit} {unit}: not measured"),
            Some(value) if value <= limit => format!("{limit} {unit}: met"),
            Some(value) => format!("{limit} {unit}: ×{:.1}", value / limit),
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}

/// All rows as a table. With two servers, the second of each work says how many times the first's cost is its own.
pub(crate) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "work",
        "server",
        "ops",
        "ops/s",
        "CPU µs/op",
        "CPU %",
        "p50 ms",
        "p99 ms",
        "RSS MB",
        "link B/s",
        "wrong",
        "goal",
        "ratio",
    ]);
    for row in rows {
        let first = rows.iter().find(|other| other.work == row.work);
        let ratio = first.filter(|first| first.server != row.server).and_then(|first| {
            Some(format!("{:.2}", row.measured()? / first.measured().filter(|own| *own > 0.0)?))
        });
        table.add_row([
            row.work.clone(),
            row.server.to_owned(),
            row.operations.to_string(),
            shown(row.per_second, 0),
            shown(row.cpu_micros, 1),
            shown(row.cpu_percent, 2),
            shown(row.p50.map(millis), 3),
            shown(row.p99.map(millis), 3),
            shown(row.rss_bytes.map(megabytes), 1),
            shown(row.link_bytes, 0),
            row.wrong.to_string(),
            row.verdict(),
            ratio.unwrap_or_default(),
        ]);
    }
    for column in table.column_iter_mut().skip(2).take(9) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
