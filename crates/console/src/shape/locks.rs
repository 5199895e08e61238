//! Locks.

use crate::dates::rfc3339;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A lock that is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// Which.
    pub key: Arc<str>,
    /// Who holds it, as they call themselves.
    pub owner: Arc<str>,
    /// The fencing token of the grant.
    pub token: u64,
    /// How long the lease lives from each renewal, milliseconds.
    pub ttl_ms: u64,
    /// When it was granted.
    pub granted_at: String,
    /// When it was renewed last.
    pub renewed_at: String,
    /// How many wait for it.
    pub waiters: usize,
}

/// What is sent to acquire a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acquisition {
    /// How the holder calls itself; two that must exclude each other need two names.
    pub owner: Arc<str>,
    /// How long the lease lives unless it is renewed, milliseconds; 30 s when absent.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
    /// How long to wait for it, milliseconds; not at all when absent.
    #[serde(default)]
    pub wait_ms: Option<u64>,
}

/// What is sent to renew a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// Of the grant.
    pub token: u64,
    /// Another ttl than before, milliseconds.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
}

/// A lock is granted or renewed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Which.
    pub key: Arc<str>,
    /// To be shown to whatever the holder writes to: of two holders the later one has the greater token.
    pub token: u64,
    /// How long it is held, milliseconds: to be counted from before it was asked for.
    pub ttl_ms: u64,
}

impl From<&lock::View> for Lock {
    fn from(view: &lock::View) -> Self {
        let lease = &view.lease;
        Self {
            key: Arc::clone(&view.key),
            owner: Arc::clone(&lease.owner),
            token: lease.token.0,
            ttl_ms: lease.ttl_ms,
            granted_at: rfc3339(lease.granted_ms),
            renewed_at: rfc3339(lease.renewed_ms),
            waiters: view.waiters,
        }
    }
}
