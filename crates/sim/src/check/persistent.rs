//! A persistent instance is listed from its acknowledgement until somebody takes it back, over every crash; and not after that.

use super::{
    Findings, History, seconds,
    trouble::{CONVERGE_TIME, Troubles, before, calm},
};
use crate::{
    note::{Note, Offer, Seen, Step},
    world::Happening,
};
use base::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// How old the content of a push may be: the longest push window, one way through the network, slack.
const PUSH_AGE: Duration = Duration::from_secs(2);

/// From an acknowledgement to the lists of nodes that had no part in it.
const SPREAD_TIME: Duration = Duration::from_secs(2);

/// Whether an instance is listed, and since when that is sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Must(Instant),
    May,
    Not(Instant),
}

#[derive(Clone, Copy)]
enum Event {
    Step(Step),
    Restored { as_of: Instant },
}

#[derive(Default)]
struct Ledger<'a> {
    offers: BTreeMap<&'a Offer, Vec<(Instant, Event)>>,
    services: BTreeSet<&'a str>,
}

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("persistent");
    let ledger = Ledger::read(history);
    let troubles = Troubles::read(history);
    for (at, happening) in history {
        let (machine, looks): (usize, Vec<(Instant, &Seen)>) = match happening {
            Happening::Scanned { machine, lists, .. } => {
                (*machine, lists.iter().map(|seen| (*at, seen)).collect())
            }
            Happening::Noted { machine, note: Note::Listed(asked, seen), .. } => {
                (*machine, vec![(*asked, seen)])
            }
            Happening::Noted { machine, note: Note::Pushed(seen), .. } => {
                (*machine, vec![(before(*at, PUSH_AGE), seen)])
            }
            _ => continue,
        };
        let around = troubles.around(machine);
        for (from, seen) in looks {
            let from = if troubles.is_cluster {
                // A node that was just well has what was agreed on a moment ago.
                if !calm(&around, before(from, CONVERGE_TIME), *at) {
                    continue;
                }
                before(from, SPREAD_TIME)
            } else {
                from
            };
            if ledger.services.contains(seen.service.as_str()) {
                findings.checked += 1;
                findings.violations.extend(ledger.judge(from, *at, seen));
            }
        }
    }
    findings
}

impl<'a> Ledger<'a> {
    fn read(history: &'a History) -> Self {
        let mut ledger = Self::default();
        for (at, happening) in history {
            if let Happening::Noted { note: Note::Persistent(offer, step), .. } = happening {
                ledger.services.insert(&offer.service);
                ledger.offers.entry(offer).or_default().push((*at, Event::Step(*step)));
            } else if let Happening::Restored { as_of, .. } = happening {
                for events in ledger.offers.values_mut() {
                    events.push((*at, Event::Restored { as_of: *as_of }));
                }
            }
        }
        ledger
    }

    fn judge(&self, from: Instant, to: Instant, seen: &Seen) -> Vec<String> {
        let mut found = Vec::new();
        let mut say = |address: &str, what: &str| {
            let service = &seen.service;
            found.push(format!("{}: a list of {service} {what} {address}", seconds(to)));
        };
        for (offer, events) in self.offers.iter().filter(|(offer, _)| offer.service == seen.service)
        {
            let listed = seen.addresses.contains(&offer.address);
            match truth(events, from, to) {
                Truth::Must(_) if !listed => say(&offer.address, "lost the persistent"),
                Truth::Not(_) if listed => say(&offer.address, "still shows the taken back"),
                Truth::Must(_) | Truth::May | Truth::Not(_) => {}
            }
        }
        for address in &seen.addresses {
            let offer = Offer { service: seen.service.clone(), address: address.clone() };
            if !self.offers.contains_key(&offer) {
                say(address, "shows, without a registration,");
            }
        }
        found
    }
}

/// What is sure of an instance all the time between these moments.
fn truth(events: &[(Instant, Event)], from: Instant, to: Instant) -> Truth {
    let mut truth = Truth::Not(Instant::START);
    for (at, event) in events.iter().filter(|(at, _)| *at <= to) {
        truth = match (event, truth) {
            (Event::Step(Step::RegisterAsked), Truth::Must(since)) => Truth::Must(since),
            (Event::Step(Step::RegisterAsked | Step::DeregisterAsked), _) => Truth::May,
            (Event::Step(Step::Registered), _) if *at <= from => Truth::Must(*at),
            (Event::Step(Step::Deregistered), _) if *at <= from => Truth::Not(*at),
            (Event::Step(Step::Registered), Truth::Must(since)) => Truth::Must(since),
            (Event::Step(Step::Registered | Step::Deregistered), _) => Truth::May,
            (Event::Restored { as_of }, Truth::Must(since) | Truth::Not(since)) => {
                if since > *as_of { Truth::May } else { truth }
            }
            (Event::Restored { .. }, Truth::May) => Truth::May,
        };
    }
    truth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{Line, at, list, noted, offer, restart};

    fn found(parts: &[Vec<Line>]) -> usize {
        check(&parts.concat()).violations.len()
    }

    fn step(s: u64, step: Step) -> Vec<Line> {
        vec![noted(s, Note::Persistent(offer(), step))]
    }

    #[test]
    fn it_is_listed_until_it_is_taken_back_over_every_crash() {
        let registered = [step(1, Step::RegisterAsked), step(2, Step::Registered)].concat();
        let shown = |s| vec![list(s, &["a:1"])];
        let empty = |s| vec![list(s, &[])];
        assert_eq!(found(&[registered.clone(), shown(3)]), 0);
        assert_eq!(found(&[registered.clone(), empty(3)]), 1);
        assert_eq!(found(&[registered.clone(), restart(3, false), empty(5)]), 1);
        let leaving = step(3, Step::DeregisterAsked);
        assert_eq!(found(&[registered.clone(), leaving.clone(), empty(4), shown(5)]), 0);
        let left = [leaving, step(4, Step::Deregistered)].concat();
        assert_eq!(found(&[registered.clone(), left.clone(), empty(5)]), 0);
        assert_eq!(found(&[registered.clone(), left, restart(5, false), shown(7)]), 1);
        assert_eq!(found(&[registered, vec![list(3, &["a:1", "b:2"])]]), 1, "never registered");
    }

    #[test]
    fn a_disk_that_went_back_may_have_forgotten() {
        let registered = [step(1, Step::RegisterAsked), step(5, Step::Registered)].concat();
        let back = |as_of| vec![(at(6), Happening::Restored { machine: 0, as_of: at(as_of) })];
        assert_eq!(found(&[registered.clone(), back(3), vec![list(7, &[])]]), 0);
        assert_eq!(found(&[registered, back(5), vec![list(7, &[])]]), 1);
    }
}
