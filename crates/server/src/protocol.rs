//! Which of its two protocols a client speaks, and hyper's side of it.
//!
//! The first bytes decide: HTTP/2 begins with a preface that no HTTP/1 request can begin with (RFC 9113, 3.4). Until they
//! came a connection has neither protocol's buffers.

use crate::{
    connection::{Door, answer},
    limits::Limits,
    socket::Socket,
    traffic::Answer,
    turn::Strands,
};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// What HTTP/2 begins with.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How often an HTTP/2 client is asked whether it is there, and how long it may take to say so: then it is closed.
const PING: Duration = Duration::from_secs(20);
/// What an HTTP/2 client may send of one body before we took it in.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same over all its bodies.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

/// The protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// Answers the requests of a connection. The futures are boxed: hyper moves them around, and keeps room for one as long
/// as an HTTP/1 connection lives.
pub(crate) struct Answering(Arc<Door>);

impl Service<Request<Incoming>> for Answering {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(answer(self.0.clone(), request))
    }
}

/// A connection as hyper serves it.
pub(crate) enum Protocol {
    Http1(Pin<Box<http1::Connection<TokioIo<Socket>, Answering>>>),
    Http2(Pin<Box<http2::Connection<TokioIo<Socket>, Answering, Strands>>>),
}

impl Protocol {
    pub(crate) fn begin(version: Version, socket: Socket, door: Arc<Door>) -> Self {
        let (limits, strands) = (door.limits.clone(), door.strands.clone());
        let (socket, answering) = (TokioIo::new(socket), Answering(door));
        match version {
            Version::Http1 => {
                Self::Http1(Box::pin(http1_builder(&limits).serve_connection(socket, answering)))
            }
            Version::Http2 => Self::Http2(Box::pin(
                http2_builder(&limits, strands).serve_connection(socket, answering),
            )),
        }
    }

    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        match self {
            Self::Http1(connection) => connection.as_mut().poll(context),
            Self::Http2(connection) => connection.as_mut().poll(context),
        }
    }

    /// Lets what was begun end, and nothing else begin.
    pub(crate) fn wind_up(&mut self) {
        match self {
            Self::Http1(connection) => connection.as_mut().graceful_shutdown(),
            Self::Http2(connection) => connection.as_mut().graceful_shutdown(),
        }
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.header_bytes_max as usize)
        .half_close(false);
    builder
}

fn http2_builder(limits: &Limits, strands: Strands) -> http2::Builder<Strands> {
    let mut builder = http2::Builder::new(strands);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.header_bytes_max)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_local_error_reset_streams(limits.faults_max)
        .keep_alive_interval(Some(PING))
        .keep_alive_timeout(PING)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    builder
}
