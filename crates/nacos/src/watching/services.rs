//! What a client that watches services is told, as of 3.0.3.

use super::{Batch, Watchable};
use crate::{Payload, reply};
use naming::{Pattern, ServiceKey};
use serde::Serialize;

/// A name as clients key it: `namespace@@group@@name`.
fn service_key(service: &ServiceKey) -> String {
    format!("{}@@{}", service.namespace, service.grouped_name())
}

/// Reads what `service_key` writes.
pub(crate) fn read_service_key(text: &str) -> Option<ServiceKey> {
    let (namespace, rest) = text.split_once("@@")?;
    let (group, name) = rest.split_once("@@")?;
    Some(ServiceKey { namespace: namespace.into(), group: group.into(), name: name.into() })
}

const ADDED: &str = "ADD_SERVICE";

impl Watchable for ServiceKey {
    type Pattern = Pattern;
    const BATCH_NAMES: usize = 100;

    fn is_taken(&self, by: &Pattern) -> bool {
        by.takes(self)
    }

    fn change(&self, exists: bool, request: u64) -> Payload {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Change {
            headers: reply::Nothing,
            request_id: String,
            sync_type: &'static str,
            service_key: String,
            changed_type: &'static str,
            module: &'static str,
        }
        let json = reply::to_json(&Change {
            headers: reply::Nothing {},
            request_id: request.to_string(),
            sync_type: "FUZZY_WATCH_RESOURCE_CHANGED",
            service_key: service_key(self),
            changed_type: if exists { ADDED } else { "DELETE_SERVICE" },
            module: "naming",
        });
        reply::payload("NamingFuzzyWatchChangeNotifyRequest", json)
    }

    fn sync(pattern: &str, said: &Batch<'_, Self>, request: u64) -> Payload {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Name {
            service_key: String,
            changed_type: &'static str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Sync<'a> {
            headers: reply::Nothing,
            request_id: String,
            sync_type: &'static str,
            group_key_pattern: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            contexts: Option<Vec<Name>>,
            total_batch: usize,
            current_batch: usize,
            module: &'static str,
        }
        let name = |service| Name { service_key: service_key(service), changed_type: ADDED };
        let json = reply::to_json(&Sync {
            headers: reply::Nothing {},
            request_id: request.to_string(),
            sync_type: said.sync_type,
            group_key_pattern: pattern,
            contexts: said.names.map(|names| names.iter().map(name).collect()),
            total_batch: said.total,
            current_batch: said.number,
            module: "naming",
        });
        reply::payload("NamingFuzzyWatchSyncRequest", json)
    }
}
