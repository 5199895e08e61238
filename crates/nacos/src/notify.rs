//! Config change notifications over gRPC: one slot per key and form in which the client named it.
//!
//! A notification carries no content: the client asks again. So a lost one is repeated, and two changes before the
//! client confirmed the first one are told once more, not twice.

use crate::{Payload, reply};
use base::{Duration, Instant, Now};
use config::ConfigKey;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// How long a notification may stay unconfirmed.
pub(crate) const NOTIFY_ACK_TIMEOUT: Duration = Duration::from_secs(3);
/// Added per try before it is sent again.
pub(crate) const NOTIFY_RETRY_DELAY: Duration = Duration::from_secs(2);
/// After that many the client has its answer from its own comparison, which SDKs repeat every few minutes: the Go SDK
/// confirms no notification of a key that it has forgotten.
pub(crate) const NOTIFY_TRIES_MAX: u32 = 5;
/// Keys that one connection may listen to.
pub(crate) const LISTENED_KEYS_MAX: usize = 10_000;

/// Everything that a connection listens to: by key, then by the tenant as the client wrote it (blank is absent).
#[derive(Debug, Default)]
pub(crate) struct Listening {
    keys: BTreeMap<ConfigKey, BTreeMap<Arc<str>, Slot>>,
}

#[derive(Debug, Default)]
struct Slot {
    /// There is something to tell.
    dirty: bool,
    /// Told, not confirmed.
    sent: Option<(u64, Instant)>,
    /// Sent how often since it was last confirmed.
    tries: u32,
    /// Nothing is sent before this.
    not_before: Option<Instant>,
}

impl Listening {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn contains(&self, key: &ConfigKey) -> bool {
        self.keys.contains_key(key)
    }

    pub(crate) fn add(&mut self, key: ConfigKey, tenant: Arc<str>) {
        self.keys.entry(key).or_default().entry(tenant).or_default();
    }

    /// Forgets a form of a key; true when the key was known and no form of it is left.
    pub(crate) fn remove(&mut self, key: &ConfigKey, tenant: &str) -> bool {
        let Some(forms) = self.keys.get_mut(key) else { return false };
        forms.remove(tenant);
        let gone = forms.is_empty();
        if gone {
            self.keys.remove(key);
        }
        gone
    }

    /// The key changed. Of a key that is not listened to (any more): nothing.
    pub(crate) fn changed(&mut self, key: &ConfigKey) {
        for slot in self.keys.get_mut(key).into_iter().flat_map(BTreeMap::values_mut) {
            slot.dirty = true;
            slot.tries = 0;
        }
    }

    pub(crate) fn acknowledge(&mut self, request: u64) {
        for slot in self.keys.values_mut().flat_map(BTreeMap::values_mut) {
            if slot.sent.is_some_and(|(id, _)| id == request) {
                *slot = Slot { dirty: slot.dirty, ..Slot::default() };
                return;
            }
        }
    }

    /// A new stream: what was in flight on the old one counts as lost.
    pub(crate) fn restart(&mut self) {
        for slot in self.keys.values_mut().flat_map(BTreeMap::values_mut) {
            let dirty = slot.dirty || slot.sent.is_some();
            *slot = Slot { dirty, ..Slot::default() };
        }
    }

    /// What is to be sent now.
    pub(crate) fn send(&mut self, now: Now, mut next_request: impl FnMut() -> u64) -> Vec<Payload> {
        let mut payloads = Vec::new();
        for (key, forms) in &mut self.keys {
            for (tenant, slot) in forms {
                slot.give_up(now.instant);
                let early = slot.not_before.is_some_and(|moment| moment > now.instant);
                if !slot.dirty || slot.sent.is_some() || early {
                    continue;
                }
                let request = next_request();
                slot.dirty = false;
                slot.tries += 1;
                slot.not_before = None;
                slot.sent = Some((request, now.instant.after(NOTIFY_ACK_TIMEOUT)));
                payloads.push(notification(key, tenant, request));
            }
        }
        payloads
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.keys.values().flat_map(BTreeMap::values).filter_map(Slot::deadline).min()
    }
}

impl Slot {
    fn give_up(&mut self, now: Instant) {
        if self.sent.take_if(|(_, due)| *due <= now).is_some() && self.tries < NOTIFY_TRIES_MAX {
            self.dirty = true;
            self.not_before = Some(now.after(NOTIFY_RETRY_DELAY * self.tries));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.sent {
            Some((_, due)) => Some(due),
            None => self.not_before.filter(|_| self.dirty),
        }
    }
}

fn notification(key: &ConfigKey, tenant: &str, request: u64) -> Payload {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Notification<'a> {
        headers: reply::Nothing,
        request_id: String,
        data_id: &'a str,
        group: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        tenant: &'a str,
        module: &'static str,
    }
    reply::payload(
        "ConfigChangeNotifyRequest",
        reply::to_json(&Notification {
            headers: reply::Nothing {},
            request_id: request.to_string(),
            data_id: &key.data_id,
            group: &key.group,
            tenant,
            module: "config",
        }),
    )
}
