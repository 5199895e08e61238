//! What an operator may choose.

use crate::{INSTANCES_PER_CONNECTION_MAX, SUBSCRIPTIONS_PER_CONNECTION_MAX};
use base::Duration;

/// Times and limits of the registry. The defaults are Nacos's where a client could tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What a client that comes over HTTP is told: beat this often.
    pub beat_interval: Duration,
    /// Without a beat for this long an instance is shown as unhealthy.
    pub unhealthy_after: Duration,
    /// Without a beat for this long it is removed.
    pub removed_after: Duration,
    /// From a change in a quiet service to its push; changes in between share it.
    pub push_delay: Duration,
    /// The longest time between two pushes of a service that changes all the time.
    pub push_window_max: Duration,
    /// How long a service without instances and subscribers is kept in the lists.
    pub empty_service_kept: Duration,
    /// How often what is listed is left on disk, while it changes.
    pub hint_interval: Duration,
    /// How many checks of persistent instances may run at once. 0, the default: none is checked, they are as healthy as they
    /// were registered. Whoever carries `Output::Check` out sets [`CHECKS_AT_ONCE_MAX`](crate::CHECKS_AT_ONCE_MAX).
    pub checks_at_once_max: usize,
    /// See [`INSTANCES_PER_CONNECTION_MAX`], its default.
    pub instances_per_connection_max: usize,
    /// See [`SUBSCRIPTIONS_PER_CONNECTION_MAX`], its default.
    pub subscriptions_per_connection_max: usize,
    /// Characters of all keys and values of the metadata in one request, per instance; 1 024 as in Nacos, at most
    /// [`METADATA_CHARS_MAX`](crate::METADATA_CHARS_MAX).
    pub metadata_chars_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            beat_interval: Duration::from_secs(5),
            unhealthy_after: Duration::from_secs(15),
            removed_after: Duration::from_secs(30),
            push_delay: Duration::from_millis(20),
            push_window_max: Duration::from_millis(500),
            empty_service_kept: Duration::from_secs(60),
            hint_interval: Duration::from_secs(5),
            checks_at_once_max: 0,
            instances_per_connection_max: INSTANCES_PER_CONNECTION_MAX,
            subscriptions_per_connection_max: SUBSCRIPTIONS_PER_CONNECTION_MAX,
            metadata_chars_max: 1_024,
        }
    }
}
