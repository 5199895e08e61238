//! The HTTP client of our own API: one request per connection, over plain TCP.

mod events;
#[cfg(test)]
mod exchange_tests;
mod server;
mod token;

pub(crate) use events::{Event, Events};
pub(crate) use server::Server;
pub(crate) use token::{forget, store};

use crate::{
    cli::Global,
    output,
    problem::{Exit, Failure},
};
use bytes::Bytes;
use console::shape::{FRESHNESS_HEADERS, Problem};
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};

/// The largest answer that is read: a page of the largest configs would be more than anyone reads.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(header::HeaderName, String)>,
    body: Bytes,
    login: bool,
}

impl Call {
    /// `segments` are the path's parts, as they are: encoding is done here.
    pub(crate) fn new(method: Method, segments: &[&str]) -> Self {
        let path: String = segments.iter().map(|segment| format!("/{}", encode(segment))).collect();
        let (query, headers) = (Vec::new(), Vec::new());
        Self { method, path, query, headers, body: Bytes::new(), login: true }
    }

    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    pub(crate) fn query(mut self, query: Vec<(&'static str, String)>) -> Self {
        self.query.extend(query);
        self
    }

    /// A parameter, if it is given.
    pub(crate) fn with(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(crate) fn header(mut self, name: header::HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, shape: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(shape).expect("our shapes have text keys");
        self.header(header::CONTENT_TYPE, "application/json".to_owned()).body(body)
    }

    /// Without a token.
    pub(crate) fn anonymous(mut self) -> Self {
        self.login = false;
        self
    }

    fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        format!("{}?{}", self.path, query.finish())
    }
}

/// Encodes a path segment (RFC 3986: all but unreserved characters).
fn encode(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text += &format!("%{byte:02X}");
        }
    }
    text
}

/// Speaks to one server.
#[derive(Debug)]
pub(crate) struct Client {
    server: Server,
    token: Option<String>,
    timeout: Duration,
}

impl Client {
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        let token = token::load(global.token_file.as_deref(), &global.server)?;
        Ok(Self { server: global.server.clone(), token, timeout: global.timeout })
    }

    /// The same, that waits this much longer for its answers.
    pub(crate) fn patient(&self, more: Duration) -> Self {
        let timeout = self.timeout.saturating_add(more);
        Self { server: self.server.clone(), token: self.token.clone(), timeout }
    }

    /// Without any token.
    pub(crate) fn anonymous(global: &Global) -> Self {
        Self { server: global.server.clone(), token: None, timeout: global.timeout }
    }

    /// Sends a request and reads its answer. Says so when the answer is less fresh than was asked for.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let place = format!("{} {} at {}", call.method, call.path, self.server);
        let wanted = call.query.iter().find(|(name, _)| *name == "consistency");
        let wanted = wanted.map(|(_, level)| level.clone());
        let (status, headers, body) = self.exchange(call, &place).await?;
        if !(200..300).contains(&status) {
            return Err(self.refused(status, &body, &place));
        }
        if let Some(note) = staleness(&headers, wanted.as_deref()) {
            output::say(&note);
        }
        serde_json::from_slice(&body).map_err(|error| strange(&error.to_string()).at(place))
    }

    /// Sends a request and gives status and body, whatever they are.
    pub(crate) async fn probe(&self, call: Call) -> Result<(u16, Bytes), Failure> {
        let place = format!("{} {} at {}", call.method, call.path, self.server);
        let (status, _, body) = self.exchange(call, &place).await?;
        Ok((status, body))
    }

    /// Opens a stream of events.
    pub(crate) async fn events(&self, call: Call) -> Result<Events, Failure> {
        let place = format!("{} {} at {}", call.method, call.path, self.server);
        let response = self.in_time(&place, self.send(call, &place)).await?;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(Events::new(response.into_body()));
        }
        let body = self.in_time(&place, read(response.into_body(), &place)).await?;
        Err(self.refused(status, &body, &place))
    }

    async fn exchange(&self, call: Call, place: &str) -> Result<(u16, HeaderMap, Bytes), Failure> {
        self.in_time(place, async {
            let response = self.send(call, place).await?;
            let (head, body) = response.into_parts();
            Ok((head.status.as_u16(), head.headers, read(body, place).await?))
        })
        .await
    }

    async fn in_time<T>(
        &self,
        place: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        timeout(self.timeout, work).await.unwrap_or_else(|_| {
            Err(Failure::new(
                Exit::TimedOut,
                "timeout",
                "no answer came in time",
                format!("nothing was heard for {:?}; a write may have happened", self.timeout),
                "look at `trine status`; wait longer with --timeout",
            )
            .at(place))
        })
    }

    async fn send(&self, call: Call, place: &str) -> Result<Response<Incoming>, Failure> {
        let lost = |error: &dyn std::fmt::Display| lost(error).at(place);
        let stream =
            TcpStream::connect(self.server.address()).await.map_err(|error| lost(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        // It ends with the answer's body; its error is the sender's or the body's, too.
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.target())
            .header(header::HOST, self.server.authority())
            .header(header::USER_AGENT, concat!("trine/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = self.token.as_deref().filter(|_| call.login) {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(call.body)).map_err(|error| {
            Failure::usage(
                "the request cannot be sent",
                error.to_string(),
                "look at the token and the names: they must be plain text",
            )
            .at(place)
        })?;
        sender.send_request(request).await.map_err(|error| lost(&error))
    }

    fn refused(&self, status: u16, body: &[u8], place: &str) -> Failure {
        match serde_json::from_slice::<Problem>(body) {
            Ok(mut problem) => {
                problem.place = format!("{} ({})", problem.place, self.server);
                Failure::of(problem)
            }
            Err(_) => strange(&format!("it answered {status} without saying why")).at(place),
        }
    }
}

