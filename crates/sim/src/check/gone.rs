//! No list and no push shows an instance for longer than its end explains, and none that nobody registered: the dead do not
//! come back.

use super::{Findings, ledger::Ledger, seconds};
use crate::note::Offer;

pub(crate) fn check(ledger: &Ledger) -> Findings {
    let mut findings = Findings::of("gone");
    for look in &ledger.looks {
        findings.checked += 1;
        for address in &look.seen.addresses {
            let offer = Offer { service: look.seen.service.clone(), address: address.clone() };
            let why = match ledger.offers.get(&offer) {
                None => "was never registered",
                Some(marks) if !ledger.may(marks, look) => "is gone",
                Some(_) => continue,
            };
            findings.violations.push(format!(
                "{}: {} shows {address}, which {why}",
                seconds(look.to),
                look.words()
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{Line, at, list, noted, offer, registered, restart};
    use crate::note::{End, Note};
    use crate::world::Happening;

    fn found(parts: &[Vec<Line>]) -> usize {
        check(&Ledger::read(&parts.concat())).violations.len()
    }

    #[test]
    fn a_dead_instance_must_not_be_listed_for_longer_than_its_end_explains() {
        let left =
            |end| vec![noted(10, Note::Leaving(offer())), noted(10, Note::Left(offer(), end))];
        let shown = |s| vec![list(s, &["a:1"])];
        for (end, longest) in [(End::Deregistered, 0), (End::HungUp, 3), (End::Silent, 28)] {
            assert_eq!(found(&[registered(1), left(end), shown(9 + longest)]), 0, "{end:?}");
            assert_eq!(found(&[registered(1), left(end), shown(11 + longest)]), 1, "{end:?}");
        }
        let left = left(End::Deregistered);
        let over = |s| found(&[registered(1), left.clone(), restart(11, true), shown(s)]);
        assert_eq!((over(29), over(31)), (0, 1));
        assert_eq!(found(&[vec![list(1, &["b:2"])]]), 1, "never registered");
    }

    /// The third machine's hint is older than the end.
    #[test]
    fn a_hint_of_another_machine_brings_back_what_nobody_remembers_to_be_gone_and_for_a_while() {
        let left = || vec![noted(10, Note::Leaving(offer()))];
        let gone = || vec![noted(10, Note::Left(offer(), End::Deregistered))];
        let first = [0, 1, 2].map(|machine| (at(0), Happening::Ready { machine }));
        let up = (0..3).map(|machine| (at(0), Happening::Up { machine })).chain(first);
        let up: Vec<Line> = up.collect();
        let shown = |downs: &[(usize, u64, u64)], s| {
            let mut outages: Vec<Line> = Vec::new();
            for &(machine, from, until) in downs {
                outages.push((at(from), Happening::Down { machine, kept: true }));
                outages.extend([
                    (at(until), Happening::Up { machine }),
                    (at(until), Happening::Ready { machine }),
                ]);
            }
            outages.push(list(s, &["a:1"]));
            outages.sort_by_key(|(at, _)| *at);
            found(&[up.clone(), registered(1), left(), gone(), outages])
        };
        let (third, others) = ((2, 12, 40), [(1, 21, 31), (0, 20, 30)]);
        let all = [third, others[0], others[1]];
        assert_eq!((shown(&all, 41), shown(&all, 57), shown(&all, 59)), (0, 0, 1));
        assert_eq!(shown(&[third, others[1]], 41), 1, "the second one remembers");
        assert_eq!(shown(&[third, others[0]], 41), 1, "the first one itself remembers");
        let late = (2, 18, 40);
        assert_eq!(
            shown(&[late, others[0], others[1]], 41),
            1,
            "its hint had the time to be written"
        );
    }
}
