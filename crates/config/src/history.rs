//! What is known of the history without reading it: enough to decide what to drop and what to load.

use crate::{ConfigKey, HistoryRow};
use base::Revision;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Rows per key; the oldest goes.
pub const HISTORY_ROWS_MAX: usize = 100;
/// A row older than this goes, as in Nacos (30 days).
pub const HISTORY_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Contents of all history rows together (8 GiB on disk); the oldest go.
pub const HISTORY_BYTES_MAX: u64 = 8 << 30;
/// Rows that one command may drop for their age or for the bytes of all.
pub const HISTORY_PRUNED_MAX: usize = 64;
/// Contents in one `Reply::History` (64 MiB): a reply that would be longer has fewer rows, but at least one.
pub const HISTORY_REPLY_BYTES_MAX: u64 = 64 << 20;

/// What a row is counted as besides its content.
const ROW_BYTES: u64 = 256;

/// What decides how much history is kept. The same on every node, in every version that shares a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    pub rows_max: usize,
    pub age_max: Duration,
    pub bytes_max: u64,
    pub pruned_max: usize,
}

impl Retention {
    pub const AGREED: Self = Self {
        rows_max: HISTORY_ROWS_MAX,
        age_max: HISTORY_AGE_MAX,
        bytes_max: HISTORY_BYTES_MAX,
        pruned_max: HISTORY_PRUNED_MAX,
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    at_ms: u64,
    bytes: u64,
}

/// Invariant: `by_age` has one item per line of `by_key`, and `bytes` is their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    by_key: BTreeMap<ConfigKey, BTreeMap<Revision, Line>>,
    by_age: BTreeSet<(u64, Revision, ConfigKey)>,
    bytes: u64,
}

impl History {
    pub fn file(&mut self, row: &HistoryRow) {
        let known = self.by_key.get_key_value(&row.entry.key).map(|(key, _)| key.clone());
        let key = known.unwrap_or_else(|| row.entry.key.clone());
        self.forget(&key, row.revision);
        let line = Line { at_ms: row.entry.modified_ms, bytes: bytes_of(row) };
        self.bytes += line.bytes;
        self.by_age.insert((line.at_ms, row.revision, key.clone()));
        self.by_key.entry(key).or_default().insert(row.revision, line);
    }

    /// Takes out what is not to be kept any longer, after a change of `key` at `at_ms`.
    pub fn prune(
        &mut self,
        retention: &Retention,
        key: &ConfigKey,
        at_ms: u64,
    ) -> Vec<(ConfigKey, Revision)> {
        let mut pruned = Vec::new();
        while let Some(lines) = self.by_key.get(key)
            && lines.len() > retention.rows_max
        {
            let (&revision, _) = lines.first_key_value().expect("longer than the limit");
            self.forget(key, revision);
            pruned.push((key.clone(), revision));
        }
        let age_max_ms = retention.age_max.as_millis() as u64;
        for _ in 0..retention.pruned_max {
            let Some(&(oldest_ms, revision, ref key)) = self.by_age.first() else { break };
            let expired = oldest_ms.saturating_add(age_max_ms) < at_ms;
            if !expired && self.bytes <= retention.bytes_max {
                break;
            }
            let key = key.clone();
            self.forget(&key, revision);
            pruned.push((key, revision));
        }
        pruned
    }

    /// How many changes of a key are kept.
    pub fn count(&self, key: &ConfigKey) -> usize {
        self.by_key.get(key).map_or(0, BTreeMap::len)
    }

    /// The revisions of a key before `before`, newest first, without the first `offset`: at most `limit` and about `bytes_max`, at least one if
    /// there is one.
    pub fn newest(
        &self,
        key: &ConfigKey,
        before: Option<Revision>,
        offset: usize,
        limit: usize,
        bytes_max: u64,
    ) -> Vec<Revision> {
        let Some(lines) = self.by_key.get(key) else { return Vec::new() };
        let before = before.unwrap_or(Revision(u64::MAX));
        let mut bytes = 0;
        lines
            .range(..before)
            .rev()
            .skip(offset)
            .take(limit)
            .take_while(|(_, line)| {
                let first = bytes == 0;
                bytes += line.bytes;
                first || bytes <= bytes_max
            })
            .map(|(&revision, _)| revision)
            .collect()
    }

    fn forget(&mut self, key: &ConfigKey, revision: Revision) {
        let Some(lines) = self.by_key.get_mut(key) else { return };
        let Some(line) = lines.remove(&revision) else { return };
        if lines.is_empty() {
            self.by_key.remove(key);
        }
        self.bytes -= line.bytes;
        self.by_age.remove(&(line.at_ms, revision, key.clone()));
    }
}

fn bytes_of(row: &HistoryRow) -> u64 {
    let details = &row.entry.details;
    ROW_BYTES + (row.entry.content.len() + details.schema.len()) as u64
}
