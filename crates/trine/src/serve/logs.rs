//! Log lines, on standard error: JSON for programs, one line for people. Ids come from outside, so nothing in a line can end
//! it, colour it or move a cursor.

use serde_json::{Map, Value};
use server::{LogFormat, LogLevel};
use std::{
    fmt::{self, Debug, Write},
    io::IsTerminal,
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    field::RecordFields,
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

/// Whose lines have the level that was asked for. What libraries say below a warning is left out: theirs may show bytes of
/// clients.
const OURS: [&str; 3] = ["trine", "server", "host"];

pub(super) fn start(format: LogFormat, level: LogLevel) {
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let others = level.min(LevelFilter::WARN);
    let levels = OURS.into_iter().fold(Targets::new().with_default(others), |levels, target| {
        levels.with_target(target, level)
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .fmt_fields(SpanFields)
        .event_format(Lines { json });
    tracing_subscriber::registry().with(lines).with(levels).init();
}

struct Lines {
    json: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut ts = String::new();
        SystemTime.format_time(&mut Writer::new(&mut ts))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            fields
                .add(extensions.get::<FormattedFields<N>>().map_or("", |of_span| of_span.as_str()));
        }
        let (level, target) = (event.metadata().level(), event.metadata().target());
        let line = if self.json {
            fields.json(&ts, level, target)
        } else {
            fields.pretty(&ts, level, target)
        };
        writeln!(writer, "{line}")
    }
}

/// Keeps the fields of a span as JSON, for the lines within it.
struct SpanFields;

impl<'w> FormatFields<'w> for SpanFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut own = Fields::default();
        fields.record(&mut own);
        write!(writer, "{}", Value::Object(own.others))
    }
}

/// The fields of one event.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    /// Those of a span around it; what is nearer to the event has precedence.
    fn add(&mut self, of_span: &str) {
        let Ok(of_span) = serde_json::from_str::<Map<String, Value>>(of_span) else { return };
        for (name, value) in of_span {
            self.others.entry(name).or_insert(value);
        }
    }

    fn json(self, ts: &str, level: &Level, target: &str) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let mut line = format!(
            "{{\"ts\":{},\"level\":{},\"msg\":{},\"target\":{}",
            text(ts),
            text(&level.as_str().to_ascii_lowercase()),
            text(&self.message),
            text(target)
        );
        for (name, value) in self.others {
            line.push_str(&format!(",{}:{value}", text(&name)));
        }
        line.push('}');
        line
    }

    fn pretty(self, ts: &str, level: &Level, target: &str) -> String {
        let mut line = format!("{ts} {level:>5} {}", self.message.escape_debug());
        for (name, value) in self.others {
            // A JSON text is quoted and escaped already.
            line.push_str(&format!(" {name}={value}"));
        }
        line.push_str(&format!("  ({target})"));
        line
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            (name, value) => {
                self.others.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        write!(text, "{value:?}").expect("a string takes all text");
        self.put(field, text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("whole").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(json: bool, say: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .fmt_fields(SpanFields)
            .event_format(Lines { json });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        let bytes = written.0.lock().expect("whole").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn an_id_from_outside_cannot_break_a_line_or_paint_a_terminal() {
        let id = "a\x1b[2J\r\n{\"level\":\"error\"}";
        for json in [true, false] {
            let text = lines(json, || {
                tracing::warn!(id, by_display = %id, by_debug = ?id, size_b = 7, "look {id}");
            });
            let hidden = text.trim_end_matches('\n').chars().any(char::is_control);
            assert!(!hidden && text.lines().count() == 1, "{text:?}");
        }
        let text = lines(false, || {
            let span = tracing::error_span!("node", node = id);
            span.in_scope(|| tracing::warn!("look"));
        });
        assert!(!text.trim_end_matches('\n').chars().any(char::is_control), "{text:?}");
        let text = lines(true, || tracing::warn!(id, size_b = 7, "look"));
        let line: Value = serde_json::from_str(&text).expect("one JSON object");
        assert_eq!(
            (&line["msg"], &line["id"], &line["size_b"]),
            (&"look".into(), &id.into(), &7.into())
        );
        assert_eq!(
            (&line["level"], line["ts"].as_str().map(|ts| ts.len() > 20)),
            (&"warn".into(), Some(true))
        );
    }

    #[test]
    fn a_line_says_which_node_it_is_about() {
        for (json, wanted) in [(true, "\"node\":\"n7\""), (false, " node=\"n7\"")] {
            let text = lines(json, || {
                let outer = tracing::error_span!("node", node = "n7", peer = 1);
                let within = || tracing::warn!(peer = 2, "look");
                outer.in_scope(|| tracing::error_span!("nothing").in_scope(within));
            });
            assert!(text.contains(wanted) && text.matches("peer").count() == 1, "{text}");
            assert!(text.contains("peer\":2") || text.contains("peer=2"), "{text}");
        }
    }
}
