//! The official Rust SDK, unchanged, against a server in this process.
#![allow(missing_docs, clippy::disallowed_methods)]

mod config;
mod naming;
mod outage;
mod setup;
