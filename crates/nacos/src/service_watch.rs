//! Fuzzy watches: which services there are, told to a connection by patterns of their names.
//!
//! Per pattern we know which names the client was told. The plane says that a service came or went, the views say whether
//! it is there: what differs from what was told is sent. So two changes of a service before it is sent are one or none.
//! What is not confirmed is sent again; after some tries the client has its answer from its own comparison, which it sends
//! every few minutes with all the names that it knows.

use crate::{Payload, Views, reply};
use base::{Duration, Instant, Now};
use naming::{Pattern, ServiceKey};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// Names that one pattern may take, as in Nacos. Of more the first in order are told, and the client hears that there
/// are more.
pub(crate) const MATCHES_MAX: usize = 500;
/// Names that a client may say it has; more are not compared.
pub(crate) const RECEIVED_NAMES_MAX: usize = 2 * MATCHES_MAX;
/// Names of one message.
const NAMES_PER_MESSAGE: usize = 100;
/// Services of which a change waits to be told. Of one more the client learns by its own comparison.
const CHANGES_MAX: usize = 1_000;
/// How long a message may stay unconfirmed.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after that it is sent again.
const RESEND_DELAY: Duration = Duration::from_secs(1);
/// How often a message is sent.
const TRIES_MAX: u32 = 5;

/// All that a connection watches. A step costs by what it changes:
///
/// * `ready` = { n | nothing of n in flight ∧ no delay }
/// * `in_flight` = { request → n | n.sent is that request }
/// * `timers` = { (t, n) | n.sent is due at t, or n.not_before = t }
#[derive(Debug, Default)]
pub(crate) struct ServiceWatches {
    patterns: BTreeMap<Arc<str>, Watch>,
    slots: BTreeMap<Notice, Slot>,
    ready: BTreeSet<Notice>,
    in_flight: BTreeMap<u64, Notice>,
    timers: BTreeSet<(Instant, Notice)>,
}

/// Of what one message at a time is on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Notice {
    /// The names that a pattern takes, by the pattern as the client wrote it.
    Names(Arc<str>),
    /// A service that came or went.
    Change(ServiceKey),
}

#[derive(Debug)]
struct Watch {
    pattern: Pattern,
    /// Its names were compared with what the client has. Before that, changes are not told.
    compared: bool,
    /// What the client was told, or is being told.
    told: BTreeSet<ServiceKey>,
    /// What is still to be sent of a comparison.
    messages: VecDeque<Names>,
}

/// A message with names.
#[derive(Clone, Debug)]
struct Names {
    kind: &'static str,
    keys: Vec<ServiceKey>,
    number: usize,
    of: usize,
}

#[derive(Debug, Default)]
struct Slot {
    sent: Option<(u64, Instant)>,
    tries: u32,
    not_before: Option<Instant>,
    /// It changed since it was sent.
    again: bool,
    /// What was sent last was not confirmed: the client may have it or not.
    unsure: bool,
}

impl ServiceWatches {
    /// True when it is new.
    pub(crate) fn add(&mut self, text: &Arc<str>, pattern: &Pattern) -> bool {
        if self.patterns.contains_key(text) {
            return false;
        }
        let watch = Watch {
            pattern: pattern.clone(),
            compared: false,
            told: BTreeSet::new(),
            messages: VecDeque::new(),
        };
        self.patterns.insert(text.clone(), watch);
        true
    }

    /// True when the pattern is watched under no other text.
    pub(crate) fn remove(&mut self, text: &Arc<str>, pattern: &Pattern) -> bool {
        self.patterns.remove(text);
        self.drop_slot(&Notice::Names(text.clone()));
        self.patterns.values().all(|other| other.pattern != *pattern)
    }

