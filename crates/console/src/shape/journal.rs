//! What happened, and what it comes to.

use serde::{Deserialize, Serialize};

/// One event of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Hybrid time, unique with the node.
    pub id: String,
    /// When.
    pub at: String,
    /// Who saw it.
    pub node: String,
    /// What it is about.
    pub subject: String,
    /// What happened, in words.
    pub what: String,
    /// What led to it, in words.
    pub cause: String,
}

/// The events of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// What they are about.
    pub subject: String,
    /// Oldest first.
    pub events: Vec<Event>,
    /// How many events the journals dropped: above 0, the story may begin earlier.
    pub dropped: u64,
    /// Nodes that did not answer: what they saw is missing.
    #[serde(default)]
    pub silent: Vec<String>,
}

/// The events of a subject and what they come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The events.
    #[serde(flatten)]
    pub history: History,
    /// What they come to, in a plain sentence.
    pub sentence: String,
}
