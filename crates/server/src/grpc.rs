//! gRPC over HTTP/2, as far as Nacos needs it: two methods, one message, no compression.
//!
//! Each message is one flag byte, four bytes of length, and the protobuf (gRPC over HTTP/2, "Length-Prefixed-Message").

use crate::{
    body::{Body, Stream},
    connection::Door,
    intake::{Broken, Intake},
};
use base::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use host::{Arrival, Sending, StreamId};
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use hyper::body::Incoming;
use nacos::Payload;
use prost::Message;
use std::sync::{Arc, atomic::Ordering};
use tokio::sync::oneshot;

/// Flag and length.
const PREFIX_BYTES: usize = 5;

/// gRPC status codes that we give.
#[derive(Clone, Copy)]
enum Status {
    Ok = 0,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
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
    let message_bytes_max = door.limits.grpc_message_bytes_max;
    let mut reader = Reader::new(door.intake(request.into_body()), message_bytes_max);
    reader.intake.start();
    let payload = match reader.next().await {
        Ok(Some(payload)) => payload,
        Ok(None) => return refuse(Status::InvalidArgument, "a call without a message"),
        Err(fault) => {
            reader.intake.linger();
            return fault.response();
        }
    };
    drop(reader);
    let kind = door.requests.kind(payload.metadata.as_ref().map_or("", |m| &m.r#type));
    let sending = door.call(|call| Arrival::Unary { call, payload }).await;
    match sending {
        Some(Sending::Unary { payload, .. }) => {
            door.requests.answered_grpc(kind, nacos::result_code(&payload));
            let body = Body::Unary(Some(frame(&payload)), Some(trailers(Status::Ok, "")));
            respond(body)
        }
        Some(Sending::Http { .. } | Sending::Events { .. } | Sending::Close) | None => {
            refuse(Status::Unavailable, "the connection is closing")
        }
    }
}

fn stream(door: Arc<Door>, request: Request<Incoming>) -> Response<Body> {
    // Counted before the host ends the stream before this one: whoever reads that one is woken and must see it.
    let number = door.streams.fetch_add(1, Ordering::AcqRel) + 1;
    door.deliver(Arrival::StreamOpened);
    let (ended, over) = oneshot::channel();
    let body = Stream {
        host: door.host.clone(),
        clock: door.clock,
        connection: door.connection,
        id: StreamId::Grpc,
        trailers: Some(trailers(Status::Ok, "")),
        turn: Some((number, door.streams.clone())),
        over: Some(over),
    };
    let intake = door.intake(request.into_body());
    let strands = door.strands.clone();
    strands.spawn(async move {
        let mut reader = Reader::new(intake, door.limits.grpc_message_bytes_max);
        // Who opens a stream says who it is: the first message must come in time.
        reader.intake.start();
        let end = loop {
            match reader.next().await {
                Ok(Some(payload)) => door.deliver(Arrival::StreamPayload(payload)),
                Ok(None) => break trailers(Status::Ok, ""),
                Err(Fault(status, message)) => break trailers(status, message),
            }
        };
        door.deliver(Arrival::StreamClosed);
        // Nobody waits for it when the connection is gone.
        let _ = ended.send(end);
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

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLarge => Self(Status::ResourceExhausted, "the message is over the limit"),
            Broken::TooSlow => Self(Status::DeadlineExceeded, "the message came too slowly"),
            Broken::Crowded => {
                Self(Status::ResourceExhausted, "too many messages at once: try again in a moment")
            }
            Broken::Off => Self(Status::Unavailable, "the body broke off"),
        }
    }
}

/// Cuts a body into messages. Holds at most one message and the frame that begins the next.
struct Reader {
    intake: Intake,
    message_bytes_max: usize,
    buffer: BytesMut,
}

impl Reader {
    fn new(intake: Intake, message_bytes_max: usize) -> Self {
        Self { intake, message_bytes_max, buffer: BytesMut::new() }
    }

    async fn next(&mut self) -> Result<Option<Payload>, Fault> {
        loop {
            if let Some(message) = self.cut()? {
                self.intake.release();
                let payload = Payload::decode(message);
                return payload
                    .map(Some)
                    .map_err(|_| Fault(Status::InvalidArgument, "not a Payload"));
            }
            // A message that began must end in time; a stream may be silent before the next one.
            if !self.buffer.is_empty() {
                self.intake.start();
            }
            match self.intake.piece().await {
                Ok(Some(piece)) => self.buffer.extend_from_slice(&piece),
                Ok(None) if self.buffer.is_empty() => return Ok(None),
                Ok(None) => return Err(Fault(Status::InvalidArgument, "half a message")),
                Err(broken) => return Err(broken.into()),
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
        if length > self.message_bytes_max {
            return Err(self.intake.reject(Limit::GrpcMessage, Broken::TooLarge).into());
        }
        if self.buffer.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}
