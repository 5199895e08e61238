//! Conversations and laws.

mod laws;
mod script;
