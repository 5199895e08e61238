//! The ledger: what clients offered and when, and what became of it. For each list, from when it was asked for to when it came,
//! every instance is one that must be in it, one that may, or one that must not:
//!
//! ```text
//! must      registered before it was asked, not leaving until it came; over `kill -9` if it was registered early enough
//!           to be in the hint; over a power loss only once it is registered again
//! must not  never registered, or gone for longer than its end, a restart and the pauses of the host explain. A restart with a
//!           hint that is older than the end brings it back as an orphan: on that machine, and on all if none was up all the
//!           time since and could tell that it is gone
//! ```

use super::{
    History,
    trouble::{CONVERGE_TIME, Span, Troubles, before, calm},
};
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
/// From a change at one node to the lists of another one, when both are well.
const SPREAD_TIME: Duration = Duration::from_secs(2);
/// For so long at least a node lists what it had of another one that it hears no more.
const ORPHAN_SURE_TIME: Duration = Duration::from_secs(9);
/// For no longer than this it does: the orphan's time, and one round of digests.
const GHOST_TIME: Duration = Duration::from_secs(18);
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

/// What happened to an instance, when, and at which machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    at: Instant,
    machine: usize,
    mark: Mark,
}

/// A registration: where, when it was asked for and when confirmed.
#[derive(Clone, Copy)]
struct Registration {
    machine: usize,
    asked: Instant,
    confirmed: Instant,
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) offers: BTreeMap<Offer, Vec<Entry>>,
    owners: BTreeMap<usize, Vec<Offer>>,
    troubles: Troubles,
    downs: BTreeMap<usize, Vec<Outage>>,
    pauses: BTreeMap<usize, Vec<(Instant, Duration)>>,
    /// While the disk is full no hint is written.
    full: BTreeMap<usize, Vec<(Instant, bool)>>,
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
    /// Which machine showed it.
    machine: usize,
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
            (None, _) => format!("a scan of {service} at m{}", self.machine),
            (Some(client), true) => {
                format!("a push of {service} from m{} to client {client}", self.machine)
            }
            (Some(client), false) => {
                format!("a list of {service} from m{} to client {client}", self.machine)
            }
        }
    }
}

impl Ledger {
    pub(crate) fn read(history: &History) -> Self {
        let mut ledger = Self { troubles: Troubles::read(history), ..Self::default() };
        for (at, happening) in history {
            match happening {
                Happening::Noted { client, machine, note } => {
                    ledger.note(*at, (*client, *machine), note);
                }
                Happening::Cut { client, machine } => {
                    for offer in ledger.owners.get(client).cloned().unwrap_or_default() {
                        ledger.mark(*at, *machine, &offer, Mark::Leaving);
                    }
                }
                Happening::Down { machine, kept } => {
                    ledger.downs.entry(*machine).or_default().push(Outage {
                        from: *at,
                        kept: *kept,
                        ready: None,
                    });
                }
                Happening::Ready { machine } => {
                    if let Some(outage) = ledger.last_outage(*machine) {
                        outage.ready.get_or_insert(*at);
                    }
                }
                Happening::ClockSet { .. } | Happening::Up { .. } => {}
                // With the disk, the hint went back.
                Happening::Restored { machine, .. } | Happening::Replaced { machine } => {
                    if let Some(outage) = ledger.last_outage(*machine) {
                        outage.kept = false;
                    }
                }
                Happening::Scanned { machine, lists, .. } => {
                    for seen in lists.iter().cloned() {
                        ledger.looks.push(Look {
                            client: None,
                            machine: *machine,
                            is_push: false,
                            from: *at,
                            to: *at,
                            seen,
                        });
                    }
                }
                Happening::Paused { machine, duration } => {
                    ledger.pauses.entry(*machine).or_default().push((*at, *duration));
                }
                Happening::Full { machine, full } => {
                    ledger.full.entry(*machine).or_default().push((*at, *full));
                }
                Happening::Halted { .. }
                | Happening::Parted { .. }
                | Happening::Slowed { .. }
                | Happening::Sighted { .. }
                | Happening::Applied { .. } => {}
            }
        }
        let persistent = std::mem::take(&mut ledger.persistent);
        ledger.looks.retain(|look| !persistent.contains(&look.seen.service));
        ledger
    }

    fn last_outage(&mut self, machine: usize) -> Option<&mut Outage> {
        self.downs.get_mut(&machine)?.last_mut()
    }

    fn mark(&mut self, at: Instant, machine: usize, offer: &Offer, mark: Mark) {
        self.offers.entry(offer.clone()).or_default().push(Entry { at, machine, mark });
    }

