//! Attacks on a running server. After each one the node lives, a normal client is served, and nothing is left behind.
#![allow(missing_docs, clippy::disallowed_methods)]

mod archives;
mod bodies;
mod calls;
mod crowds;
mod floods;
mod grpc;
mod heads;
mod junk;
mod limits;
mod logins;
mod paths;
mod peers;
mod setup;
mod slow_readers;
mod stopping;
mod streams;
mod tokens;
mod wire;
