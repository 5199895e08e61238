//! Lists and pushes against the ledger of what clients offered.
//!
//! For each list, from when it was asked for to when it came, every instance is one that must be in it, one that may, or
//! one that must not:
//!
//! ```text
//! must      registered before it was asked, not leaving until it came; over `kill -9` if it was registered early enough
//!           to be in the hint; over a power loss only once it is registered again
//! must not  never registered, or gone for longer than its end, a restart and the pauses of the host explain
//! ```

use crate::{
    note::{End, Note, Offer, Seen},
    run::{Findings, seconds},
    world::Happening,
};
use base::{Duration, Instant};
use std::collections::BTreeMap;

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
enum Mark {
    Registering,
    Registered,
    /// May be missing from now on, until it is registered again.
    Leaving,
    Left(End),
}

#[derive(Default)]
struct Ledger {
    offers: BTreeMap<Offer, Vec<(Instant, Mark)>>,
    owners: BTreeMap<usize, Vec<Offer>>,
    downs: Vec<Outage>,
    pauses: Vec<(Instant, Duration)>,
    /// While the disk is full no hint is written.
    full: Vec<(Instant, bool)>,
    looks: Vec<Look>,
}

/// The time from a crash until the host served again.
struct Outage {
    from: Instant,
    /// Whether its hint was there afterwards.
    kept: bool,
    /// Whether it serves again, and since when.
    ready: Option<Instant>,
}

struct Look {
    client: usize,
    push: bool,
    from: Instant,
    to: Instant,
    seen: Seen,
}

/// Checks everything that clients of the registry saw.
#[must_use]
pub fn check(history: &[(Instant, Happening)]) -> Findings {
    let ledger = Ledger::read(history);
    let mut findings = Findings { checked: ledger.looks.len(), ..Findings::default() };
    let mut newest: BTreeMap<(usize, &str), u64> = BTreeMap::new();
    for look in &ledger.looks {
        if look.push {
            let version = newest.entry((look.client, &look.seen.service)).or_default();
            if look.seen.version < *version {
                findings.violations.push(format!(
                    "{}: client {} was pushed version {} of {} after {version}",
                    seconds(look.to),
                    look.client,
                    look.seen.version,
                    look.seen.service
                ));
            }
            *version = (*version).max(look.seen.version);
        }
        findings.violations.extend(ledger.judge(look));
    }
    findings
}

