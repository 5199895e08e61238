//! What clients may cost: every limit of a server in one place. What each one answers and how it is counted stands in
//! the table of `limit_settings`, and in `docs/limits.md`.

use std::time::Duration;

/// Descriptors for the disk, for doors, for other nodes that have not proved themselves yet, and for telling clients that
/// there are too many of them.
const DESCRIPTORS_OF_SERVER: usize = 192;
/// Descriptors that are not for connections of clients: also those of links, dialed and accepted, and of checks of instances.
pub(crate) const DESCRIPTORS_RESERVED: u64 =
    (DESCRIPTORS_OF_SERVER + 2 * host::INBOUNDS_LEN_MAX + naming::CHECKS_AT_ONCE_MAX) as u64;
/// Connections on a system that does not tell how many files may be open.
const CONNECTIONS_ASSUMED: u64 = 10_000;
/// However few files may be open: this many connections are taken, or the server would be of no use.
const CONNECTIONS_MIN: u64 = 64;

/// The limits of a server. The defaults are for production, and Nacos's where it has one; tests shorten times and lower
/// counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of all doors together. One more is told 503 and closed, and the door pauses before the next one.
    pub connections_max: usize,
    /// Connections of one client address, 0 for as many as it likes. One more is told 503 and closed.
    pub connections_per_address_max: usize,
    /// From a connection's start (over HTTP/1 also from an answer) to the end of the next head. Then it is closed.
    pub head_timeout: Duration,
    /// Header lines of one request together, in bytes: 431. The request line alone: 414.
    pub header_bytes_max: u32,
    /// Bytes of a body that carries no config: 413.
    pub request_body_bytes_max: usize,
    /// Bytes of a body that carries configs: 413.
    pub config_body_bytes_max: usize,
    /// Bytes of a gRPC message: `RESOURCE_EXHAUSTED`.
    pub grpc_message_bytes_max: usize,
    /// A body may take this long, and longer as long as it keeps `body_rate_min`: 408, or `DEADLINE_EXCEEDED`.
    pub body_timeout: Duration,
    /// Bytes per second that earn a body more time than `body_timeout`.
    pub body_rate_min: u32,
    /// Bytes of bodies that one connection is sending at a time, over all its streams: 503, or `RESOURCE_EXHAUSTED`.
    /// At least one of the largest bodies must fit.
    pub connection_body_bytes_max: usize,
    /// Bytes of bodies that all connections are sending at a time: as above.
    pub body_bytes_max: usize,
    /// How long what a client still sends is read and thrown away after it was refused, so that it sees the answer.
    pub linger_timeout: Duration,
    /// How long a client may take to read an answer. Then its connection is closed.
    pub answer_timeout: Duration,
    /// How long a connection may have no request in progress. Then it is closed.
    pub idle_timeout: Duration,
    /// How long what was sent before may take after we decided to close. Then the rest is lost.
    pub close_timeout: Duration,
    /// HTTP/2 calls at once on one connection: one more is refused (`REFUSED_STREAM`).
    pub streams_max: u32,
    /// HTTP/2 streams that were reset before we looked at them: `GOAWAY` (rapid reset, CVE-2023-44487).
    pub resets_max: usize,
    /// HTTP/2 streams that we had to reset for the client's mistakes: `GOAWAY` (CVE-2025-8671).
    pub faults_max: usize,
    /// Requests that a client may give up before their answer, when it does so more often than every third time. Then
    /// its connection is closed.
    pub abandoned_max: u32,
    /// Requests of one connection that are not answered yet: "overloaded".
    pub calls_max: usize,
    /// Bytes of pushes that may wait for one client; more only for `stream_patience`.
    pub stream_bytes_max: usize,
    /// Bytes of pushes that may wait for all clients; beyond it, there is no patience with who is over its own share.
    pub all_streams_bytes_max: usize,
    /// How long more than `stream_bytes_max` of pushes may wait for a client. Then its connection is closed.
    pub stream_patience: Duration,
    /// Inputs of one lane that wait for the node: "overloaded".
    pub lane_len_max: usize,
    /// Writes without an outcome: "overloaded".
    pub writes_pending_max: usize,
    /// Passwords of one address that wait for their check: "overloaded".
    pub password_checks_max: usize,
    /// Failed logins in a minute, per user and address; from then on each one costs twice the time of the one before.
    pub login_failures_max: u32,
    /// Datagrams that wait to be sent: dropped, as a network would.
    pub datagrams_max: usize,
    /// Clients that are pushed to by datagrams: one more polls.
    pub udp_subscribers_max: usize,
    /// Bytes of one config: 413, or a typed error.
    pub config_content_bytes_max: usize,
    /// Characters of the metadata of one instance: 400.
    pub metadata_chars_max: usize,
    /// Keys that one connection, or one poll, listens to: 400.
    pub listeners_max: usize,
    /// The longest time that a poll is held: answered "nothing changed".
    pub long_poll_timeout: Duration,
    /// Services that one connection subscribes to: a typed error.
    pub subscriptions_max: usize,
    /// Instances that one connection registers: a typed error.
    pub instances_max: usize,
    /// Bytes of the journal: the oldest events go.
    pub journal_bytes_max: usize,
    /// Bytes of the log since the last checkpoint: "overloaded".
    pub log_bytes_max: usize,
    /// Bytes of lists that are kept written out: forgotten, and written out again when they are wanted.
    pub rendered_bytes_max: usize,
    /// Connections of other nodes that have not proved yet that they belong: the oldest is closed.
    pub peer_handshakes_max: usize,
    /// From a connection of another node to the end of the introductions: closed.
    pub peer_handshake_timeout: Duration,
    /// How long another node may take nothing that is sent to it: the link is closed.
    pub peer_stall_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let host = host::Limits::default();
        let naming = naming::Settings::default();
        Self {
            connections_max: connections_max(),
            connections_per_address_max: 0,
            head_timeout: Duration::from_secs(10),
            header_bytes_max: 64 * 1024,
            request_body_bytes_max: nacos::BODY_BYTES_MAX,
            config_body_bytes_max: nacos::CONFIG_BODY_BYTES_MAX,
            grpc_message_bytes_max: 10 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            body_rate_min: 16 * 1024,
            connection_body_bytes_max: 32 * 1024 * 1024,
            body_bytes_max: 256 * 1024 * 1024,
            linger_timeout: Duration::from_secs(2),
            answer_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(120),
            close_timeout: Duration::from_secs(5),
            streams_max: 256,
            resets_max: 20,
            faults_max: 64,
            abandoned_max: 500,
            calls_max: host.nacos.calls_max,
            stream_bytes_max: host.streams.bytes_max,
            all_streams_bytes_max: host.streams.all_bytes_max,
            stream_patience: host.streams.patience,
            lane_len_max: host.lane_len_max,
            writes_pending_max: host.proposals_max,
            password_checks_max: host.work_len_max,
            login_failures_max: host.access.failures_max,
            datagrams_max: host.datagrams_len_max,
            udp_subscribers_max: host.udp_subscribers_max,
            config_content_bytes_max: host.config.content_bytes_max,
            metadata_chars_max: naming.metadata_chars_max,
            listeners_max: host.nacos.listened_keys_max,
            long_poll_timeout: host.nacos.poll_hold_max,
            subscriptions_max: naming.subscriptions_per_connection_max,
            instances_max: naming.instances_per_connection_max,
            journal_bytes_max: host.journal_bytes_max,
            log_bytes_max: host.log_bytes_max,
            rendered_bytes_max: host.rendered_bytes_max,
            peer_handshakes_max: 128,
            peer_handshake_timeout: Duration::from_secs(5),
            peer_stall_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Those that are not decided at the sockets.
    pub(crate) fn of_host(&self) -> host::Limits {
        host::Limits {
            lane_len_max: self.lane_len_max,
            work_len_max: self.password_checks_max,
            datagrams_len_max: self.datagrams_max,
            rendered_bytes_max: self.rendered_bytes_max,
            journal_bytes_max: self.journal_bytes_max,
            log_bytes_max: self.log_bytes_max,
            proposals_max: self.writes_pending_max,
            udp_subscribers_max: self.udp_subscribers_max,
            link_bytes_max: host::BULK_BYTES_MAX,
            streams: host::StreamLimits {
                bytes_max: self.stream_bytes_max,
                patience: self.stream_patience,
                all_bytes_max: self.all_streams_bytes_max,
            },
            nacos: self.of_nacos(),
            config: config::Settings {
                listeners_max: self.listeners_max,
                content_bytes_max: self.config_content_bytes_max,
            },
            access: access::Settings { failures_max: self.login_failures_max },
        }
    }

    pub(crate) fn of_nacos(&self) -> nacos::Limits {
        nacos::Limits {
            calls_max: self.calls_max,
            listened_keys_max: self.listeners_max,
            poll_hold_max: self.long_poll_timeout,
            config_body_bytes_max: self.config_body_bytes_max,
            body_bytes_max: self.request_body_bytes_max,
        }
    }

    pub(crate) fn of_naming(&self) -> naming::Settings {
        naming::Settings {
            instances_per_connection_max: self.instances_max,
            subscriptions_per_connection_max: self.subscriptions_max,
            metadata_chars_max: self.metadata_chars_max,
            checks_at_once_max: naming::CHECKS_AT_ONCE_MAX,
            ..naming::Settings::default()
        }
    }
}

/// As many as files may be open, but for a reserve.
fn connections_max() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.unwrap_or(CONNECTIONS_ASSUMED);
    let connections = files.saturating_sub(DESCRIPTORS_RESERVED).max(CONNECTIONS_MIN);
    // A semaphore counts them.
    usize::try_from(connections).unwrap_or(usize::MAX).min(tokio::sync::Semaphore::MAX_PERMITS)
}
