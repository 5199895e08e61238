//! In one term one node leads, whoever is asked.

use super::{Findings, History, seconds};
use crate::world::Happening;
use std::collections::BTreeMap;

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("leaders");
    let mut leaders: BTreeMap<u64, u64> = BTreeMap::new();
    for (at, happening) in history {
        let Happening::Sighted { machine, sight } = happening else { continue };
        let Some(leader) = sight.leader else { continue };
        findings.checked += 1;
        let first = *leaders.entry(sight.term).or_insert(leader);
        if first != leader {
            findings.violations.push(format!(
                "{}: m{machine} has node {leader} as the leader of term {}, and another one had {first}",
                seconds(*at),
                sight.term
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{at, sighted};

    #[test]
    fn two_leaders_of_one_term_are_found() {
        let saw = |s, machine, term, leader| (at(s), sighted(machine, term, Some(leader)));
        let found = |history: &History| check(history).violations.len();
        assert_eq!(found(&[saw(1, 0, 1, 7), saw(2, 1, 1, 7), saw(3, 1, 2, 8)]), 0);
        assert_eq!(found(&[saw(1, 0, 1, 7), saw(2, 1, 1, 8)]), 1);
    }
}
