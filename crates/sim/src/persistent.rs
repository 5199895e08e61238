//! The persistent instances of a client over HTTP: it asks until it is answered, whatever happens.

use crate::{
    beat_client::{BeatClient, Op},
    note::{Note, Offer, Step},
};
use base::{Duration, Instant};
use http::Method;

/// From a try that failed to the next one.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What the client wants of one persistent instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) listed: bool,
    /// When to ask; `None` once the server has confirmed it.
    due: Option<Instant>,
}

impl BeatClient {
    /// Wants an instance that it did not want, or no longer wants one.
    pub(crate) fn wish(&mut self, now: Instant) {
        let index = self.rng.below(self.habits.persistent.len() as u64) as usize;
        let address = format!("{}:{}", self.ip, 9_000 + index);
        let offer = Offer { service: self.habits.persistent[index].clone(), address };
        let former = self.wishes.get(&offer);
        if former.is_some_and(|wish| wish.due.is_some()) {
            return; // one thing at a time
        }
        let listed = former.is_none_or(|wish| !wish.listed);
        self.wishes.insert(offer, Wish { listed, due: Some(now) });
    }

    pub(crate) fn wishes_due(&self) -> Option<Instant> {
        self.wishes.values().filter_map(|wish| wish.due).min()
    }

    pub(crate) fn ask_wishes(&mut self, now: Instant) {
        let due = |wish: &Wish| wish.due.is_some_and(|due| due <= now);
        let offers: Vec<(Offer, bool)> = self
            .wishes
            .iter_mut()
            .filter(|(_, wish)| due(wish))
            .map(|(offer, wish)| {
                // Should no answer come, the connection is lost, and this is soon enough.
                wish.due = Some(now.after(crate::line::CALL_TIMEOUT + RETRY_DELAY));
                (offer.clone(), wish.listed)
            })
            .collect();
        for (offer, listed) in offers {
            let (step, method) = if listed {
                (Step::RegisterAsked, Method::POST)
            } else {
                (Step::DeregisterAsked, Method::DELETE)
            };
            self.notes.push_back(Note::Persistent(offer.clone(), step));
            let query = format!("{}&ephemeral=false", self.named(&offer));
            let op = Op::Wish { offer, listed };
            self.ask(now, method, "/nacos/v1/ns/instance", &query, op);
        }
    }

    pub(crate) fn wish_answered(&mut self, now: Instant, offer: Offer, listed: bool, done: bool) {
        let wish = self.wishes.get_mut(&offer).expect("it asked for it");
        if wish.listed != listed {
            return;
        }
        if !done {
            wish.due = Some(now.after(RETRY_DELAY));
            return;
        }
        wish.due = None;
        let step = if listed { Step::Registered } else { Step::Deregistered };
        self.notes.push_back(Note::Persistent(offer, step));
    }

    /// The server's disk went back in time: what was confirmed may be forgotten.
    pub(crate) fn restored(&mut self, now: Instant) {
        for wish in self.wishes.values_mut() {
            wish.due = Some(now);
        }
    }

    /// What the server has not confirmed.
    pub(crate) fn unanswered_wish(&self) -> Option<&Offer> {
        self.wishes.iter().find(|(_, wish)| wish.due.is_some()).map(|(offer, _)| offer)
    }

    pub(crate) fn wishes_granted(&self) -> impl Iterator<Item = &Offer> {
        let granted = |wish: &Wish| wish.listed && wish.due.is_none();
        self.wishes.iter().filter(move |(_, wish)| granted(wish)).map(|(offer, _)| offer)
    }
}
