//! The settings under `[limits]`: one table from which the flags, the variables, the keys of the file, the checks and
//! `docs/limits.md` are made.

use crate::{Limits, SettingsError, limits::DESCRIPTORS_RESERVED};
use base::Limit;
use serde::de::{self, Deserialize, Deserializer};
use std::{collections::BTreeMap, fmt, sync::LazyLock, time::Duration};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A plain number.
    Count,
    /// Bytes, as `10MiB`.
    Size,
    /// A time, as `15s`; in milliseconds.
    Time,
}

/// One limit that an operator may choose.
struct Row {
    /// Of the flag, without `--limits-`.
    name: &'static str,
    kind: Kind,
    least: u64,
    most: u64,
    /// What is limited.
    what: &'static str,
    /// What happens there.
    answer: &'static str,
    /// What it is counted as, in `trine_rejected_total`.
    #[cfg_attr(not(test), expect(dead_code, reason = "the document is checked against it"))]
    counted: &'static [Limit],
    /// The test that reaches it.
    #[cfg_attr(not(test), expect(dead_code, reason = "the document is checked against it"))]
    test: &'static str,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

macro_rules! row {
    ($name:literal $field:ident $kind:ident $least:literal * $least_unit:expr, $most:literal * $most_unit:expr;
     $what:literal; $answer:literal; [$($limit:ident),*]; $test:literal) => {
        Row {
            name: $name,
            kind: Kind::$kind,
            least: $least * $least_unit,
            most: $most * $most_unit,
            what: $what,
            answer: $answer,
            counted: &[$(Limit::$limit),*],
            test: $test,
            get: |limits| row!(get $kind, limits.$field),
            set: |limits, value| row!(set $kind, limits.$field, value),
        }
    };
    (get Time, $field:expr) => { $field.as_millis() as u64 };
    (get $kind:ident, $field:expr) => { $field as u64 };
    (set Time, $field:expr, $value:ident) => { $field = Duration::from_millis($value) };
    // The greatest value of each row fits its field.
    (set $kind:ident, $field:expr, $value:ident) => { $field = $value as _ };
}

const ROWS: &[Row] = &[
    row!("connections" connections_max Count 1 * 1, 10_000_000 * 1;
        "Connections of all doors together";
        "503 and closed; the door pauses"; [Connections];
        "over_the_limit_of_connections_the_next_is_turned_away_and_the_one_after_is_not"),
    row!("connections-per-address" connections_per_address_max Count 0 * 1, 10_000_000 * 1;
        "Connections of one client address; 0 for as many as it likes";
        "503 and closed"; [ConnectionsPerAddress];
        "one_address_has_its_share_of_connections"),
    row!("head-timeout" head_timeout Time 100 * 1, 1 * HOUR;
        "From a connection's start, or over HTTP/1 from an answer, to the end of the next head";
        "closed"; [HeadTimeout];
        "five_thousand_half_open_connections_leave_a_normal_client_alone"),
    row!("header-size" header_bytes_max Size 8 * KIB, 1 * MIB;
        "The request line, and all header lines of a request";
        "414 (not counted) or 431, closed"; [HeaderSize]; "too_much_head_is_431_and_too_long_a_line_414"),
    row!("request-body" request_body_bytes_max Size 1 * KIB, 64 * MIB;
        "A body that carries no config";
        "413, before it is read if it says its length"; [RequestBody]; "bodies_have_their_limits"),
    row!("config-body" config_body_bytes_max Size 1 * KIB, 64 * MIB;
        "A body that carries configs";
        "413, before it is read if it says its length"; [ConfigBody]; "bodies_have_their_limits"),
    row!("grpc-message" grpc_message_bytes_max Size 1 * KIB, 64 * MIB;
        "A gRPC message from a client";
        "`RESOURCE_EXHAUSTED`"; [GrpcMessage]; "frames_that_lie_end_their_call_and_nothing_else"),
    row!("body-timeout" body_timeout Time 100 * 1, 1 * HOUR;
        "Time for a body that comes slower than `body-rate`";
        "408 or `DEADLINE_EXCEEDED`"; [BodyTimeout]; "a_body_that_trickles_is_408_and_nothing_is_stored"),
    row!("body-rate" body_rate_min Size 1 * 1, 1 * GIB;
        "Bytes a second that earn a body more time";
        "see `body-timeout`"; [BodyTimeout]; "a_body_that_trickles_is_408_and_nothing_is_stored"),
    row!("connection-bodies" connection_body_bytes_max Size 1 * KIB, 4 * GIB;
        "Bodies that one connection is sending at a time";
        "503 or `RESOURCE_EXHAUSTED`"; [ConnectionBodies]; "half_messages_on_all_streams_stay_within_the_budget_of_their_connection"),
    row!("bodies" body_bytes_max Size 1 * KIB, 64 * GIB;
        "Bodies that all connections are sending at a time";
        "503 or `RESOURCE_EXHAUSTED`"; [Bodies]; "many_large_bodies_at_once_are_503_beyond_the_budget"),
    row!("linger-timeout" linger_timeout Time 0 * 1, 1 * HOUR;
        "How long the rest of a refused body is read and thrown away";
        "closed"; []; "bodies_have_their_limits"),
    row!("answer-timeout" answer_timeout Time 100 * 1, 24 * HOUR;
        "Time to read an answer";
        "closed"; [AnswerTimeout]; "a_client_that_does_not_read_its_answer_is_closed"),
    row!("idle-timeout" idle_timeout Time 100 * 1, 24 * HOUR;
        "Time without a request in progress";
        "closed"; [IdleTimeout]; "a_connection_that_asks_once_and_then_sits_there_is_closed"),
    row!("close-timeout" close_timeout Time 0 * 1, 1 * HOUR;
        "How long what was sent may take after the decision to close";
        "the rest is lost"; []; "a_client_that_does_not_read_its_answer_is_closed"),
    row!("http2-streams" streams_max Count 1 * 1, 100_000 * 1;
        "HTTP/2 calls at once on one connection";
        "`REFUSED_STREAM`"; []; "more_streams_than_allowed_are_refused_and_the_others_are_served"),
    row!("http2-resets" resets_max Count 1 * 1, 100_000 * 1;
        "HTTP/2 streams reset before they were looked at";
        "`GOAWAY`"; []; "resets_as_fast_as_requests_end_the_connection"),
    row!("http2-faults" faults_max Count 1 * 1, 100_000 * 1;
        "HTTP/2 streams that had to be reset for the client's mistakes";
        "`GOAWAY`"; []; "mistakes_that_force_us_to_reset_end_the_connection"),
    row!("abandoned-requests" abandoned_max Count 1 * 1, 1_000_000 * 1;
        "Requests given up, by a client that gives up more than every third";
        "closed"; [AbandonedRequests]; "requests_that_wait_and_are_given_up_end_the_connection"),
    row!("calls" calls_max Count 1 * 1, 1_000_000 * 1;
        "Requests of one connection without an answer";
        "503, or 500 with code 503 over gRPC"; [Calls]; "calls_of_one_connection_have_their_limit"),
    row!("push-size" stream_bytes_max Size 1 * KIB, 1 * GIB;
        "Pushes that wait for one client";
        "closed after `push-patience`"; [PushBytes]; "who_lets_too_much_wait_for_too_long_is_closed_and_no_one_else"),
    row!("push-size-all" all_streams_bytes_max Size 1 * KIB, 64 * GIB;
        "Pushes that wait for all clients";
        "who is over `push-size` is closed"; [PushBytesAll]; "when_all_together_are_too_much_nobody_is_borne_who_has_too_much"),
    row!("push-patience" stream_patience Time 0 * 1, 1 * HOUR;
        "How long more than `push-size` may wait";
        "closed"; [PushBytes]; "who_lets_too_much_wait_for_too_long_is_closed_and_no_one_else"),
    row!("lane" lane_len_max Count 1 * 1, 100_000_000 * 1;
        "Inputs of one lane that wait for the node";
        "503, or 500 with code 503 over gRPC"; [Lane]; "urgent_inputs_come_first_and_a_full_lane_gives_back"),
    row!("writes-pending" writes_pending_max Count 1 * 1, 100_000_000 * 1;
        "Writes to the log without an outcome";
        "503, or 500 with code 503 over gRPC"; [WritesPending]; "writes_without_an_outcome_have_their_limit"),
    row!("password-checks" password_checks_max Count 1 * 1, 1_000_000 * 1;
        "Passwords of one address that wait for their check";
        "503"; [PasswordChecks]; "a_flood_of_logins_from_one_address_delays_no_login_from_another"),
    row!("login-failures" login_failures_max Count 1 * 1, 1_000_000 * 1;
        "Failed logins in a minute, per user and address; from then on the delay doubles";
        "403 (Nacos's form), 429 under `/v1`"; [LoginFailures]; "twenty_default_passwords_are_refused_and_then_slowed_down"),
    row!("datagrams" datagrams_max Count 1 * 1, 10_000_000 * 1;
        "Datagrams that wait to be sent";
        "dropped; the client's next poll makes it good"; [Datagrams]; "datagrams_over_the_limit_are_dropped"),
    row!("udp-subscribers" udp_subscribers_max Count 0 * 1, 10_000_000 * 1;
        "Clients that are pushed to by datagrams";
        "no push; the client's next poll makes it good"; [UdpSubscribers]; "the_number_of_lists_and_of_subscribers_is_limited"),
    row!("config-content" config_content_bytes_max Size 1 * 1, 10 * MIB;
        "The content of a config";
        "413, nothing is stored"; [ConfigContent]; "a_config_has_its_limit_over_every_door"),
    row!("instance-metadata" metadata_chars_max Count 0 * 1, 65_536 * 1;
        "Characters of keys and values of one instance's metadata";
        "400 in Nacos's words"; [InstanceMetadata]; "metadata_has_its_limit"),
    row!("listeners" listeners_max Count 1 * 1, 10_000 * 1;
        "Configs that one connection, or one poll, listens to";
        "400"; [Listeners]; "listeners_have_their_limit"),
    row!("long-poll" long_poll_timeout Time 100 * 1, 1 * HOUR;
        "How long a poll is held";
        "200, nothing changed"; []; "a_poll_is_held_no_longer_than_the_limit"),
    row!("subscriptions" subscriptions_max Count 1 * 1, 1_000_000 * 1;
        "Services that one connection subscribes to";
        "500 with code 400 over gRPC"; [Subscriptions]; "instances_and_subscriptions_of_a_connection_have_their_limits"),
    row!("instances" instances_max Count 1 * 1, 1_000_000 * 1;
        "Instances that one connection registers";
        "500 with code 400 over gRPC"; [Instances]; "instances_and_subscriptions_of_a_connection_have_their_limits"),
    row!("journal-size" journal_bytes_max Size 16 * KIB, 64 * GIB;
        "The journal, for `trine explain`";
        "the oldest events go"; []; "the_oldest_events_leave_at_the_limit"),
    row!("log-size" log_bytes_max Size 64 * MIB, 64 * GIB;
        "The log since the last checkpoint";
        "503 until the checkpoint is done"; [WritesPending]; "a_log_at_its_limit_refuses_and_a_checkpoint_makes_room"),
    row!("rendered-size" rendered_bytes_max Size 0 * 1, 64 * GIB;
        "Lists that are kept written out";
        "forgotten, and written out again when wanted"; []; "it_makes_once_per_version_and_never_goes_back"),
    row!("peer-handshakes" peer_handshakes_max Count 1 * 1, 100_000 * 1;
        "Connections to the peer door that have not proved yet that they belong";
        "the oldest is closed"; [PeerHandshakes]; "strangers_crowd_out_strangers_and_no_node"),
    row!("peer-handshake-timeout" peer_handshake_timeout Time 100 * 1, 1 * HOUR;
        "From a connection between nodes to the end of the introductions";
        "closed"; [PeerHandshakeTimeout]; "a_stranger_who_says_nothing_is_closed"),
    row!("peer-stall-timeout" peer_stall_timeout Time 100 * 1, 1 * HOUR;
        "How long another node may take nothing that is sent to it";
        "the link is closed, and dialed anew"; [PeerStall]; "a_side_that_takes_nothing_is_given_up"),
];

/// Flag, variable and key of each row. Made once: the command line wants texts that live for ever.
struct Names {
    flag: &'static str,
    variable: &'static str,
    key: String,
}

static NAMES: LazyLock<Vec<Names>> = LazyLock::new(|| {
    let names = ROWS.iter().map(|row| {
        let key = row.name.replace('-', "_");
        let variable = format!("TRINE_LIMITS_{}", key.to_uppercase());
        let flag = format!("limits-{}", row.name);
        Names { flag: flag.leak(), variable: variable.leak(), key }
    });
    names.collect()
});

/// Every key under `[limits]`.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|names| names.key.as_str())
}

