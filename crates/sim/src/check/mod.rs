//! The checkers. Each judges the history of a run for one promise, and knows nothing of the others: what one of them cannot
//! see, another may.

mod durable;
mod empty_push;
mod formed;
mod gone;
mod leaders;
mod ledger;
mod linear;
mod listen;
mod living;
mod locks;
mod minority;
mod persistent;
mod replicas;
mod requests;
#[cfg(test)]
mod script;
mod stale;
mod trouble;
mod versions;

use crate::{note::Note, world::Happening};
use base::Instant;

/// Everything that happened in a run, in order of time.
pub(crate) type History = [(Instant, Happening)];

/// What a checker found.
#[derive(Debug)]
pub struct Findings {
    /// Its name.
    pub checker: &'static str,
    /// How many lists, requests or scans it looked at.
    pub checked: usize,
    /// What must never happen, and did.
    pub violations: Vec<String>,
}

impl Findings {
    fn of(checker: &'static str) -> Self {
        Self { checker, checked: 0, violations: Vec::new() }
    }
}

/// What all checkers found.
#[must_use]
pub fn check(history: &History) -> Vec<Findings> {
    let ledger = ledger::Ledger::read(history);
    vec![
        sound(history),
        linear::check(history),
        listen::check(history),
        durable::check(history),
        living::check(&ledger),
        gone::check(&ledger),
        versions::check(history),
        empty_push::check(&ledger),
        persistent::check(history),
        locks::check(history),
        formed::check(history),
        leaders::check(history),
        replicas::check(history),
        stale::check(history),
        minority::check(history),
    ]
}

/// No answer contradicts itself.
fn sound(history: &History) -> Findings {
    let mut findings = Findings::of("sound");
    for (at, happening) in history {
        if let Happening::Noted { note, .. } = happening {
            findings.checked += 1;
            if let Note::Broken(what) = note {
                findings.violations.push(format!("{}: {what}", seconds(*at)));
            }
        }
    }
    findings
}

/// What all checkers found, each finding with the name of its checker before it.
#[must_use]
pub fn violations(history: &History) -> Vec<String> {
    let named = |found: Findings| {
        found.violations.into_iter().map(move |what| format!("{}: {what}", found.checker))
    };
    check(history).into_iter().flat_map(named).collect()
}

pub(crate) fn seconds(at: Instant) -> String {
    format!("{:.3} s", at.as_nanos() as f64 / 1e9)
}
