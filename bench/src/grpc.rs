//! One gRPC connection of a Nacos client: unary calls, and the stream that carries pushes.
//!
//! Each message is one flag byte, four bytes of length, and the protobuf (gRPC over HTTP/2, "Length-Prefixed-Message").
//! Requests of the server are confirmed at once, as SDKs do.

use crate::{http::ANSWER_TIMEOUT, problem::Wrong};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{Request, header};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nacos::{Any, Metadata, Payload};
use prost::Message;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::mpsc};

/// Flag and length.
const PREFIX_BYTES: usize = 5;
/// The longest message taken in: that of Nacos's SDKs.
const MESSAGE_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Messages of ours that wait for the stream; one more waits with them.
const OUTGOING_LEN_MAX: usize = 64;
/// How often, and how often at most, a new connection asks whether its setup has arrived.
const SETUP_RETRY: Duration = Duration::from_millis(20);
const SETUP_TRIES_MAX: u32 = 250;

/// A connection that is set up. It ends when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Grpc {
    sender: SendRequest<Body>,
    base: String,
    /// Keeps the stream open.
    _outgoing: mpsc::Sender<Bytes>,
}

/// A request of the server, and when it arrived.
pub(crate) struct Event {
    pub(crate) at: Instant,
    pub(crate) payload: Payload,
}

impl Event {
    pub(crate) fn kind(&self) -> &str {
        kind(&self.payload)
    }

    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Wrong> {
        read(&self.payload)
    }
}

/// What every answer says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Base {
    result_code: i64,
}

impl Grpc {
    /// Connects and sets up; the server's requests go to `events`.
    pub(crate) async fn open(
        address: SocketAddr,
        events: Option<mpsc::Sender<Event>>,
    ) -> Result<Self, Wrong> {
        let connecting = tokio::time::timeout(ANSWER_TIMEOUT, TcpStream::connect(address));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Wrong(format!("connecting to {address}: {error}"))),
            Err(_) => return Err(Wrong(format!("connecting to {address}: timed out"))),
        };
        let _ = stream.set_nodelay(true); // slower without, not wrong
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| Wrong(format!("connecting to {address}: {error}")))?;
        tokio::spawn(connection);
        let (outgoing, queue) = mpsc::channel(OUTGOING_LEN_MAX);
        let base = format!("http://{address}");
        let mut grpc = Self { sender, base, _outgoing: outgoing };
        let checked = grpc.call("ServerCheckRequest", "{}").await?;
        if kind(&checked) != "ServerCheckResponse" {
            return Err(Wrong(format!("{} instead of ServerCheckResponse", kind(&checked))));
        }
        grpc.start_stream(queue, events).await?;
        for _ in 0..SETUP_TRIES_MAX {
            let health = grpc.call("HealthCheckRequest", "{}").await?;
            if kind(&health) == "HealthCheckResponse" {
                return Ok(grpc);
            }
            tokio::time::sleep(SETUP_RETRY).await;
        }
        Err(Wrong::new("the connection's setup is not taken"))
    }

    async fn start_stream(
        &mut self,
        queue: mpsc::Receiver<Bytes>,
        events: Option<mpsc::Sender<Event>>,
    ) -> Result<(), Wrong> {
        let setup = r#"{"clientVersion":"trine-bench","tenant":"","labels":{"source":"sdk","module":"naming"}}"#;
        let first = frame("ConnectionSetupRequest", setup);
        let outgoing = self._outgoing.clone();
        outgoing.send(first).await.map_err(|_| Wrong::new("the stream is closed"))?;
        let request = self.request("/BiRequestStream/requestBiStream", Body::Queue(queue))?;
        self.sender.ready().await.map_err(broken)?;
        let response = self.sender.send_request(request);
        let outgoing = outgoing.downgrade();
        tokio::spawn(async move {
            let Ok(response) = response.await else { return };
            let mut reader = Reader::new(response.into_body());
            while let Ok(Some(payload)) = reader.next().await {
                let at = Instant::now();
                let Some(outgoing) = outgoing.upgrade() else { return };
                if let Some(answer) = confirmation(&payload)
                    && outgoing.send(answer).await.is_err()
                {
                    return;
                }
                if let Some(events) = &events
                    && events.send(Event { at, payload }).await.is_err()
                {
                    return;
                }
            }
        });
        Ok(())
    }

    fn request(&self, path: &str, body: Body) -> Result<Request<Body>, Wrong> {
        Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(body)
            .map_err(|error| Wrong(format!("{path}: {error}")))
    }

    /// A unary call, whatever the answer says.
    pub(crate) async fn call(&mut self, kind: &str, json: &str) -> Result<Payload, Wrong> {
        let request = self.request("/Request/request", Body::Whole(Some(frame(kind, json))))?;
        let exchange = async {
            self.sender.ready().await.map_err(broken)?;
            let response = self.sender.send_request(request).await.map_err(broken)?;
            let mut reader = Reader::new(response.into_body());
            let payload = reader.next().await?.ok_or_else(|| Wrong::new("no message"))?;
            reader.finish().await?;
            Ok(payload)
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(answer) => answer.map_err(|Wrong(what)| Wrong(format!("{kind}: {what}"))),
            Err(_) => Err(Wrong(format!("{kind}: no answer within {ANSWER_TIMEOUT:?}"))),
        }
    }

    /// A unary call that must be answered by this type and "200".
    pub(crate) async fn ask(
        &mut self,
        kind: &str,
        json: &str,
        response: &str,
    ) -> Result<Payload, Wrong> {
        let payload = self.call(kind, json).await?;
        let base: Base = read(&payload)?;
        if self::kind(&payload) != response || base.result_code != 200 {
            return Err(Wrong::expected(response, body(&payload)));
        }
        Ok(payload)
    }
}

