//! Tables for people, JSON for programs.

use clap::ValueEnum;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// How data is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table; plain columns when standard output is no terminal.
    Table,
    /// JSON.
    Json,
}

/// Rows under a heading.
#[derive(Debug)]
pub(crate) struct Rows {
    heading: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Rows {
    pub(crate) fn new(heading: &'static [&'static str]) -> Self {
        Self { heading, rows: Vec::new() }
    }

    pub(crate) fn push<const N: usize>(&mut self, row: [String; N]) {
        assert_eq!(N, self.heading.len(), "a row has a cell for each column");
        self.rows.push(row.map(|cell| tame(&cell)).into());
    }

    /// With frames for a terminal, else one line per row with tabs between the cells.
    pub(crate) fn text(&self, terminal: bool) -> String {
        if terminal {
            let mut table = Table::new();
            table.load_style(UTF8_FULL_CONDENSED).set_header(self.heading);
            table.add_rows(&self.rows);
            return format!("{table}\n");
        }
        let lines = std::iter::once(self.heading.join("\t"))
            .chain(self.rows.iter().map(|row| row.join("\t")));
        lines.map(|line| line + "\n").collect()
    }
}

/// What others put into names and metadata must not move the cursor or break the columns.
fn tame(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Writes data out: `shape` as JSON, or the rows.
pub(crate) fn write(format: Format, shape: &impl Serialize, rows: impl FnOnce() -> Rows) {
    match format {
        Format::Json => json(shape),
        Format::Table => text(&rows().text(io::stdout().is_terminal())),
    }
}

/// Writes a document, pretty.
pub(crate) fn json(shape: &impl Serialize) {
    let text = serde_json::to_string_pretty(shape).expect("our shapes have text keys");
    line(&text);
}

/// Writes one document per line, for streams.
pub(crate) fn json_line(shape: &impl Serialize) {
    line(&serde_json::to_string(shape).expect("our shapes have text keys"));
}

/// Writes a line.
pub(crate) fn line(line: &str) {
    text(&format!("{line}\n"));
}

/// Writes text as it is. Whoever reads us may stop (`| head`): that ends the program, and is no error.
pub(crate) fn text(text: &str) {
    let mut out = io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Says something that is not data.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// `1 d 2 h`, `3 min 4 s`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_framed_for_people_and_plain_in_a_pipe() {
        let mut rows = Rows::new(&["NAME", "COUNT"]);
        rows.push(["web".to_owned(), "2".to_owned()]);
        rows.push(["a\tb\u{1b}[31m".to_owned(), "0".to_owned()]);
        assert_eq!(rows.text(false), "NAME\tCOUNT\nweb\t2\na\u{fffd}b\u{fffd}[31m\t0\n");
        let framed = rows.text(true);
        assert!(framed.starts_with('┌') && framed.contains("│ web"), "{framed}");
    }

    #[test]
    fn sizes_and_spans_read_as_people_write_them() {
        assert_eq!(span(59), "59 s");
        assert_eq!(span(61), "1 min 1 s");
        assert_eq!(span(90_000), "1 d 1 h");
    }
}
