//! The state tables: how entries and history rows become bytes, and back.

use crate::{ConfigKey, Entry, Gray, GrayName, HistoryRow};
use base::{Revision, Row, push_part};
use serde::{Serialize, de::DeserializeOwned};

/// Current entries.
pub(crate) const ENTRIES: u8 = 0;
/// History rows.
pub(crate) const HISTORY: u8 = 1;

/// Gray versions.
pub(crate) const GRAYS: u8 = 2;

/// Of all values' formats.
const VERSION: u8 = 2;

pub(crate) fn entry_key(key: &ConfigKey) -> Vec<u8> {
    let ConfigKey { namespace, group, data_id } = key;
    let mut bytes = Vec::with_capacity(namespace.len() + group.len() + data_id.len() + 14);
    push_part(&mut bytes, namespace);
    push_part(&mut bytes, group);
    push_part(&mut bytes, data_id);
    bytes
}

pub(crate) fn history_key(key: &ConfigKey, revision: Revision) -> Vec<u8> {
    let mut bytes = entry_key(key);
    bytes.extend_from_slice(&revision.0.to_be_bytes());
    bytes
}

pub(crate) fn entry(entry: &Entry) -> Row {
    Row { table: ENTRIES, key: entry_key(&entry.key), value: Some(encoded(entry)) }
}

pub(crate) fn no_entry(key: &ConfigKey) -> Row {
    Row { table: ENTRIES, key: entry_key(key), value: None }
}

pub(crate) fn history(row: &HistoryRow) -> Row {
    let key = history_key(&row.entry.key, row.revision);
    Row { table: HISTORY, key, value: Some(encoded(row)) }
}

pub(crate) fn no_history(key: &ConfigKey, revision: Revision) -> Row {
    Row { table: HISTORY, key: history_key(key, revision), value: None }
}

pub(crate) fn gray_key(key: &ConfigKey, name: &GrayName) -> Vec<u8> {
    let mut bytes = entry_key(key);
    push_part(&mut bytes, &name.to_string());
    bytes
}

pub(crate) fn gray(gray: &Gray) -> Row {
    let key = gray_key(&gray.entry.key, &gray.rule.name());
    Row { table: GRAYS, key, value: Some(encoded(gray)) }
}

pub(crate) fn no_gray(key: &ConfigKey, name: &GrayName) -> Row {
    Row { table: GRAYS, key: gray_key(key, name), value: None }
}

pub(crate) fn read_gray(key: &[u8], value: &[u8]) -> Result<Gray, String> {
    let gray: Gray = decoded(value).map_err(|why| unreadable(GRAYS, key, &why))?;
    if gray_key(&gray.entry.key, &gray.rule.name()) != key {
        let holds = format!("it holds {} of config {}", gray.rule.name(), gray.entry.key);
        return Err(unreadable(GRAYS, key, &holds));
    }
    Ok(gray)
}

pub(crate) fn read_entry(key: &[u8], value: &[u8]) -> Result<Entry, String> {
    let entry: Entry = decoded(value).map_err(|why| unreadable(ENTRIES, key, &why))?;
    if entry_key(&entry.key) != key {
        return Err(unreadable(ENTRIES, key, &format!("it holds config {}", entry.key)));
    }
    Ok(entry)
}

pub(crate) fn read_history(key: &[u8], value: &[u8]) -> Result<HistoryRow, String> {
    let row: HistoryRow = decoded(value).map_err(|why| unreadable(HISTORY, key, &why))?;
    if history_key(&row.entry.key, row.revision) != key {
        let holds = format!("it holds config {} {}", row.entry.key, row.revision);
        return Err(unreadable(HISTORY, key, &holds));
    }
    Ok(row)
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

fn unreadable(table: u8, key: &[u8], why: &str) -> String {
    format!(
        "config table {table}, row {}: {why}; restore this node from its peers or a backup",
        key.escape_ascii()
    )
}
