//! The fuzzy watch of configs: a client is told which configs there are whose names a pattern takes, and which come and go.
//!
//! What is told is a difference: between the names that exist and those that the client is known to hold (it confirmed
//! them, or said so when it began). So a lost message is repeated, a name that comes and goes before it is told is not
//! told at all, and a client that comes back with what it received hears only what it missed.
//!
//! New names go in batches, as Nacos sends them. Each name that is gone goes alone: the official client drops it only
//! then, its batches know additions alone.

use crate::{Payload, reply};
use base::{Duration, Instant, Now};
use config::{ConfigKey, Pattern};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Names that one pattern may take, as in Nacos. Those beyond it are not told, and the answer to the watch says so.
pub(crate) const WATCHED_NAMES_MAX: usize = 500;
/// Names in one message.
pub(crate) const BATCH_NAMES: usize = 20;
/// Messages of one pattern that are not confirmed yet.
pub(crate) const MESSAGES_MAX: usize = 20;
/// How long one may stay unconfirmed.
pub(crate) const WATCH_ACK_TIMEOUT: Duration = Duration::from_secs(3);
/// After that many tries the client has its answer from its next watch, which SDKs repeat every few minutes.
pub(crate) const WATCH_TRIES_MAX: u32 = 5;

/// All patterns that a connection watches, by the text in which it wrote them.
#[derive(Debug, Default)]
pub(crate) struct WatchedConfigs {
    watches: BTreeMap<Arc<str>, Watch>,
}

#[derive(Debug)]
struct Watch {
    pattern: Pattern,
    /// There are; at most `WATCHED_NAMES_MAX`.
    exist: BTreeSet<ConfigKey>,
    /// The client holds.
    held: BTreeSet<ConfigKey>,
    /// What of both differs and is not on its way.
    differ: BTreeSet<ConfigKey>,
    /// The client has not been told that it was told everything.
    initial: bool,
    sent: BTreeMap<u64, Sent>,
    /// Batches that were sent since the client began, for its log.
    batches: usize,
    /// Tries without any confirmation.
    tries: u32,
}

#[derive(Debug)]
struct Sent {
    due: Instant,
    /// Each with whether it was told to exist; none at the end of the beginning.
    names: Vec<(ConfigKey, bool)>,
}

impl WatchedConfigs {
    /// Begins, or begins again with what the client says it holds. `found` is what there is; true if that is too much.
    pub(crate) fn watch(
        &mut self,
        text: Arc<str>,
        pattern: Pattern,
        found: &[ConfigKey],
        held: BTreeSet<ConfigKey>,
        initial: bool,
    ) -> bool {
        let exist: BTreeSet<ConfigKey> = found.iter().take(WATCHED_NAMES_MAX).cloned().collect();
        let too_many = found.len() > WATCHED_NAMES_MAX;
        // What is beyond the limit may exist all the same: a client that holds it is not told that it is gone.
        let gone = held.difference(&exist).filter(|_| !too_many);
        let differ = exist.difference(&held).chain(gone).cloned().collect();
        let (sent, batches, tries) = (BTreeMap::new(), 0, 0);
        let watch = Watch { pattern, exist, held, differ, initial, sent, batches, tries };
        self.watches.insert(text, watch);
        too_many
    }

    pub(crate) fn cancel(&mut self, text: &str) -> Option<Pattern> {
        self.watches.remove(text).map(|watch| watch.pattern)
    }

    /// Whether a pattern is watched in another way of writing it.
    pub(crate) fn watches(&self, pattern: &Pattern) -> bool {
        self.watches.values().any(|watch| watch.pattern == *pattern)
    }

    /// A config came or went.
    pub(crate) fn changed(&mut self, key: &ConfigKey, exists: bool) {
        for watch in self.watches.values_mut().filter(|watch| watch.pattern.takes(key)) {
            watch.changed(key, exists);
        }
    }

    pub(crate) fn acknowledge(&mut self, request: u64) {
        for watch in self.watches.values_mut() {
            let Some(sent) = watch.sent.remove(&request) else { continue };
            watch.tries = 0;
            if sent.names.is_empty() {
                watch.initial = false;
            }
            for (key, told) in sent.names {
                if told {
                    watch.held.insert(key.clone())
                } else {
                    watch.held.remove(&key)
                };
                watch.compare(&key);
            }
        }
    }

    /// A new stream: what was on its way on the old one counts as lost.
    pub(crate) fn restart(&mut self) {
        for watch in self.watches.values_mut() {
            watch.tries = 0;
            watch.take_back(|_| true);
        }
    }

    /// What is to be sent now.
    pub(crate) fn send(&mut self, now: Now, mut next_request: impl FnMut() -> u64) -> Vec<Payload> {
        let mut payloads = Vec::new();
        for (text, watch) in &mut self.watches {
            if watch.take_back(|sent| sent.due <= now.instant) {
                watch.tries += 1;
            }
            while let Some((request, (names, payload))) = watch.next(text, &mut next_request) {
                let due = now.instant.after(WATCH_ACK_TIMEOUT * (watch.tries + 1));
                watch.sent.insert(request, Sent { due, names });
                payloads.push(payload);
            }
        }
        payloads
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.watches.values().flat_map(|watch| watch.sent.values()).map(|sent| sent.due).min()
    }
}

