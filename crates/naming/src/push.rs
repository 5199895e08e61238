//! Pushing views to subscribers: soon when it is quiet, together when it is not.

use crate::{Naming, Output, ServiceKey, Settings};
use base::{ConnectionId, Duration, Instant};
use journal::Kind;
use std::{ops::Bound, sync::Arc};

/// How many subscribers one `Wake` looks at, at most.
pub const PUSHES_PER_WAKE: usize = 1000;

/// What sending one instance to one subscriber is reckoned to cost; widens the push window.
const INSTANCE_SENT_COST: Duration = Duration::from_micros(1);

/// A push that is done in pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// The last subscriber that was looked at.
    after: ConnectionId,
    /// When the round began the service had changed last with this version.
    changed_at: u64,
}

/// The least time between two pushes of a service.
fn push_window(settings: &Settings, subscribers: usize, instances: usize) -> Duration {
    let sent = u32::try_from(subscribers.saturating_mul(instances)).unwrap_or(u32::MAX);
    (settings.push_delay + INSTANCE_SENT_COST.saturating_mul(sent)).min(settings.push_window_max)
}

impl Naming {
    /// Plans a push to all subscribers that do not have the newest view. Does nothing if one is planned already.
    pub(crate) fn schedule_push(&mut self, key: &Arc<ServiceKey>) {
        let Some(service) = self.services.get_mut(key) else { return };
        if service.push_at.is_some() || service.subscribers.is_empty() {
            return;
        }
        let window =
            push_window(&self.settings, service.subscribers.len(), service.view.instances.len());
        let soon = self.now.instant.after(self.settings.push_delay);
        let at = service.pushed_at.map_or(soon, |pushed| soon.max(pushed.after(window)));
        service.push_at = Some(at);
        self.pushes.insert((at, key.clone()));
    }

    /// When the next push is due; not while they are switched off.
    pub(crate) fn push_deadline(&self) -> Option<Instant> {
        let first = self.pushes.first().filter(|_| self.agreed.switches.push);
        first.map(|(at, _)| (*at).max(self.pushes_since))
    }

    /// Does the pushes that are due, for one piece.
    pub(crate) fn push_due(&mut self) {
        if !self.agreed.switches.push {
            return;
        }
        let mut left = PUSHES_PER_WAKE;
        while left > 0 {
            match self.pushes.first() {
                Some((at, _)) if *at <= self.now.instant => {}
                Some(_) | None => return,
            }
            let (_, key) = self.pushes.pop_first().expect("looked at above");
            left -= self.push_piece(&key, left).clamp(1, left);
        }
    }

    /// Pushes to at most `count_max` subscribers of a service and plans the rest. Returns how many it looked at.
    fn push_piece(&mut self, key: &Arc<ServiceKey>, count_max: usize) -> usize {
        let Some(service) = self.services.get_mut(key) else { return 0 };
        let view = service.view.clone();
        let changed_at = service.changed_at;
        let (after, began_at) = match service.round.take() {
            Some(round) => (Bound::Excluded(round.after), round.changed_at),
            None => (Bound::Unbounded, changed_at),
        };
        let mut last = None;
        let mut pushed = Vec::new();
        let mut looked_at = 0;
        for (to, subscription) in
            service.subscribers.range_mut((after, Bound::Unbounded)).take(count_max)
        {
            looked_at += 1;
            last = Some(*to);
            if subscription.pushed < changed_at && self.connections.contains_key(to) {
                subscription.pushed = view.version;
                pushed.push((*to, subscription.clusters.clone()));
            }
        }
        if let (Some(after), true) = (last, looked_at == count_max) {
            service.round = Some(Round { after, changed_at: began_at });
            service.push_at = Some(self.now.instant);
            self.pushes.insert((self.now.instant, key.clone()));
        } else {
            service.push_at = None;
            service.pushed_at = Some(self.now.instant);
            if began_at != changed_at {
                // It changed during the round: the first subscribers got the former view.
                self.schedule_push(key);
            }
        }
        for (to, clusters) in pushed {
            self.outputs.push_back(Output::Push { to, clusters, view: view.clone() });
            self.service_event(Kind::Pushed { to, version: view.version }, key);
        }
        looked_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_widens_with_fan_out_and_size_up_to_the_cap() {
        let settings = Settings::default();
        for (subscribers, instances, ms) in
            [(0, 0, 20), (10, 100, 21), (1000, 100, 120), (10_000, 1000, 500), (usize::MAX, 2, 500)]
        {
            let window = push_window(&settings, subscribers, instances);
            assert_eq!(window, Duration::from_millis(ms), "{subscribers} × {instances}");
        }
    }
}
