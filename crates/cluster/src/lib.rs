//! The cluster plane: which nodes belong together, which of them live, and who may come.
#![forbid(unsafe_code)]

mod agreed;
mod asking;
mod cluster;
mod error;
mod formation;
mod founding;
mod gossiping;
mod identity;
mod introduction;
mod links;
mod membership;
mod message;
mod request;
mod secret;
mod settings;
mod surface;
#[cfg(test)]
mod tests;
mod twins;
mod view;

pub use agreed::{REMOVED_MAX, TOKENS_MAX};
pub use asking::{TRANSFER_TIMEOUT, TTL_MAX};
pub use cluster::Cluster;
pub use error::Error;
pub use formation::{ClusterId, Formation, Founder};
pub use gossip::{Address, Protocols};
pub use identity::{IDENTITY_BYTES_MAX, Identity};
pub use introduction::{INTRODUCTION_BYTES_MAX, Introduction, PROTOCOLS, Refusal};
pub use links::LINKS_MAX;
pub use membership::VOTERS_MAX;
pub use message::{Body, Forming, MESSAGE_BYTES_MAX, Message, MessageLane};
pub use request::{Command, Outcome, Reply, Request, Why};
pub use secret::{JoinToken, SECRET_BYTES_MAX, SECRET_BYTES_MIN, Secret, TokenId};
pub use settings::{SEEDS_MAX, Settings};
pub use surface::{Applied, Input, MemberChange, Output};
pub use view::{Member, Role, State, Token, View};
