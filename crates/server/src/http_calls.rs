//! Plain HTTP calls: the whole body in, the whole answer (or a stream of events) out.

use crate::{
    body::{Body, Stream},
    connection::Door,
    intake::Broken,
    metrics,
};
use bytes::Bytes;
use host::{Arrival, Sending, StreamId};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use std::sync::Arc;

pub(crate) async fn serve(door: Arc<Door>, request: Request<Incoming>) -> Response<Body> {
    let head_bytes_max = door.limits.header_bytes_max as usize;
    if head_bytes(&request) > head_bytes_max {
        return too_much_head(head_bytes_max);
    }
    if request.uri().path() == metrics::PATH {
        return metrics::serve(&door, &request);
    }
    let (head, body) = request.into_parts();
    let bytes_max = body_bytes_max(&head.method, head.uri.path());
    let body = match door.intake(body).whole(bytes_max).await {
        Ok(body) => body,
        Err((broken, rest)) => {
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

fn body_bytes_max(method: &http::Method, path: &str) -> usize {
    if nacos::serves(path) { nacos::body_bytes_max(method, path) } else { console::BODY_BYTES_MAX }
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
