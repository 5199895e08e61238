//! Whole hosts in a world of values.
#![forbid(unsafe_code)]

mod beat_client;
mod client;
mod config_check;
mod config_client;
mod fault;
mod line;
mod machine;
mod naming_check;
mod naming_client;
mod note;
mod payload;
mod profile;
mod queue;
mod run;
mod serve;
mod trace;
mod world;

pub use beat_client::BeatHabits;
pub use config_check::check as check_config;
pub use config_client::ConfigHabits;
pub use fault::Fault;
pub use machine::Planted;
pub use naming_check::check as check_naming;
pub use naming_client::NamingHabits;
pub use note::{Ask, End, Note, Offer, Outcome, Seen};
pub use run::{Findings, Report, run};
pub use trace::Trace;
pub use world::{Happening, Physics, World, seeded, settings};
