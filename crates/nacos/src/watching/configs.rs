//! What a client that watches configs is told, as of 3.0.3.

use super::{Batch, Watchable};
use crate::{Payload, form, reply};
use config::{ConfigKey, Pattern};
use serde::Serialize;

/// A name as clients key it: `dataId+group+tenant`.
pub(crate) fn group_key(key: &ConfigKey) -> String {
    let escaped = |text: &str| text.replace('%', "%25").replace('+', "%2B");
    format!("{}+{}+{}", escaped(&key.data_id), escaped(&key.group), escaped(&key.namespace))
}

/// Reads what `group_key` writes.
pub(crate) fn read_group_key(text: &str) -> Option<ConfigKey> {
    let plain = |text: &str| text.replace("%2B", "+").replace("%25", "%");
    let parts: Vec<&str> = text.split('+').collect();
    let (data_id, group, tenant) = match parts[..] {
        [data_id, group] => (data_id, group, None),
        [data_id, group, tenant] => (data_id, group, Some(plain(tenant))),
        _ => return None,
    };
    Some(ConfigKey {
        namespace: form::canonical(tenant.as_deref()),
        group: plain(group).into(),
        data_id: plain(data_id).into(),
    })
}

const ADDED: &str = "ADD_CONFIG";

impl Watchable for ConfigKey {
    type Pattern = Pattern;
    const BATCH_NAMES: usize = 20;

    fn is_taken(&self, by: &Pattern) -> bool {
        by.takes(self)
    }

    fn change(&self, exists: bool, request: u64) -> Payload {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Change {
            headers: reply::Nothing,
            request_id: String,
            group_key: String,
            change_type: &'static str,
            sync_type: &'static str,
            module: &'static str,
        }
        let json = reply::to_json(&Change {
            headers: reply::Nothing {},
            request_id: request.to_string(),
            group_key: group_key(self),
            change_type: if exists { ADDED } else { "DELETE_CONFIG" },
            sync_type: "FUZZY_WATCH_RESOURCE_CHANGED",
            module: "config",
        });
        reply::payload("ConfigFuzzyWatchChangeNotifyRequest", json)
    }

    fn sync(pattern: &str, said: &Batch<'_, Self>, request: u64) -> Payload {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Name {
            group_key: String,
            changed_type: &'static str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Sync<'a> {
            headers: reply::Nothing,
            request_id: String,
            group_key_pattern: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            contexts: Option<Vec<Name>>,
            sync_type: &'static str,
            total_batch: usize,
            current_batch: usize,
            module: &'static str,
        }
        let name = |key| Name { group_key: group_key(key), changed_type: ADDED };
        let json = reply::to_json(&Sync {
            headers: reply::Nothing {},
            request_id: request.to_string(),
            group_key_pattern: pattern,
            contexts: said.names.map(|names| names.iter().map(name).collect()),
            sync_type: said.sync_type,
            total_batch: said.total,
            current_batch: said.number,
            module: "config",
        });
        reply::payload("ConfigFuzzyWatchSyncRequest", json)
    }
}
