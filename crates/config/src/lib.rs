//! The config plane: entries, md5, history, listeners. A replicated state machine.
//!
//! # The problem
//!
//! Applications keep their settings here and want three things: that an acknowledged publish is never lost and never
//! undone behind their back (CAS), that they are told when a key they hold changes, and that an operator can see who
//! changed what and go back. Reads are many and must not queue behind writes.
//!
//! # Two entrances
//!
//! ```text
//!   edge ── Request ──► step ── Propose{Command} ──► the Raft log ──► apply ── rows ──► state tables
//!                        │                                             │
//!                        └── Reply (listen, history, refused)          └── Publish/Retire, Notify, Event ──► poll
//! ```
//!
//! * `step` checks the form of a request and stamps what is not state (md5, wall clock, author) into a `Command`.
//! * `apply` decides: CAS, quota, what the history keeps. It is a pure function of state and command: no `Now`, no
//!   `Rng`, no setting of this node has a say, so every node that applies the same log holds the same rows.
//! * What `apply` queues must be polled *before* its outcome is reported: the one who wrote then reads the new view.
//!
//! A request that is lost between the two (leader change, timeout) changed nothing that this crate knows of; the node
//! reports "lost" or "outcome unknown".
//!
//! # State
//!
//! | table | key | value |
//! |---|---|---|
//! | 0 | namespace, group, data id (`base::push_part` each) | version byte, postcard of `Entry` |
//! | 1 | the same, then the revision in 8 bytes, big-endian | version byte, postcard of `HistoryRow` |
//! | 2 | the same as 0, then the version's name (`beta`, `tag_…`) | version byte, postcard of `Gray` |
//!
//! Contents are held in memory, history is not: only an index of it is (revision, time, size), enough to decide what
//! to drop. `Request::History` becomes one `Load` of exactly the rows that the index names.
//!
//! # Gray versions
//!
//! A config has at most one version for a list of addresses and one per tag, `GRAY_VERSIONS_MAX` in all, next to the
//! formal one or without it. A client sees the first that takes it (beta before tags), else the formal one; listening and
//! reading use the same rule, so a client is told exactly when what *it* sees changes.
//!
//! # Several at once
//!
//! `Request::PublishMany` changes several configs or none: one command, whose conditions are decided before anything changes.
//!
//! # Watching names
//!
//! A connection may watch patterns of names (the fuzzy watch). It is told of each config that comes or goes, once, however
//! many of its patterns take the name, and looks up in the views what was there before: it watches first and looks then, so
//! nothing falls between; what it hears twice changes nothing.
//!
//! # Invariants
//!
//! * `contents_bytes = Σ weight(entry) + Σ weight(gray)`, and `contents_bytes ≤ CONTENTS_BYTES_MAX` or the last publish did not grow it.
//! * `entry.revision ≤` the index last applied; revisions of one key only grow.
//! * per key: `history rows ≤ HISTORY_ROWS_MAX`. Older than `HISTORY_AGE_MAX` (by the clock in the command) or beyond
//!   `HISTORY_BYTES_MAX` in all: the oldest rows go, at most `HISTORY_PRUNED_MAX` per command, so that no command
//!   costs more for the size of what is stored, and one proposer with a wrong clock cannot wipe the history.
//! * outside a restore, the md5 that a listener is known to hold is that of the version it sees: it was told, or it said
//!   so; and `grays_shown = grays`.
//!
//! # Restore
//!
//! `Reset`, then `Restore` in pieces, then `Restored`. Until `Restored` (or the first `apply`, which can only come
//! after it) readers keep the views from before: an entry that the new state does not have is retired then, not at
//! `Reset`, because a key that seems gone for a moment makes applications fall back to their defaults. Gray versions are
//! shown together at the end: a client that has one must not see the formal one meanwhile.
//!
//! # Left out
//!
//! Search, and what a watched pattern takes already: both read the published views and need nothing here.
#![forbid(unsafe_code)]

mod apply;
mod check;
mod config;
mod gray;
mod history;
mod listeners;
mod many;
mod model;
mod request;
mod rows;
mod surface;
#[cfg(test)]
mod tests;

pub use check::{BETA_ADDRESSES_CHARS_MAX, CONTENT_BYTES_MAX, CONTENT_TYPES, GRAY_TAG_CHARS_MAX};
pub use config::{CONTENTS_BYTES_MAX, Config, LOADS_MAX, Settings, md5_hex};
pub use gray::GRAY_VERSIONS_MAX;
pub use history::{
    HISTORY_AGE_MAX, HISTORY_BYTES_MAX, HISTORY_PRUNED_MAX, HISTORY_REPLY_BYTES_MAX,
    HISTORY_ROWS_MAX,
};
pub use listeners::{LISTENERS_MAX, LISTENERS_SHOWN_MAX};
pub use many::{
    CHANGES_DETAILS_BYTES_MAX, CHANGES_MAX, Change, Conflict, StampedChange, StampedContent,
};
pub use model::{
    Audience, Author, ConfigKey, Details, Entry, Gray, GrayName, GrayRule, Grays, HistoryRow,
    Operation, Pattern,
};
pub use request::{Command, KeyListener, Outcome, Refusal, Reply, Request};
pub use surface::{Applied, Input, LoadedRows, Output};
