//! gRPC over HTTP/2, as far as Nacos needs it: two methods, one message, no compression.
//!
//! Each message is one flag byte, four bytes of length, and the protobuf (gRPC over HTTP/2, "Length-Prefixed-Message").

use crate::{
    body::{Body, Stream},
    connection::Door,
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use host::{Arrival, Sending, StreamId};
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use nacos::Payload;
use prost::Message;
use std::sync::Arc;

/// The longest message taken in, as Nacos's own limit.
const MESSAGE_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Flag and length.
const PREFIX_BYTES: usize = 5;

/// gRPC status codes that we give.
#[derive(Clone, Copy)]
enum Status {
    Ok = 0,
    InvalidArgument = 3,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
}

/// Whether a request is gRPC's.
pub(crate) fn is_grpc(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

/// A message as it is sent.
pub(crate) fn frame(payload: &Payload) -> Bytes {
    let length = payload.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).expect("our messages are far below 4 GiB"));
    payload.encode(&mut bytes).expect("the buffer grows");
    bytes.freeze()
}

pub(crate) async fn serve(door: Arc<Door>, request: Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/Request/request" => unary(door, request).await,
        "/BiRequestStream/requestBiStream" => stream(door, request),
        _ => refuse(Status::Unimplemented, "only Request and BiRequestStream are served"),
    }
}

async fn unary(door: Arc<Door>, request: Request<Incoming>) -> Response<Body> {
    let mut reader = Reader::new(request.into_body());
    let payload = match reader.next().await {
        Ok(Some(payload)) => payload,
        Ok(None) => return refuse(Status::InvalidArgument, "a call without a message"),
        Err(fault) => return fault.response(),
    };
    let sending = door.call(|call| Arrival::Unary { call, payload }).await;
    match sending {
        Some(Sending::Unary { payload, .. }) => {
            let body = Body::Unary(Some(frame(&payload)), Some(trailers(Status::Ok, "")));
            respond(body)
        }
        Some(Sending::Http { .. } | Sending::Events { .. } | Sending::Close) | None => {
            refuse(Status::Unavailable, "the connection is closing")
        }
    }
}

fn stream(door: Arc<Door>, request: Request<Incoming>) -> Response<Body> {
    door.deliver(Arrival::StreamOpened);
    let body = Stream {
        host: door.host.clone(),
        clock: door.clock,
        connection: door.connection,
        id: StreamId::Grpc,
        trailers: Some(trailers(Status::Ok, "")),
    };
    tokio::spawn(async move {
        let mut reader = Reader::new(request.into_body());
        while let Ok(Some(payload)) = reader.next().await {
            door.deliver(Arrival::StreamPayload(payload));
        }
        door.deliver(Arrival::StreamClosed);
    });
    respond(Body::Stream(body))
}

fn respond(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A "trailers-only" answer.
fn refuse(status: Status, message: &'static str) -> Response<Body> {
    let mut response = respond(Body::Whole(None));
    response.headers_mut().extend(trailers(status, message));
    response
}

fn trailers(status: Status, message: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(status as u16));
    if !message.is_empty() {
        trailers.insert("grpc-message", HeaderValue::from_static(message));
    }
    trailers
}

/// What is wrong with a call.
struct Fault(Status, &'static str);

impl Fault {
    fn response(self) -> Response<Body> {
        refuse(self.0, self.1)
    }
}

/// Cuts a body into messages. Holds at most one message and the frame that begins the next.
struct Reader {
    body: Incoming,
    buffer: BytesMut,
}

impl Reader {
    fn new(body: Incoming) -> Self {
        Self { body, buffer: BytesMut::new() }
    }

    async fn next(&mut self) -> Result<Option<Payload>, Fault> {
        loop {
            if let Some(message) = self.cut()? {
                let payload = Payload::decode(message);
                return payload
                    .map(Some)
                    .map_err(|_| Fault(Status::InvalidArgument, "not a Payload"));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) => return Err(Fault(Status::Unavailable, "the body broke off")),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(Fault(Status::InvalidArgument, "half a message")),
            }
        }
    }

    fn cut(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.buffer.len() < PREFIX_BYTES {
            return Ok(None);
        }
        if self.buffer[0] != 0 {
            return Err(Fault(Status::Unimplemented, "compression is not served"));
        }
        let length =
            u32::from_be_bytes([self.buffer[1], self.buffer[2], self.buffer[3], self.buffer[4]])
                as usize;
        if length > MESSAGE_BYTES_MAX {
            return Err(Fault(Status::ResourceExhausted, "message over 10 MiB"));
        }
        if self.buffer.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}
