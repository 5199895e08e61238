//! No push is empty unless the ledger says so: a caller that is told of nobody stops calling. The one push that is worse than
//! none, so it is judged on its own, and by fewer rules: whoever registered in this life of the host and did not begin to
//! leave is there, and over a kill who is in the hint.

use super::{Findings, ledger::Ledger, seconds};

pub(crate) fn check(ledger: &Ledger) -> Findings {
    let mut findings = Findings::of("empty-push");
    for look in ledger.looks.iter().filter(|look| look.is_push) {
        findings.checked += 1;
        if !look.seen.addresses.is_empty() {
            continue;
        }
        let living: Vec<&str> =
            ledger.must_be_in(look).map(|offer| offer.address.as_str()).collect();
        if living.is_empty() {
            continue;
        }
        findings.violations.push(format!(
            "{}: {} is empty, and {living:?} live",
            seconds(look.to),
            look.words()
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{Line, noted, offer, push, registered, restart};
    use crate::note::{End, Note};

    fn found(parts: &[Vec<Line>]) -> usize {
        check(&Ledger::read(&parts.concat())).violations.len()
    }

    #[test]
    fn an_empty_push_needs_an_empty_ledger() {
        let empty = |s| vec![push(s, 1, &[])];
        let left = vec![
            noted(5, Note::Leaving(offer())),
            noted(5, Note::Left(offer(), End::Deregistered)),
        ];
        assert_eq!(found(&[registered(1), left, empty(6)]), 0);
        assert_eq!(found(&[registered(1), empty(6)]), 1);
        assert_eq!(found(&[registered(1), restart(20, true), empty(22)]), 1, "over a kill");
        assert_eq!(found(&[registered(1), restart(20, false), empty(22)]), 0, "no hint");
        assert_eq!(found(&[registered(1), vec![push(6, 1, &["a:1"])]]), 0);
    }
}