/// What it tells, and how.
type Message = (Vec<(ConfigKey, bool)>, Payload);

impl Watch {
    fn changed(&mut self, key: &ConfigKey, exists: bool) {
        self.tries = 0;
        if !exists {
            self.exist.remove(key);
        } else if self.exist.len() < WATCHED_NAMES_MAX || self.held.contains(key) {
            self.exist.insert(key.clone());
        }
        self.compare(key);
    }

    /// Keeps `differ` true for one name.
    fn compare(&mut self, key: &ConfigKey) {
        let on_its_way = self.sent.values().any(|sent| sent.names.iter().any(|(k, _)| k == key));
        if !on_its_way && self.exist.contains(key) != self.held.contains(key) {
            self.differ.insert(key.clone());
        } else {
            self.differ.remove(key);
        }
    }

    /// Messages that are lost: what they told is to be told again. True if there were any.
    fn take_back(&mut self, lost: impl Fn(&Sent) -> bool) -> bool {
        let requests = self.sent.iter().filter(|(_, sent)| lost(sent)).map(|(request, _)| *request);
        let requests: Vec<u64> = requests.collect();
        for request in &requests {
            let names = self.sent.remove(request).map(|sent| sent.names).unwrap_or_default();
            for (key, _) in &names {
                self.compare(key);
            }
        }
        !requests.is_empty()
    }

    /// The next message if one may be sent.
    fn next(
        &mut self,
        text: &str,
        mut next_request: impl FnMut() -> u64,
    ) -> Option<(u64, Message)> {
        if self.sent.len() >= MESSAGES_MAX || self.tries >= WATCH_TRIES_MAX {
            return None;
        }
        if let Some(gone) = self.differ.iter().find(|key| !self.exist.contains(key)).cloned() {
            self.differ.remove(&gone);
            let request = next_request();
            let payload = change(&gone, false, request);
            return Some((request, (vec![(gone, false)], payload)));
        }
        let new: Vec<ConfigKey> = self.differ.iter().take(BATCH_NAMES).cloned().collect();
        match &new[..] {
            [] if self.initial && self.sent.is_empty() => {
                let request = next_request();
                let finish = sync(text, "FINISH_FUZZY_WATCH_INIT_NOTIFY", None, (0, 0), request);
                Some((request, (Vec::new(), finish)))
            }
            [] => None,
            [one] if !self.initial => {
                self.differ.remove(one);
                let request = next_request();
                let payload = change(one, true, request);
                Some((request, (vec![(one.clone(), true)], payload)))
            }
            batch => {
                self.batches += 1;
                let total = self.batches - 1 + self.differ.len().div_ceil(BATCH_NAMES);
                let kind = if self.initial {
                    "FUZZY_WATCH_INIT_NOTIFY"
                } else {
                    "FUZZY_WATCH_DIFF_SYNC_NOTIFY"
                };
                let request = next_request();
                let payload = sync(text, kind, Some(batch), (total, self.batches), request);
                for key in batch {
                    self.differ.remove(key);
                }
                let names = new.into_iter().map(|key| (key, true)).collect();
                Some((request, (names, payload)))
            }
        }
    }
}

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
        namespace: crate::form::canonical(tenant.as_deref()),
        group: plain(group).into(),
        data_id: plain(data_id).into(),
    })
}

fn changed_type(exists: bool) -> &'static str {
    if exists { "ADD_CONFIG" } else { "DELETE_CONFIG" }
}

fn change(key: &ConfigKey, exists: bool, request: u64) -> Payload {
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
    reply::payload(
        "ConfigFuzzyWatchChangeNotifyRequest",
        reply::to_json(&Change {
            headers: reply::Nothing {},
            request_id: request.to_string(),
            group_key: group_key(key),
            change_type: changed_type(exists),
            sync_type: "FUZZY_WATCH_RESOURCE_CHANGED",
            module: "config",
        }),
    )
}

/// New names, or the end of them.
fn sync(
    pattern: &str,
    sync_type: &'static str,
    names: Option<&[ConfigKey]>,
    (total_batch, current_batch): (usize, usize),
    request: u64,
) -> Payload {
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
    let name = |key| Name { group_key: group_key(key), changed_type: changed_type(true) };
    reply::payload(
        "ConfigFuzzyWatchSyncRequest",
        reply::to_json(&Sync {
            headers: reply::Nothing {},
            request_id: request.to_string(),
            group_key_pattern: pattern,
            contexts: names.map(|names| names.iter().map(name).collect()),
            sync_type,
            total_batch,
            current_batch,
            module: "config",
        }),
    )
}
