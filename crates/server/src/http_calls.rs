//! Plain HTTP calls: the whole body in, the whole answer (or a stream of events) out.

use crate::{
    body::{Body, Stream},
    connection::Door,
    intake::Broken,
    limits::Limits,
    metrics,
};
use base::Limit;
use bytes::Bytes;
use host::{Arrival, Sending, StreamId};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::sync::Arc;

/// What may stand around a config in a body to our own API.
const CONFIG_MARGIN_BYTES: usize = 1 << 20;

/// Every answer says what the views of this node are worth, whoever gave it.
pub(crate) async fn serve(door: Arc<Door>, request: Request<Incoming>) -> Response<Body> {
    let mut response = answer(&door, request).await;
    door.host.stamp(door.clock.now(), response.headers_mut());
    response
}

async fn answer(door: &Arc<Door>, request: Request<Incoming>) -> Response<Body> {
    let head_bytes_max = door.limits.header_bytes_max as usize;
    if head_bytes(&request) > head_bytes_max {
        door.host.tally.reject(Limit::HeaderSize);
        return too_much_head(head_bytes_max);
    }
    if metrics::serves(request.uri().path()) {
        return metrics::serve(door, &request);
    }
    let (head, body) = request.into_parts();
    let (bytes_max, limit) = body_limit(&door.limits, head.uri.path());
    let body = match door.intake(body).whole(bytes_max).await {
        Ok(body) => body,
        Err((broken, rest)) => {
            if broken == Broken::TooLarge {
                rest.reject(limit, broken);
            }
            // To a client that waits for our leave, reading on would be the leave.
            if !head.headers.contains_key(header::EXPECT) {
                rest.linger();
            }
            return refuse(broken, bytes_max);
        }
    };
    let request = Request::from_parts(head, body);
    match door.call(|call| Arrival::Http { call, request }).await {
        Some(Sending::Http { response, .. }) => response.map(|bytes| Body::Whole(Some(bytes))),
        Some(Sending::Events { call, response }) => response.map(|()| {
            Body::Stream(Stream {
                host: door.host.clone(),
                clock: door.clock,
                connection: door.connection,
                id: StreamId::Events(call),
                trailers: None,
                turn: None,
                over: None,
            })
        }),
        Some(Sending::Unary { .. } | Sending::Close) | None => {
            text(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping".to_owned())
        }
    }
}

/// How long a body may be, and what it is counted as when it is longer. Bodies to our own API may carry a config with
/// some words around it: the plane's answer names its limit.
fn body_limit(limits: &Limits, path: &str) -> (usize, Limit) {
    if !nacos::serves(path) {
        return (limits.config_body_bytes_max + CONFIG_MARGIN_BYTES, Limit::ConfigBody);
    }
    let limit = if nacos::takes_configs(path) { Limit::ConfigBody } else { Limit::RequestBody };
    (limits.of_nacos().of_body(path), limit)
}

/// Over HTTP/1 the protocol's own limit is one of its buffer, which is filled in large steps: a head may be over ours.
fn head_bytes(request: &Request<Incoming>) -> usize {
    let headers = request.headers().iter();
    headers.map(|(name, value)| name.as_str().len() + value.len()).sum()
}

fn too_much_head(bytes_max: usize) -> Response<Body> {
    let message = format!("the header lines are over {bytes_max} bytes: nothing was done");
    let mut response = text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn refuse(broken: Broken, bytes_max: usize) -> Response<Body> {
    let (status, message) = match broken {
        Broken::TooLarge => {
            let message = format!("the body is over {bytes_max} bytes: nothing was done");
            (StatusCode::PAYLOAD_TOO_LARGE, message)
        }
        Broken::TooSlow => {
            let message = "the body came too slowly: nothing was done; send it again";
            (StatusCode::REQUEST_TIMEOUT, message.to_owned())
        }
        Broken::Crowded => {
            let message = "too many bodies at once: nothing was done; try again in a moment";
            (StatusCode::SERVICE_UNAVAILABLE, message.to_owned())
        }
        Broken::Off => (StatusCode::BAD_REQUEST, "the body broke off".to_owned()),
    };
    // The rest of the body is not read, so nothing can follow on this connection.
    let mut response = text(status, message);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn text(status: StatusCode, message: String) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Some(Bytes::from(message))));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain;charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
