//! Answers as they leave: HTTP responses and JSON payloads, and the words of a fault at each door.

use crate::{
    Any, Metadata, Payload, dates,
    fault::{ErrorCode, Fault, Shape},
};
use base::Freshness;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

pub(crate) const TEXT: &str = "text/plain;charset=UTF-8";
pub(crate) const JSON: &str = "application/json";
/// Through which entry of the log a node was, and a client has seen it.
pub(crate) const INDEX_HEADER: &str = "x-trine-index";
pub(crate) const JSON_UTF8: &str = "application/json;charset=UTF-8";

/// Through which door a request came, with what its answer needs from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// HTTP.
    Http {
        /// Echoed in the framework's errors. Without the query: it may carry a token.
        path: String,
        /// The config center wraps its texts differently.
        config: bool,
        /// Whether answers are wrapped.
        envelope: Envelope,
    },
    /// gRPC.
    Grpc {
        /// Echoed.
        request_id: Option<String>,
        /// The type of the answer.
        response: &'static str,
    },
}

/// An answer, ready to be sent.
#[derive(Debug)]
pub(crate) enum Rendered {
    Http(http::Response<Bytes>),
    Grpc(Payload),
}

/// How answers over HTTP are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// Not at all: v1.
    Bare,
    /// `{"code":0,"message":"success","data":…}`: v2 and v3.
    Result {
        /// The parameters are a form, and a missing one is told in other words.
        form: bool,
    },
}

impl Envelope {
    /// As the generation of a path has it. The search and the loader of v2 are bare, as in Nacos, and the config of v3
    /// wraps itself.
    pub(crate) fn of(method: &http::Method, path: &str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        let wrapped = path.starts_with("/nacos/v2/")
            || path.starts_with("/nacos/v3/client/ns/")
            || path.starts_with("/nacos/v3/admin/")
            || path.starts_with("/nacos/v3/console/");
        let bare = path.ends_with("/searchDetail") || path.starts_with("/nacos/v2/core/loader/");
        if !wrapped || bare {
            return Self::Bare;
        }
        // The API for clients reads all its parameters as a form, also those of a GET.
        let v3 = path.starts_with("/nacos/v3/");
        Self::Result { form: v3 || [http::Method::POST, http::Method::PUT].contains(method) }
    }
}

/// What every response of Nacos's gRPC begins with. `success` is written last, as Jackson does.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a, T> {
    result_code: u16,
    error_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(flatten)]
    own: T,
    success: bool,
}

/// An answer without fields of its own.
#[derive(Serialize)]
pub(crate) struct Nothing {}

pub(crate) fn to_json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("our own types have text keys and cannot fail").into()
}

