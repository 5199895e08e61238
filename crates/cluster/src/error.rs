//! What is wrong with settings and with bytes.

/// Why settings or bytes are refused. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings contradict themselves.
    #[error("{0}")]
    Settings(String),
    /// Bytes of a version that this build does not read.
    #[error(
        "{what} has version {found}, this build reads {known}: use the same build on all nodes"
    )]
    Version {
        /// What was to be read.
        what: &'static str,
        /// The version it has.
        found: u8,
        /// The newest that is understood.
        known: u8,
    },
    /// Bytes that are not what they should be.
    #[error("{what} cannot be read: {why}")]
    Malformed {
        /// What was to be read.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl Error {
    pub(crate) fn malformed(what: &'static str, why: impl ToString) -> Self {
        Self::Malformed { what, why: why.to_string() }
    }
}
