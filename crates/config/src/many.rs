//! Several configs at once: all of the changes are made, or none.
//!
//! One command in the log, so nobody sees one half of it after a crash, and a node that reads between two of them does not
//! exist: every view is published before the first listener is told. The conditions of all keys are decided before
//! anything changes. All else is as if each had been published alone: history, listeners, the quota of all contents.

use crate::{
    Applied, Author, Config, ConfigKey, Details, Outcome, Output, Refusal,
    apply::Publication,
    check,
    config::{md5_hex, subject, weight_of},
};
use base::{LogIndex, Revision};
use journal::Kind;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// Changes of one publish.
pub const CHANGES_MAX: usize = 256;
/// Texts of all changes of one publish besides their contents, in bytes (1 MiB). The contents together are as long as
/// that of one config may be.
pub const CHANGES_DETAILS_BYTES_MAX: usize = 1 << 20;

/// Where the place within a publish stands in `Entry::created`: above every index that a log will reach. The number stays
/// below 2^53, which is what a script of a browser can hold.
const PLACE_SHIFT: u32 = 44;

/// One change, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which config; of each at most one.
    pub key: ConfigKey,
    /// Only if the md5 is this; a config that does not exist meets every condition, as in `Request::Publish`. Empty: only
    /// if there is none.
    pub cas_md5: Option<Arc<str>>,
    /// What it becomes; `None` removes it.
    pub to: Option<(Arc<str>, Details)>,
}

/// One change, as it enters the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampedChange {
    /// Of which config.
    pub key: ConfigKey,
    /// The condition.
    pub cas_md5: Option<Arc<str>>,
    /// What it becomes; `None` removes it.
    pub to: Option<StampedContent>,
}

/// A content with its md5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StampedContent {
    /// The content.
    pub content: Arc<str>,
    /// Computed once, by the proposer.
    pub md5: Arc<str>,
    /// The rest.
    pub details: Box<Details>,
}

/// A condition that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Of which change, counted from 0.
    pub at: usize,
    /// The current md5.
    pub current_md5: Arc<str>,
}

/// Checks the form, and stamps.
pub(crate) fn stamp(
    changes: Vec<Change>,
    content_bytes_max: usize,
) -> Result<Vec<StampedChange>, Refusal> {
    if changes.is_empty() {
        return Err(Refusal::NoChanges);
    }
    if changes.len() > CHANGES_MAX {
        return Err(Refusal::TooManyChanges { limit: CHANGES_MAX });
    }
    let (mut keys, mut content_bytes, mut other_bytes) = (BTreeSet::new(), 0, 0);
    let mut stamped = Vec::with_capacity(changes.len());
    for Change { key, cas_md5, to } in changes {
        check::key(&key)?;
        if !keys.insert(key.clone()) {
            return Err(Refusal::ChangedTwice { key });
        }
        let cas = cas_md5.as_deref().map_or(0, str::len);
        other_bytes +=
            [&key.namespace, &key.group, &key.data_id].map(|text| text.len()).iter().sum::<usize>()
                + cas;
        let to = match to {
            None => None,
            Some((content, details)) => {
                check::content(&content, content_bytes_max)?;
                content_bytes += content.len();
                let details = Box::new(check::details(details)?);
                other_bytes += bytes_of(&details);
                let md5 = md5_hex(&content).into();
                Some(StampedContent { content, md5, details })
            }
        };
        stamped.push(StampedChange { key, cas_md5, to });
    }
    let too_large = |bytes, bytes_max| Refusal::ChangesTooLarge { bytes, bytes_max };
    if content_bytes > content_bytes_max {
        return Err(too_large(content_bytes, content_bytes_max));
    }
    if other_bytes > CHANGES_DETAILS_BYTES_MAX {
        return Err(too_large(other_bytes, CHANGES_DETAILS_BYTES_MAX));
    }
    Ok(stamped)
}

fn bytes_of(details: &Details) -> usize {
    let Details {
        content_type,
        encrypted_data_key,
        app_name,
        description,
        tags,
        usage,
        effect,
        schema,
    } = details;
    [content_type, encrypted_data_key, app_name, description, tags, usage, effect, schema]
        .map(|text| text.len())
        .iter()
        .sum()
}

impl Config {
    pub(crate) fn apply_many(
        &mut self,
        index: LogIndex,
        changes: Vec<StampedChange>,
        author: &Author,
        at_ms: u64,
    ) -> Applied {
        if let Some(outcome) = self.refusal_of_many(&changes) {
            return Applied { outcome, rows: Vec::new() };
        }
        let by = Publication { revision: index.into(), at_ms, author: author.clone() };
        let revision = by.revision;
        let said_before = self.outputs.len();
        let mut rows = Vec::new();
        for (place, StampedChange { key, cas_md5: _, to }) in changes.into_iter().enumerate() {
            let Some(content) = to else {
                let removed = self.apply_remove(revision, &key, author.clone(), at_ms);
                rows.extend(removed.rows);
                continue;
            };
            let replaced = self.entry(&key).map(AsRef::as_ref);
            let is_new = replaced.is_none();
            let mut entry = by.entry(replaced, key, content);
            if is_new {
                // Lists name configs by this number, so two that came together need two.
                entry.created = Revision(revision.0 | (place as u64) << PLACE_SHIFT);
            }
            self.set(entry, &mut rows);
        }
        self.show_views_first(said_before);
        Applied { outcome: Outcome::Published(revision), rows }
    }

    /// What speaks against all of them: every condition that does not hold, or the quota.
    fn refusal_of_many(&mut self, changes: &[StampedChange]) -> Option<Outcome> {
        let mut conflicts = Vec::new();
        let (mut before, mut after) = (0, 0);
        for (at, StampedChange { key, cas_md5, to }) in changes.iter().enumerate() {
            let current = self.entries.get(key);
            if let (Some(current), Some(wanted)) = (current, cas_md5)
                && current.md5 != *wanted
            {
                conflicts.push(Conflict { at, current_md5: Arc::clone(&current.md5) });
            }
            before += current.map_or(0, |entry| weight_of(entry));
            after += to.as_ref().map_or(0, |to| crate::config::weight(&to.content, &to.details));
        }
        if !conflicts.is_empty() {
            for Conflict { at, .. } in &conflicts {
                let why = Kind::Refused("the md5 is another".into());
                self.outputs.push_back(Output::Event(why, subject(&changes[*at].key)));
            }
            return Some(Outcome::Conflicts(conflicts));
        }
        let bytes_max = self.contents_bytes_max;
        let exceeds = self.contents_bytes - before + after > bytes_max;
        (after > before && exceeds).then_some(Outcome::QuotaExceeded { bytes_max })
    }

    /// Whoever is told of one change and looks sees the others as well.
    fn show_views_first(&mut self, from: usize) {
        let said: Vec<Output> = self.outputs.drain(from..).collect();
        let is_view = |output: &Output| matches!(output, Output::Publish(_) | Output::Retire(_));
        let (views, rest): (Vec<Output>, Vec<Output>) = said.into_iter().partition(is_view);
        self.outputs.extend(views.into_iter().chain(rest));
    }
}