    fn note(&mut self, at: Instant, (client, machine): (usize, usize), note: &Note) {
        match note {
            Note::Registering(offer) => {
                let owned = self.owners.entry(client).or_default();
                if !owned.contains(offer) {
                    owned.push(offer.clone());
                }
                self.mark(at, machine, offer, Mark::Registering);
            }
            Note::Registered(offer) => self.mark(at, machine, offer, Mark::Registered),
            Note::Leaving(offer) => self.mark(at, machine, offer, Mark::Leaving),
            Note::Left(offer, end) => self.mark(at, machine, offer, Mark::Left(*end)),
            Note::Listed(asked, seen) => {
                let seen = seen.clone();
                let client = Some(client);
                self.looks.push(Look {
                    client,
                    machine,
                    is_push: false,
                    from: *asked,
                    to: at,
                    seen,
                });
            }
            Note::Pushed(seen) => {
                let from =
                    Instant::from_nanos(at.as_nanos().saturating_sub(PUSH_AGE.as_nanos() as u64));
                let seen = seen.clone();
                let client = Some(client);
                self.looks.push(Look { client, machine, is_push: true, from, to: at, seen });
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
            | Note::Lock { .. }
            | Note::Fenced { .. }
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

    fn must(&self, marks: &[Entry], look: &Look) -> bool {
        // For every time since it was last leaving.
        let mut registered: Vec<Registration> = Vec::new();
        let mut pending: Option<(usize, Instant)> = None;
        for Entry { at, machine, mark } in marks.iter().filter(|entry| entry.at <= look.to) {
            match mark {
                Mark::Registering => pending = Some((*machine, *at)),
                Mark::Registered => {
                    registered.extend(pending.map(|(machine, asked)| Registration {
                        machine,
                        asked,
                        confirmed: *at,
                    }))
                }
                Mark::Leaving | Mark::Left(_) => registered.clear(),
            }
        }
        registered.iter().any(|registration| {
            if registration.machine == look.machine {
                registration.confirmed <= look.from && !self.lost(registration, look.to)
            } else {
                self.surely_known(registration, look)
            }
        })
    }

    /// Whether a crash until then may have made the host forget what was registered.
    fn lost(&self, registration: &Registration, until: Instant) -> bool {
        let Registration { machine, asked, confirmed } = *registration;
        let between = |outage: &&Outage| asked <= outage.from && outage.from <= until;
        // With others around it may have to ask them first, and then they may know that its client went elsewhere.
        let alone = !self.troubles.is_cluster;
        self.downs.get(&machine).into_iter().flatten().filter(between).any(|outage| {
            let written = confirmed.after(HINT_TIME + self.paused(machine, confirmed, outage.from));
            let full = self.was_full(machine, confirmed, outage.from);
            !alone || !outage.kept || written > outage.from || full
        })
    }

    /// Whether what was registered at one machine must be in this list of another: it had the time to hear of it while
    /// both were well, and if they are not any more, that is not long ago.
    fn surely_known(&self, registration: &Registration, look: &Look) -> bool {
        let Registration { machine, asked, confirmed } = *registration;
        let troubles = self.troubles.near(machine, look.machine);
        let spread = confirmed.after(SPREAD_TIME);
        let healed = troubles.iter().filter_map(|span| span.to);
        let candidates = healed.map(|end| end.after(CONVERGE_TIME)).chain([confirmed]);
        candidates.map(|known| known.max(spread)).any(|known| {
            let downs = |machine, from, to| {
                let spans: Vec<Span> = self.troubles.downs_of(machine).collect();
                !calm(&spans, from, to)
            };
            known <= look.from
                && calm(&troubles, before(known, CONVERGE_TIME), known)
                && !downs(machine, asked, known)
                && !downs(look.machine, known, look.to)
                && troubles
                    .iter()
                    .filter(|span| span.from > known)
                    .all(|span| look.to < span.from.after(ORPHAN_SURE_TIME))
        })
    }

    /// Whether this list may show the instance with these marks.
    pub(crate) fn may(&self, marks: &[Entry], look: &Look) -> bool {
        let mut end: Option<(Entry, End)> = None;
        let mut known = false;
        for entry in marks.iter().filter(|entry| entry.at <= look.to) {
            match entry.mark {
                Mark::Registering => (known, end) = (true, None),
                Mark::Left(how) => end = Some((*entry, how)),
                Mark::Registered | Mark::Leaving => {}
            }
        }
        let Some((left, how)) = end else { return known };
        let mut bound = match how {
            End::Deregistered => Duration::ZERO,
            End::HungUp => HANGUP_TIME,
            End::Silent => SILENCE_TIME,
            End::Beatless => BEATLESS_TIME,
        };
        let machine = look.machine;
        let first = marks.first().map_or(left.at, |entry| entry.at);
        if self.troubles.clients_cut(first, look.from) {
            // A node from which the client was cut off believes in its connection until it has been silent for long.
            bound = bound.max(SILENCE_TIME) + SILENCE_TIME;
        }
        let mut gone = left.at.after(bound + self.paused(machine, left.at, look.from));
        if let Some(late) = self.late_registration(marks, look.to) {
            gone = gone.max(late.after(BEATLESS_TIME));
        }
        if gone > look.from || self.may_not_have_heard(marks, look, gone, bound) {
            return true;
        }
        // Its own hint may have brought it back for a while; that of another one, if nobody was left to say that it is gone.
        let ghost = |of: Option<usize>| look.from < self.ghost_until(of, left.at, gone, look);
        ghost(Some(machine)) || (!self.troubles.remembered(left.at, look.from) && ghost(None))
    }

    /// Until when hints that are older than its end, of one machine or of any, bring it back: for a while after a restart, and
    /// the next restart for another while.
    fn ghost_until(&self, of: Option<usize>, left: Instant, gone: Instant, look: &Look) -> Instant {
        let mut outages: Vec<(usize, &Outage, Instant)> = Vec::new();
        let asked = |machine: &usize| of.is_none_or(|only| only == *machine);
        for (machine, all) in self.downs.iter().filter(|(machine, _)| asked(machine)) {
            // A life that ends before it serves leaves the hint that it found. One that never serves again shows nothing.
            let ready = |at: usize| all[at..].iter().find_map(|outage| outage.ready);
            let all = all.iter().enumerate();
            outages.extend(all.filter_map(|(at, outage)| Some((*machine, outage, ready(at)?))));
        }
        outages.sort_by_key(|(_, outage, _)| outage.from);
        let mut until = gone;
        // A client that ends before it has registered again leaves an orphan, too.
        let matters = |ready: Instant| ready.after(ORPHAN_TIME) >= left;
        for (machine, outage, ready) in outages.into_iter().filter(|(.., ready)| matters(*ready)) {
            let shown = until.after(HINT_TIME + self.paused(machine, left, outage.from));
            let full = self.was_full(machine, left, outage.from);
            if !outage.kept || shown > outage.from || full {
                let hidden = ready.after(ORPHAN_TIME + self.paused(machine, ready, look.from));
                until = until.max(hidden);
            }
        }
        until
    }

    /// When a registration that was not answered took effect at the latest: whoever stood still took it in when it went on.
    fn late_registration(&self, marks: &[Entry], until: Instant) -> Option<Instant> {
        let entries = marks.iter().filter(|entry| entry.at <= until);
        let mut pending: BTreeMap<usize, Instant> = BTreeMap::new();
        for Entry { at, machine, mark } in entries {
            match mark {
                Mark::Registering => {
                    pending.entry(*machine).or_insert(*at);
                }
                Mark::Registered => {
                    pending.remove(machine);
                }
                Mark::Leaving | Mark::Left(_) => {}
            }
        }
        let spans = pending.into_iter().flat_map(|(machine, asked)| {
            let cuts = self.troubles.client_cut_spans();
            let spans: Vec<Span> = self.troubles.of(machine).chain(cuts).collect();
            spans.into_iter().filter(move |span| span.touches(asked, asked.after(SPREAD_TIME)))
        });
        spans.map(|span| span.to.unwrap_or(until)).max()
    }

    /// Whether the machine that showed the list may not know yet that the instance is gone, which another one knows, or
    /// knew before it died.
    fn may_not_have_heard(
        &self,
        marks: &[Entry],
        look: &Look,
        gone: Instant,
        bound: Duration,
    ) -> bool {
        let others: BTreeSet<usize> = marks.iter().map(|entry| entry.machine).collect();
        others.into_iter().filter(|other| *other != look.machine).any(|other| {
            if gone.after(SPREAD_TIME) > look.from {
                return true;
            }
            let left = before(gone, bound);
            self.troubles.near(other, look.machine).iter().any(|span| {
                let matters = span.to.is_none_or(|end| end.after(CONVERGE_TIME) >= left);
                // Cut off from the other one, it shows what it had as orphans for a while. When they meet again, the other
                // one has to tell it.
                let orphan = left.max(span.from).after(GHOST_TIME + bound);
                let told = span.to.map(|end| end.after(ORPHAN_TIME.max(CONVERGE_TIME) + bound));
                let again = |told| span.to <= Some(look.from) && look.from < told;
                matters && span.from <= look.from && (look.from < orphan || told.is_some_and(again))
            })
        })
    }

    /// How much of the time between these moments the host stood still; generously, a pause that touches counts whole.
    fn paused(&self, machine: usize, from: Instant, to: Instant) -> Duration {
        let pauses = self.pauses.get(&machine).into_iter().flatten();
        pauses
            .filter(|(at, duration)| *at <= to && at.after(*duration) >= from)
            .map(|(_, duration)| *duration)
            .sum()
    }

    fn was_full(&self, machine: usize, from: Instant, to: Instant) -> bool {
        let mut full_since = None;
        for (at, full) in self.full.get(&machine).into_iter().flatten() {
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
