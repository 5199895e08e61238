//! Versions of a list (`lastRefTime`) never fall from one push to the next, and no list with instances in it is older than
//! anything shown before, also over restarts: SDKs drop what is older than what they hold, and would hold on to that for ever.

use super::{Findings, History, seconds};
use crate::{note::Note, world::Happening};
use std::collections::BTreeMap;

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("versions");
    // Of the pushes, and of everything.
    let mut newest: BTreeMap<(usize, &str), (u64, u64)> = BTreeMap::new();
    for (at, happening) in history {
        // A disk that went back does not know which versions it had given out.
        if matches!(happening, Happening::Restored { .. }) {
            newest.clear();
        }
        let Happening::Noted { client, note, .. } = happening else { continue };
        let is_push = matches!(note, Note::Pushed(_));
        let (Note::Listed(_, seen) | Note::Pushed(seen)) = note else { continue };
        findings.checked += 1;
        let (pushed, shown) = newest.entry((*client, &seen.service)).or_default();
        let version = if !seen.addresses.is_empty() { *shown } else { *pushed };
        if seen.version < version && (is_push || !seen.addresses.is_empty()) {
            let kind = if is_push { "pushed" } else { "shown" };
            findings.violations.push(format!(
                "{}: client {client} was {kind} version {} of {} after {version}",
                seconds(*at),
                seen.version,
                seen.service
            ));
        }
        *shown = (*shown).max(seen.version);
        if is_push {
            *pushed = (*pushed).max(seen.version);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{list, push, restart};

    #[test]
    fn versions_never_fall() {
        let found = |history: &History| check(history).violations.len();
        assert_eq!(found(&[push(1, 5, &[]), push(2, 5, &[]), push(3, 6, &[])]), 0);
        assert_eq!(found(&[push(1, 5, &[]), push(2, 4, &[])]), 1);
        assert_eq!(found(&[push(1, 5, &[]), list(2, &["a:1"])]), 1, "the list has version 1");
        assert_eq!(found(&[list(1, &[]), push(2, 0, &["a:1"])]), 1);
        assert_eq!(found(&[list(1, &[]), push(2, 0, &[])]), 0, "nobody, said by two");
        let over = [vec![push(1, 5, &[])], restart(2, false), vec![push(4, 4, &[])]];
        assert_eq!(found(&over.concat()), 1, "over a restart");
    }
}