impl Ledger {
    fn read(history: &[(Instant, Happening)]) -> Self {
        let mut ledger = Self::default();
        for (at, happening) in history {
            match happening {
                Happening::Noted { client, note } => ledger.note(*at, *client, note),
                Happening::Cut { client } => {
                    for offer in ledger.owners.get(client).cloned().unwrap_or_default() {
                        ledger.mark(*at, &offer, Mark::Leaving);
                    }
                }
                Happening::Down { kept } => {
                    ledger.downs.push(Outage { from: *at, kept: *kept, ready: None });
                }
                Happening::Ready => {
                    if let Some(outage) = ledger.downs.last_mut() {
                        outage.ready.get_or_insert(*at);
                    }
                }
                Happening::ClockSet(_) | Happening::Up => {}
                Happening::Paused(duration) => ledger.pauses.push((*at, *duration)),
                Happening::Full(full) => ledger.full.push((*at, *full)),
                Happening::Halted(_) => {}
            }
        }
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
                self.looks.push(Look { client, push: false, from: *asked, to: at, seen });
            }
            Note::Pushed(seen) => {
                let from =
                    Instant::from_nanos(at.as_nanos().saturating_sub(PUSH_AGE.as_nanos() as u64));
                let seen = seen.clone();
                self.looks.push(Look { client, push: true, from, to: at, seen });
            }
            Note::Asked { .. } | Note::Answered { .. } => {}
        }
    }

    fn judge(&self, look: &Look) -> Vec<String> {
        let kind = if look.push { "a push" } else { "a list" };
        let (client, service) = (look.client, &look.seen.service);
        let mut found = Vec::new();
        let mut say = |what: String| {
            found.push(format!(
                "{}: {kind} of {service} to client {client} {what}",
                seconds(look.to)
            ));
        };
        for (offer, marks) in self.offers.iter().filter(|(offer, _)| offer.service == *service) {
            let listed = look.seen.addresses.contains(&offer.address);
            if !listed && self.must(marks, look) {
                say(format!("misses {}, which lives", offer.address));
            }
            if listed && !self.may(marks, look) {
                say(format!("shows {}, which is gone", offer.address));
            }
        }
        for address in &look.seen.addresses {
            let offer = Offer { service: service.clone(), address: address.clone() };
            if !self.offers.contains_key(&offer) {
                say(format!("shows {address}, which was never registered"));
            }
        }
        found
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

    fn may(&self, marks: &[(Instant, Mark)], look: &Look) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn at(seconds: u64) -> Instant {
        Instant::START.after(Duration::from_secs(seconds))
    }

    fn noted(seconds: u64, note: Note) -> (Instant, Happening) {
        (at(seconds), Happening::Noted { client: 0, note })
    }

    fn offer() -> Offer {
        Offer { service: "s".to_owned(), address: "a:1".to_owned() }
    }

    fn registered(seconds: u64) -> [(Instant, Happening); 2] {
        [noted(seconds, Note::Registering(offer())), noted(seconds, Note::Registered(offer()))]
    }

    fn look(seconds: u64, push: bool, version: u64, addresses: &[&str]) -> (Instant, Happening) {
        let addresses: BTreeSet<String> = addresses.iter().map(|a| (*a).to_owned()).collect();
        let seen = Seen { service: "s".to_owned(), version, addresses };
        let note = if push { Note::Pushed(seen) } else { Note::Listed(at(seconds), seen) };
        noted(seconds, note)
    }

    fn found(parts: &[&[(Instant, Happening)]]) -> Vec<String> {
        check(&parts.concat()).violations
    }

    #[test]
    fn a_living_instance_must_be_listed_also_over_a_kill() {
        let down = |kept, s| [(at(s), Happening::Down { kept }), (at(s + 1), Happening::Ready)];
        let empty = |s| [look(s, false, 1, &[])];
        assert_eq!(found(&[&registered(1), &[look(2, false, 1, &["a:1"])]]), [] as [String; 0]);
        assert_eq!(found(&[&registered(1), &empty(2)]).len(), 1);
        assert_eq!(found(&[&registered(1), &down(true, 20), &empty(22)]).len(), 1);
        // Too young for the hint, or the hint went with the power.
        assert_eq!(found(&[&registered(15), &down(true, 20), &empty(22)]), [] as [String; 0]);
        assert_eq!(found(&[&registered(1), &down(false, 20), &empty(22)]), [] as [String; 0]);
        assert_eq!(
            found(&[&registered(1), &down(false, 20), &registered(23), &empty(24)]).len(),
            1
        );
    }

    #[test]
    fn a_dead_instance_must_not_be_listed_for_longer_than_its_end_explains() {
        let left = |end| [noted(10, Note::Leaving(offer())), noted(10, Note::Left(offer(), end))];
        let shown = |s| [look(s, false, 1, &["a:1"])];
        for (end, longest) in [(End::Deregistered, 0), (End::HungUp, 3), (End::Silent, 28)] {
            let during = found(&[&registered(1), &left(end), &shown(9 + longest)]);
            assert_eq!(during, [] as [String; 0], "{end:?}");
            assert_eq!(found(&[&registered(1), &left(end), &shown(11 + longest)]).len(), 1);
        }
        let restart = [(at(11), Happening::Down { kept: true }), (at(12), Happening::Ready)];
        let left = left(End::Deregistered);
        assert_eq!(found(&[&registered(1), &left, &restart, &shown(29)]), [] as [String; 0]);
        assert_eq!(found(&[&registered(1), &left, &restart, &shown(31)]).len(), 1);
        assert_eq!(found(&[&[look(1, false, 1, &["b:2"])]]).len(), 1, "never registered");
    }

    #[test]
    fn versions_of_pushes_never_fall() {
        let push = |s, version| look(s, true, version, &[]);
        assert_eq!(found(&[&[push(1, 5), push(2, 5), push(3, 6)]]), [] as [String; 0]);
        assert_eq!(found(&[&[push(1, 5), push(2, 4)]]).len(), 1);
    }
}
