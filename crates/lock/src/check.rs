//! The form of a request: what can be refused without looking at the state.

use crate::{Refusal, Request};
use base::Duration;

/// The longest key of a lock, in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// The longest name of an owner, in bytes.
pub const OWNER_BYTES_MAX: usize = 256;
/// The shortest lease: below it, a slow disk alone would end leases.
pub const TTL_MIN: Duration = Duration::from_millis(100);
/// The longest lease: nobody should wait longer for one who crashed.
pub const TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest wait in a queue; whoever wants to wait longer asks again.
pub const WAIT_MAX: Duration = Duration::from_secs(5 * 60);

pub(crate) fn request(request: &Request) -> Result<(), Refusal> {
    match request {
        Request::Acquire { key: lock, owner, ttl: lease, wait } => {
            key(lock)?;
            name("owner", owner, OWNER_BYTES_MAX)?;
            ttl(*lease)?;
            within("wait", *wait, Duration::ZERO, WAIT_MAX)
        }
        Request::Renew { key: lock, token: _, ttl: lease } => {
            key(lock)?;
            lease.map_or(Ok(()), ttl)
        }
        Request::Release { key: lock, token: _ } => key(lock),
    }
}

fn key(key: &str) -> Result<(), Refusal> {
    name("key", key, KEY_BYTES_MAX)
}

fn ttl(ttl: Duration) -> Result<(), Refusal> {
    within("ttl", ttl, TTL_MIN, TTL_MAX)
}

fn name(what: &'static str, name: &str, bytes_max: usize) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::Empty { what });
    }
    if name.len() > bytes_max {
        return Err(Refusal::TooLong { what, bytes: name.len(), bytes_max });
    }
    if name.chars().any(char::is_control) {
        return Err(Refusal::Illegal { what });
    }
    Ok(())
}

fn within(
    what: &'static str,
    given: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), Refusal> {
    if given < min || given > max {
        return Err(Refusal::OutOfRange { what, given, min, max });
    }
    Ok(())
}

/// A time of a checked request: within a day, so it fits.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("checked: at most a day")
}
