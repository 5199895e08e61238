//! Plain HTTP calls: the whole body in, the whole answer (or a stream of events) out.

use crate::{
    body::{Body, Stream},
    connection::Door,
};
use bytes::Bytes;
use host::{Arrival, Sending, StreamId};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use std::{sync::Arc, time::Duration};

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn serve(door: Arc<Door>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let bytes_max = body_bytes_max(&head.method, head.uri.path());
    if body.size_hint().lower() > bytes_max as u64 {
        return too_large(bytes_max);
    }
    let body = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, bytes_max).collect())
        .await
    {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return too_large(bytes_max),
        Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, "the body broke off".to_owned()),
        Err(_) => {
            let message = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
            return text(StatusCode::REQUEST_TIMEOUT, message);
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
            })
        }),
        Some(Sending::Unary { .. } | Sending::Close) | None => {
            text(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping".to_owned())
        }
    }
}

fn body_bytes_max(method: &http::Method, path: &str) -> usize {
    if nacos::serves(path) { nacos::body_bytes_max(method, path) } else { console::BODY_BYTES_MAX }
}

fn too_large(bytes_max: usize) -> Response<Body> {
    // The rest of the body is not read, so nothing can follow on this connection.
    let mut response = text(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body is over {bytes_max} bytes: nothing was done"),
    );
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
