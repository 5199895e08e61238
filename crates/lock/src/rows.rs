//! The state tables: how leases and waiters become bytes, and back.

use crate::{Lease, Waiter};
use base::{LogIndex, Row, push_part};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// Leases.
pub(crate) const LEASES: u8 = 0;
/// Waiters.
pub(crate) const WAITERS: u8 = 1;

/// Of all values' formats.
const VERSION: u8 = 1;

fn lease_key(key: &str) -> Vec<u8> {
    key.as_bytes().to_vec()
}

fn waiter_key(key: &str, ticket: LogIndex) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 12);
    push_part(&mut bytes, key);
    bytes.extend_from_slice(&ticket.0.to_be_bytes());
    bytes
}

pub(crate) fn lease(key: &Arc<str>, lease: &Lease) -> Row {
    Row { table: LEASES, key: lease_key(key), value: Some(encoded(&(key, lease))) }
}

pub(crate) fn no_lease(key: &str) -> Row {
    Row { table: LEASES, key: lease_key(key), value: None }
}

pub(crate) fn waiter(key: &Arc<str>, ticket: LogIndex, waiter: &Waiter) -> Row {
    let value = Some(encoded(&(key, ticket, waiter)));
    Row { table: WAITERS, key: waiter_key(key, ticket), value }
}

pub(crate) fn no_waiter(key: &str, ticket: LogIndex) -> Row {
    Row { table: WAITERS, key: waiter_key(key, ticket), value: None }
}

/// One row, read.
pub(crate) enum Read {
    Lease(Arc<str>, Lease),
    Waiter(Arc<str>, LogIndex, Waiter),
}

pub(crate) fn read(row: &Row) -> Result<Read, String> {
    let Some(value) = &row.value else {
        return Err(format!("lock table {}: a deleted row in a snapshot", row.table));
    };
    let (read, key) = match row.table {
        LEASES => {
            let (key, lease): (Arc<str>, Lease) = decoded(row, value)?;
            let expected = lease_key(&key);
            (Read::Lease(key, lease), expected)
        }
        WAITERS => {
            let (key, ticket, waiter): (Arc<str>, LogIndex, Waiter) = decoded(row, value)?;
            let expected = waiter_key(&key, ticket);
            (Read::Waiter(key, ticket, waiter), expected)
        }
        table => {
            return Err(format!(
                "locks have no table {table}: the data is of a newer version; update this node"
            ));
        }
    };
    if key != row.key {
        return Err(unreadable(row, "it holds another lock"));
    }
    Ok(read)
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("a Vec takes any number of bytes")
}

fn decoded<T: DeserializeOwned>(row: &Row, bytes: &[u8]) -> Result<T, String> {
    let Some((&version, bytes)) = bytes.split_first() else {
        return Err(unreadable(row, "the value is empty"));
    };
    if version != VERSION {
        let why = format!("its format is version {version}, this program reads {VERSION}");
        return Err(unreadable(row, &why));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(unreadable(row, &format!("{} bytes follow the value", rest.len()))),
        Err(error) => Err(unreadable(row, &error.to_string())),
    }
}

fn unreadable(row: &Row, why: &str) -> String {
    format!(
        "lock table {}, row {}: {why}; restore this node from its peers or a backup",
        row.table,
        row.key.escape_ascii()
    )
}
