//! No list and no push misses an instance that lives.

use super::{Findings, ledger::Ledger, seconds};

pub(crate) fn check(ledger: &Ledger) -> Findings {
    let mut findings = Findings::of("living");
    for look in &ledger.looks {
        findings.checked += 1;
        for offer in ledger.must_be_in(look) {
            if !look.seen.addresses.contains(&offer.address) {
                findings.violations.push(format!(
                    "{}: {} misses {}, which lives",
                    seconds(look.to),
                    look.words(),
                    offer.address
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{Line, at, list, noted, offer, registered, restart, seen};
    use crate::{note::Note, world::Happening};

    fn found(parts: &[Vec<Line>]) -> usize {
        check(&Ledger::read(&parts.concat())).violations.len()
    }

    #[test]
    fn a_living_instance_must_be_listed_also_over_a_kill() {
        let empty = |s| vec![list(s, &[])];
        assert_eq!(found(&[registered(1), vec![list(2, &["a:1"])]]), 0);
        assert_eq!(found(&[registered(1), empty(2)]), 1);
        assert_eq!(found(&[registered(1), restart(20, true), empty(22)]), 1);
        // Too young for the hint, or the hint went with the power.
        assert_eq!(found(&[registered(15), restart(20, true), empty(22)]), 0);
        assert_eq!(found(&[registered(1), restart(20, false), empty(22)]), 0);
        assert_eq!(found(&[registered(1), restart(20, false), registered(23), empty(24)]), 1);
    }

    #[test]
    fn the_first_look_after_a_restart_counts_as_every_other() {
        let scan = Happening::Scanned {
            machine: 0,
            configs: Default::default(),
            lists: vec![seen(1, &[])],
        };
        assert_eq!(found(&[registered(1), restart(20, true), vec![(at(21), scan)]]), 1);
    }

    #[test]
    fn who_is_leaving_may_be_missing() {
        let leaving = vec![noted(3, Note::Leaving(offer()))];
        assert_eq!(found(&[registered(1), leaving, vec![list(4, &[])]]), 0);
    }
}
