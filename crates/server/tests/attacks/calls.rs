//! A gRPC client that may say anything: messages as bytes, on streams of its choice.

use crate::setup::soon;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::Request;
use nacos::{Any, Metadata, Payload};
use prost::Message;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::TcpStream;

pub const UNARY: &str = "/Request/request";
pub const STREAM: &str = "/BiRequestStream/requestBiStream";

pub struct Client {
    pub send: SendRequest<Bytes>,
    /// Ends when the connection does.
    pub connection: tokio::task::JoinHandle<()>,
    pub token: String,
}

/// How a call ended, and the messages before that.
#[derive(Debug)]
pub struct End {
    pub status: Option<u16>,
    pub messages: Vec<Payload>,
}

impl End {
    pub fn json(&self) -> Value {
        assert_eq!(self.messages.len(), 1, "{self:?}");
        body(&self.messages[0])
    }
}

pub fn body(payload: &Payload) -> Value {
    let value = &payload.body.as_ref().expect("a body").value;
    serde_json::from_slice(value).expect("JSON")
}

pub fn kind(payload: &Payload) -> &str {
    &payload.metadata.as_ref().expect("metadata").r#type
}

pub fn message(kind: &str, json: &str, token: &str) -> Bytes {
    let headers = [("accessToken".to_owned(), token.to_owned())].into();
    let metadata = Metadata { r#type: kind.into(), headers, client_ip: String::new() };
    let value = Bytes::copy_from_slice(json.as_bytes());
    let body = Any { type_url: String::new(), value };
    let payload = Payload { metadata: Some(metadata), body: Some(body) };
    prefixed(0, payload.encoded_len(), &payload.encode_to_vec())
}

/// A message whose prefix says what the caller wants it to say.
pub fn prefixed(flag: u8, length: usize, bytes: &[u8]) -> Bytes {
    let mut message = BytesMut::new();
    message.put_u8(flag);
    message.put_u32(u32::try_from(length).expect("four bytes"));
    message.extend_from_slice(bytes);
    message.freeze()
}

/// For all streams of a client together.
const CONNECTION_WINDOW: u32 = 64 << 20;

/// A stream that the client holds open.
pub struct Open {
    pub send: SendStream<Bytes>,
    pub receive: RecvStream,
    buffer: BytesMut,
}

impl Client {
    pub async fn connect(door: SocketAddr, token: &str) -> Self {
        Self::with_window(door, token, 1 << 20).await
    }

    /// One that takes only so many bytes per stream before it reads.
    pub async fn with_window(door: SocketAddr, token: &str, window: u32) -> Self {
        let socket = TcpStream::connect(door).await.expect("the door is open");
        // What is not read on one stream must not hold up the others: each has its own window.
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(CONNECTION_WINDOW);
        let (send, connection) = builder.handshake::<_, Bytes>(socket).await.expect("HTTP/2");
        let connection = tokio::spawn(async move {
            // However it ends.
            let _ = connection.await;
        });
        Self { send, connection, token: token.to_owned() }
    }

    /// Sends a head and what follows it, and waits for nothing.
    pub async fn begin(
        &self,
        path: &str,
        first: Bytes,
        end: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        self.try_begin(path, first, end).await.expect("the connection lives")
    }

    /// The same on a connection that may end at any moment.
    pub async fn try_begin(
        &self,
        path: &str,
        first: Bytes,
        end: bool,
    ) -> Option<(ResponseFuture, SendStream<Bytes>)> {
        let mut ready = self.send.clone().ready().await.ok()?;
        let request = Request::post(format!("http://x{path}"))
            .header("content-type", "application/grpc")
            .body(())
            .expect("a request");
        let (response, mut send) = ready.send_request(request, false).ok()?;
        send.send_data(first, end).ok()?;
        Some((response, send))
    }

    pub async fn open(&self, path: &str, first: Bytes, end: bool) -> Open {
        let (response, send) = self.begin(path, first, end).await;
        Open::answered(response, send).await
    }

    /// One call to its end.
    pub async fn raw(&self, path: &str, bytes: Bytes) -> End {
        self.open(path, bytes, true).await.end().await
    }

    pub async fn ask(&self, kind: &str, json: Value) -> End {
        self.raw(UNARY, message(kind, &json.to_string(), &self.token)).await
    }

    /// Opens the stream and says who it is.
    pub async fn set_up(&self) -> Open {
        let open = self.open(STREAM, setup(), false).await;
        let checked = async {
            // The setup has no answer of its own.
            while self.ask("HealthCheckRequest", json!({})).await.json()["resultCode"] != 200 {}
        };
        soon("registered", checked).await;
        open
    }
}

pub fn setup() -> Bytes {
    message("ConnectionSetupRequest", r#"{"clientVersion":"attack"}"#, "")
}

impl Open {
    pub async fn answered(response: ResponseFuture, send: SendStream<Bytes>) -> Self {
        let response = soon("the head of an answer", response).await.expect("a head");
        let (head, receive) = response.into_parts();
        assert_eq!(head.status, 200);
        let mut buffer = BytesMut::new();
        if let Some(status) = head.headers.get("grpc-status") {
            // "Trailers only": what the head says is kept as if it came last.
            buffer.extend_from_slice(b"!");
            buffer.extend_from_slice(status.as_bytes());
        }
        Self { send, receive, buffer }
    }

    /// The next message; what ended the stream instead: the status, or `None` when it was cut off.
    pub async fn next(&mut self) -> Result<Payload, Option<u16>> {
        loop {
            if let Some(status) = self.buffer.strip_prefix(b"!") {
                return Err(std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()));
            }
            if self.buffer.len() >= 5 {
                let length = (&self.buffer[1..5]).get_u32() as usize;
                if self.buffer.len() >= 5 + length {
                    self.buffer.advance(5);
                    let message = self.buffer.split_to(length);
                    return Ok(Payload::decode(message).expect("a payload"));
                }
            }
            match self.receive.data().await {
                Some(Ok(data)) => {
                    let _ = self.receive.flow_control().release_capacity(data.len());
                    self.buffer.extend_from_slice(&data);
                }
                Some(Err(_)) => return Err(None),
                None => {
                    let trailers = self.receive.trailers().await.map_err(|_| None)?;
                    let status = trailers.as_ref().and_then(|all| all.get("grpc-status"));
                    return Err(status.and_then(|text| text.to_str().ok()?.parse().ok()));
                }
            }
        }
    }

    pub async fn end(mut self) -> End {
        let mut messages = Vec::new();
        let status = loop {
            match soon("the end of a call", self.next()).await {
                Ok(message) => messages.push(message),
                Err(status) => break status,
            }
        };
        End { status, messages }
    }
}
