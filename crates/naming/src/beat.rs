//! Instances that came over HTTP: they live by their beats.
//!
//! A beat may be old: a node that did not run for a while finds in its sockets what clients sent meanwhile, and some of them
//! have long taken their instance back elsewhere. For `SETTLE_TIME` after a pause a beat therefore only says that the client
//! lived. It keeps an instance that is known, wherever it is owned; it neither brings back one that is not, nor makes this
//! node the owner, which would be a later word than that of the client. A client that lives is told that it is unknown, and
//! registers; one that does not listen to that beats again.

use crate::{ClientId, Instance, Naming, Place, Reply, Request, ServiceKey, offer::OfferKey};
use base::{Duration, Instant};
use distro::{Input, Standing};
use journal::Kind;
use std::sync::Arc;

/// How many instances one `Wake` judges at most.
pub const BEATS_JUDGED_PER_WAKE: usize = 1000;

/// What a beat, or the lack of one, means for an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    /// As before; look again at this moment.
    Wait(Instant),
    /// It fell silent.
    Unhealthy,
    /// It was silent for too long.
    Remove,
}

fn judge(
    now: Instant,
    heard: Instant,
    healthy: bool,
    unhealthy_after: Duration,
    removed_after: Duration,
) -> Judgement {
    let (unhealthy, removed) = (heard.after(unhealthy_after), heard.after(removed_after));
    if removed <= now {
        Judgement::Remove
    } else if healthy && unhealthy <= now {
        Judgement::Unhealthy
    } else if healthy {
        Judgement::Wait(unhealthy.min(removed))
    } else {
        Judgement::Wait(removed)
    }
}

/// A time that the client set in its metadata, in milliseconds. What does not read as one is ignored, as by Nacos.
fn time_in(instance: &Instance, name: &str) -> Option<Duration> {
    instance.metadata.get(name)?.parse().ok().map(Duration::from_millis)
}

impl Naming {
    pub(crate) fn beat(
        &mut self,
        client: &Arc<ClientId>,
        service: &Arc<ServiceKey>,
        place: &Arc<Place>,
        full: Option<Instance>,
    ) -> Reply {
        let interval = self.usual_beat_interval();
        if let Some(key) = self.find(client, service, place) {
            return self.beat_known(key);
        }
        let Some(instance) = full else { return Reply::Beat { known: false, interval } };
        let interval = self.beat_interval(&instance);
        match self.register(client, service, vec![Instance { healthy: true, ..instance }]) {
            Ok(_) => Reply::Beat { known: true, interval },
            Err(refusal) => Reply::Refused(refusal),
        }
    }

    /// A beat that may be old does not say what its instance is like.
    pub(crate) fn unless_old(&self, request: Request) -> Request {
        match request {
            Request::Beat { client, service, full: Some(_), ip, port, cluster_name }
                if self.is_unsettled() =>
            {
                Request::Beat { client, service, full: None, ip, port, cluster_name }
            }
            request => request,
        }
    }

    /// Whether the node has not run until a moment ago.
    fn is_unsettled(&self) -> bool {
        self.now.instant < self.unsettled_until
    }

    /// Sees to it that the instance is judged when its time comes. Instances of connections never expire.
    pub(crate) fn watch_beats(&mut self, key: OfferKey) {
        match *key.client {
            ClientId::Connection(_) => {}
            ClientId::Address { .. } => self.judge_beats(key),
        }
    }

    /// Judges the instances whose time has come, for one piece.
    pub(crate) fn judge_due(&mut self) {
        for _ in 0..BEATS_JUDGED_PER_WAKE {
            match self.judgements.first() {
                Some((at, _)) if *at <= self.hearing().instant => {}
                Some(_) | None => return,
            }
            let (_, key) = self.judgements.pop_first().expect("looked at above");
            self.judge_beats(key);
        }
    }

    fn beat_known(&mut self, key: OfferKey) -> Reply {
        let entry = self.distro.get(&key).expect("it was found");
        let instance = entry.value.clone();
        let interval = self.beat_interval(&instance);
        let owned = self.distro.owns(entry);
        let kind = match entry.standing {
            Standing::Orphan | Standing::Hidden => Some(Kind::Adopted),
            Standing::Living => (!instance.healthy).then_some(Kind::BecameHealthy),
        };
        // What another node asks for is as old as it says.
        let old = !owned && self.is_unsettled() && self.forwards.asked_at().is_none();
        if old || (owned && instance.healthy) {
            // The judgement that is due at the time of an earlier beat will find this one.
            self.distro(Input::Heard { key });
            return Reply::Beat { known: true, interval };
        }
        if let Some(kind) = kind {
            self.instance_event(kind, &key);
        }
        let value = Arc::new(Instance { healthy: true, ..(*instance).clone() });
        self.distro(match self.forwards.asked_at() {
            Some(at) => Input::WriteAsked { key: key.clone(), value, at },
            None => Input::Write { key: key.clone(), value },
        });
        self.end_orphans(&key.service, &key.place, &key.client, Kind::Adopted);
        self.watch_beats(key);
        Reply::Beat { known: true, interval }
    }

    fn judge_beats(&mut self, key: OfferKey) {
        let Some(entry) = self.distro.get(&key) else { return };
        if !self.distro.owns(entry) {
            return; // its owner judges it, and an orphan has a time of its own
        }
        if !self.agreed.switches.health_check {
            // Beats are taken note of all the same: whoever beats is not touched when it is switched on again.
            let at = self.hearing().instant.after(self.settings.unhealthy_after);
            self.judgements.insert((at, key));
            return;
        }
        let instance = entry.value.clone();
        let unhealthy_after = time_in(&instance, "preserved.heart.beat.timeout")
            .unwrap_or(self.settings.unhealthy_after);
        let removed_after = time_in(&instance, "preserved.ip.delete.timeout")
            .unwrap_or(self.settings.removed_after);
        let (now, heard) = (self.hearing().instant, entry.heard);
        match judge(now, heard, instance.healthy, unhealthy_after, removed_after) {
            Judgement::Wait(at) => {
                self.judgements.insert((at, key));
            }
            Judgement::Unhealthy => {
                self.instance_event(Kind::BecameUnhealthy, &key);
                let value = Arc::new(Instance { healthy: false, ..(*instance).clone() });
                self.distro(Input::Amend { key: key.clone(), value });
                self.judgements.insert((heard.after(removed_after), key));
            }
            Judgement::Remove => self.take_back(key, Kind::Expired),
        }
    }

    fn beat_interval(&self, instance: &Instance) -> Duration {
        time_in(instance, "preserved.heart.beat.interval")
            .unwrap_or_else(|| self.usual_beat_interval())
    }

    fn usual_beat_interval(&self) -> Duration {
        let switched = self.agreed.switches.beat_interval_ms;
        switched.map_or(self.settings.beat_interval, |ms| Duration::from_millis(ms.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_makes_unhealthy_and_then_removes() {
        let at = |s| Instant::START.after(Duration::from_secs(s));
        let judged = |now, healthy| {
            judge(at(now), at(10), healthy, Duration::from_secs(15), Duration::from_secs(30))
        };
        for (now, healthy, expected) in [
            (10, true, Judgement::Wait(at(25))),
            (24, true, Judgement::Wait(at(25))),
            (25, true, Judgement::Unhealthy),
            (25, false, Judgement::Wait(at(40))),
            (39, false, Judgement::Wait(at(40))),
            (40, false, Judgement::Remove),
            (40, true, Judgement::Remove),
        ] {
            assert_eq!(judged(now, healthy), expected, "at {now} s, healthy: {healthy}");
        }
    }
}
