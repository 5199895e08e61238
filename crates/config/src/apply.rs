//! The second entrance: what the log decides. Nothing but state and command may be read here.

use crate::{
    Applied, Author, Command, Config, ConfigKey, Entry, Gray, HistoryRow, Operation, Outcome,
    Output, StampedContent,
    config::{subject, weight_of},
    rows,
};
use base::{LogIndex, Revision, Row};
use journal::Kind;
use std::sync::Arc;

/// What all that one command publishes has in common.
pub(crate) struct Publication {
    pub(crate) revision: Revision,
    pub(crate) at_ms: u64,
    pub(crate) author: Author,
}

impl Publication {
    /// What becomes of a config. One that was there keeps its number and its beginning.
    pub(crate) fn entry(
        &self,
        replaced: Option<&Entry>,
        key: ConfigKey,
        content: StampedContent,
    ) -> Entry {
        let StampedContent { content, md5, details } = content;
        let (created, created_ms) = replaced
            .map_or((self.revision, self.at_ms), |former| (former.created, former.created_ms));
        Entry {
            key,
            content,
            md5,
            details: *details,
            revision: self.revision,
            created,
            created_ms,
            modified_ms: self.at_ms,
            author: self.author.clone(),
        }
    }
}

impl Config {
    /// Applies an entry of the log. Its outputs are to be polled before the outcome is reported.
    pub fn apply(&mut self, index: LogIndex, command: &Command) -> Applied {
        self.settle();
        match command.clone() {
            Command::Publish { key, content, md5, cas_md5, details, author, at_ms } => {
                let content = StampedContent { content, md5, details };
                let by = Publication { revision: index.into(), at_ms, author };
                let entry = by.entry(self.entry(&key).map(AsRef::as_ref), key, content);
                self.apply_publish(entry, cas_md5.as_deref())
            }
            Command::Remove { key, author, at_ms } => {
                self.apply_remove(index.into(), &key, author, at_ms)
            }
            Command::PublishGray { key, rule, content, md5, cas_md5, details, author, at_ms } => {
                let content = StampedContent { content, md5, details };
                let by = Publication { revision: index.into(), at_ms, author };
                let replaced = self.gray(&key, &rule.name()).map(|gray| &gray.entry);
                let entry = by.entry(replaced, key, content);
                self.apply_publish_gray(Gray { rule, entry }, cas_md5.as_deref())
            }
            Command::PublishMany { changes, author, at_ms } => {
                self.apply_many(index, changes, &author, at_ms)
            }
            Command::RemoveGray { key, name, author, at_ms } => {
                self.apply_remove_gray(index.into(), &key, &name, author, at_ms)
            }
        }
    }

    fn apply_publish(&mut self, entry: Entry, cas_md5: Option<&str>) -> Applied {
        let replaced = self.entries.get(&entry.key).map(|entry| &**entry);
        let weights = (replaced.map_or(0, weight_of), weight_of(&entry));
        if let Some((outcome, why)) = self.refusal(replaced, weights, cas_md5) {
            self.outputs.push_back(Output::Event(Kind::Refused(why.into()), subject(&entry.key)));
            return Applied { outcome, rows: Vec::new() };
        }
        let revision = entry.revision;
        let mut rows = Vec::new();
        self.set(entry, &mut rows);
        Applied { outcome: Outcome::Published(revision), rows }
    }

    /// Makes an entry that nothing speaks against the current one.
    pub(crate) fn set(&mut self, entry: Entry, rows: &mut Vec<Row>) {
        let replaced = self.entries.contains_key(&entry.key);
        let operation = if replaced { Operation::Update } else { Operation::Insert };
        let entry = Arc::new(entry);
        let revision = entry.revision;
        let published = Kind::Published { revision: revision.0, md5: Arc::clone(&entry.md5) };
        self.outputs.push_back(Output::Event(published, subject(&entry.key)));
        self.put(Arc::clone(&entry));
        if operation == Operation::Insert {
            self.tell_existence(&entry.key, true);
        }
        rows.push(rows::entry(&entry));
        let row = HistoryRow { revision, operation, entry: Entry::clone(&entry), gray: None };
        self.remember(&row, rows);
    }

    /// What speaks against putting something of the second weight in the place of something of the first.
    pub(crate) fn refusal(
        &self,
        replaced: Option<&Entry>,
        (before, after): (u64, u64),
        cas_md5: Option<&str>,
    ) -> Option<(Outcome, &'static str)> {
        if let (Some(current), Some(wanted)) = (replaced, cas_md5)
            && current.md5.as_ref() != wanted
        {
            let current_md5 = Arc::clone(&current.md5);
            return Some((Outcome::CasConflict { current_md5 }, "the md5 is another"));
        }
        // An entry may always shrink, even when everything together is over the quota.
        let bytes_max = self.contents_bytes_max;
        let exceeds = self.contents_bytes - before + after > bytes_max;
        let outcome = Outcome::QuotaExceeded { bytes_max };
        (after > before && exceeds).then_some((outcome, "all contents would exceed the quota"))
    }

    pub(crate) fn apply_remove(
        &mut self,
        revision: Revision,
        key: &ConfigKey,
        author: Author,
        at_ms: u64,
    ) -> Applied {
        let Some(entry) = self.take(key) else {
            return Applied { outcome: Outcome::Removed { existed: false }, rows: Vec::new() };
        };
        let removed = Kind::Removed { revision: revision.0 };
        self.outputs.push_back(Output::Event(removed, subject(key)));
        let mut rows = vec![rows::no_entry(key)];
        let entry = Entry { author, modified_ms: at_ms, ..Entry::clone(&entry) };
        let operation = Operation::Delete;
        self.remember(&HistoryRow { revision, operation, entry, gray: None }, &mut rows);
        Applied { outcome: Outcome::Removed { existed: true }, rows }
    }

    pub(crate) fn remember(&mut self, row: &HistoryRow, rows: &mut Vec<Row>) {
        self.history.file(row);
        rows.push(rows::history(row));
        let at_ms = row.entry.modified_ms;
        for (key, revision) in self.history.prune(&self.retention, &row.entry.key, at_ms) {
            rows.push(rows::no_history(&key, revision));
        }
    }
}
