//! Conversations, laws and small schedules.

mod conversation;
mod laws;
mod schedules;
mod stage;
