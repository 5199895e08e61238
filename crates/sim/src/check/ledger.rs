//! The ledger: what clients offered and when, and what became of it. For each list, from when it was asked for to when it came,
//! every instance is one that must be in it, one that may, or one that must not:
//!
//! ```text
//! must      registered before it was asked, not leaving until it came; over `kill -9` if it was registered early enough
//!           to be in the hint; over a power loss only once it is registered again
//! must not  never registered, or gone for longer than its end, a restart and the pauses of the host explain
//! ```

use super::History;
use crate::{
    note::{End, Note, Offer, Seen},
    world::Happening,
};
use base::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// From a change to the hint that shows it: the interval, and time for the disk.
const HINT_TIME: Duration = Duration::from_secs(7);
/// How long an orphan is listed after a restart, with some slack.
const ORPHAN_TIME: Duration = Duration::from_secs(18);
/// How long it takes to notice that a client hung up.
const HANGUP_TIME: Duration = Duration::from_secs(3);
/// How long it takes to notice that a client vanished: silence, detection, slack.
const SILENCE_TIME: Duration = Duration::from_secs(28);
/// How long an instance is listed after its last beat: the time after which it is removed, a beat on its way, slack.
const BEATLESS_TIME: Duration = Duration::from_secs(34);
/// How old the content of a push may be: the longest push window, one way through the network, slack.
const PUSH_AGE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Registering,
    Registered,
    /// May be missing from now on, until it is registered again.
    Leaving,
    Left(End),
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) offers: BTreeMap<Offer, Vec<(Instant, Mark)>>,
    owners: BTreeMap<usize, Vec<Offer>>,
    downs: Vec<Outage>,
    pauses: Vec<(Instant, Duration)>,
    /// While the disk is full no hint is written.
    full: Vec<(Instant, bool)>,
    /// Services of persistent instances have a checker of their own.
    persistent: BTreeSet<String>,
    pub(crate) looks: Vec<Look>,
}

/// The time from a crash until the host served again.
struct Outage {
    from: Instant,
    /// Whether its hint was there afterwards.
    kept: bool,
    /// Whether it serves again, and since when.
    ready: Option<Instant>,
}

/// A list that somebody saw.
pub(crate) struct Look {
    /// `None`: who looked into the host when it was ready.
    client: Option<usize>,
    pub(crate) is_push: bool,
    from: Instant,
    pub(crate) to: Instant,
    pub(crate) seen: Seen,
}

impl Look {
    /// For people.
    pub(crate) fn words(&self) -> String {
        let service = &self.seen.service;
        match (self.client, self.is_push) {
            (None, _) => format!("the first list of {service} after a start"),
            (Some(client), true) => format!("a push of {service} to client {client}"),
            (Some(client), false) => format!("a list of {service} to client {client}"),
        }
    }
}

impl Ledger {
    pub(crate) fn read(history: &History) -> Self {
        let mut ledger = Self::default();
        for (at, happening) in history {
            match happening {
                Happening::Noted { client, note, .. } => ledger.note(*at, *client, note),
                Happening::Cut { client, .. } => {
                    for offer in ledger.owners.get(client).cloned().unwrap_or_default() {
                        ledger.mark(*at, &offer, Mark::Leaving);
                    }
                }
                Happening::Down { kept, .. } => {
                    ledger.downs.push(Outage { from: *at, kept: *kept, ready: None });
                }
                Happening::Ready { .. } => {
                    if let Some(outage) = ledger.downs.last_mut() {
                        outage.ready.get_or_insert(*at);
                    }
                }
                Happening::ClockSet { .. } | Happening::Up { .. } => {}
                // With the disk, the hint went back.
                Happening::Restored { .. } => {
                    if let Some(outage) = ledger.downs.last_mut() {
                        outage.kept = false;
                    }
                }
                Happening::Scanned { lists, .. } => {
                    for seen in lists.iter().cloned() {
                        ledger.looks.push(Look {
                            client: None,
                            is_push: false,
                            from: *at,
                            to: *at,
                            seen,
                        });
                    }
                }
                Happening::Paused { duration, .. } => ledger.pauses.push((*at, *duration)),
                Happening::Full { full, .. } => ledger.full.push((*at, *full)),
                Happening::Halted { .. } => {}
            }
        }
        let persistent = std::mem::take(&mut ledger.persistent);
        ledger.looks.retain(|look| !persistent.contains(&look.seen.service));
        ledger
    }

    fn mark(&mut self, at: Instant, offer: &Offer, mark: Mark) {
        self.offers.entry(offer.clone()).or_default().push((at, mark));
    }

