//! Subscriptions: who wants to know about which service.

use crate::{ClusterNames, Naming, Refusal, Reply, ServiceKey, Subscriber, service::Subscription};
use base::ConnectionId;
use journal::Kind;
use std::{collections::BTreeSet, sync::Arc};

/// How many services one connection may subscribe to. At the limit a subscription is refused.
pub const SUBSCRIPTIONS_PER_CONNECTION_MAX: usize = 10_000;

impl Naming {
    pub(crate) fn subscribe(
        &mut self,
        from: ConnectionId,
        key: &ServiceKey,
        clusters: ClusterNames,
        subscriber: Subscriber,
    ) -> Result<Reply, Refusal> {
        let connection = self.connections.get(&from).ok_or(Refusal::UnknownClient)?;
        let known = connection.subscriptions.contains(key);
        let limit = self.settings.subscriptions_per_connection_max;
        if !known && connection.subscriptions.len() >= limit {
            return Err(Refusal::TooMany { what: "subscriptions", limit });
        }
        let key = self.intern(key);
        let connection = self.connections.get_mut(&from).expect("looked up above");
        connection.subscriptions.insert(key.clone());
        let opened_at = connection.opened_at;
        let subscriber = connection.share(subscriber);
        // The view is pushed once to a new subscriber, too: so does Nacos, and a lost reply is made good.
        let subscription = Subscription { clusters, subscriber, pushed: 0, acknowledged: 0 };
        let service = self.services.get_mut(&key).expect("interned above");
        service.subscribers.insert(from, subscription);
        self.subscriptions_count += usize::from(!known);
        let is_older = self.services[&*key].view.version <= opened_at;
        if is_older && self.distro.knows_others() {
            self.stamp_anew(&key);
        }
        self.schedule_push(&key);
        self.review(&key);
        self.service_event(Kind::Subscribed(from), &key);
        Ok(Reply::Done)
    }

    pub(crate) fn unsubscribe(&mut self, from: ConnectionId, key: &ServiceKey) -> Reply {
        let Some(connection) = self.connections.get_mut(&from) else { return Reply::Done };
        if let Some(key) = connection.subscriptions.take(key) {
            self.remove_subscription(from, &key);
        }
        Reply::Done
    }

    /// Takes the subscriber out of the service; its connection no longer names the service.
    pub(crate) fn remove_subscription(&mut self, from: ConnectionId, key: &Arc<ServiceKey>) {
        let service = self.services.get_mut(key).expect("a service with subscribers is kept");
        let removed = service.subscribers.remove(&from);
        assert!(removed.is_some(), "{from} and {key} disagree about the subscription");
        self.subscriptions_count -= 1;
        self.service_event(Kind::Unsubscribed(from), key);
        self.review(key);
    }

    pub(crate) fn acknowledged(&mut self, from: ConnectionId, key: &ServiceKey, version: u64) {
        // Of a subscription that ended meanwhile: nothing to remember.
        let service = self.services.get_mut(key);
        if let Some(subscription) = service.and_then(|service| service.subscribers.get_mut(&from)) {
            // A subscriber cannot confirm what it was not sent, whatever it says.
            let version = version.min(subscription.pushed);
            subscription.acknowledged = subscription.acknowledged.max(version);
        }
    }

    /// The version that the connection confirmed last, 0 if none; `None` if it has no such subscription.
    #[must_use]
    pub fn acknowledged_version(&self, from: ConnectionId, key: &ServiceKey) -> Option<u64> {
        Some(self.services.get(key)?.subscribers.get(&from)?.acknowledged)
    }

    /// Connections that say the same of themselves count once, as with Nacos.
    pub(crate) fn subscribers(&self, key: &ServiceKey) -> Reply {
        let subscriptions =
            self.services.get(key).into_iter().flat_map(|service| service.subscribers.values());
        let distinct: BTreeSet<_> =
            subscriptions.map(|subscription| &*subscription.subscriber).collect();
        Reply::Subscribers(distinct.into_iter().cloned().collect())
    }
}
