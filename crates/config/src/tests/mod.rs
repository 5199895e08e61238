//! Conversations (script in, transcript out) and laws.

mod conversation;
mod laws;
mod many;
mod watching;
