//! Gossip between several nodes: conversations, laws, bytes, and measurements against the theory.
#![forbid(unsafe_code)]

mod bytes;
mod conversations;
mod laws;
mod measures;
mod network;
mod oracle;
mod theory;
