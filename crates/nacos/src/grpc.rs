//! Nacos's gRPC types: which ones are served, by which operation, and what answers them.

use crate::{
    Payload,
    config_ops::*,
    fault::{Fault, Shape},
    json::{self, JsonError},
    lock_ops::*,
    naming_ops::*,
    operation::Operation,
    server_ops::*,
};
use http::StatusCode;
use serde::Deserialize;

/// What becomes of a request type.
#[derive(Clone, Copy)]
enum Fate {
    /// Parsed by this function, answered with this type.
    Served(&'static str, fn(&[u8]) -> Result<Operation, Fault>),
    /// Between servers of Nacos; an SDK has no business with it.
    FromServers,
}

use Fate::{FromServers, Served};

/// Every type that has a fate; for all others there is no handler, as in Nacos.
const TYPES: &[(&str, Fate)] = &[
    ("BatchInstanceRequest", Served("BatchInstanceResponse", RegisterBatch::from_grpc)),
    ("ConfigBatchListenRequest", Served("ConfigChangeBatchListenResponse", BatchListen::from_grpc)),
    ("ConfigFuzzyWatchRequest", Served("ConfigFuzzyWatchResponse", WatchConfigs::from_grpc)),
    ("ConfigPublishRequest", Served("ConfigPublishResponse", Publish::from_grpc)),
    ("ConfigQueryRequest", Served("ConfigQueryResponse", QueryConfig::from_grpc)),
    ("ConfigRemoveRequest", Served("ConfigRemoveResponse", RemoveConfig::from_grpc)),
    ("HealthCheckRequest", Served("HealthCheckResponse", HealthCheck::from_grpc)),
    ("InstanceRequest", Served("InstanceResponse", instance_request)),
    ("LockOperationRequest", Served("LockOperationResponse", OperateLock::from_grpc)),
    ("NamingFuzzyWatchRequest", Served("NamingFuzzyWatchResponse", WatchServices::from_grpc)),
    ("PersistentInstanceRequest", Served("InstanceResponse", persistent_request)),
    ("ServiceListRequest", Served("ServiceListResponse", ListServices::from_grpc)),
    ("ServiceQueryRequest", Served("QueryServiceResponse", QueryService::from_grpc)),
    ("SubscribeServiceRequest", Served("SubscribeServiceResponse", Subscribe::from_grpc)),
    ("ConfigChangeClusterSyncRequest", FromServers),
    ("DistroDataRequest", FromServers),
    ("MemberReportRequest", FromServers),
    ("ServerLoaderInfoRequest", FromServers),
    ("ServerReloadRequest", FromServers),
];

/// Every gRPC request type that this edge serves: what a compatibility table is made from.
pub fn grpc_api() -> impl Iterator<Item = &'static str> {
    let served = TYPES.iter().filter(|(_, fate)| matches!(fate, Served(..)));
    served.map(|(name, _)| *name).chain(["ServerCheckRequest", "ConnectionSetupRequest"])
}

/// The fields of every request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default, deserialize_with = "json::text")]
    request_id: Option<String>,
}

/// The type of a payload; empty when it says none.
pub(crate) fn kind(payload: &Payload) -> &str {
    payload.metadata.as_ref().map_or("", |metadata| &metadata.r#type)
}

/// The JSON of a payload; empty when it has none.
pub(crate) fn body(payload: &Payload) -> &[u8] {
    payload.body.as_ref().map_or(&[], |body| &body.value)
}

/// A header of a payload if it is not blank.
pub(crate) fn header<'a>(payload: &'a Payload, name: &str) -> Option<&'a str> {
    let value = payload.metadata.as_ref()?.headers.get(name)?.trim();
    (!value.is_empty()).then_some(value)
}

/// The request id of a payload, if it says one.
///
/// # Errors
/// When its body cannot be read: nothing else of it can, then.
pub(crate) fn request_id(payload: &Payload) -> Result<Option<String>, JsonError> {
    Ok(json::read::<Head>(body(payload))?.request_id)
}

/// A request parsed, with the type of its answer.
pub(crate) struct Parsed {
    pub(crate) response: &'static str,
    pub(crate) operation: Result<Operation, Fault>,
}

/// Finds the operation of a request, whose request id could be read or not.
///
/// # Errors
/// No such type, not for SDKs, or the connection has not been set up: in this order, as Nacos does.
pub(crate) fn route(
    payload: &Payload,
    readable: Result<(), JsonError>,
    registered: bool,
) -> Result<Parsed, Fault> {
    let kind = kind(payload);
    let error =
        |status, code, text: String| Fault::new(Shape::Error { result: 500 }, status, code, text);
    let Some((_, fate)) = TYPES.iter().find(|(name, _)| *name == kind) else {
        let text = "RequestHandler Not Found".to_owned();
        return Err(error(StatusCode::NOT_FOUND, 302, text));
    };
    match fate {
        FromServers => {
            let text = format!(" invoke {kind} from sdk is forbidden");
            Err(error(StatusCode::FORBIDDEN, 502, text))
        }
        Served(..) if !registered => {
            let text = "Connection is unregistered.".to_owned();
            Err(error(StatusCode::FORBIDDEN, 301, text))
        }
        Served(response, parse) => {
            let operation =
                readable.map_err(|e| unreadable(&e)).and_then(|()| parse(body(payload)));
            Ok(Parsed { response, operation })
        }
    }
}

/// Reads the JSON of a request.
pub(crate) fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    json::read(body).map_err(|error| unreadable(&error))
}

/// A body that cannot be read.
pub(crate) fn unreadable(error: &JsonError) -> Fault {
    match error {
        JsonError::TooDeep => Fault::deserialize().at(base::Limit::JsonDepth),
        JsonError::Malformed(_) => Fault::deserialize(),
    }
}

/// `resultCode` of an answer, if it is not a success its `errorCode`: both are written first. 0 for anything else.
#[must_use]
pub fn result_code(payload: &Payload) -> u16 {
    let number = |text: &[u8]| {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).take(4);
        digits.fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
    };
    let Some(rest) = body(payload).strip_prefix(b"{\"resultCode\":") else { return 0 };
    let result = number(rest);
    let field = b",\"errorCode\":";
    let skipped = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match rest[skipped..].strip_prefix(field) {
        Some(rest) if result != 200 => number(rest),
        Some(_) | None => result,
    }
}
