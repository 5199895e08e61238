//! The first minute of a gRPC connection: check, setup, abilities; and the other requests that only keep it alive.

use crate::{
    Payload, Place,
    fault::Fault,
    grpc, json,
    reply::{self, Door, Nothing, Rendered},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Header and label by which a client says its tag.
pub(crate) const TAG_LABEL: &str = "Vipserver-Tag";

/// What a client says when it opens its stream.
pub(crate) struct Setup {
    pub(crate) agent: Arc<str>,
    pub(crate) application: Arc<str>,
    /// What it believes its address to be; may be empty.
    pub(crate) address: Arc<str>,
    /// For gray versions of configs.
    pub(crate) tag: Option<Arc<str>>,
    /// It sent an ability table and waits for ours. Clients that sent none do not know the answer.
    pub(crate) wants_abilities: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    #[serde(deserialize_with = "json::text")]
    client_version: Option<String>,
    #[serde(deserialize_with = "json::texts")]
    labels: BTreeMap<Arc<str>, Arc<str>>,
    ability_table: Option<serde_json::Value>,
}

impl Setup {
    pub(crate) fn read(payload: &Payload) -> Result<Self, Fault> {
        let body: Body = grpc::read(grpc::body(payload))?;
        let address = payload.metadata.as_ref().map_or("", |metadata| &metadata.client_ip);
        Ok(Self {
            agent: body.client_version.unwrap_or_default().into(),
            application: body.labels.get("AppName").cloned().unwrap_or_default(),
            address: address.trim().into(),
            tag: body.labels.get(TAG_LABEL).filter(|tag| !tag.is_empty()).cloned(),
            wants_abilities: body.ability_table.is_some_and(|table| !table.is_null()),
        })
    }
}

pub(crate) fn server_check(door: &Door, connection: &str) -> Rendered {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Checked<'a> {
        connection_id: &'a str,
        support_ability_negotiation: bool,
    }
    door.ok(Checked { connection_id: connection, support_ability_negotiation: true })
}

/// A request of ours on the stream: what all of them carry, and `own`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<T> {
    headers: Nothing,
    request_id: String,
    #[serde(flatten)]
    own: T,
    module: &'static str,
}

fn internal(kind: &str, request: u64, own: impl Serialize) -> Payload {
    let request_id = request.to_string();
    let module = "internal";
    reply::payload(kind, reply::to_json(&Request { headers: Nothing {}, request_id, own, module }))
}

/// What this server can do of what clients ask about.
pub(crate) fn abilities(request: u64) -> Payload {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Table {
        support_persistent_instance_by_grpc: bool,
        fuzzy_watch: bool,
        lock: bool,
        mcp: bool,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Abilities {
        ability_table: Table,
    }
    let ability_table = Table {
        support_persistent_instance_by_grpc: true,
        fuzzy_watch: true,
        lock: true,
        mcp: false,
    };
    internal("SetupAckRequest", request, Abilities { ability_table })
}

/// "Are you there?"
pub(crate) fn detection(request: u64) -> Payload {
    internal("ClientDetectionRequest", request, Nothing {})
}

/// "Connect to another node", to this one if it is known.
pub(crate) fn reset(request: u64, to: Option<&Place>) -> Payload {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Reset<'a> {
        server_ip: &'a str,
        server_port: String,
    }
    match to {
        Some(Place { host, port }) => {
            let own = Reset { server_ip: host, server_port: port.to_string() };
            internal("ConnectResetRequest", request, own)
        }
        None => internal("ConnectResetRequest", request, Nothing {}),
    }
}
