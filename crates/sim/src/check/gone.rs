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
    use crate::check::script::{Line, list, noted, offer, registered, restart};
    use crate::note::{End, Note};

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
}
