//! What edges ask of the config center, what enters the log, and what is answered.

use crate::{
    Audience, Author, Change, ConfigKey, Conflict, Details, GrayName, GrayRule, HistoryRow,
    Pattern, StampedChange,
};
use base::{Limit, Revision};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A question to the plane. Owned values only, so that the same value can be forwarded to another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Set the content of a key.
    Publish {
        /// Which.
        key: ConfigKey,
        /// Not empty, at most `CONTENT_BYTES_MAX`.
        content: Arc<str>,
        /// Only if the key's md5 is this; a key that does not exist is inserted, as Nacos does.
        cas_md5: Option<Arc<str>>,
        /// The rest.
        details: Details,
        /// For the history.
        author: Author,
    },
    /// Remove a key; done, too, when it does not exist.
    Remove {
        /// Which.
        key: ConfigKey,
        /// For the history.
        author: Author,
    },
    /// Set the content of a gray version; the formal one stays as it is, or absent.
    PublishGray {
        /// Which config.
        key: ConfigKey,
        /// Which version, and who sees it.
        rule: GrayRule,
        /// As in `Publish`.
        content: Arc<str>,
        /// As in `Publish`, of this version's md5.
        cas_md5: Option<Arc<str>>,
        /// The rest. Boxed: gray versions are rare, and every command would pay for its size.
        details: Box<Details>,
        /// For the history.
        author: Author,
    },
    /// Remove a gray version; done, too, when it does not exist.
    RemoveGray {
        /// Which config.
        key: ConfigKey,
        /// Which version.
        name: GrayName,
        /// For the history.
        author: Author,
    },
    /// Change several configs, or none of them.
    PublishMany {
        /// 1 to `CHANGES_MAX`, of configs that differ.
        changes: Vec<Change>,
        /// For the history.
        author: Author,
    },
    /// Tell this connection when a key's md5 is no longer the one it holds: at once if that is so already. Each
    /// (connection, listener, key) is told once per `Listen`; after `Notify` the connection listens on with the new md5.
    Listen {
        /// Tells apart the listeners of one connection: 0 is the gRPC one, a long poll uses its call's number.
        listener: u64,
        /// The keys with the md5 that the client holds; empty for "I hold nothing".
        items: Vec<(ConfigKey, Arc<str>)>,
        /// Decides which version of each key is compared, now and later.
        audience: Audience,
    },
    /// Stop telling.
    Unlisten {
        /// Whose.
        listener: u64,
        /// Which keys; empty means all of that listener.
        keys: Vec<ConfigKey>,
    },
    /// The changes of a key, newest first. A reply may have fewer rows than asked for when their contents are long
    /// (`HISTORY_REPLY_BYTES_MAX`): there are no more only when it is empty.
    History {
        /// Which.
        key: ConfigKey,
        /// Only changes before this one; `None` from the newest.
        before: Option<Revision>,
        /// How many at most.
        limit: usize,
    },
    /// A page of the changes of a key, newest first, with how many there are.
    HistoryPage {
        /// Which.
        key: ConfigKey,
        /// How many of the newest to leave out.
        offset: usize,
        /// How many at most; see `History`.
        limit: usize,
    },
    /// Tell this connection of every config that comes or goes whose name the pattern takes, until it closes or says
    /// `Unwatch`. What is there already is in the views: whoever looks at them after the answer misses nothing.
    Watch {
        /// Which names.
        pattern: Pattern,
    },
    /// Stop telling; done, too, when it was not told.
    Unwatch {
        /// As in `Watch`.
        pattern: Pattern,
    },
    /// What this node's connections with this address listen to.
    ListenersAt {
        /// Without a port.
        address: Arc<str>,
    },
    /// Who listens to a key on this node, with the md5 each one holds.
    Listeners {
        /// Which.
        key: ConfigKey,
    },
}

