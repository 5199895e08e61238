//! The journal: what happened on a node, in the words of its protocols, each event with the event that caused it.
//!
//! Cores and planes say *what* happened (`Kind`, `Subject`). The node stamps *who, when and why*: an id, itself, the
//! time, and the input that was being stepped. Beats and other routine are left out; their absence shows as a gap.
//!
//! A node keeps the newest events in a ring bounded in bytes. `merge` lays the journals of several nodes side by side
//! in the order of the hybrid clock, which never contradicts causality.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod event;
mod ring;

pub use event::{Cause, Event, EventId, Kind, Subject};
pub use ring::{Journal, merge};
