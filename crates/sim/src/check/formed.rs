//! Exactly one cluster is founded, and nothing is acknowledged by a node that is in none.

use super::{Findings, History, seconds};
use crate::{
    note::{Note, Outcome},
    world::Happening,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("formed");
    let mut clusters: BTreeMap<u64, usize> = BTreeMap::new();
    let mut members: BTreeSet<usize> = BTreeSet::new();
    let is_cluster =
        history.iter().any(|(_, happening)| matches!(happening, Happening::Sighted { .. }));
    for (at, happening) in history {
        match happening {
            Happening::Sighted { machine, sight } => {
                findings.checked += 1;
                let Some(cluster) = sight.cluster else { continue };
                members.insert(*machine);
                let first = clusters.len();
                clusters.entry(cluster).or_insert(*machine);
                if first == 1 && clusters.len() == 2 {
                    findings.violations.push(format!(
                        "{}: m{machine} is in a second cluster: {clusters:?}",
                        seconds(*at)
                    ));
                }
            }
            Happening::Noted {
                machine,
                note: Note::Answered { outcome: Outcome::Done, .. },
                ..
            } if is_cluster && !members.contains(machine) => {
                findings.violations.push(format!(
                    "{}: m{machine} acknowledged a write and is in no cluster",
                    seconds(*at)
                ));
            }
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{at, noted, sighted_in};

    #[test]
    fn there_is_one_cluster_and_no_write_before_it() {
        let saw = |s, machine, cluster| (at(s), sighted_in(machine, cluster));
        let done = |s| noted(s, Note::Answered { number: 1, outcome: Outcome::Done });
        let found = |history: &History| check(history).violations.len();
        assert_eq!(found(&[saw(1, 0, None), saw(2, 0, Some(5)), done(3), saw(4, 1, Some(5))]), 0);
        assert_eq!(found(&[saw(1, 0, Some(5)), saw(2, 1, Some(6))]), 1);
        assert_eq!(found(&[saw(1, 0, None), done(2)]), 1);
    }
}
