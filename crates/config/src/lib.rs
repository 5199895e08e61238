//! The config plane: entries, md5, history, listeners. A replicated state machine.
#![forbid(unsafe_code)]

mod model;
mod request;
mod surface;

pub use model::{Author, ConfigKey, Details, Entry, HistoryRow, Operation};
pub use request::{Command, Outcome, Refusal, Reply, Request};
pub use surface::{Applied, Input, Output};
