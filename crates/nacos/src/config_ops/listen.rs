//! Listen to configs, or no longer: gRPC `ConfigBatchListenRequest`.
//!
//! The plane registers first and answers what differs, so no change falls between the comparison and the listening.

use super::fields::{refused_by_config_center, request_of_config, resource};
use crate::{
    Answer, Ask, LISTENED_KEYS_MAX,
    fault::Fault,
    grpc, json,
    operation::{Context, Event, Need, Next, Operate, Operation, failed},
};
use access::Action;
use base::{Consistency, Limit};
use config::{ConfigKey, Refusal, Reply, Request};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// The listener number of a connection's gRPC half.
pub(crate) const STREAM_LISTENER: u64 = 0;

#[derive(Debug)]
pub(crate) struct BatchListen {
    listen: bool,
    items: Vec<Item>,
}

/// One context of the request.
#[derive(Debug)]
struct Item {
    key: ConfigKey,
    /// As the client wrote it; `None` when it did not.
    tenant: Option<String>,
    md5: Arc<str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    listen: Option<bool>,
    config_listen_contexts: Option<Vec<Listened>>,
}

request_of_config! {
    struct Listened {
        #[serde(deserialize_with = "json::text")]
        md5: Option<String>,
    }
}

impl BatchListen {
    pub(crate) fn from_grpc(body: &[u8]) -> Result<Operation, Fault> {
        let body: Body = grpc::read(body)?;
        let contexts = body.config_listen_contexts.unwrap_or_default();
        if contexts.len() > LISTENED_KEYS_MAX {
            return Err(too_many(LISTENED_KEYS_MAX));
        }
        let mut items = Vec::with_capacity(contexts.len());
        for mut listened in contexts {
            let config = listened.config();
            config.filter()?;
            let key = config.key_or_fault()?;
            let md5 = listened.md5.unwrap_or_default().into();
            items.push(Item { key, tenant: config.tenant, md5 });
        }
        Ok(Self { listen: body.listen.unwrap_or(true), items }.into())
    }
}

fn too_many(limit: usize) -> Fault {
    refused_by_config_center(&Refusal::TooManyListeners { limit }).at(Limit::Listeners)
}

/// The tenant as it is told to the client: blank and absent are one.
fn form(tenant: &Option<String>) -> Arc<str> {
    tenant.as_deref().unwrap_or_default().trim().into()
}

impl Operate for BatchListen {
    fn need(&self) -> Need {
        if self.items.is_empty() {
            return Need::Ready;
        }
        Need::Right {
            action: Action::Read,
            resources: self.items.iter().map(|item| resource(&item.key)).collect(),
            consistency: Consistency::Linearizable,
        }
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if self.listen {
            let listening = &mut context.client.listening;
            let new: BTreeSet<&ConfigKey> =
                self.items.iter().map(|i| &i.key).filter(|key| !listening.contains(key)).collect();
            let limit = context.facts.limits.listened_keys_max;
            if listening.len() + new.len() > limit {
                return Next::Fault(too_many(limit));
            }
            for item in &self.items {
                listening.add(item.key.clone(), form(&item.tenant));
            }
            if self.items.is_empty() {
                return Next::Reply(self.changed(context, &[]));
            }
            let items = self.items.iter().map(|i| (i.key.clone(), i.md5.clone())).collect();
            let (listener, audience) = (STREAM_LISTENER, context.audience());
            return Next::Ask(Ask::Config(Request::Listen { listener, items, audience }));
        }
        let listening = &mut context.client.listening;
        let keys: Vec<ConfigKey> = self
            .items
            .iter()
            .filter(|item| listening.remove(&item.key, &form(&item.tenant)))
            .map(|item| item.key.clone())
            .collect();
        if keys.is_empty() {
            // To the plane, no keys would mean all of them.
            return Next::Reply(self.changed(context, &[]));
        }
        Next::Ask(Ask::Config(Request::Unlisten { listener: STREAM_LISTENER, keys }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match event {
            Event::Answer(Answer::Config(Reply::Listening(differ))) => {
                Next::Reply(self.changed(context, if self.listen { &differ } else { &[] }))
            }
            event => failed(event),
        }
    }
}

impl BatchListen {
    /// Names what differs in the client's own form: it looks it up by that.
    fn changed(&self, context: &Context<'_>, differ: &[ConfigKey]) -> crate::reply::Rendered {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Changed<'a> {
            changed_configs: Vec<ChangedConfig<'a>>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct ChangedConfig<'a> {
            group: &'a str,
            data_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            tenant: Option<&'a str>,
        }
        let differ: BTreeSet<&ConfigKey> = differ.iter().collect();
        let changed_configs = self
            .items
            .iter()
            .filter(|item| differ.contains(&item.key))
            .map(|item| ChangedConfig {
                group: &item.key.group,
                data_id: &item.key.data_id,
                tenant: item.tenant.as_deref(),
            })
            .collect();
        context.door.ok(Changed { changed_configs })
    }
}
