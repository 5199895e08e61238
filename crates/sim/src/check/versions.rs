//! Versions of a list (`lastRefTime`) never fall from one push to the next, and no list with instances in it is older than
//! anything shown before, also over restarts: SDKs drop what is older than what they hold, and would hold on to that for ever.
//! Who goes to another node may be shown an older list there if it says the same: dropping that does no harm.

use super::{Findings, History, seconds};
use crate::{
    note::{Note, Seen},
    world::Happening,
};
use std::collections::BTreeMap;

/// What a client was shown of a service.
#[derive(Default)]
struct Shown<'a> {
    /// The newest version of a push, and of anything.
    pushed: u64,
    newest: u64,
    /// Who showed it.
    machine: usize,
    /// What the client holds, as it drops what is older.
    held: Option<&'a Seen>,
}

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("versions");
    let mut all: BTreeMap<(usize, &str), Shown<'_>> = BTreeMap::new();
    for (at, happening) in history {
        // A disk that went back does not know which versions it had given out.
        if matches!(happening, Happening::Restored { .. }) {
            all.clear();
        }
        let Happening::Noted { client, machine, note } = happening else { continue };
        let is_push = matches!(note, Note::Pushed(_));
        let (Note::Listed(_, seen) | Note::Pushed(seen)) = note else { continue };
        findings.checked += 1;
        let shown = all.entry((*client, &seen.service)).or_default();
        let version = if !seen.addresses.is_empty() { shown.newest } else { shown.pushed };
        let older = seen.version < version && (is_push || !seen.addresses.is_empty());
        let same = shown.held.is_some_and(|held| held.addresses == seen.addresses);
        if older && !(same && *machine != shown.machine) {
            let kind = if is_push { "pushed" } else { "shown" };
            findings.violations.push(format!(
                "{}: client {client} was {kind} by m{machine} version {} of {} after {version} of m{}",
                seconds(*at),
                seen.version,
                seen.service,
                shown.machine,
            ));
        }
        if seen.version >= shown.newest {
            (shown.newest, shown.machine, shown.held) = (seen.version, *machine, Some(seen));
        }
        if is_push {
            shown.pushed = shown.pushed.max(seen.version);
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

    #[test]
    fn another_node_may_be_behind_only_if_it_shows_the_same() {
        let found = |history: &History| check(history).violations.len();
        let elsewhere = |addresses: &[&str]| {
            let (at, mut happening) = push(2, 4, addresses);
            if let Happening::Noted { machine, .. } = &mut happening {
                *machine = 1;
            }
            (at, happening)
        };
        assert_eq!(found(&[push(1, 5, &["a:1"]), elsewhere(&["a:1"])]), 0);
        assert_eq!(found(&[push(1, 5, &["a:1"]), elsewhere(&["a:1", "b:2"])]), 1);
        assert_eq!(found(&[push(1, 5, &["a:1"]), push(2, 4, &["a:1"])]), 1, "the same node");
    }
}
