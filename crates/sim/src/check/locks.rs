//! Locks: a later grant has the greater token; nobody is given a lock on which its holder still counts; a lease that was
//! renewed in time is not lost; and a register that refuses tokens smaller than one it saw never refuses the holder.
//!
//! A holder counts from when it asked, the servers from when they applied: so it never counts on too much, whatever happens
//! in between.

use super::{Findings, History, seconds};
use crate::{
    note::{Held, Note},
    world::Happening,
};
use base::Instant;
use std::collections::BTreeMap;

/// A grant, as its holder knows it.
#[derive(Clone, Copy)]
struct Grant {
    client: usize,
    /// When it was told.
    told: Instant,
    /// It counts on it until then.
    until: Instant,
}

#[derive(Default)]
struct Lock {
    asked: BTreeMap<usize, Instant>,
    /// By token.
    grants: BTreeMap<u64, Grant>,
    /// The greatest token that the register saw.
    greatest: u64,
}

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("locks");
    let mut locks: BTreeMap<&str, Lock> = BTreeMap::new();
    for (at, happening) in history {
        let (client, key, wrong) = match happening {
            // What was granted after that moment is forgotten.
            Happening::Restored { .. } => {
                locks.clear();
                continue;
            }
            Happening::Noted { client, note: Note::Lock { key, held }, .. } => {
                let lock = locks.entry(key).or_default();
                (client, key, lock.held(*at, *client, *held))
            }
            Happening::Noted { client, note: Note::Fenced { key, token }, .. } => {
                (client, key, locks.entry(key).or_default().write(*at, *token))
            }
            _ => continue,
        };
        findings.checked += 1;
        if let Some(what) = wrong {
            findings.violations.push(format!("{}: client {client} {what} of {key}", seconds(*at)));
        }
    }
    findings
}

impl Lock {
    fn held(&mut self, at: Instant, client: usize, held: Held) -> Option<String> {
        match held {
            Held::Asking => {
                self.asked.insert(client, at);
                None
            }
            Held::Granted { token, until } => {
                let asked = self.asked.get(&client).copied().unwrap_or(at);
                let known = self.grants.get(&token);
                if let Some(other) = known.filter(|grant| grant.client != client) {
                    return Some(format!("got the token {token} of client {}", other.client));
                }
                let late = self.grants.iter().find(|(t, g)| **t > token && g.told <= asked);
                if let Some((greater, _)) = late {
                    return Some(format!("got the token {token} after {greater} was given away"));
                }
                self.grants.insert(token, Grant { client, told: at, until });
                self.shared(token)
            }
            Held::Until { token, until } => {
                let grant = self.grants.get_mut(&token)?;
                grant.until = grant.until.max(until);
                self.shared(token)
            }
            Held::Lost { token } => {
                let grant = self.grants.get_mut(&token)?;
                let until = grant.until;
                grant.until = until.min(at);
                (at < until).then(|| format!("lost the token {token} before its time"))
            }
            Held::Releasing { token } => {
                let grant = self.grants.get_mut(&token)?;
                grant.until = grant.until.min(at);
                None
            }
        }
    }

    /// Whether two count on it at once, one of them with this token: the greater one was granted later, and told of before
    /// the other one's time was over.
    fn shared(&self, token: u64) -> Option<String> {
        let grant = self.grants[&token];
        let words = |older: (u64, Grant), newer: (u64, Grant)| {
            format!(
                "shares the lock: token {} counts on it until {}, and token {} was told of at {}",
                older.0,
                seconds(older.1.until),
                newer.0,
                seconds(newer.1.told)
            )
        };
        let others = self.grants.iter().map(|(token, grant)| (*token, *grant));
        others.filter(|(other, _)| *other != token).find_map(|other| {
            let (older, newer) =
                if other.0 < token { (other, (token, grant)) } else { ((token, grant), other) };
            (newer.1.told < older.1.until).then(|| words(older, newer))
        })
    }

    fn write(&mut self, at: Instant, token: u64) -> Option<String> {
        if token >= self.greatest {
            self.greatest = token;
            return None;
        }
        let holds = self.grants.get(&token).is_some_and(|grant| at < grant.until);
        let greatest = self.greatest;
        holds.then(|| {
            format!("holds token {token} and is refused by the register, which saw {greatest}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::at;

    /// Lines of `second client what [token [until]]`, divided by `;`.
    fn found(script: &str) -> usize {
        let line = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |n: usize| words[n].parse::<u64>().expect("a number");
            let token = || number(3);
            let until = || at(number(4));
            let key = "k".to_owned();
            let held = |held| Note::Lock { key: key.clone(), held };
            let note = match words[2] {
                "asks" => held(Held::Asking),
                "has" => held(Held::Granted { token: token(), until: until() }),
                "renews" => held(Held::Until { token: token(), until: until() }),
                "loses" => held(Held::Lost { token: token() }),
                "releases" => held(Held::Releasing { token: token() }),
                "writes" => Note::Fenced { key: key.clone(), token: token() },
                other => panic!("{other}"),
            };
            (at(number(0)), Happening::Noted { client: number(1) as usize, machine: 0, note })
        };
        let history: Vec<_> = script.split(';').map(line).collect();
        check(&history).violations.len()
    }

    #[test]
    fn a_lock_has_one_holder_and_tokens_grow() {
        for (script, violations) in [
            ("1 0 asks; 2 0 has 5 4; 5 1 asks; 6 1 has 7 9", 0),
            ("1 0 asks; 2 0 has 5 9; 5 1 asks; 6 1 has 7 9", 1),
            ("1 0 asks; 2 0 has 5 9; 4 0 releases 5; 5 1 asks; 6 1 has 7 9", 0),
            ("1 0 asks; 2 0 has 5 4; 3 0 renews 5 9; 5 1 asks; 6 1 has 7 9", 1),
            ("1 1 asks; 1 0 asks; 2 1 has 7 9; 3 0 has 5 4", 1),
            ("1 0 asks; 2 0 has 5 4; 5 1 asks; 6 1 has 5 9", 1),
            ("1 0 asks; 2 0 has 5 4; 5 1 asks; 6 1 has 4 9", 1),
            ("1 0 asks; 2 0 has 5 9; 3 0 loses 5", 1),
            ("1 0 asks; 2 0 has 5 4; 6 0 loses 5", 0),
            ("1 0 asks; 2 0 has 5 4; 4 1 asks; 5 1 has 7 8; 6 0 loses 5; 7 1 renews 7 9", 0),
            ("1 0 asks; 2 0 has 5 4; 5 0 asks; 6 0 has 5 9", 0),
        ] {
            assert_eq!(found(script), violations, "{script}");
        }
    }

    #[test]
    fn the_register_takes_the_holder_and_may_refuse_who_was() {
        let before = "1 0 asks; 2 0 has 5 4; 5 1 asks; 6 1 has 7 9; 7 1 writes 7";
        assert_eq!(found(&format!("{before}; 8 0 writes 5; 8 1 writes 7")), 0);
        let wrong = "1 1 asks; 2 1 has 7 3; 2 0 writes 9; 2 1 writes 7";
        assert_eq!(found(wrong), 1);
    }
}
