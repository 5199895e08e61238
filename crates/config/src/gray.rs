//! Gray versions: contents of a config that only some clients see, until it is published to all or withdrawn.
//!
//! They are rows of their own beside the formal entry, which may be absent. Who sees what is decided by `Grays::of`,
//! here for listeners and at the edges for readers, so that nobody is told of a change that it then cannot read.

use crate::{
    Applied, Audience, Author, Command, Config, ConfigKey, Details, Entry, Gray, GrayName,
    GrayRule, Grays, HistoryRow, Operation, Outcome, Output, Refusal, check,
    config::{md5_hex, subject, weight_of},
    rows,
};
use base::Revision;
use journal::Kind;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Gray versions of one config, as in Nacos; one more is refused. Decided in `apply`, so it is no setting.
pub const GRAY_VERSIONS_MAX: usize = 10;

impl Config {
    pub(crate) fn publish_gray(
        at_ms: u64,
        key: ConfigKey,
        rule: GrayRule,
        content: Arc<str>,
        cas_md5: Option<Arc<str>>,
        details: Details,
        author: Author,
    ) -> Result<Command, Refusal> {
        check::gray_rule(&rule)?;
        check::author(&author)?;
        let details = Box::new(check::details(details)?);
        let md5 = md5_hex(&content).into();
        Ok(Command::PublishGray { key, rule, content, md5, cas_md5, details, author, at_ms })
    }

    pub(crate) fn gray(&self, key: &ConfigKey, name: &GrayName) -> Option<&Arc<Gray>> {
        self.grays.get(key)?.versions.get(name)
    }

    pub(crate) fn apply_publish_gray(&mut self, gray: Gray, cas_md5: Option<&str>) -> Applied {
        let (key, name) = (gray.entry.key.clone(), gray.rule.name());
        let replaced = self.gray(&key, &name);
        let weights = (replaced.map_or(0, |gray| gray_weight(gray)), gray_weight(&gray));
        let versions = self.grays.get(&key).map_or(0, |grays| grays.versions.len());
        let refusal = if replaced.is_none() && versions >= GRAY_VERSIONS_MAX {
            let outcome = Outcome::TooManyVersions { limit: GRAY_VERSIONS_MAX };
            Some((outcome, "there are too many gray versions"))
        } else {
            self.refusal(replaced.map(|gray| &gray.entry), weights, cas_md5)
        };
        let operation = if replaced.is_some() { Operation::Update } else { Operation::Insert };
        if let Some((outcome, why)) = refusal {
            self.outputs.push_back(Output::Event(Kind::Refused(why.into()), subject(&key)));
            return Applied { outcome, rows: Vec::new() };
        }
        let revision = gray.entry.revision;
        let md5 = Arc::clone(&gray.entry.md5);
        self.outputs
            .push_back(Output::Event(Kind::Published { revision: revision.0, md5 }, subject(&key)));
        let mut rows = vec![rows::gray(&gray)];
        let (entry, rule) = (gray.entry.clone(), gray.rule.clone());
        self.put_gray(gray);
        self.show_grays(&key);
        self.remember(&HistoryRow { revision, operation, entry, gray: Some(rule) }, &mut rows);
        Applied { outcome: Outcome::Published(revision), rows }
    }

    pub(crate) fn apply_remove_gray(
        &mut self,
        revision: Revision,
        key: &ConfigKey,
        name: &GrayName,
        author: Author,
        at_ms: u64,
    ) -> Applied {
        let Some(gray) = self.take_gray(key, name) else {
            return Applied { outcome: Outcome::Removed { existed: false }, rows: Vec::new() };
        };
        let removed = Kind::Removed { revision: revision.0 };
        self.outputs.push_back(Output::Event(removed, subject(key)));
        self.show_grays(key);
        let mut rows = vec![rows::no_gray(key, name)];
        let Gray { rule, entry } = Gray::clone(&gray);
        let entry = Entry { author, modified_ms: at_ms, ..entry };
        let (operation, gray) = (Operation::Delete, Some(rule));
        self.remember(&HistoryRow { revision, operation, entry, gray }, &mut rows);
        Applied { outcome: Outcome::Removed { existed: true }, rows }
    }

    /// Makes a gray version the current one of its name. Readers see it with `show_grays`.
    pub(crate) fn put_gray(&mut self, gray: Gray) {
        self.contents_bytes += gray_weight(&gray);
        let key = &gray.entry.key;
        let none = || Arc::new(Grays { key: key.clone(), versions: BTreeMap::new() });
        let grays = self.grays.entry(key.clone()).or_insert_with(none);
        let name = gray.rule.name();
        if let Some(replaced) = Arc::make_mut(grays).versions.insert(name, Arc::new(gray)) {
            self.contents_bytes -= gray_weight(&replaced);
        }
    }

    fn take_gray(&mut self, key: &ConfigKey, name: &GrayName) -> Option<Arc<Gray>> {
        let grays = self.grays.get_mut(key)?;
        let gray = Arc::make_mut(grays).versions.remove(name)?;
        if grays.versions.is_empty() {
            self.grays.remove(key);
        }
        self.contents_bytes -= gray_weight(&gray);
        Some(gray)
    }

    /// Shows the gray versions of a key to readers and listeners.
    fn show_grays(&mut self, key: &ConfigKey) {
        let grays = match self.grays.get(key) {
            Some(grays) => {
                self.grays_shown.insert(key.clone(), Arc::clone(grays));
                Arc::clone(grays)
            }
            None => {
                self.grays_shown.remove(key);
                Arc::new(Grays { key: key.clone(), versions: BTreeMap::new() })
            }
        };
        self.outputs.push_back(Output::PublishGrays(grays));
        self.notify(key);
    }

    pub(crate) fn show_restored_grays(&mut self) {
        let keys: BTreeSet<ConfigKey> =
            self.grays.keys().chain(self.grays_shown.keys()).cloned().collect();
        for key in keys {
            if self.grays.get(&key) != self.grays_shown.get(&key) {
                self.show_grays(&key);
            }
        }
    }

    /// The md5 that such a client sees now; empty when there is nothing for it.
    pub(crate) fn md5_seen(&self, key: &ConfigKey, audience: &Audience) -> Arc<str> {
        let gray = self.grays_shown.get(key).and_then(|grays| grays.of(audience));
        gray.map_or_else(|| self.md5_formal(key), |gray| Arc::clone(&gray.entry.md5))
    }

    /// The md5 of what everybody else sees; empty when there is nothing.
    pub(crate) fn md5_formal(&self, key: &ConfigKey) -> Arc<str> {
        let entry = self.entries.get(key).or_else(|| self.before_reset.get(key));
        entry.map_or_else(|| Arc::from(""), |entry| Arc::clone(&entry.md5))
    }
}

fn gray_weight(gray: &Gray) -> u64 {
    weight_of(&gray.entry) + gray.rule.text().len() as u64
}
