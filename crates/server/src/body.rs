//! The bodies of our answers: whole, with gRPC trailers, or a stream that the host feeds.

use crate::{clock::Clock, grpc};
use base::ConnectionId;
use bytes::Bytes;
use host::{Chunk, Host, StreamId};
use http::HeaderMap;
use http_body::Frame;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A body of an answer.
pub(crate) enum Body {
    /// All at once.
    Whole(Option<Bytes>),
    /// One gRPC message, then its trailers.
    Unary(Option<Bytes>, Option<HeaderMap>),
    /// What the host has for a stream, until it ends.
    Stream(Stream),
}

/// The reading end of a stream in the host.
pub(crate) struct Stream {
    pub(crate) host: Arc<Host>,
    pub(crate) clock: Clock,
    pub(crate) connection: ConnectionId,
    pub(crate) id: StreamId,
    pub(crate) trailers: Option<HeaderMap>,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(Frame::data).map(Ok)),
            Self::Unary(bytes, trailers) => {
                let frame = bytes.take().map(Frame::data);
                Poll::Ready(frame.or_else(|| trailers.take().map(Frame::trailers)).map(Ok))
            }
            Self::Stream(stream) => stream.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Unary(bytes, trailers) => bytes.is_none() && trailers.is_none(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                http_body::SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            Self::Unary(..) | Self::Stream(_) => http_body::SizeHint::default(),
        }
    }
}

impl Stream {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let now = self.clock.now();
        match self.host.poll_stream(now, self.connection, self.id, context.waker()) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(self.trailers.take().map(Frame::trailers).map(Ok)),
            Poll::Ready(Some(Chunk::Bytes(bytes))) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Poll::Ready(Some(Chunk::Payload(payload))) => {
                Poll::Ready(Some(Ok(Frame::data(grpc::frame(&payload)))))
            }
        }
    }
}

impl Drop for Stream {
    /// A client that goes away from a stream of events no longer waits for its call. (The gRPC stream's end is told by
    /// its reading side.)
    fn drop(&mut self) {
        if let StreamId::Events(call) = self.id {
            let dropped = host::Arrival::Dropped(call);
            self.host.deliver(self.clock.now(), self.connection, dropped);
        }
    }
}