fn broken(error: hyper::Error) -> Wrong {
    Wrong(format!("the connection broke: {error}"))
}

fn kind(payload: &Payload) -> &str {
    payload.metadata.as_ref().map_or("", |metadata| &metadata.r#type)
}

fn body(payload: &Payload) -> &[u8] {
    payload.body.as_ref().map_or(&[], |body| &body.value)
}

/// Reads the JSON of a payload.
pub(crate) fn read<T: DeserializeOwned>(payload: &Payload) -> Result<T, Wrong> {
    serde_json::from_slice(body(payload))
        .map_err(|error| Wrong::expected(&format!("JSON ({error})"), body(payload)))
}

/// What an SDK answers to a request of the server.
fn confirmation(request: &Payload) -> Option<Bytes> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        request_id: String,
    }
    let response = kind(request).strip_suffix("Request")?;
    let id = read::<Head>(request).ok()?.request_id;
    let json = format!(r#"{{"resultCode":200,"errorCode":0,"requestId":"{id}"}}"#);
    Some(frame(&format!("{response}Response"), &json))
}

/// A message as it is sent.
fn frame(kind: &str, json: &str) -> Bytes {
    let payload = Payload {
        metadata: Some(Metadata { r#type: kind.to_owned(), ..Metadata::default() }),
        body: Some(Any { type_url: String::new(), value: Bytes::copy_from_slice(json.as_bytes()) }),
    };
    let length = payload.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).expect("our messages are far below 4 GiB"));
    payload.encode(&mut bytes).expect("the buffer grows");
    bytes.freeze()
}

/// The body of a request: one message, or those of a queue until it is closed.
enum Body {
    Whole(Option<Bytes>),
    Queue(mpsc::Receiver<Bytes>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = |bytes: Option<Bytes>| bytes.map(Frame::data).map(Ok);
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(data(bytes.take())),
            Self::Queue(queue) => queue.poll_recv(context).map(data),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }
}

/// Cuts a body into messages.
struct Reader {
    body: Incoming,
    buffer: BytesMut,
    /// What the trailers said.
    status: Option<String>,
}

impl Reader {
    fn new(body: Incoming) -> Self {
        Self { body, buffer: BytesMut::new(), status: None }
    }

    async fn next(&mut self) -> Result<Option<Payload>, Wrong> {
        loop {
            if let Some(message) = self.cut()? {
                let payload = Payload::decode(message);
                return payload.map(Some).map_err(|error| Wrong(format!("not a Payload: {error}")));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            match frame.map_err(broken)?.into_data() {
                Ok(data) => self.buffer.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().ok();
                    let status = trailers.and_then(|trailers| {
                        Some(trailers.get("grpc-status")?.to_str().ok()?.to_owned())
                    });
                    self.status = status;
                }
            }
        }
    }

    /// Nothing but good trailers may follow the message of a unary answer.
    async fn finish(mut self) -> Result<(), Wrong> {
        if self.next().await?.is_some() {
            return Err(Wrong::new("two messages in one answer"));
        }
        match self.status.as_deref() {
            Some("0") => Ok(()),
            other => Err(Wrong(format!("grpc-status {other:?} instead of 0"))),
        }
    }

    fn cut(&mut self) -> Result<Option<Bytes>, Wrong> {
        let Some((&[flag, a, b, c, d], rest)) = self.buffer.split_first_chunk::<PREFIX_BYTES>()
        else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if flag != 0 || length > MESSAGE_BYTES_MAX {
            return Err(Wrong(format!("a message with flag {flag} and {length} bytes")));
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}
