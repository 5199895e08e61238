//! Conversations and laws of the core.

mod conversation;
mod laws;
