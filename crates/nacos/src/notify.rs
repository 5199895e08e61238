//! Config change notifications over gRPC: one slot per key and form in which the client named it.
//!
//! A notification carries no content: the client asks again. So a lost one is repeated, and two changes before the
//! client confirmed the first one are told once more, not twice.

use crate::{Payload, reply};
use base::{Duration, Instant, Now};
use config::ConfigKey;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long a notification may stay unconfirmed.
pub(crate) const NOTIFY_ACK_TIMEOUT: Duration = Duration::from_secs(3);
/// Added per try before it is sent again.
pub(crate) const NOTIFY_RETRY_DELAY: Duration = Duration::from_secs(2);
/// After that many the client has its answer from its own comparison, which SDKs repeat every few minutes: the Go SDK
/// confirms no notification of a key that it has forgotten.
pub(crate) const NOTIFY_TRIES_MAX: u32 = 5;

/// A key, and the tenant as the client wrote it (blank is absent).
type Form = (ConfigKey, Arc<str>);

/// Everything that a connection listens to. A step costs by what it changes, not by how many keys there are:
///
/// * `ready` = { f | f is dirty ∧ nothing in flight ∧ no delay }
/// * `in_flight` = { request → f | f.sent is that request }
/// * `timers` = { (t, f) | f.sent is due at t, or f.not_before = t }
#[derive(Debug, Default)]
pub(crate) struct Listening {
    keys: BTreeMap<ConfigKey, BTreeMap<Arc<str>, Slot>>,
    ready: BTreeSet<Form>,
    in_flight: BTreeMap<u64, Form>,
    timers: BTreeSet<(Instant, Form)>,
    /// Notifications that were not confirmed in time, since this was looked at.
    pub(crate) lost_count: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// There is something to tell.
    dirty: bool,
    /// Told, not confirmed: the request, and when that is too late.
    sent: Option<(u64, Instant)>,
    /// Sent how often since it changed or was confirmed.
    tries: u32,
    /// Nothing is sent before this.
    not_before: Option<Instant>,
}

impl Slot {
    fn is_ready(self) -> bool {
        self.dirty && self.sent.is_none() && self.not_before.is_none()
    }
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
        if let Some((tenant, slot)) = forms.remove_entry(tenant) {
            self.quiet(&(key.clone(), tenant), slot);
        }
        let gone = self.keys.get(key).is_some_and(BTreeMap::is_empty);
        if gone {
            self.keys.remove(key);
        }
        gone
    }

    /// The key changed. Of a key that is not listened to (any more): nothing.
    pub(crate) fn changed(&mut self, key: &ConfigKey) {
        let Some(forms) = self.keys.get_mut(key) else { return };
        for (tenant, slot) in forms {
            slot.dirty = true;
            slot.tries = 0;
            if slot.is_ready() {
                self.ready.insert((key.clone(), tenant.clone()));
            }
        }
    }

    /// How long it took, if this was in flight.
    pub(crate) fn acknowledge(&mut self, now: Instant, request: u64) -> Option<Duration> {
        let form = self.in_flight.get(&request)?.clone();
        let mut due = now;
        self.update(&form, |slot| {
            due = slot.sent.map_or(now, |(_, due)| due);
            *slot = Slot { dirty: slot.dirty, ..Slot::default() };
        });
        Some(NOTIFY_ACK_TIMEOUT.saturating_sub(due.since(now)))
    }

    pub(crate) fn in_flight_len(&self) -> usize {
        self.in_flight.len()
    }

    /// A new stream: what was in flight on the old one counts as lost.
    pub(crate) fn restart(&mut self) {
        let sent: Vec<Form> = self.in_flight.values().cloned().collect();
        let delayed = self.timers.iter().map(|(_, form)| form.clone());
        let forms: BTreeSet<Form> = sent.into_iter().chain(delayed).collect();
        for form in forms {
            self.update(&form, |slot| {
                let dirty = slot.dirty || slot.sent.is_some();
                *slot = Slot { dirty, ..Slot::default() };
            });
        }
    }

    /// What is to be sent now.
    pub(crate) fn send(&mut self, now: Now, mut next_request: impl FnMut() -> u64) -> Vec<Payload> {
        while let Some((_, form)) =
            self.timers.first().filter(|(moment, _)| *moment <= now.instant).cloned()
        {
            let mut lost = false;
            self.update(&form, |slot| {
                lost = slot.sent.is_some();
                slot.expire(now.instant);
            });
            self.lost_count += u32::from(lost);
        }
        let mut payloads = Vec::new();
        for form in self.ready.clone() {
            let request = next_request();
            payloads.push(notification(&form.0, &form.1, request));
            self.update(&form, |slot| {
                slot.dirty = false;
                slot.tries += 1;
                slot.sent = Some((request, now.instant.after(NOTIFY_ACK_TIMEOUT)));
            });
        }
        payloads
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(moment, _)| *moment)
    }

    /// Changes a slot and keeps the three indexes true.
    fn update(&mut self, form: &Form, change: impl FnOnce(&mut Slot)) {
        let slot = self.keys.get_mut(&form.0).and_then(|forms| forms.get_mut(&form.1));
        let mut slot = *slot.expect("every index names forms that are listened to");
        self.quiet(form, slot);
        change(&mut slot);
        if slot.is_ready() {
            self.ready.insert(form.clone());
        }
        if let Some((request, due)) = slot.sent {
            self.in_flight.insert(request, form.clone());
            self.timers.insert((due, form.clone()));
        }
        if let Some(moment) = slot.not_before {
            self.timers.insert((moment, form.clone()));
        }
        self.keys.entry(form.0.clone()).or_default().insert(form.1.clone(), slot);
    }

    /// Takes a form out of the indexes.
    fn quiet(&mut self, form: &Form, slot: Slot) {
        self.ready.remove(form);
        if let Some((request, due)) = slot.sent {
            self.in_flight.remove(&request);
            self.timers.remove(&(due, form.clone()));
        }
        if let Some(moment) = slot.not_before {
            self.timers.remove(&(moment, form.clone()));
        }
    }
}

impl Slot {
    /// Its timer has run out: what is not confirmed is sent again after a delay; a delay ends.
    fn expire(&mut self, now: Instant) {
        self.not_before = None;
        if self.sent.take().is_some() && self.tries < NOTIFY_TRIES_MAX {
            self.dirty = true;
            self.not_before = Some(now.after(NOTIFY_RETRY_DELAY * self.tries));
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
