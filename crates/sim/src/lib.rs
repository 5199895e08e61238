//! Whole hosts in a world of values: the same seed is the same run, to the last byte.
//!
//! # Problem
//!
//! What a node promises must hold when its process is killed, its power goes, its disk lies and its clients vanish, at any
//! moment. Such moments cannot be waited for. So `host`, exactly as it is shipped (sessions, node, planes, Raft log,
//! storage on redb), runs here over a virtual clock, network, disk and clients, and everything that happens is drawn from one
//! number.
//!
//! # Roles
//!
//! ```text
//!  World     the order of events by virtual time
//!  Machine   a disk that outlives its hosts, their clocks, the host that runs between a start and a crash
//!  clients   SDKs as state machines: a registry client and a config client over gRPC payloads, a beat client over HTTP
//!            requests; they redo their registrations after a lost connection as SDKs do
//!  Fault     kill, power loss, also inside a write, pause, set clock, failed fsync, full disk, clients that go
//!  Profile   what a seed stands for: who is there, how slow things are, what goes wrong when
//!  checkers  judge the history that the clients noted: lists and pushes, config reads and writes
//! ```
//!
//! A run has three parts: things go wrong (60 s); nothing does any more and clients only look; then everything must have come
//! right, or the report says what is stuck. `cargo run -p sim -- --seed 7 --trace` shows one run line by line,
//! `cargo run -p sim -- --seed 1000 --seeds 500` tries fresh ones.
//!
//! # What is checked
//!
//! * config: every key's answers are those of a single copy (linearizable), over all crashes; so an acknowledged write is
//!   there and nothing is served that nobody published. After the end all listeners hold the same, newest copy.
//! * registry: no living instance is missing from a list, also not from the first one after `kill -9`; no dead one is listed
//!   for longer than its end explains; versions of pushes never fall; after the end all subscribers see the truth.
//! * host: it stops by itself only after a failed fsync, and begins from every disk that a crash leaves.
//!
//! Planted bugs ([`Planted`]) show that the checkers can see.
//!
//! # Invariants
//!
//! * Nothing of the machine that runs it gets in: no clock, no hash order, no thread. The hash over the trace is equal in two
//!   processes.
//! * On a connection nothing overtakes; between connections and with the disk everything may.
//! * A crash takes the disk before the host's memory is dropped: no destructor saves what a crash must lose.
//!
//! # Left out
//!
//! Several machines and the network between them, HTTP/2 frames, memory that runs out. A wall clock that is set back is not
//! combined with the end of a host: its next life then does not know how far the versions of the last one went.
#![forbid(unsafe_code)]

mod beat_client;
mod check;
mod client;
mod config_client;
mod fault;
mod line;
mod machine;
mod naming_client;
mod note;
mod operator;
mod payload;
mod persistent;
mod planted;
mod profile;
mod queue;
mod run;
mod scan;
mod serve;
mod trace;
mod world;

pub use beat_client::BeatHabits;
pub use check::{Findings, check, violations};
pub use config_client::ConfigHabits;
pub use fault::{DiskFile, Fault};
pub use naming_client::NamingHabits;
pub use note::{Ask, End, Note, Offer, Outcome, Seen, Step};
pub use planted::{PLANTED, Planted};
pub use run::{Report, run};
pub use trace::Trace;
pub use world::{Happening, Physics, World, seeded, settings};
