//! One HTTP/1.1 connection that is kept alive, one request at a time.

use crate::problem::Wrong;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpStream;

/// How long any answer may take, but for a poll that waits.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Http {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Http {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Wrong> {
        let connecting = tokio::time::timeout(ANSWER_TIMEOUT, TcpStream::connect(address));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Wrong(format!("connecting to {address}: {error}"))),
            Err(_) => return Err(Wrong(format!("connecting to {address}: timed out"))),
        };
        let _ = stream.set_nodelay(true); // slower without, not wrong
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Wrong(format!("connecting to {address}: {error}")))?;
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Sends a request with a form as its body, and gives the body of a 200.
    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        form: String,
    ) -> Result<Bytes, Wrong> {
        self.call_within(ANSWER_TIMEOUT, method, path, form, &[]).await
    }

    pub(crate) async fn call_within(
        &mut self,
        limit: Duration,
        method: Method,
        path: &str,
        form: String,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Bytes, Wrong> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.host);
        if !form.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(form)))
            .map_err(|error| Wrong(format!("{path}: {error}")))?;
        match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(Ok((StatusCode::OK, body))) => Ok(body),
            Ok(Ok((status, body))) => {
                Err(Wrong::expected("200", format!("{status} {body:?}").as_bytes()))
            }
            Ok(Err(error)) => Err(Wrong(format!("{path}: {error}"))),
            Err(_) => Err(Wrong(format!("{path}: no answer within {limit:?}"))),
        }
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), hyper::Error> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

/// A form or query string.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