async fn read(body: Incoming, place: &str) -> Result<Bytes, Failure> {
    let limited = http_body_util::Limited::new(body, ANSWER_BYTES_MAX);
    let read = limited.collect().await.map_err(|error| lost(&error).at(place))?;
    Ok(read.to_bytes())
}

fn lost(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Unavailable,
        "unreachable",
        "the server cannot be reached",
        error.to_string(),
        "start one with `trine dev`, or name another with --server or TRINE_SERVER",
    )
}

fn strange(why: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "strange-answer",
        "the server's answer is not understood",
        why,
        "is it a Trine server, and of this version? `trine status` shows both",
    )
}

/// What to say when an answer is worth less than was asked for: a server that knows no leader answers from what it
/// has.
fn staleness(headers: &HeaderMap, wanted: Option<&str>) -> Option<String> {
    let [level, lag, _, node] =
        FRESHNESS_HEADERS.map(|name| headers.get(name).and_then(|value| value.to_str().ok()));
    let (level, lag, node) = (level?, lag?, node?);
    let met = level != "stale" || wanted.is_none_or(|wanted| wanted == "stale");
    (!met).then(|| {
        let lag = match lag.parse::<u64>() {
            Ok(ms) => format!("it may lag by {} s", ms.div_ceil(1_000)),
            Err(_) => "how far it lags is not known".to_owned(),
        };
        format!("note: {node} answered from what it has ({level}); {lag}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_encoded() {
        let call = Call::get(&["v1", "configs", "a/b c"])
            .query(vec![("namespace", "a&b".to_owned())])
            .with("limit", Some(5))
            .with("before", None::<u64>);
        assert_eq!(call.target(), "/v1/configs/a%2Fb%20c?namespace=a%26b&limit=5");
    }

    #[test]
    fn an_answer_that_is_worth_less_is_noted() {
        let headers = |level: &str, lag: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in FRESHNESS_HEADERS.into_iter().zip([level, lag, "9", "n3"]) {
                headers.insert(name, value.parse().expect("plain"));
            }
            headers
        };
        let note = "note: n3 answered from what it has (stale); it may lag by 2 s";
        assert_eq!(staleness(&headers("stale", "1500"), None), None);
        assert_eq!(staleness(&headers("stale", "1500"), Some("session")).as_deref(), Some(note));
        assert_eq!(staleness(&headers("stale", "1500"), Some("stale")), None);
        let note = "note: n3 answered from what it has (stale); how far it lags is not known";
        let said = staleness(&headers("stale", "unknown"), Some("linearizable"));
        assert_eq!(said.as_deref(), Some(note));
        assert_eq!(staleness(&headers("linearizable", "0"), None), None);
        assert_eq!(staleness(&HeaderMap::new(), None), None);
    }
}
