//! The JSON of the API, as written by the server and read by its clients. Times are RFC 3339 in UTC.

mod access;
mod configs;
mod journal;
mod locks;
mod members;
mod rebalance;
mod services;
mod status;
mod verify;
mod worth;

pub use access::{Credentials, Namespace, NamespaceText, Token};
pub use configs::{Config, ConfigChange, ConfigHistory, ConfigLine, PlannedChange};
pub use journal::{Event, Explanation, History};
pub use locks::{Acquisition, Grant, Lock, Renewal};
pub use members::{Cluster, Invitation, InvitationTerms, Leadership, Member, OpenToken};
pub use rebalance::{Clients, ClientsMove, Rebalance, Rebalanced};
pub use services::{Beat, Instance, Registered, Registration, Service, ServiceLine};
pub(crate) use status::state_word;
pub use status::{Counts, Disk, Raft, Status};
pub use verify::{AfterService, Differing, Repair, Verification};
pub use worth::{FRESHNESS_HEADERS, freshness_values};

use serde::{Deserialize, Serialize};

/// An error (RFC 9457): what, where, why, and what to do next. `code` is stable; the texts are for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:trine:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same as `what`, under the name that RFC 9457 gives it.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Short and stable, e.g. `not-found`.
    pub code: String,
    /// What went wrong.
    pub what: String,
    /// Which request, on which node.
    #[serde(rename = "where")]
    pub place: String,
    /// For what reason.
    pub why: String,
    /// What to do about it.
    pub next: String,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    /// Of all that match, not only of this page.
    pub count: usize,
    /// Position of the first item among them.
    pub offset: usize,
    /// In order.
    pub items: Vec<T>,
}

/// The answer to a change of a config, namespace or service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// Log index of the change, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// False when it was so already.
    pub changed: bool,
}
