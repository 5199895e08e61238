//! The nouns of the config center.

use base::{Revision, takes};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, sync::Arc};

/// Names a config. The namespace is canonical: `public`, never empty; edges echo the form that a client used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConfigKey {
    /// Isolates applications; need not have been created.
    pub namespace: Arc<str>,
    /// `DEFAULT_GROUP` by custom.
    pub group: Arc<str>,
    /// The name.
    pub data_id: Arc<str>,
}

impl fmt::Display for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.group, self.data_id)
    }
}

/// Names of configs: `*` stands for any characters, in the group and in the data id, at any place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pattern {
    /// Canonical, and never a pattern.
    pub namespace: Arc<str>,
    /// Of the group.
    pub group: Arc<str>,
    /// Of the name.
    pub data_id: Arc<str>,
}

impl Pattern {
    /// Whether the pattern takes this name.
    #[must_use]
    pub fn takes(&self, key: &ConfigKey) -> bool {
        self.namespace == key.namespace
            && takes(&self.group, &key.group)
            && takes(&self.data_id, &key.data_id)
    }
}

/// What is said of a config besides its content. All optional texts are empty when not given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// `properties`, `xml`, `json`, `text`, `html`, `yaml`, `toml` or `unset`; `text` when not given or unknown.
    pub content_type: Arc<str>,
    /// Carried verbatim: the client decrypts with it.
    pub encrypted_data_key: Arc<str>,
    /// The application that owns it.
    pub app_name: Arc<str>,
    /// At most 128 characters.
    pub description: Arc<str>,
    /// Comma-separated; at most 5 of 64 characters.
    pub tags: Arc<str>,
    /// At most 32 characters.
    pub usage: Arc<str>,
    /// At most 32 characters.
    pub effect: Arc<str>,
    /// At most 32 768 characters.
    pub schema: Arc<str>,
}

/// Who changes something, for the history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The user; empty when nobody logged in.
    pub user: Arc<str>,
    /// Address of the client.
    pub address: Arc<str>,
}

/// A config as it is now. Immutable; replaced as a whole. It is also the view that readers get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which config.
    pub key: ConfigKey,
    /// Never empty.
    pub content: Arc<str>,
    /// Lower-case hex MD5 of the content's UTF-8 bytes; what SDKs compare.
    pub md5: Arc<str>,
    /// The rest.
    pub details: Details,
    /// Log index of the last change.
    pub revision: Revision,
    /// The number that lists name it by, for as long as it exists: the log index of the first publish, and above 2^44 the
    /// place in it, if several were published together.
    pub created: Revision,
    /// Wall clock of the first publish, milliseconds.
    pub created_ms: u64,
    /// Wall clock of the last publish, milliseconds.
    pub modified_ms: u64,
    /// Who published it last.
    pub author: Author,
}

/// One line of a config's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Log index of the change; unique, grows.
    pub revision: Revision,
    /// What was done.
    pub operation: Operation,
    /// The entry as the change made it; for a removal as it was before, with the removal's time and author.
    pub entry: Entry,
    /// Of which gray version, and for whom it was; `None` for the formal one.
    pub gray: Option<GrayRule>,
}

/// Who sees a gray version instead of the formal one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrayRule {
    /// Clients at these addresses, comma-separated, as the publisher wrote them.
    Beta(Arc<str>),
    /// Clients that carry this tag.
    Tag(Arc<str>),
}

/// Names a gray version within its config. The order is the priority: what comes first is seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum GrayName {
    /// The one for some addresses.
    Beta,
    /// The one for this tag.
    Tag(Arc<str>),
}

/// What decides which version a client sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// Addresses of the client without a port: where it comes from, and what it says of itself.
    pub addresses: Vec<Arc<str>>,
    /// The tag that it carries.
    pub tag: Option<Arc<str>>,
}

impl GrayRule {
    /// The version that this rule belongs to.
    #[must_use]
    pub fn name(&self) -> GrayName {
        match self {
            Self::Beta(_) => GrayName::Beta,
            Self::Tag(tag) => GrayName::Tag(Arc::clone(tag)),
        }
    }

    /// The rule as it was written: addresses, or a tag.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Beta(addresses) => addresses,
            Self::Tag(tag) => tag,
        }
    }

    /// Whether such a client sees the version.
    #[must_use]
    pub fn takes(&self, audience: &Audience) -> bool {
        match self {
            Self::Beta(addresses) => addresses
                .split(',')
                .any(|listed| audience.addresses.iter().any(|own| **own == *listed.trim())),
            Self::Tag(tag) => audience.tag.as_ref() == Some(tag),
        }
    }
}

impl fmt::Display for GrayName {
    /// `beta` or `tag_…`, as Nacos names them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beta => f.write_str("beta"),
            Self::Tag(tag) => write!(f, "tag_{tag}"),
        }
    }
}

/// A version of a config that only some clients see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gray {
    /// Who sees it.
    pub rule: GrayRule,
    /// What they see.
    pub entry: Entry,
}

/// All gray versions of a config. Immutable; replaced as a whole. It is also the view that readers get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grays {
    /// Which config; there may be no formal version of it.
    pub key: ConfigKey,
    /// By priority; empty when the last one is gone.
    pub versions: BTreeMap<GrayName, Arc<Gray>>,
}

impl Grays {
    /// The version that such a client sees instead of the formal one.
    #[must_use]
    pub fn of(&self, audience: &Audience) -> Option<&Arc<Gray>> {
        self.versions.values().find(|gray| gray.rule.takes(audience))
    }
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// The key was new.
    Insert,
    /// The key existed.
    Update,
    /// The key is gone.
    Delete,
}

#[cfg(test)]
mod tests {
    use super::takes;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, taken) in [
            ("*", "", true),
            ("*", "a", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("*b*", "abc", true),
            ("*b*", "ac", false),
            ("ab*ba", "aba", false),
            ("a*b*c", "aXbYc", true),
            ("a**c", "abc", true),
        ] {
            assert_eq!(takes(pattern, text), taken, "{pattern} {text}");
        }
    }
}
