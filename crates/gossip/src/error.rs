//! What is wrong with settings, with records and with messages. None of them changes anything.

use base::NodeId;

/// Why settings, a record or a message is refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings contradict themselves.
    #[error("settings of gossip: {what}")]
    Settings {
        /// What is wrong.
        what: &'static str,
    },
    /// An address cannot be one.
    #[error(
        "an address must have between 1 and 128 bytes and neither blanks nor control characters"
    )]
    Address,
    /// A record may not be told.
    #[error("a node record is refused: {why}")]
    Record {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The message has a version that this program does not know.
    #[error(
        "a gossip message has version {found}, this program reads {known}; upgrade the older node"
    )]
    Version {
        /// The version it has.
        found: u8,
        /// The version that is understood.
        known: u8,
    },
    /// The bytes are not a message.
    #[error("a gossip message cannot be read: {why}")]
    Malformed {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The message contradicts itself.
    #[error("a gossip message of {from} is refused: {why}")]
    Message {
        /// Who says that it sent it.
        from: NodeId,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The message belongs to another cluster: an address was given to a node of it, or a seed is wrong.
    #[error("{from} belongs to another cluster; check the seeds of both")]
    Cluster {
        /// Who says that it sent it.
        from: NodeId,
    },
}