/// What enters the log: everything that is not state is in it, so that every node applies the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// See `Request::Publish`.
    Publish {
        /// Which.
        key: ConfigKey,
        /// The content.
        content: Arc<str>,
        /// Computed once, by the proposer.
        md5: Arc<str>,
        /// The condition.
        cas_md5: Option<Arc<str>>,
        /// The rest.
        details: Box<Details>,
        /// For the history.
        author: Author,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
    /// See `Request::Remove`.
    Remove {
        /// Which.
        key: ConfigKey,
        /// For the history.
        author: Author,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
    /// See `Request::PublishGray`.
    PublishGray {
        /// Which config.
        key: ConfigKey,
        /// Which version, and who sees it.
        rule: GrayRule,
        /// The content.
        content: Arc<str>,
        /// Computed once, by the proposer.
        md5: Arc<str>,
        /// The condition.
        cas_md5: Option<Arc<str>>,
        /// The rest.
        details: Box<Details>,
        /// For the history.
        author: Author,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
    /// See `Request::RemoveGray`.
    RemoveGray {
        /// Which config.
        key: ConfigKey,
        /// Which version.
        name: GrayName,
        /// For the history.
        author: Author,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
    /// See `Request::PublishMany`.
    PublishMany {
        /// All of them, or none.
        changes: Vec<StampedChange>,
        /// For the history.
        author: Author,
        /// Wall clock of the proposer, milliseconds.
        at_ms: u64,
    },
}

/// What applying a command came to. The same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The content is current as of this revision.
    Published(Revision),
    /// The key does not exist; whether it did before.
    Removed {
        /// It did.
        existed: bool,
    },
    /// Nothing changed: the md5 is another.
    CasConflict {
        /// The current md5; empty if the key does not exist.
        current_md5: Arc<str>,
    },
    /// Of several changes, none was made: these conditions do not hold.
    Conflicts(Vec<Conflict>),
    /// Nothing changed: all contents together would exceed the quota, in bytes.
    QuotaExceeded {
        /// The quota.
        bytes_max: u64,
    },
    /// Nothing changed: the config has this many gray versions already.
    TooManyVersions {
        /// The limit.
        limit: usize,
    },
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Of a write: what the log made of it.
    Outcome(Outcome),
    /// `Listen` and `Unlisten` are in force. For `Listen`: these keys differ from the client's md5 now.
    Listening(Vec<ConfigKey>),
    /// Newest first; empty when there are no more.
    History(Vec<HistoryRow>),
    /// Newest first.
    HistoryPage {
        /// Of all changes that are kept, not only of this page.
        count: usize,
        /// The page.
        rows: Vec<HistoryRow>,
    },
    /// Of `Watch` and `Unwatch`: in force.
    Watching,
    /// In no particular order.
    Listeners(Vec<KeyListener>),
    /// (key, md5 held), at most `LISTENERS_SHOWN_MAX`.
    ListenersAt(Vec<(ConfigKey, Arc<str>)>),
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// One who listens to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyListener {
    /// On which connection.
    pub connection: base::ConnectionId,
    /// Where it comes from; empty when that is not known.
    pub address: Arc<str>,
    /// What it holds of the key; empty for nothing.
    pub md5: Arc<str>,
}

/// Why nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The content is empty.
    #[error("content is blank")]
    ContentBlank,
    /// The content is longer than the limit, in bytes.
    #[error("content of {bytes} bytes is over the limit of {bytes_max}: split the config")]
    ContentTooLarge {
        /// As sent.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// One of the details is longer than allowed.
    #[error("invalid {what}: more than {limit} characters")]
    DetailTooLong {
        /// Which.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// More tags than allowed.
    #[error("invalid config_tags: more than {limit} tags")]
    TooManyTags {
        /// The limit.
        limit: usize,
    },
    /// Several changes, and there is none.
    #[error("there is nothing to change")]
    NoChanges,
    /// More changes than may be made at once.
    #[error("more than {limit} changes at once: make them in several steps")]
    TooManyChanges {
        /// The limit.
        limit: usize,
    },
    /// Two changes of one config.
    #[error("{key} is changed twice: send one change of it")]
    ChangedTwice {
        /// Which.
        key: ConfigKey,
    },
    /// All changes together are longer than may be.
    #[error(
        "changes of {bytes} bytes are over the limit of {bytes_max}: make them in several steps"
    )]
    ChangesTooLarge {
        /// As sent.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A tag with other characters than letters, digits and `_-.:`.
    #[error("invalid tag: only letters, digits and _-.: are taken")]
    TagIllegal,
    /// A beta version for nobody.
    #[error("invalid betaIps: blank")]
    AddressesBlank,
    /// A listener limit.
    #[error("this connection listens to {limit} keys already: use a second connection")]
    TooManyListeners {
        /// The limit.
        limit: usize,
    },
    /// A limit of patterns.
    #[error("{limit} patterns are watched already: watch fewer")]
    TooManyPatterns {
        /// The limit.
        limit: usize,
    },
    /// The history could not be read.
    #[error("history is unreadable: {0}")]
    Unreadable(String),
}

impl Reply {
    /// Which limit it was refused at, if it was.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Refused(refusal) => refusal.limit(),
            Self::Outcome(Outcome::QuotaExceeded { .. } | Outcome::TooManyVersions { .. }) => {
                Some(Limit::ConfigQuota)
            }
            Self::Outcome(
                Outcome::Published(_)
                | Outcome::Removed { .. }
                | Outcome::CasConflict { .. }
                | Outcome::Conflicts(_),
            )
            | Self::Listening(_)
            | Self::ListenersAt(_)
            | Self::Watching
            | Self::History(_)
            | Self::HistoryPage { .. }
            | Self::Listeners(_) => None,
        }
    }
}

impl Refusal {
    /// Which limit it is about, if it is about one.
    #[must_use]
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::ContentTooLarge { .. }
            | Self::ChangesTooLarge { .. }
            | Self::TooManyChanges { .. } => Some(Limit::ConfigContent),
            Self::DetailTooLong { .. } | Self::TooManyTags { .. } => Some(Limit::ConfigDetails),
            Self::TooManyListeners { .. } => Some(Limit::Listeners),
            Self::TooManyPatterns { .. } => Some(Limit::Patterns),
            Self::NoChanges
            | Self::ChangedTwice { .. }
            | Self::ContentBlank
            | Self::TagIllegal
            | Self::AddressesBlank
            | Self::Unreadable(_) => None,
        }
    }
}