/// The limits that flags and variables gave, as they were written, by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitFlags(BTreeMap<usize, String>);

impl LimitFlags {
    /// One limit, as if its flag had been given.
    #[must_use]
    pub fn with(mut self, flag: &str, value: &str) -> Self {
        let row = NAMES.iter().position(|names| names.flag == flag).expect("the name of a limit");
        self.0.insert(row, value.to_owned());
        self
    }
}

impl clap::Args for LimitFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let defaults = Limits::default();
        let args = ROWS.iter().zip(NAMES.iter()).map(|(row, names)| {
            let value_name = match row.kind {
                Kind::Count => "N",
                Kind::Size => "SIZE",
                Kind::Time => "DURATION",
            };
            clap::Arg::new(names.flag)
                .long(names.flag)
                .env(names.variable)
                .value_name(value_name)
                .help_heading("Limits")
                .hide_short_help(true)
                .help(format!(
                    "{}. Then: {} [default: {}]",
                    row.what,
                    row.answer,
                    row.default(&defaults)
                ))
        });
        command.args(args)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for LimitFlags {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = NAMES.iter().enumerate().filter_map(|(row, names)| {
            matches.get_one::<String>(names.flag).map(|text| (row, text.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

/// The section `[limits]` of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileLimits(BTreeMap<usize, String>);

impl<'de> Deserialize<'de> for FileLimits {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Section;

        impl<'de> de::Visitor<'de> for Section {
            type Value = FileLimits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("limits, each a number or a text with a unit")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<FileLimits, A::Error> {
                let mut given = BTreeMap::new();
                while let Some(Key(row)) = map.next_key()? {
                    given.insert(row, map.next_value::<Value>()?.0);
                }
                Ok(FileLimits(given))
            }
        }

        source.deserialize_map(Section)
    }
}

/// A key of the section, as its row.
struct Key(usize);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let name = String::deserialize(source)?;
        let row = NAMES.iter().position(|names| names.key == name);
        row.map(Key).ok_or_else(|| de::Error::unknown_field(&name, &["one of docs/limits.md"]))
    }
}

/// A value as it would be written on the command line.
struct Value(String);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        Ok(Self(match Written::deserialize(source)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        }))
    }
}

