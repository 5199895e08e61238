//! What a connection is once its setup came: what it says of itself, subscribes to and listens to.

use crate::{
    Payload, UdpSubscription, Views, notify::Listening, push::Subscriptions, watching::Watches,
};
use base::Now;
use config::ConfigKey;
use naming::ServiceKey;
use std::sync::Arc;

/// The long-lived half of a session.
#[derive(Debug, Default)]
pub(crate) struct Client {
    /// Its setup came on the stream.
    pub(crate) registered: bool,
    /// Streams that it opened and did not end. Only the newest carries anything; SDKs have one.
    pub(crate) streams: u32,
    /// As its setup says, e.g. `Nacos-Rust-Client:0.8.0`.
    pub(crate) agent: Arc<str>,
    /// As its setup says.
    pub(crate) application: Arc<str>,
    /// As its setup says; empty when it does not.
    pub(crate) address: Arc<str>,
    /// The tag among its setup's labels.
    pub(crate) tag: Option<Arc<str>>,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) listening: Listening,
    pub(crate) watched_services: Watches<ServiceKey>,
    pub(crate) watched_configs: Watches<ConfigKey>,
    /// What the running operation asks of the node's `UdpSession`.
    pub(crate) udp: Option<UdpSubscription>,
    /// The newest request that was sent on the stream.
    requests: u64,
}

impl Client {
    /// Whether anything can be sent on a stream.
    pub(crate) fn is_streaming(&self) -> bool {
        self.streams > 0
    }

    /// The text id of the next request on the stream.
    pub(crate) fn next_request(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    /// The pushes and notifications that may be sent by now.
    pub(crate) fn sendable(&mut self, now: Now, views: &dyn Views) -> Vec<Payload> {
        let Self { subscriptions, listening, watched_services, watched_configs, requests, .. } =
            self;
        let mut next_request = || {
            *requests += 1;
            *requests
        };
        let mut payloads = subscriptions.send(now, views, &mut next_request);
        payloads.extend(listening.send(now, &mut next_request));
        payloads.extend(watched_services.send(now, &mut next_request));
        payloads.extend(watched_configs.send(now, &mut next_request));
        payloads
    }
}
