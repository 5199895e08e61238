//! Fuzzy watches: a client is told which configs, or which services, there are whose names a pattern takes, and which come
//! and go.
//!
//! What is told is a difference: between the names that exist and those that the client is known to hold (it confirmed
//! them, or said so when it began). So a lost message is repeated, a name that comes and goes before it is told is not
//! told at all, and a client that comes back with what it received hears only what it missed.
//!
//! New names go in batches, as Nacos sends them. Each name that is gone goes alone: the official client drops it only
//! then, its batches know additions alone.

mod configs;
mod services;

pub(crate) use configs::{group_key, read_group_key};
pub(crate) use services::read_service_key;

use crate::Payload;
use base::{Duration, Instant, Now};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
};

/// Names that one pattern may take, as in Nacos. Those beyond it are not told, and the answer to the watch says so.
pub(crate) const WATCHED_NAMES_MAX: usize = 500;
/// Names that a client may say it holds: twice what it can have been told.
pub(crate) const HELD_NAMES_MAX: usize = 2 * WATCHED_NAMES_MAX;
/// Messages of one pattern that are not confirmed yet.
pub(crate) const MESSAGES_MAX: usize = 20;
/// How long one may stay unconfirmed.
pub(crate) const WATCH_ACK_TIMEOUT: Duration = Duration::from_secs(3);
/// After that many tries the client has its answer from its next watch, which SDKs repeat every few minutes.
pub(crate) const WATCH_TRIES_MAX: u32 = 5;

/// A name of what can be watched.
pub(crate) trait Watchable: Clone + Debug + Ord {
    /// Takes some names.
    type Pattern: Debug + PartialEq;
    /// Names in one message.
    const BATCH_NAMES: usize;
    fn is_taken(&self, by: &Self::Pattern) -> bool;
    /// The message that it came, or that it is gone.
    fn change(&self, exists: bool, request: u64) -> Payload;
    /// The message with these names, or with the end of all names.
    fn sync(pattern: &str, said: &Batch<'_, Self>, request: u64) -> Payload;
}

/// What one message says of the names that a pattern takes.
pub(crate) struct Batch<'a, N> {
    sync_type: &'static str,
    /// `None`: all were told.
    names: Option<&'a [N]>,
    total: usize,
    /// The first is 1.
    number: usize,
}

/// All patterns of one kind that a connection watches, by the text in which it wrote them.
#[derive(Debug)]
pub(crate) struct Watches<N: Watchable> {
    watches: BTreeMap<Arc<str>, Watch<N>>,
}

impl<N: Watchable> Default for Watches<N> {
    fn default() -> Self {
        Self { watches: BTreeMap::new() }
    }
}

#[derive(Debug)]
struct Watch<N: Watchable> {
    pattern: N::Pattern,
    /// There are; at most `WATCHED_NAMES_MAX`.
    exist: BTreeSet<N>,
    /// The client holds.
    held: BTreeSet<N>,
    /// What of both differs and is not on its way.
    differ: BTreeSet<N>,
    /// The client has not been told that it was told everything.
    initial: bool,
    sent: BTreeMap<u64, Sent<N>>,
    /// Batches that were sent since the client began, for its log.
    batches: usize,
    /// Tries without any confirmation.
    tries: u32,
}

#[derive(Debug)]
struct Sent<N> {
    due: Instant,
    /// Each with whether it was told to exist; none at the end of the beginning.
    names: Vec<(N, bool)>,
}

impl<N: Watchable> Watches<N> {
    /// Begins, or begins again with what the client says it holds. `found` is what there is; true if that is too much.
    pub(crate) fn watch(
        &mut self,
        text: Arc<str>,
        pattern: N::Pattern,
        found: &[N],
        held: BTreeSet<N>,
        initial: bool,
    ) -> bool {
        let exist: BTreeSet<N> = found.iter().take(WATCHED_NAMES_MAX).cloned().collect();
        let too_many = found.len() > WATCHED_NAMES_MAX;
        // What is beyond the limit may exist all the same: a client that holds it is not told that it is gone.
        let gone = held.difference(&exist).filter(|_| !too_many);
        let differ = exist.difference(&held).chain(gone).cloned().collect();
        let (sent, batches, tries) = (BTreeMap::new(), 0, 0);
        let watch = Watch { pattern, exist, held, differ, initial, sent, batches, tries };
        self.watches.insert(text, watch);
        too_many
    }