/// A payload of this type.
pub(crate) fn payload(kind: &str, json: Bytes) -> Payload {
    Payload {
        metadata: Some(Metadata { r#type: kind.into(), ..Metadata::default() }),
        body: Some(Any { type_url: String::new(), value: json }),
    }
}

/// `head` and `tail` around bytes that are JSON already, such as a shared `serviceInfo`.
pub(crate) fn spliced(head: &str, raw: &[u8], tail: &str) -> Bytes {
    let mut json = Vec::with_capacity(head.len() + raw.len() + tail.len());
    json.extend_from_slice(head.as_bytes());
    json.extend_from_slice(raw);
    json.extend_from_slice(tail.as_bytes());
    json.into()
}

pub(crate) fn http(
    status: StatusCode,
    kind: Option<&'static str>,
    body: impl Into<Bytes>,
) -> http::Response<Bytes> {
    let mut response = http::Response::new(body.into());
    *response.status_mut() = status;
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

/// Adds a header if its value can travel in one.
pub(crate) fn add(response: &mut http::Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

/// Under this name an answer says how fresh it is.
const CONSISTENCY: &str = "x-trine-consistency";

/// Says what a read is worth.
pub(crate) fn stamp(response: &mut http::Response<Bytes>, freshness: &Freshness) {
    let lag = freshness.staleness.map(|lag| lag.as_millis().to_string());
    add(response, CONSISTENCY, &freshness.level.to_string());
    add(response, "x-trine-staleness-ms", lag.as_deref().unwrap_or("unknown"));
    stamp_write(response, freshness);
}

/// Says through which entry the node was when it answered: who sends that back reads nothing older.
pub(crate) fn stamp_write(response: &mut http::Response<Bytes>, freshness: &Freshness) {
    add(response, INDEX_HEADER, &freshness.applied.to_string());
    add(response, "x-trine-served-by", &freshness.served_by.to_string());
}

/// Says in the headers of a gRPC answer, which SDKs do not read, that it is worth less than was asked for.
pub(crate) fn stamp_payload(payload: &mut Payload, freshness: &Freshness) {
    let metadata = payload.metadata.get_or_insert_default();
    metadata.headers.insert(CONSISTENCY.to_owned(), freshness.level.to_string());
}

impl Rendered {
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        Self::Http(http(StatusCode::OK, Some(TEXT), text))
    }

    pub(crate) fn json(value: &impl Serialize) -> Self {
        Self::Http(http(StatusCode::OK, Some(JSON), to_json(value)))
    }
}

impl Door {
    /// Whether answers are wrapped; an operation whose answer is no JSON of v1 asks for this.
    pub(crate) fn is_wrapped(&self) -> bool {
        match self {
            Self::Http { envelope, .. } => *envelope != Envelope::Bare,
            Self::Grpc { .. } => false,
        }
    }

    /// An answer as it leaves: of v2 and v3 in their envelope. What v1 says in JSON is its data, a text its data as text.
    pub(crate) fn wrapped(&self, rendered: Rendered) -> Rendered {
        match rendered {
            Rendered::Http(response) if self.is_wrapped() => Rendered::Http(in_envelope(response)),
            rendered @ (Rendered::Http(_) | Rendered::Grpc(_)) => rendered,
        }
    }

    /// The answer of a gRPC request that was served.
    pub(crate) fn ok(&self, own: impl Serialize) -> Rendered {
        self.answer(200, 0, None, own)
    }

    pub(crate) fn answer(
        &self,
        result_code: u16,
        error_code: u16,
        message: Option<&str>,
        own: impl Serialize,
    ) -> Rendered {
        let Self::Grpc { request_id, response } = self else {
            unreachable!("the routing table gives operations of gRPC no HTTP form")
        };
        let request_id = request_id.as_deref();
        let success = result_code == 200;
        let json = to_json(&Head { result_code, error_code, message, request_id, own, success });
        Rendered::Grpc(payload(response, json))
    }

    /// The answer of a gRPC request whose `serviceInfo` is written out already.
    pub(crate) fn service_info(&self, message: Option<&'static str>, info: &[u8]) -> Rendered {
        let Self::Grpc { request_id, response } = self else {
            unreachable!("the routing table gives operations of gRPC no HTTP form")
        };
        let mut head = String::from("{\"resultCode\":200,\"errorCode\":0,");
        for (name, value) in [("message", message), ("requestId", request_id.as_deref())] {
            if let Some(value) = value {
                head.push_str(&format!("\"{name}\":{},", serde_json::Value::from(value)));
            }
        }
        head.push_str("\"serviceInfo\":");
        Rendered::Grpc(payload(response, spliced(&head, info, ",\"success\":true}")))
    }

    /// A fault in the words of this door.
    pub(crate) fn refuse(&self, fault: &Fault, unix_ms: u64) -> Rendered {
        match self {
            Self::Http { envelope: Envelope::Result { form }, .. }
                if matches!(fault.shape, Shape::Plain | Shape::Caused | Shape::Error { .. }) =>
            {
                Rendered::Http(result_fault(fault, *form))
            }
            Self::Http { envelope: Envelope::Result { .. }, .. }
                if fault.shape == Shape::Filter =>
            {
                Rendered::Http(http(fault.status, None, fault.text.clone().into_owned()))
            }
            Self::Http { path, config, .. } => {
                Rendered::Http(http_fault(fault, path, *config, unix_ms))
            }
            Self::Grpc { request_id, response } => {
                let (kind, result_code) = match fault.shape {
                    Shape::Error { result } => ("ErrorResponse", result),
                    Shape::Filter | Shape::Plain | Shape::Caused | Shape::Framework => {
                        (*response, 500)
                    }
                };
                let message = match fault.shape {
                    Shape::Filter => format!("Param check invalid:{}", fault.text),
                    Shape::Plain | Shape::Caused | Shape::Framework | Shape::Error { .. } => {
                        fault.text.to_string()
                    }
                };
                Rendered::Grpc(payload(
                    kind,
                    to_json(&Head {
                        result_code,
                        error_code: fault.code,
                        message: Some(&message),
                        request_id: request_id.as_deref(),
                        own: Nothing {},
                        success: false,
                    }),
                ))
            }
        }
    }
}

/// What comes before the data of an answer that is wrapped.
fn envelope_head(code: u32, message: &str) -> String {
    format!("{{\"code\":{code},\"message\":\"{message}\",\"data\":")
}

fn in_envelope(response: http::Response<Bytes>) -> http::Response<Bytes> {
    let (mut parts, body) = response.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(JSON.as_bytes()));
    let text = || to_json(&String::from_utf8_lossy(&body));
    let (head, data) = if parts.status.is_success() {
        (envelope_head(0, "success"), if is_json { body.clone() } else { text() })
    } else {
        let (code, message) = ErrorCode::of(parts.status).told();
        (envelope_head(code, message), text())
    };
    if !is_json {
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    http::Response::from_parts(parts, spliced(&head, &data, "}"))
}

fn result_fault(fault: &Fault, form: bool) -> http::Response<Bytes> {
    let (error, status, data) = match &fault.missing {
        Some((name, kind)) => {
            let data = if form {
                format!("Required parameter '{name}' type {kind} is not present")
            } else {
                format!(
                    "Required request parameter '{name}' for method parameter type {kind} is not present"
                )
            };
            (ErrorCode::ParameterMissing, StatusCode::BAD_REQUEST, data)
        }
        None => {
            let error = fault.error.unwrap_or_else(|| ErrorCode::of(fault.status));
            (error, fault.status, fault.text.clone().into_owned())
        }
    };
    let (code, message) = error.told();
    let data = if data.is_empty() { Bytes::from_static(b"null") } else { to_json(&data) };
    http(status, Some(JSON), spliced(&envelope_head(code, message), &data, "}"))
}

fn http_fault(fault: &Fault, path: &str, config: bool, unix_ms: u64) -> http::Response<Bytes> {
    match fault.shape {
        Shape::Filter => {
            http(fault.status, config.then_some(JSON_UTF8), fault.text.clone().into_owned())
        }
        Shape::Plain | Shape::Error { .. } => {
            http(fault.status, Some(TEXT), fault.text.clone().into_owned())
        }
        Shape::Caused => http(fault.status, Some(TEXT), format!("caused: {};", fault.text)),
        Shape::Framework => {
            #[derive(Serialize)]
            struct Body<'a> {
                timestamp: String,
                status: u16,
                error: &'a str,
                message: &'a str,
                path: &'a str,
            }
            let body = Body {
                timestamp: dates::iso(unix_ms),
                status: fault.status.as_u16(),
                error: fault.status.canonical_reason().unwrap_or("Error"),
                message: &fault.text,
                path,
            };
            http(fault.status, Some(if config { JSON_UTF8 } else { JSON }), to_json(&body))
        }
    }
}
