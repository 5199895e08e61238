//! What clients note for the checkers: what they asked for, what they were told, what they saw.

use std::collections::BTreeSet;

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// Name of the service.
    pub service: String,
    /// `ip:port`.
    pub address: String,
}

/// How the end of an instance came about, which decides how soon it must be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server said that it is deregistered.
    Deregistered,
    /// Its client hung up.
    HungUp,
    /// Its client vanished without a word.
    Silent,
    /// It lived by beats, and there are no more.
    Beatless,
}

/// A list of instances that a client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Name of the service.
    pub service: String,
    /// `lastRefTime`.
    pub version: u64,
    /// All of them.
    pub addresses: BTreeSet<String>,
}

/// What a config request asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Set the content; with an md5, only if that is the current one's.
    Publish {
        /// The content.
        content: String,
        /// The condition.
        cas: Option<String>,
    },
    /// Remove the key.
    Remove,
    /// Read the key.
    Query,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A write is acknowledged.
    Done,
    /// A read found this; `None`: there is no such config.
    Found(Option<String>),
    /// A read found this, and was told that it may be old.
    FoundStale(Option<String>),
    /// The condition of a publish did not hold; nothing changed.
    Conflict,
    /// Refused, in these words; nothing changed.
    Refused(String),
    /// No answer, or one that leaves it open.
    Unknown,
}

/// How far a client got with a persistent instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is about to be registered.
    RegisterAsked,
    /// The server said it is.
    Registered,
    /// It is about to be taken back.
    DeregisterAsked,
    /// The server said it is taken back.
    Deregistered,
}

/// How a client stands with a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It wants it.
    Asking,
    /// It has it, and counts on it until then.
    Granted {
        /// Of the grant.
        token: u64,
        /// Counted from when it asked.
        until: base::Instant,
    },
    /// It has renewed it.
    Until {
        /// Of the grant.
        token: u64,
        /// Counted from when it asked.
        until: base::Instant,
    },
    /// It was told that it does not hold it.
    Lost {
        /// Of the grant.
        token: u64,
    },
    /// It needs it no longer.
    Releasing {
        /// Of the grant.
        token: u64,
    },
}

/// One thing that a client notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// An instance is about to be registered.
    Registering(Offer),
    /// The server said it is.
    Registered(Offer),
    /// From now on the instance may be missing from lists: it is being deregistered, or its client's connection was lost.
    Leaving(Offer),
    /// The instance must disappear.
    Left(Offer, End),
    /// A list that was asked for at this moment (nanoseconds of the run) by this query.
    Listed(base::Instant, Seen),
    /// A push.
    Pushed(Seen),
    /// A config request leaves; the number is the client's own.
    Asked {
        /// Unique within the client.
        number: u64,
        /// Of the config.
        key: String,
        /// What.
        ask: Ask,
    },
    /// Its end.
    Answered {
        /// As in `Asked`.
        number: u64,
        /// What came of it.
        outcome: Outcome,
    },
    /// A persistent instance.
    Persistent(Offer, Step),
    /// It asks to be told when one of these keys is another than what it holds.
    Listening {
        /// Unique within the client.
        number: u64,
        /// Key, and md5 of its copy; empty if it holds none.
        held: Vec<(String, String)>,
    },
    /// The server listens for it, and says which keys are other ones already.
    Listened {
        /// As in `Listening`.
        number: u64,
        /// These.
        changed: Vec<String>,
        /// It says that it may be behind: what it holds of them may be older than what the client does.
        stale: bool,
    },
    /// It was told that a key changed.
    Told {
        /// Which.
        key: String,
    },
    /// Its connection is gone: it hears of nothing until it listens again.
    Deaf,
    /// A lock.
    Lock {
        /// Which.
        key: String,
        /// How it stands with it.
        held: Held,
    },
    /// It writes to a register that refuses tokens smaller than one it saw.
    Fenced {
        /// The lock, and the register.
        key: String,
        /// Of the grant.
        token: u64,
    },
    /// An answer that contradicts itself.
    Broken(String),
}
