//! The config requests of a history, by key and by epoch.
//!
//! An *epoch* ends when the disk goes back in time: an operator put back a copy, or the disk had said "durable" of what it
//! then lost with the power. What one copy of the data would have answered is then asked anew, from any state that the disk
//! may have gone back to.

use super::History;
use crate::{
    note::{Ask, Note, Outcome},
    world::Happening,
};
use base::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// What a key holds; `None`: there is no such config.
pub(crate) type Held<'a> = Option<&'a str>;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) client: usize,
    /// Whom it was asked.
    pub(crate) machine: usize,
    pub(crate) asked: Instant,
    pub(crate) ask: &'a Ask,
    /// `None`: no answer.
    pub(crate) end: Option<(Instant, &'a Outcome)>,
}

impl<'a> Request<'a> {
    /// What the key holds if this is a write that took effect, or may have.
    pub(crate) fn effect(&self) -> Option<Held<'a>> {
        let may_have = match self.end {
            None | Some((_, Outcome::Done | Outcome::Unknown)) => true,
            Some((
                _,
                Outcome::Found(_)
                | Outcome::FoundStale(_)
                | Outcome::Conflict
                | Outcome::Refused(_),
            )) => false,
        };
        match self.ask {
            Ask::Publish { content, .. } if may_have => Some(Some(content)),
            Ask::Remove if may_have => Some(None),
            Ask::Publish { .. } | Ask::Remove | Ask::Query => None,
        }
    }

    /// When it was acknowledged, if it is a write that was.
    pub(crate) fn acknowledged(&self) -> Option<Instant> {
        self.end.filter(|(_, outcome)| **outcome == Outcome::Done).map(|(at, _)| at)
    }
}

pub(crate) struct Epoch<'a> {
    pub(crate) since: Instant,
    /// What the key may hold when it begins.
    pub(crate) base: BTreeSet<Held<'a>>,
    /// In the order in which they were asked.
    pub(crate) requests: Vec<Request<'a>>,
}

impl<'a> Epoch<'a> {
    /// What the key may hold at this moment, if all that was acknowledged is kept. A write is out of the question when an
    /// acknowledged one was asked after it was acknowledged itself.
    pub(crate) fn possible(&self, at: Instant) -> BTreeSet<Held<'a>> {
        let acknowledged: Vec<(Instant, Instant)> = self
            .requests
            .iter()
            .filter(|request| request.effect().is_some())
            .filter_map(|request| Some((request.asked, request.acknowledged()?)))
            .filter(|(_, acknowledged)| *acknowledged <= at)
            .collect();
        let replaced = |since: Instant| acknowledged.iter().any(|(asked, _)| *asked > since);
        let written = self
            .requests
            .iter()
            .filter(|request| request.asked <= at)
            .filter(|request| !request.acknowledged().is_some_and(&replaced));
        let mut possible: BTreeSet<Held<'a>> = written.filter_map(Request::effect).collect();
        if acknowledged.is_empty() {
            possible.extend(&self.base);
        }
        possible
    }

    /// What the disk may have gone back to that went back to some moment since this one.
    fn possible_since(&self, at: Instant) -> BTreeSet<Held<'a>> {
        let mut possible = self.possible(at);
        let later = self.requests.iter().filter(|request| request.asked > at);
        possible.extend(later.filter_map(Request::effect));
        possible
    }
}

/// The epochs of each key.
pub(crate) fn epochs(history: &History) -> BTreeMap<&str, Vec<Epoch<'_>>> {
    let mut keys: BTreeMap<&str, BTreeMap<(Instant, usize, u64), Request<'_>>> = BTreeMap::new();
    let mut places = BTreeMap::new();
    let mut restores = Vec::new();
    for (at, happening) in history {
        if let Happening::Restored { as_of, .. } = happening {
            restores.push((*at, *as_of));
        }
        let Happening::Noted { client, machine, note } = happening else { continue };
        if let Note::Asked { number, key, ask } = note {
            let request =
                Request { client: *client, machine: *machine, asked: *at, ask, end: None };
            keys.entry(key).or_default().insert((*at, *client, *number), request);
            places.insert((*client, *number), (key.as_str(), *at));
        } else if let Note::Answered { number, outcome } = note {
            let (key, asked) = places[&(*client, *number)];
            let requests = keys.get_mut(key).expect("noted when it was asked");
            let request = requests.get_mut(&(asked, *client, *number));
            request.expect("noted when it was asked").end = Some((*at, outcome));
        }
    }
    keys.into_iter()
        .map(|(key, requests)| (key, split(requests.into_values().collect(), &restores)))
        .collect()
}

fn split<'a>(requests: Vec<Request<'a>>, restores: &[(Instant, Instant)]) -> Vec<Epoch<'a>> {
    let first = Epoch { since: Instant::START, base: BTreeSet::from([None]), requests: Vec::new() };
    let mut epochs = vec![first];
    let mut left = requests.into_iter().peekable();
    for (at, as_of) in restores {
        let epoch = epochs.last_mut().expect("there is a first one");
        while let Some(request) = left.next_if(|request| request.asked < *at) {
            epoch.requests.push(request);
        }
        let base = if *as_of >= epoch.since {
            epoch.possible_since(*as_of)
        } else {
            // Back beyond an earlier return: any of what was ever written.
            epochs.iter().flat_map(|epoch| epoch.possible_since(Instant::START)).collect()
        };
        epochs.push(Epoch { since: *at, base, requests: Vec::new() });
    }
    epochs.last_mut().expect("there is a first one").requests.extend(left);
    epochs
}
