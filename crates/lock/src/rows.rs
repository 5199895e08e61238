//! The state tables: how locks become bytes, and back.
//!
//! | table | key | value: version byte, then postcard of |
//! |---|---|---|
//! | 0 | namespace, name (`base::push_part` each) | the name, `Lease` |
//! | 1 | the same, with which entry it began to wait in 8 bytes | the name, `Waiter` |

use crate::{Lease, LockName, Waiter};
use base::{LogIndex, Row, push_part};
use serde::{Serialize, de::DeserializeOwned};

const LEASES: u8 = 0;
const WAITERS: u8 = 1;

/// Of all values' formats.
const VERSION: u8 = 1;

/// One change of the state: one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Lease(LockName, Option<Lease>),
    Waiter(LockName, LogIndex, Option<Waiter>),
}

/// The row that a change comes to.
pub(crate) fn row(change: &Change) -> Row {
    match change {
        Change::Lease(name, lease) => Row {
            table: LEASES,
            key: key(name),
            value: lease.as_ref().map(|lease| encoded(&(name, lease))),
        },
        Change::Waiter(name, since, waiter) => Row {
            table: WAITERS,
            key: [&key(name)[..], &since.0.to_be_bytes()].concat(),
            value: waiter.as_ref().map(|waiter| encoded(&(name, since, waiter))),
        },
    }
}

/// The change that a row of the tables stands for.
pub(crate) fn read(row: &Row) -> Result<Change, String> {
    let unreadable = |why: &str| {
        format!(
            "lock table {}, row {}: {why}; restore this node from its peers or a backup",
            row.table,
            row.key.escape_ascii()
        )
    };
    let Some(value) = &row.value else { return Err(unreadable("deleted in a snapshot")) };
    let change = match row.table {
        LEASES => decoded(value).map(|(name, lease)| Change::Lease(name, Some(lease))),
        WAITERS => {
            decoded(value).map(|(name, since, waiter)| Change::Waiter(name, since, Some(waiter)))
        }
        table => {
            return Err(format!(
                "lock has no table {table}: the data is of a newer version; update this node"
            ));
        }
    };
    let change = change.map_err(|why| unreadable(&why))?;
    if self::row(&change).key != row.key {
        return Err(unreadable("it holds another key"));
    }
    Ok(change)
}

fn key(LockName { namespace, name }: &LockName) -> Vec<u8> {
    let mut key = Vec::with_capacity(namespace.len() + name.len() + 4);
    push_part(&mut key, namespace);
    push_part(&mut key, name);
    key
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("a Vec takes any number of bytes")
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let Some((&version, bytes)) = bytes.split_first() else {
        return Err("the value is empty".into());
    };
    if version != VERSION {
        return Err(format!("its format is version {version}, this program reads {VERSION}"));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} bytes follow the value", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}
