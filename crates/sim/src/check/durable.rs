//! What was acknowledged is there after each restart: everything is read once, before any client can write.

use super::{Findings, History, requests::epochs, seconds};
use crate::world::Happening;

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("durable");
    let keys = epochs(history);
    for (at, happening) in history {
        let Happening::Scanned { configs, .. } = happening else { continue };
        for (key, found) in configs {
            findings.checked += 1;
            let epoch = keys
                .get(key.as_str())
                .and_then(|epochs| epochs.iter().rev().find(|epoch| epoch.since <= *at));
            let sound = epoch
                .map_or(found.is_none(), |epoch| epoch.possible(*at).contains(&found.as_deref()));
            if !sound {
                let found = found.as_deref().map(|content| content.chars().take(20).collect());
                let found: String = found.unwrap_or_else(|| "nothing".to_owned());
                findings.violations.push(format!(
                    "{key} holds {found:?} at {}, and something else was acknowledged",
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
    use crate::check::script::{at, configs};
    use std::collections::BTreeMap;

    /// Whether it is a violation that a scan at 10 s finds this.
    fn lost(script: &str, found: Option<&str>, restored: Option<u64>) -> bool {
        let mut history = configs(script);
        if let Some(as_of) = restored {
            history.push((at(9), Happening::Restored { machine: 0, as_of: at(as_of) }));
        }
        let configs = BTreeMap::from([("k".to_owned(), found.map(str::to_owned))]);
        history.push((at(10), Happening::Scanned { machine: 0, configs, lists: Vec::new() }));
        !check(&history).violations.is_empty()
    }

    #[test]
    fn what_was_acknowledged_must_be_there() {
        for (script, found, is_lost) in [
            ("1-2 set a", Some("a"), false),
            ("1-2 set a", None, true),
            ("1-2 set a", Some("b"), true),
            ("1-2 set a; 3-4 set b", Some("a"), true),
            ("1-3 set a; 2-4 set b", Some("a"), false),
            ("1-2 set a; 3-- set b", Some("a"), false),
            ("1-2 set a; 3-- set b", Some("b"), false),
            ("1-2 set a; 3-- set b", None, true),
            ("1-2 set a; 3-4 remove", None, false),
            ("1-2 set a; 3-4 remove", Some("a"), true),
            ("1-- set a", None, false),
        ] {
            assert_eq!(lost(script, found, None), is_lost, "{script}: {found:?}");
        }
    }

    #[test]
    fn a_disk_that_went_back_keeps_what_was_acknowledged_before_that() {
        let script = "1-2 set a; 3-4 set b; 5-6 set c";
        for (found, is_lost) in [(Some("a"), true), (Some("b"), false), (Some("c"), false)] {
            assert_eq!(lost(script, found, Some(4)), is_lost, "{found:?}");
        }
    }
}
