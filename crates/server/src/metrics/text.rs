//! The text form of Prometheus, version 0.0.4: what every scraper reads.

use host::{BUCKETS_US, HistogramCounts};
use std::fmt::{Display, Write};

/// A page in the making.
#[derive(Default)]
pub(crate) struct Page {
    text: String,
}

/// A label and its value.
pub(crate) type Label<'a> = (&'a str, &'a str);

impl Page {
    /// A family of counters, without `_total` in its name.
    pub(crate) fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(format!("{name}_total"), help, "counter")
    }

    pub(crate) fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name.to_owned(), help, "gauge")
    }

    pub(crate) fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name.to_owned(), help, "histogram")
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn family(&mut self, name: String, help: &str, kind: &str) -> Family<'_> {
        let head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        self.text.push_str(&head);
        Family { text: &mut self.text, name }
    }
}

/// The series of one name.
pub(crate) struct Family<'a> {
    text: &'a mut String,
    name: String,
}

impl Family<'_> {
    /// The one series without labels.
    pub(crate) fn is(&mut self, value: impl Display) {
        self.line("", &[], value);
    }

    pub(crate) fn with(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.line("", labels, value);
    }

    /// A bucket counts what is in it and in all before it.
    pub(crate) fn buckets(&mut self, labels: &[Label<'_>], counts: &HistogramCounts) {
        let mut sum = 0;
        for (at, count) in counts.buckets.iter().enumerate() {
            sum += count;
            let end = BUCKETS_US.get(at).map(|us| (*us as f64 / 1e6).to_string());
            let end = ("le", end.as_deref().unwrap_or("+Inf"));
            let labels: Vec<Label<'_>> = labels.iter().copied().chain([end]).collect();
            self.line("_bucket", &labels, sum);
        }
        self.line("_sum", labels, counts.sum_us as f64 / 1e6);
        self.line("_count", labels, sum);
    }

    fn line(&mut self, suffix: &str, labels: &[Label<'_>], value: impl Display) {
        self.text.push_str(&self.name);
        self.text.push_str(suffix);
        for (at, (name, value)) in labels.iter().enumerate() {
            self.text.push_str(if at == 0 { "{" } else { "," });
            self.text.push_str(name);
            self.text.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    c if c.is_control() => {}
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        self.text.push_str(if labels.is_empty() { " " } else { "} " });
        writeln!(self.text, "{value}").expect("a string takes all text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_page_is_what_prometheus_reads_whatever_the_labels_are() {
        let mut page = Page::default();
        page.gauge("a", "An a").is(7);
        page.counter("b", "Bs").with(&[("x", "q\"\\\n\x1b[2J"), ("y", "z")], 1);
        let mut counts = HistogramCounts::default();
        for us in [50, 100, 200, 9_000_000] {
            counts.observe(Duration::from_micros(us));
        }
        page.histogram("c_seconds", "Cs").buckets(&[("k", "v")], &counts);
        let text = page.finish();
        let begin = "# HELP a An a\n# TYPE a gauge\na 7\n# HELP b_total Bs\n# TYPE b_total counter\n\
                     b_total{x=\"q\\\"\\\\\\n[2J\",y=\"z\"} 1\n";
        assert!(text.starts_with(begin), "{text}");
        for line in [
            "c_seconds_bucket{k=\"v\",le=\"0.0001\"} 2",
            "c_seconds_bucket{k=\"v\",le=\"0.00025\"} 3",
            "c_seconds_bucket{k=\"v\",le=\"5\"} 3",
            "c_seconds_bucket{k=\"v\",le=\"+Inf\"} 4",
            "c_seconds_sum{k=\"v\"} 9.00035",
            "c_seconds_count{k=\"v\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
        }
    }
}
