//! What clients may cost: every limit of a connection in one place, each with its answer.

use std::time::Duration;

/// Descriptors that stay free for the disk, for doors and for telling clients that there are too many of them.
const DESCRIPTORS_RESERVED: u64 = 256;
/// Connections on a system that does not tell how many files may be open.
const CONNECTIONS_ASSUMED: u64 = 10_000;
/// However few files may be open: this many connections are taken, or the server would be of no use.
const CONNECTIONS_MIN: u64 = 64;

/// The limits of a server. The defaults are for production; tests shorten times and lower counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of all doors together. One more is told 503 and closed, and the door pauses before the next one.
    pub connections_max: usize,
    /// From a connection's start (over HTTP/1 also from an answer) to the end of the next head. Then it is closed.
    pub head_timeout: Duration,
    /// Header lines of one request together, in bytes: 431. The request line alone: 414.
    pub header_bytes_max: u32,
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
    /// How long more than 1 MiB of pushes may wait for a client; with 256 MiB waiting for all of them, no time at all.
    /// Then its connection is closed.
    pub stream_patience: Duration,
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: connections_max(),
            head_timeout: Duration::from_secs(10),
            header_bytes_max: 64 * 1024,
            body_timeout: Duration::from_secs(30),
            body_rate_min: 16 * 1024,
            connection_body_bytes_max: 32 * 1024 * 1024,
            body_bytes_max: 256 * 1024 * 1024,
            linger_timeout: Duration::from_secs(2),
            stream_patience: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(120),
            close_timeout: Duration::from_secs(5),
            streams_max: 256,
            resets_max: 20,
            faults_max: 64,
            abandoned_max: 500,
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