    /// Tells what differs between `names`, which are there, and what the client has: nothing when it begins
    /// (`initializing`), else what it received. Removals go as changes: the Java client takes every name of a comparison
    /// for one that is there.
    pub(crate) fn compare(
        &mut self,
        text: &Arc<str>,
        names: Vec<ServiceKey>,
        received: Option<BTreeSet<ServiceKey>>,
    ) {
        let Some(watch) = self.patterns.get_mut(text) else { return };
        watch.compared = true;
        let initializing = received.is_none();
        let received = received.unwrap_or_default();
        let kind =
            if initializing { "FUZZY_WATCH_INIT_NOTIFY" } else { "FUZZY_WATCH_DIFF_SYNC_NOTIFY" };
        let added: Vec<ServiceKey> =
            names.iter().filter(|name| !received.contains(*name)).cloned().collect();
        let of = added.chunks(NAMES_PER_MESSAGE).len();
        let messages = added.chunks(NAMES_PER_MESSAGE).zip(1..);
        watch.messages = messages
            .map(|(keys, number)| Names { kind, keys: keys.to_vec(), number, of })
            .collect();
        if initializing {
            let kind = "FINISH_FUZZY_WATCH_INIT_NOTIFY";
            watch.messages.push_back(Names { kind, keys: Vec::new(), number: 0, of: 0 });
        }
        let names: BTreeSet<ServiceKey> = names.into_iter().collect();
        let removed: Vec<ServiceKey> = received.difference(&names).cloned().collect();
        watch.told = names.into_iter().chain(received).collect();
        let waits = !watch.messages.is_empty();
        let notice = Notice::Names(text.clone());
        self.drop_slot(&notice);
        if waits {
            self.slots.insert(notice.clone(), Slot::default());
            self.ready.insert(notice);
        }
        for service in removed {
            self.changed(&service);
        }
    }

    /// This service came or went.
    pub(crate) fn changed(&mut self, service: &ServiceKey) {
        let told = |watch: &Watch| {
            let has = watch.told.contains(service);
            has || watch.pattern.takes(service) && watch.told.len() < MATCHES_MAX
        };
        if !self.patterns.values().any(|watch| watch.compared && told(watch)) {
            return;
        }
        let notice = Notice::Change(service.clone());
        if !self.slots.contains_key(&notice) && self.slots.len() >= CHANGES_MAX {
            return;
        }
        let slot = self.slots.entry(notice.clone()).or_default();
        (slot.again, slot.tries) = (true, 0);
        if slot.sent.is_none() && slot.not_before.is_none() {
            self.ready.insert(notice);
        }
    }

    /// The client confirmed this request.
    pub(crate) fn acknowledge(&mut self, request: u64) {
        let Some(notice) = self.in_flight.get(&request).cloned() else { return };
        let Some(slot) = self.drop_slot(&notice) else { return };
        let more = match &notice {
            Notice::Names(text) => self.patterns.get_mut(text).is_some_and(|watch| {
                watch.messages.pop_front();
                !watch.messages.is_empty()
            }),
            Notice::Change(_) => slot.again,
        };
        if more {
            self.slots.insert(notice.clone(), Slot { again: slot.again, ..Slot::default() });
            self.ready.insert(notice);
        }
    }

    /// A new stream: what was in flight on the old one counts as lost.
    pub(crate) fn restart(&mut self) {
        self.in_flight.clear();
        self.timers.clear();
        for (notice, slot) in &mut self.slots {
            (slot.sent, slot.not_before) = (None, None);
            self.ready.insert(notice.clone());
        }
    }