    pub(crate) fn cancel(&mut self, text: &str) -> Option<N::Pattern> {
        self.watches.remove(text).map(|watch| watch.pattern)
    }

    /// Whether a pattern is watched in another way of writing it.
    pub(crate) fn watches(&self, pattern: &N::Pattern) -> bool {
        self.watches.values().any(|watch| watch.pattern == *pattern)
    }

    /// Something came or went.
    pub(crate) fn changed(&mut self, name: &N, exists: bool) {
        for watch in self.watches.values_mut().filter(|watch| name.is_taken(&watch.pattern)) {
            watch.changed(name, exists);
        }
    }

    pub(crate) fn acknowledge(&mut self, request: u64) {
        for watch in self.watches.values_mut() {
            let Some(sent) = watch.sent.remove(&request) else { continue };
            watch.tries = 0;
            if sent.names.is_empty() {
                watch.initial = false;
            }
            for (name, told) in sent.names {
                if told {
                    watch.held.insert(name.clone())
                } else {
                    watch.held.remove(&name)
                };
                watch.compare(&name);
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
type Message<N> = (Vec<(N, bool)>, Payload);

impl<N: Watchable> Watch<N> {
    fn changed(&mut self, name: &N, exists: bool) {
        self.tries = 0;
        if !exists {
            self.exist.remove(name);
        } else if self.exist.len() < WATCHED_NAMES_MAX || self.held.contains(name) {
            self.exist.insert(name.clone());
        }
        self.compare(name);
    }

    /// Keeps `differ` true for one name.
    fn compare(&mut self, name: &N) {
        let on_its_way = self.sent.values().any(|sent| sent.names.iter().any(|(n, _)| n == name));
        if !on_its_way && self.exist.contains(name) != self.held.contains(name) {
            self.differ.insert(name.clone());
        } else {
            self.differ.remove(name);
        }
    }

    /// Messages that are lost: what they told is to be told again. True if there were any.
    fn take_back(&mut self, lost: impl Fn(&Sent<N>) -> bool) -> bool {
        let requests = self.sent.iter().filter(|(_, sent)| lost(sent)).map(|(request, _)| *request);
        let requests: Vec<u64> = requests.collect();
        for request in &requests {
            let names = self.sent.remove(request).map(|sent| sent.names).unwrap_or_default();
            for (name, _) in &names {
                self.compare(name);
            }
        }
        !requests.is_empty()
    }

    /// The next message if one may be sent.
    fn next(
        &mut self,
        text: &str,
        mut next_request: impl FnMut() -> u64,
    ) -> Option<(u64, Message<N>)> {
        if self.sent.len() >= MESSAGES_MAX || self.tries >= WATCH_TRIES_MAX {
            return None;
        }
        if let Some(gone) = self.differ.iter().find(|name| !self.exist.contains(name)).cloned() {
            return Some(self.tell(gone, false, next_request()));
        }
        let new: Vec<N> = self.differ.iter().take(N::BATCH_NAMES).cloned().collect();
        match &new[..] {
            [] if self.initial && self.sent.is_empty() => {
                let sync_type = "FINISH_FUZZY_WATCH_INIT_NOTIFY";
                let end = Batch { sync_type, names: None, total: 0, number: 0 };
                let request = next_request();
                Some((request, (Vec::new(), N::sync(text, &end, request))))
            }
            [] => None,
            [one] if !self.initial => Some(self.tell(one.clone(), true, next_request())),
            names => {
                self.batches += 1;
                let total = self.batches - 1 + self.differ.len().div_ceil(N::BATCH_NAMES);
                let sync_type = if self.initial {
                    "FUZZY_WATCH_INIT_NOTIFY"
                } else {
                    "FUZZY_WATCH_DIFF_SYNC_NOTIFY"
                };
                let batch = Batch { sync_type, names: Some(names), total, number: self.batches };
                let request = next_request();
                let payload = N::sync(text, &batch, request);
                for name in names {
                    self.differ.remove(name);
                }
                let names = new.into_iter().map(|name| (name, true)).collect();
                Some((request, (names, payload)))
            }
        }
    }

    /// One name alone.
    fn tell(&mut self, name: N, exists: bool, request: u64) -> (u64, Message<N>) {
        self.differ.remove(&name);
        let payload = name.change(exists, request);
        (request, (vec![(name, exists)], payload))
    }
}
