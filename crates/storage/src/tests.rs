//! What the disk promises, shown on a simulated one, a real one and none.

use crate::*;
use base::Rng;

mod basics;
mod crashes;
mod faults;
mod flips;
mod snapshots;

pub(crate) fn rng(seed: u8) -> Rng {
    Rng::from_seed([seed; 32])
}

pub(crate) fn entry(index: u64, text: &str) -> Entry {
    Entry { index, bytes: text.into() }
}

pub(crate) fn row(key: &str, value: &str) -> Row {
    Row { table: 1, key: key.into(), value: Some(value.into()) }
}

pub(crate) fn put(entries: Vec<Entry>) -> LogWrite {
    LogWrite { entries, hard_state: Some(b"hard".into()), ..LogWrite::default() }
}