    /// What is to be sent now.
    pub(crate) fn send(
        &mut self,
        now: Now,
        views: &dyn Views,
        mut next_request: impl FnMut() -> u64,
    ) -> Vec<Payload> {
        while let Some((moment, notice)) =
            self.timers.first().filter(|(moment, _)| *moment <= now.instant).cloned()
        {
            self.timers.remove(&(moment, notice.clone()));
            self.expire(now.instant, notice);
        }
        let mut payloads = Vec::new();
        for notice in std::mem::take(&mut self.ready) {
            let mut own = || {
                let request = next_request();
                (request, self.in_flight.insert(request, notice.clone())).0
            };
            let sent = match &notice {
                Notice::Names(text) => {
                    let watch = self.patterns.get(text);
                    let names = watch.and_then(|watch| watch.messages.front());
                    names.map(|names| {
                        let request = own();
                        (request, names_payload(text, names, request))
                    })
                }
                Notice::Change(service) => {
                    let there = views.service(service).is_some();
                    let unsure = self.slots.get(&notice).is_some_and(|slot| slot.unsure);
                    let news = tell(&mut self.patterns, service, there);
                    (news || unsure).then(|| {
                        let request = own();
                        (request, change_payload(service, there, request))
                    })
                }
            };
            let Some((request, payload)) = sent else {
                self.drop_slot(&notice);
                continue;
            };
            payloads.push(payload);
            let due = now.instant.after(ACK_TIMEOUT);
            let slot = self.slots.get_mut(&notice).expect("what is ready has a slot");
            (slot.sent, slot.again, slot.unsure) = (Some((request, due)), false, true);
            slot.tries += 1;
            self.timers.insert((due, notice));
        }
        payloads
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(moment, _)| *moment)
    }

    /// What is not confirmed is sent again after a delay, until it was tried often enough; a delay ends.
    fn expire(&mut self, now: Instant, notice: Notice) {
        let slot = self.slots.get_mut(&notice).expect("timers belong to slots");
        let Some((request, _)) = slot.sent.take() else {
            slot.not_before = None;
            self.ready.insert(notice);
            return;
        };
        self.in_flight.remove(&request);
        if slot.tries < TRIES_MAX {
            let again = now.after(RESEND_DELAY);
            slot.not_before = Some(again);
            self.timers.insert((again, notice));
            return;
        }
        if let Notice::Names(text) = &notice
            && let Some(watch) = self.patterns.get_mut(text)
        {
            watch.messages.clear();
        }
        self.slots.remove(&notice);
    }

    fn drop_slot(&mut self, notice: &Notice) -> Option<Slot> {
        self.ready.remove(notice);
        let slot = self.slots.remove(notice)?;
        if let Some((request, due)) = slot.sent {
            self.in_flight.remove(&request);
            self.timers.remove(&(due, notice.clone()));
        }
        if let Some(moment) = slot.not_before {
            self.timers.remove(&(moment, notice.clone()));
        }
        Some(slot)
    }
}

/// Takes note that the client is told; false when no pattern makes that news. One message counts for all patterns: the
/// client looks itself which of them take the name.
fn tell(patterns: &mut BTreeMap<Arc<str>, Watch>, service: &ServiceKey, there: bool) -> bool {
    let mut news = false;
    for watch in patterns.values_mut().filter(|watch| watch.compared) {
        news |= if !there {
            watch.told.remove(service)
        } else if watch.pattern.takes(service) && watch.told.len() < MATCHES_MAX {
            watch.told.insert(service.clone())
        } else {
            false
        };
    }
    news
}

/// `namespace@@group@@name`.
pub(crate) fn key_text(service: &ServiceKey) -> String {
    format!("{}@@{}", service.namespace, service.grouped_name())
}

/// What `key_text` wrote; `None` of anything else.
pub(crate) fn read_key(text: &str) -> Option<ServiceKey> {
    let (namespace, rest) = text.split_once("@@")?;
    let (group, name) = rest.split_once("@@")?;
    Some(ServiceKey { namespace: namespace.into(), group: group.into(), name: name.into() })
}

fn names_payload(pattern: &str, names: &Names, request: u64) -> Payload {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Sync<'a> {
        headers: reply::Nothing,
        request_id: String,
        sync_type: &'static str,
        group_key_pattern: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        contexts: Vec<Context>,
        total_batch: usize,
        current_batch: usize,
        module: &'static str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Context {
        service_key: String,
        changed_type: &'static str,
    }
    let context = |service| Context { service_key: key_text(service), changed_type: ADDED };
    let json = reply::to_json(&Sync {
        headers: reply::Nothing {},
        request_id: request.to_string(),
        sync_type: names.kind,
        group_key_pattern: pattern,
        contexts: names.keys.iter().map(context).collect(),
        total_batch: names.of,
        current_batch: names.number,
        module: "naming",
    });
    reply::payload("NamingFuzzyWatchSyncRequest", json)
}

const ADDED: &str = "ADD_SERVICE";

fn change_payload(service: &ServiceKey, there: bool, request: u64) -> Payload {
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
        service_key: key_text(service),
        changed_type: if there { ADDED } else { "DELETE_SERVICE" },
        module: "naming",
    });
    reply::payload("NamingFuzzyWatchChangeNotifyRequest", json)
}