/// The limits as given: flags and variables over the file over the defaults.
///
/// # Errors
/// The first one that does not read, is out of its range, or contradicts another one.
pub(crate) fn resolve(flags: LimitFlags, file: FileLimits) -> Result<Limits, SettingsError> {
    let mut limits = Limits::default();
    let mut given = file.0;
    given.extend(flags.0);
    for (row, text) in given {
        let (row, name) = (&ROWS[row], NAMES[row].flag);
        let value = row.read(&text).map_err(|problem| SettingsError::Value { name, problem })?;
        (row.set)(&mut limits, value);
    }
    check(&limits)?;
    Ok(limits)
}

fn check(limits: &Limits) -> Result<(), SettingsError> {
    let wrong = |name, problem: String| Err(SettingsError::Value { name, problem });
    let largest = limits.config_body_bytes_max.max(limits.request_body_bytes_max);
    let largest = largest.max(limits.grpc_message_bytes_max);
    if limits.connection_body_bytes_max < largest {
        let problem = format!(
            "the largest body ({}) must fit: raise it, or lower --limits-config-body, --limits-request-body and \
             --limits-grpc-message",
            Kind::Size.write(largest as u64)
        );
        return wrong("limits-connection-bodies", problem);
    }
    if limits.body_bytes_max < limits.connection_body_bytes_max {
        let problem = "it holds for all connections, so it cannot be less than \
                       --limits-connection-bodies, which holds for one";
        return wrong("limits-bodies", problem.to_owned());
    }
    if limits.config_content_bytes_max > limits.config_body_bytes_max {
        let problem = "a config comes in a body: it cannot be more than --limits-config-body";
        return wrong("limits-config-content", problem.to_owned());
    }
    if limits.all_streams_bytes_max < limits.stream_bytes_max {
        let problem = "it holds for all clients, so it cannot be less than --limits-push-size";
        return wrong("limits-push-size-all", problem.to_owned());
    }
    Ok(())
}

