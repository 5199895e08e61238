//! Histories for the tests of the checkers.

use crate::{
    config_client::md5_of,
    note::{Ask, Note, Offer, Outcome, Seen},
    sights::Sight,
    world::Happening,
};
use base::{Duration, Instant};

pub(crate) type Line = (Instant, Happening);

pub(crate) fn at(seconds: u64) -> Instant {
    Instant::START.after(Duration::from_secs(seconds))
}

pub(crate) fn noted(seconds: u64, note: Note) -> Line {
    (at(seconds), Happening::Noted { client: 0, machine: 0, note })
}

/// Requests about the key `k`, divided by `;`: `asked-answered what`, the times in seconds, `-` for no answer.
pub(crate) fn configs(script: &str) -> Vec<Line> {
    let mut history = Vec::new();
    for (number, line) in script.split(';').map(str::trim).enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (asked, answered) = words[0].split_once('-').expect("asked-answered");
        let content = || words[2].to_owned();
        let cas = words.get(3).map(|old| md5_of(old));
        let (ask, outcome) = match words[1] {
            "set" => (Ask::Publish { content: content(), cas }, Outcome::Done),
            "conflict" => (Ask::Publish { content: content(), cas }, Outcome::Conflict),
            "remove" => (Ask::Remove, Outcome::Done),
            "get" => (Ask::Query, Outcome::Found(words.get(2).map(|_| content()))),
            other => panic!("{other}"),
        };
        let number = number as u64;
        let asked: u64 = asked.parse().expect("a time");
        let answered: Option<u64> = answered.parse().ok();
        let outcome = if answered.is_some() { outcome } else { Outcome::Unknown };
        history.push(noted(asked, Note::Asked { number, key: "k".to_owned(), ask }));
        let answered = answered.unwrap_or(asked);
        history.push(noted(answered, Note::Answered { number, outcome }));
    }
    history.sort_by_key(|(at, _)| *at);
    history
}

/// What is seen of a machine's node.
pub(crate) fn sighted(machine: usize, term: u64, leader: Option<u64>) -> Happening {
    let (node, voters, links) = (machine as u64, Vec::new(), Vec::new());
    let sight = Sight { node, term, leader, cluster: None, voters, links };
    Happening::Sighted { machine, sight }
}

pub(crate) fn sighted_in(machine: usize, cluster: Option<u64>) -> Happening {
    let (node, voters, links) = (machine as u64, Vec::new(), Vec::new());
    let sight = Sight { node, term: 0, leader: None, cluster, voters, links };
    Happening::Sighted { machine, sight }
}

pub(crate) fn offer() -> Offer {
    Offer { service: "s".to_owned(), address: "a:1".to_owned() }
}

pub(crate) fn registered(seconds: u64) -> Vec<Line> {
    vec![noted(seconds, Note::Registering(offer())), noted(seconds, Note::Registered(offer()))]
}

pub(crate) fn seen(version: u64, addresses: &[&str]) -> Seen {
    let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
    Seen { service: "s".to_owned(), version, addresses }
}

pub(crate) fn list(seconds: u64, addresses: &[&str]) -> Line {
    noted(seconds, Note::Listed(at(seconds), seen(1, addresses)))
}

pub(crate) fn push(seconds: u64, version: u64, addresses: &[&str]) -> Line {
    noted(seconds, Note::Pushed(seen(version, addresses)))
}

/// Down for a second; with `kept`, nothing that was written to the disk is lost.
pub(crate) fn restart(seconds: u64, kept: bool) -> Vec<Line> {
    let ready = Happening::Ready { machine: 0 };
    vec![(at(seconds), Happening::Down { machine: 0, kept }), (at(seconds + 1), ready)]
}
