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
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio::sync::oneshot;

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
    /// The number of this gRPC stream on its connection, and of the newest one: only that one is fed.
    pub(crate) turn: Option<(u64, Arc<AtomicU64>)>,
    /// Comes with the trailers when the client's side of a gRPC stream has ended.
    pub(crate) over: Option<oneshot::Receiver<HeaderMap>>,
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
        let replaced =
            |(own, newest): &(u64, Arc<AtomicU64>)| *own != newest.load(Ordering::Acquire);
        if self.turn.as_ref().is_some_and(replaced) {
            return Poll::Ready(self.trailers.take().map(Frame::trailers).map(Ok));
        }
        if let Some(Poll::Ready(over)) = self.over.as_mut().map(|over| Pin::new(over).poll(context))
        {
            self.over = None;
            if let Ok(trailers) = over {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
        }
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