impl Row {
    fn read(&self, text: &str) -> Result<u64, String> {
        let value = self.kind.read(text).ok_or_else(|| self.kind.wanted(text))?;
        if (self.least..=self.most).contains(&value) {
            return Ok(value);
        }
        let (least, most) = (self.kind.write(self.least), self.kind.write(self.most));
        Err(format!("`{text}` is out of its range: from {least} to {most}"))
    }

    fn default(&self, limits: &Limits) -> String {
        if self.name == "connections" {
            return format!("open files - {DESCRIPTORS_RESERVED}");
        }
        self.kind.write((self.get)(limits))
    }
}

const SIZES: &[(&str, u64)] = &[("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];
const TIMES: &[(&str, u64)] = &[("h", HOUR), ("m", 60 * SECOND), ("ms", 1), ("s", SECOND)];

impl Kind {
    fn read(self, text: &str) -> Option<u64> {
        let units = match self {
            Self::Count => return text.parse().ok(),
            Self::Size => SIZES,
            // `ms` must be tried before `s`.
            Self::Time => TIMES,
        };
        let with_unit = units.iter().find_map(|(unit, size)| {
            let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
            number.checked_mul(*size)
        });
        // Nothing is nothing in any unit.
        with_unit.or_else(|| (text == "0").then_some(0))
    }

    fn wanted(self, text: &str) -> String {
        match self {
            Self::Count => format!("`{text}` is not a whole number"),
            Self::Size => {
                format!("`{text}` is not a number with one of the units B, KiB, MiB, GiB")
            }
            Self::Time => format!("`{text}` is not a number with one of the units ms, s, m, h"),
        }
    }

    fn write(self, value: u64) -> String {
        let units: &[(&str, u64)] = match self {
            Self::Count => return value.to_string(),
            Self::Size => SIZES,
            Self::Time => &[("h", HOUR), ("m", 60 * SECOND), ("s", SECOND), ("ms", 1)],
        };
        let whole = units.iter().find(|(_, size)| value >= *size && value.is_multiple_of(*size));
        let (unit, size) = whole.or(units.last()).expect("there are units");
        format!("{}{unit}", value / size)
    }
}

/// A setting of a time outside of `[limits]`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_time(text: &str) -> Result<Duration, String> {
    let value = Kind::Time.read(text).ok_or_else(|| Kind::Time.wanted(text))?;
    Ok(Duration::from_millis(value))
}

#[cfg(test)]
mod tests;
