//! What can be asked, what goes into the log, and what came of it.

use crate::{JoinToken, Secret, TokenId, View};
use base::NodeId;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A question to the plane. May be asked of any node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Who is in the cluster. Readers have the view and need not ask.
    Members,
    /// Invite a node.
    MakeToken {
        /// How long the invitation holds.
        ttl: Duration,
    },
    /// End an invitation early.
    EndToken(TokenId),
    /// Take a node out of the cluster for good: its id never comes back.
    Remove(NodeId),
    /// Let another voter lead.
    TransferLeader(NodeId),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Who is in the cluster.
    Members(Arc<View>),
    /// What came of a command.
    Outcome(Outcome),
    /// The node leads that was asked for.
    Leads(NodeId),
    /// Not done; nothing changed.
    Refused(Why),
}

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no cluster yet, or this node is no member of it yet.
    NotFormed,
    /// No such member.
    UnknownNode(NodeId),
    /// No such token.
    UnknownToken(TokenId),
    /// It is the last voter.
    LastVoter,
    /// Too few of the voters that would remain are alive: nothing could be decided any more.
    NoMajority,
    /// It has no vote, or is not alive, so it cannot lead.
    CannotLead(NodeId),
    /// The leader did not hand over in time. It may yet.
    TimedOut,
    /// A token may hold so long at most.
    TtlTooLong,
    /// There are too many tokens; they end by themselves, or by a request.
    TooManyTokens,
}

/// A change that all members agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Invite a node.
    MakeToken {
        /// Its name.
        id: TokenId,
        /// Its key.
        key: Secret,
        /// By the wall clock of whoever made it; ended by a command, not by a clock.
        expires_ms: u64,
    },
    /// End invitations.
    EndTokens(Vec<TokenId>),
    /// Never let this node in again.
    Remove(NodeId),
}

/// What came of a command: the same on every node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The token, for whoever asked.
    Token(JoinToken),
    /// It is so now.
    Done,
    /// There are too many of them; nothing changed.
    TooManyTokens,
    /// Too many ids were removed; nothing changed.
    TooManyRemoved,
}