    fn note(&mut self, at: Instant, client: usize, note: &Note) {
        match note {
            Note::Registering(offer) => {
                let owned = self.owners.entry(client).or_default();
                if !owned.contains(offer) {
                    owned.push(offer.clone());
                }
                self.mark(at, offer, Mark::Registering);
            }
            Note::Registered(offer) => self.mark(at, offer, Mark::Registered),
            Note::Leaving(offer) => self.mark(at, offer, Mark::Leaving),
            Note::Left(offer, end) => self.mark(at, offer, Mark::Left(*end)),
            Note::Listed(asked, seen) => {
                let seen = seen.clone();
                let client = Some(client);
                self.looks.push(Look { client, is_push: false, from: *asked, to: at, seen });
            }
            Note::Pushed(seen) => {
                let from =
                    Instant::from_nanos(at.as_nanos().saturating_sub(PUSH_AGE.as_nanos() as u64));
                let seen = seen.clone();
                let client = Some(client);
                self.looks.push(Look { client, is_push: true, from, to: at, seen });
            }
            Note::Persistent(offer, _) => {
                self.persistent.insert(offer.service.clone());
            }
            Note::Asked { .. }
            | Note::Answered { .. }
            | Note::Listening { .. }
            | Note::Listened { .. }
            | Note::Told { .. }
            | Note::Deaf
            | Note::Broken(_) => {}
        }
    }

    /// The instances that this list must show.
    pub(crate) fn must_be_in<'a>(&'a self, look: &'a Look) -> impl Iterator<Item = &'a Offer> {
        self.offers
            .iter()
            .filter(|(offer, _)| offer.service == look.seen.service)
            .filter(|(_, marks)| self.must(marks, look))
            .map(|(offer, _)| offer)
    }

    fn must(&self, marks: &[(Instant, Mark)], look: &Look) -> bool {
        // When it was asked for and confirmed, for every time since it was last leaving.
        let mut registered: Vec<(Instant, Instant)> = Vec::new();
        let mut asked = None;
        for (at, mark) in marks.iter().filter(|(at, _)| *at <= look.to) {
            match mark {
                Mark::Registering => asked = Some(*at),
                Mark::Registered => registered.extend(asked.map(|asked| (asked, *at))),
                Mark::Leaving | Mark::Left(_) => registered.clear(),
            }
        }
        registered.iter().any(|(asked, confirmed)| {
            *confirmed <= look.from && !self.lost(*asked, *confirmed, look.to)
        })
    }

    /// Whether a crash until then may have made the host forget what was registered.
    fn lost(&self, asked: Instant, confirmed: Instant, until: Instant) -> bool {
        let between = |outage: &&Outage| asked <= outage.from && outage.from <= until;
        self.downs.iter().filter(between).any(|outage| {
            let written = confirmed.after(HINT_TIME + self.paused(confirmed, outage.from));
            !outage.kept || written > outage.from || self.was_full(confirmed, outage.from)
        })
    }

    /// Whether this list may show the instance with these marks.
    pub(crate) fn may(&self, marks: &[(Instant, Mark)], look: &Look) -> bool {
        let mut end: Option<(Instant, End)> = None;
        let mut known = false;
        for (at, mark) in marks.iter().filter(|(at, _)| *at <= look.to) {
            match mark {
                Mark::Registering => (known, end) = (true, None),
                Mark::Left(how) => end = Some((*at, *how)),
                Mark::Registered | Mark::Leaving => {}
            }
        }
        let Some((left, how)) = end else { return known };
        let bound = match how {
            End::Deregistered => Duration::ZERO,
            End::HungUp => HANGUP_TIME,
            End::Silent => SILENCE_TIME,
            End::Beatless => BEATLESS_TIME,
        };
        let gone = left.after(bound + self.paused(left, look.from));
        if gone > look.from {
            return true;
        }
        // An older hint may have brought it back for a while, and the next restart for another while.
        let mut ghost_until = gone;
        // A client that ends before it has registered again leaves an orphan, too.
        let matters =
            |outage: &&Outage| outage.ready.is_none_or(|ready| ready.after(ORPHAN_TIME) >= left);
        for outage in self.downs.iter().filter(matters) {
            let shown = ghost_until.after(HINT_TIME + self.paused(left, outage.from));
            if !outage.kept || shown > outage.from || self.was_full(left, outage.from) {
                let Some(ready) = outage.ready else { return true };
                let hidden = ready.after(ORPHAN_TIME + self.paused(ready, look.from));
                ghost_until = ghost_until.max(hidden);
            }
        }
        look.from < ghost_until
    }

    /// How much of the time between these moments the host stood still; generously, a pause that touches counts whole.
    fn paused(&self, from: Instant, to: Instant) -> Duration {
        self.pauses
            .iter()
            .filter(|(at, duration)| *at <= to && at.after(*duration) >= from)
            .map(|(_, duration)| *duration)
            .sum()
    }

    fn was_full(&self, from: Instant, to: Instant) -> bool {
        let mut full_since = None;
        for (at, full) in &self.full {
            match (full, full_since) {
                (true, None) => full_since = Some(*at),
                (false, Some(since)) => {
                    if since <= to && at.after(HINT_TIME) >= from {
                        return true;
                    }
                    full_since = None;
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
        full_since.is_some_and(|since| since <= to)
    }
}
