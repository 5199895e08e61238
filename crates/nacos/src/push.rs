//! Pushes of service lists: one slot per subscription with the newest view not sent yet, one push in flight.
//!
//! A lost push or a lost ack is the same to us: after `ACK_TIMEOUT` the newest view is sent again a second later.
//! A slow subscriber holds two views per subscription at most, however often the service changes.

use crate::{
    Format, Payload, Tell, Views, reply,
    service_info::{self, Selection},
};
use base::{Duration, Instant, Now};
use naming::{ClusterNames, ServiceKey, ServiceView};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long a push may stay unconfirmed.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after that the newest view is sent again.
pub(crate) const RESEND_DELAY: Duration = Duration::from_secs(1);

/// All subscriptions of a connection. A step costs by what it changes, not by how many subscriptions there are:
///
/// * `ready` = { s | s has an unsent view ∧ nothing in flight ∧ no delay }
/// * `in_flight` = { request → s | s.sent is that request }
/// * `timers` = { (t, s) | s.sent is due at t, or s.not_before = t }
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    all: BTreeMap<ServiceKey, Subscription>,
    ready: BTreeSet<ServiceKey>,
    in_flight: BTreeMap<u64, ServiceKey>,
    timers: BTreeSet<(Instant, ServiceKey)>,
    /// Pushes that were not confirmed in time, since this was looked at.
    pub(crate) lost_count: u32,
}

#[derive(Debug, Default)]
struct Subscription {
    /// The newest view, until it is sent.
    unsent: Option<(ClusterNames, Arc<ServiceView>)>,
    /// The push in flight.
    sent: Option<Sent>,
    /// Nothing is sent before this.
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Sent {
    request: u64,
    clusters: ClusterNames,
    view: Arc<ServiceView>,
    due: Instant,
}

impl Subscription {
    fn is_ready(&self) -> bool {
        self.unsent.is_some() && self.sent.is_none() && self.not_before.is_none()
    }
}

impl Subscriptions {
    /// True when it is new.
    pub(crate) fn add(&mut self, service: ServiceKey) -> bool {
        let new = !self.all.contains_key(&service);
        self.all.entry(service).or_default();
        new
    }

    pub(crate) fn remove(&mut self, service: &ServiceKey) {
        let Some(mut subscription) = self.all.remove(service) else { return };
        self.ready.remove(service);
        self.forget_sent(service, &mut subscription);
        if let Some(moment) = subscription.not_before {
            self.timers.remove(&(moment, service.clone()));
        }
    }

    /// Keeps the newest view. Of a service that is not subscribed to (any more): nothing.
    pub(crate) fn offer(&mut self, clusters: ClusterNames, view: Arc<ServiceView>) {
        if let Some(subscription) = self.all.get_mut(&view.key) {
            let service = view.key.clone();
            subscription.unsent = Some((clusters, view));
            if subscription.is_ready() {
                self.ready.insert(service);
            }
        }
    }

    pub(crate) fn in_flight_len(&self) -> usize {
        self.in_flight.len()
    }

    /// The subscriber confirmed this request: what to tell, and how long it took.
    pub(crate) fn acknowledge(&mut self, now: Instant, request: u64) -> Option<(Tell, Duration)> {
        let service = self.in_flight.get(&request)?.clone();
        let mut subscription = self.all.remove(&service).expect("what is in flight is subscribed");
        let sent = self.forget_sent(&service, &mut subscription)?;
        if subscription.is_ready() {
            self.ready.insert(service.clone());
        }
        self.all.insert(service.clone(), subscription);
        let waited = ACK_TIMEOUT.saturating_sub(sent.due.since(now));
        Some((Tell::Acknowledged { service, version: sent.view.version }, waited))
    }

    /// A new stream: what was in flight on the old one counts as lost.
    pub(crate) fn restart(&mut self) {
        self.in_flight.clear();
        self.timers.clear();
        for (service, subscription) in &mut self.all {
            if let Some(sent) = subscription.sent.take() {
                subscription.unsent.get_or_insert((sent.clusters, sent.view));
            }
            subscription.not_before = None;
            if subscription.is_ready() {
                self.ready.insert(service.clone());
            }
        }
    }

    /// What is to be sent now.
    pub(crate) fn send(
        &mut self,
        now: Now,
        views: &dyn Views,
        mut next_request: impl FnMut() -> u64,
    ) -> Vec<Payload> {
        self.expire(now.instant);
        let mut payloads = Vec::new();
        for service in std::mem::take(&mut self.ready) {
            let subscription = self.all.get_mut(&service).expect("what is ready is subscribed");
            let (clusters, view) = subscription.unsent.take().expect("what is ready has a view");
            let (request, due) = (next_request(), now.instant.after(ACK_TIMEOUT));
            payloads.push(notification(views, &view, &clusters, request));
            subscription.sent = Some(Sent { request, clusters, view, due });
            self.in_flight.insert(request, service.clone());
            self.timers.insert((due, service));
        }
        payloads
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(moment, _)| *moment)
    }

    /// What is not confirmed in time is sent again after a delay; a delay ends.
    fn expire(&mut self, now: Instant) {
        while let Some((moment, service)) =
            self.timers.first().filter(|(moment, _)| *moment <= now).cloned()
        {
            self.timers.remove(&(moment, service.clone()));
            let mut subscription = self.all.remove(&service).expect("timers belong to subscribed");
            if let Some(sent) = self.forget_sent(&service, &mut subscription) {
                self.lost_count += 1;
                subscription.unsent.get_or_insert((sent.clusters, sent.view));
                let again = now.after(RESEND_DELAY);
                subscription.not_before = Some(again);
                self.timers.insert((again, service.clone()));
            } else {
                subscription.not_before = None;
                if subscription.is_ready() {
                    self.ready.insert(service.clone());
                }
            }
            self.all.insert(service, subscription);
        }
    }

    fn forget_sent(&mut self, service: &ServiceKey, of: &mut Subscription) -> Option<Sent> {
        let sent = of.sent.take()?;
        self.in_flight.remove(&sent.request);
        self.timers.remove(&(sent.due, service.clone()));
        Some(sent)
    }
}

fn notification(
    views: &dyn Views,
    view: &Arc<ServiceView>,
    clusters: &ClusterNames,
    request: u64,
) -> Payload {
    let info = service_info::shared(views, view, Format::Grpc, &Selection::of(clusters));
    let head = format!("{{\"headers\":{{}},\"requestId\":\"{request}\",\"serviceInfo\":");
    reply::payload(
        "NotifySubscriberRequest",
        reply::spliced(&head, &info, ",\"module\":\"naming\"}"),
    )
}
