//! A page of metrics: collected from plain numbers, written by `prometheus-client` in the text form of OpenMetrics.

use host::{BUCKETS_US, HistogramCounts};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::Registry,
};
use std::fmt;

/// A page in the making.
#[derive(Debug, Default)]
pub(crate) struct Page {
    families: Vec<Family>,
}

/// A label and its value.
pub(crate) type Label<'a> = (&'a str, &'a str);

/// The series of one name.
#[derive(Debug)]
pub(crate) struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    series: Vec<(Vec<(String, String)>, Value)>,
}

/// What a series shows.
#[derive(Debug)]
pub(crate) enum Value {
    Whole(u64),
    Real(f64),
    Buckets(HistogramCounts),
}

impl Page {
    /// A family of counters, without `_total` in its name.
    pub(crate) fn counter(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, help, MetricType::Counter)
    }

    pub(crate) fn gauge(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, help, MetricType::Gauge)
    }

    pub(crate) fn histogram(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, help, MetricType::Histogram)
    }

    pub(crate) fn finish(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode(&mut text, &registry).expect("a string takes all text");
        text
    }

    fn family(&mut self, name: &'static str, help: &'static str, kind: MetricType) -> &mut Family {
        self.families.push(Family { name, help, kind, series: Vec::new() });
        self.families.last_mut().expect("just pushed")
    }
}

impl Family {
    /// The one series without labels.
    pub(crate) fn is(&mut self, value: impl Into<Value>) {
        self.with(&[], value);
    }

    pub(crate) fn with(&mut self, labels: &[Label<'_>], value: impl Into<Value>) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.series.push((labels.collect(), value.into()));
    }

    /// How long things took.
    pub(crate) fn buckets(&mut self, labels: &[Label<'_>], counts: &HistogramCounts) {
        self.with(labels, Value::Buckets(counts.clone()));
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { name, help, kind, series } in &self.families {
            let mut family = encoder.encode_descriptor(name, help, None, *kind)?;
            for (labels, value) in series {
                if labels.is_empty() {
                    value.encode(*kind, &mut family)?;
                } else {
                    value.encode(*kind, &mut family.encode_family(labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl Value {
    fn encode(&self, kind: MetricType, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        match self {
            Self::Buckets(counts) => {
                let ends = BUCKETS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = ends.zip(counts.buckets).collect();
                let count = counts.buckets.iter().sum();
                let sum = counts.sum_us as f64 / 1e6;
                encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
            }
            Self::Whole(value) if matches!(kind, MetricType::Counter) => {
                encoder.encode_counter::<NoLabelSet, _, u64>(value, None)
            }
            Self::Real(value) if matches!(kind, MetricType::Counter) => {
                encoder.encode_counter::<NoLabelSet, _, u64>(value, None)
            }
            Self::Whole(value) => encoder.encode_gauge(value),
            Self::Real(value) => encoder.encode_gauge(value),
        }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_page_is_what_prometheus_reads_whatever_the_labels_are() {
        let mut page = Page::default();
        page.gauge("a", "An a").is(7_u64);
        page.counter("b", "Bs").with(&[("x", "q\"\\\n[2J"), ("y", "z")], 1_u64);
        let mut counts = HistogramCounts::default();
        for us in [50, 100, 200, 9_000_000] {
            counts.observe(Duration::from_micros(us));
        }
        page.histogram("c_seconds", "Cs").buckets(&[("k", "v")], &counts);
        let text = page.finish();
        for line in [
            "# TYPE a gauge",
            "a 7",
            "# TYPE b counter",
            "b_total{x=\"q\\\"\\\\\\n[2J\",y=\"z\"} 1",
            "c_seconds_bucket{le=\"0.0001\",k=\"v\"} 2",
            "c_seconds_bucket{le=\"0.00025\",k=\"v\"} 3",
            "c_seconds_bucket{le=\"5.0\",k=\"v\"} 3",
            "c_seconds_bucket{le=\"+Inf\",k=\"v\"} 4",
            "c_seconds_sum{k=\"v\"} 9.00035",
            "c_seconds_count{k=\"v\"} 4",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
