//! Pushes of service lists: one slot per subscription with the newest view not sent yet, one push in flight.
//!
//! A lost push or a lost ack is the same to us: after `ACK_TIMEOUT` the newest view is sent again a second later.
//! A slow subscriber holds one view per subscription however often the service changes.

use crate::{
    Format, Payload, Tell, Views, reply,
    service_info::{self, Selection},
};
use base::{Duration, Instant, Now};
use naming::{ClusterNames, ServiceKey, ServiceView};
use std::{collections::BTreeMap, sync::Arc};

/// How long a push may stay unconfirmed.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after that the newest view is sent again.
pub(crate) const RESEND_DELAY: Duration = Duration::from_secs(1);

/// All subscriptions of a connection.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(BTreeMap<ServiceKey, Subscription>);

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

impl Subscriptions {
    pub(crate) fn add(&mut self, service: ServiceKey) {
        self.0.entry(service).or_default();
    }

    pub(crate) fn remove(&mut self, service: &ServiceKey) {
        self.0.remove(service);
    }

    /// Keeps the newest view. Of a service that is not subscribed to (any more): nothing.
    pub(crate) fn offer(&mut self, clusters: ClusterNames, view: Arc<ServiceView>) {
        if let Some(subscription) = self.0.get_mut(&view.key) {
            subscription.unsent = Some((clusters, view));
        }
    }

    /// The subscriber confirmed this request.
    pub(crate) fn acknowledge(&mut self, request: u64) -> Option<Tell> {
        let (service, subscription) = self
            .0
            .iter_mut()
            .find(|(_, s)| s.sent.as_ref().is_some_and(|sent| sent.request == request))?;
        let sent = subscription.sent.take().expect("it was just found by its push in flight");
        subscription.not_before = None;
        Some(Tell::Acknowledged { service: service.clone(), version: sent.view.version })
    }

    /// A new stream: what was in flight on the old one counts as lost.
    pub(crate) fn restart(&mut self) {
        for subscription in self.0.values_mut() {
            if let Some(sent) = subscription.sent.take() {
                subscription.unsent.get_or_insert((sent.clusters, sent.view));
            }
            subscription.not_before = None;
        }
    }

    /// What is to be sent now.
    pub(crate) fn send(
        &mut self,
        now: Now,
        views: &dyn Views,
        mut next_request: impl FnMut() -> u64,
    ) -> Vec<Payload> {
        let mut payloads = Vec::new();
        for subscription in self.0.values_mut() {
            subscription.give_up(now.instant);
            if subscription.sent.is_some()
                || subscription.not_before.is_some_and(|moment| moment > now.instant)
            {
                continue;
            }
            if let Some((clusters, view)) = subscription.unsent.take() {
                let request = next_request();
                payloads.push(notification(views, &view, &clusters, request));
                let due = now.instant.after(ACK_TIMEOUT);
                subscription.sent = Some(Sent { request, clusters, view, due });
                subscription.not_before = None;
            }
        }
        payloads
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.values().filter_map(Subscription::deadline).min()
    }
}

impl Subscription {
    fn give_up(&mut self, now: Instant) {
        if let Some(sent) = self.sent.take_if(|sent| sent.due <= now) {
            self.unsent.get_or_insert((sent.clusters, sent.view));
            self.not_before = Some(now.after(RESEND_DELAY));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.sent {
            Some(sent) => Some(sent.due),
            None => self.unsent.as_ref().and(self.not_before),
        }
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
