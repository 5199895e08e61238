//! Nodes that have applied the same hold the same; and in the end, read at one moment, all of them show the same.

use super::{Findings, History, seconds};
use crate::world::Happening;
use base::Instant;
use std::collections::BTreeMap;

type Lists<'a> = BTreeMap<&'a str, Vec<&'a str>>;

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("replicas");
    let mut states: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
    let mut scans: BTreeMap<Instant, (usize, Lists<'_>)> = BTreeMap::new();
    for (at, happening) in history {
        if let Happening::Applied { machine, applied, hash } = happening {
            findings.checked += 1;
            let (other, first) = *states.entry(*applied).or_insert((*machine, *hash));
            if first != *hash {
                findings.violations.push(format!(
                    "{}: m{machine} has applied {applied} and holds something else than m{other} did then",
                    seconds(*at)
                ));
            }
        }
        let Happening::Scanned { machine, lists, .. } = happening else { continue };
        let lists: Lists<'_> = lists
            .iter()
            .map(|seen| {
                let addresses = seen.addresses.iter().map(String::as_str).collect();
                (seen.service.as_str(), addresses)
            })
            .collect();
        let (other, first) = scans.entry(*at).or_insert_with(|| (*machine, lists.clone()));
        for (service, shown) in &lists {
            let before = first.get(service).unwrap_or(shown);
            if before != shown {
                findings.violations.push(format!(
                    "{}: of {service} m{machine} lists {shown:?} and m{other} {before:?}",
                    seconds(*at)
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{at, seen};

    #[test]
    fn equal_logs_make_equal_states() {
        let applied =
            |s, machine, applied, hash| (at(s), Happening::Applied { machine, applied, hash });
        let found = |history: &History| check(history).violations.len();
        assert_eq!(found(&[applied(1, 0, 5, 9), applied(2, 1, 5, 9), applied(2, 1, 6, 8)]), 0);
        assert_eq!(found(&[applied(1, 0, 5, 9), applied(2, 1, 5, 8)]), 1);
    }

    #[test]
    fn lists_read_at_one_moment_are_equal() {
        let scan = |s, machine, addresses: &[&str]| {
            let lists = vec![seen(1, addresses)];
            (at(s), Happening::Scanned { machine, configs: BTreeMap::new(), lists })
        };
        let found = |history: &History| check(history).violations.len();
        assert_eq!(found(&[scan(5, 0, &["a:1"]), scan(5, 1, &["a:1"])]), 0);
        assert_eq!(found(&[scan(5, 0, &["a:1"]), scan(5, 1, &[])]), 1);
        assert_eq!(found(&[scan(5, 0, &["a:1"]), scan(6, 1, &[])]), 0, "at different moments");
    }
}
