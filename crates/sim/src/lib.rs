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
//!  World     the order of events by virtual time: one machine, or several that found a cluster
//!  Machine   a disk that outlives its hosts, their clocks, the host that runs between a start and a crash
//!  Network   whether bytes pass from one place to another, and how fast: cuts, also of one way, stalls, resets
//!  PeerLink  what one host dialed to another: two lanes in order, as TCP carries them
//!  clients   SDKs as state machines: a registry client and a config client over gRPC payloads; over HTTP requests one that
//!            beats, takes pushes by UDP and has persistent instances; one of locks, that writes under their tokens; they redo
//!            what a lost connection undid, as SDKs do
//!  Fault     kill, stop, power loss, also inside a write, torn writes, fsyncs that fail and fsyncs that lie, flipped bits, a
//!            full disk, a clock that is set, a pause, clients that go
//!  operator  puts back a copy of the disk when the host says that it cannot use what is there; one of several gets an empty one
//!  Profile   what a seed stands for: who is there, how slow things are, what goes wrong when
//!  check     judges the history: what clients asked, were told and saw, and what a scan finds after each start
//! ```
//!
//! A run has three parts: things go wrong (60 s); nothing does any more and clients only look; then everything must have come
//! right, or the report says what is stuck. `cargo run -p sim -- --seed 7 --trace` shows one run line by line,
//! `cargo run -p sim -- --seed 1000 --seeds 500` tries fresh ones.
//!
//! # What is checked
//!
//! One file per promise in `check`, each with histories that it must reject:
//!
//! ```text
//! leaders     one leader per term
//! replicas    equal state at equal index; in the end all nodes list the same
//! formed      exactly one cluster is founded, and nothing is acknowledged before
//! minority    who cannot talk to a majority acknowledges nothing
//! stale       a read is said to be old only when something was wrong
//! linear      every key's answers are those of a single copy, over all crashes
//! durable     what was acknowledged is there after each start, before anybody can write
//! listen      nobody reads an older content after a newer one; an acknowledged change is told; who is told reads it
//! living      no list, also not the first one after `kill -9`, misses an instance that lives
//! gone        no list shows one for longer than its end explains
//! versions    of pushes never fall, also over restarts
//! empty-push  no push is empty unless the ledger of the clients is
//! locks       tokens only grow; nobody gets a lock whose holder counts on it, and whoever holds it is not refused
//! persistent  a persistent instance is listed until it is taken back, over every crash
//! sound       no answer contradicts itself
//! ```
//!
//! And of the host: it stops by itself only after a failed fsync or on a damaged disk, and begins from every disk that a crash
//! leaves.
//!
//! # Damage
//!
//! A flipped bit may hit what nobody needs, or be overwritten; otherwise it must be found: the host stops, or does not begin, and
//! the operator puts back the copy from before. An fsync that lied is nothing that a sole node can make good: after the power
//! loss its disk may have gone back to any moment since the lie began, and to no other state. Checkers then begin a new
//! *epoch* from there.
//!
//! Of several disks one lies or flips bits, and there are no epochs: what was acknowledged stays. A node that lost what it had
//! acknowledged cannot know; the leader does, says so with its next heartbeat, and the node halts. What holds it up to
//! then: no majority may be made of it and of a node that never had the entry. So it is promised for a machine that loses
//! its power and is not back within the two seconds in which the others elect a leader (here five), while the others are up and
//! see each other. Not promised: a disk that lies while another machine fails; one that lies on a machine that is back at once
//! and had led; two disks that lie.
//!
//! # Planted bugs
//!
//! [`Planted`] bugs show that the checkers can see. They are put in between host and disk, into settings, and between host and
//! node ([`host::Planted`]); `README.md` lists which checker finds which, and after how many seeds.
//!
//! # Invariants
//!
//! * Nothing of the machine that runs it gets in: no clock, no hash order, no thread. The hash over the trace is equal in two
//!   processes.
//! * On a connection nothing overtakes; datagrams, connections among each other and the disk may.
//! * A crash takes the disk before the host's memory is dropped: no destructor saves what a crash must lose.
//!
//! # Left out
//!
//! HTTP/2 frames, TLS between nodes, memory that runs out, long polls; several disks that lie at once.
#![forbid(unsafe_code)]

mod beat_client;
mod check;
mod client;
mod cluster_profile;
mod config_client;
mod datagrams;
mod fault;
mod line;
mod lock_client;
mod machine;
mod naming_client;
mod network;
mod note;
mod operator;
mod payload;
mod peers;
mod persistent;
mod planted;
mod profile;
mod queue;
mod run;
mod scan;
mod serve;
mod servers;
mod sights;
mod stage;
mod timeline;
mod trace;
mod udp_subscriber;
mod world;

pub use beat_client::BeatHabits;
pub use check::{Findings, check, violations};
pub use cluster_profile::Drill;
pub use config_client::ConfigHabits;
pub use fault::{DiskFile, Fault};
pub use lock_client::LockHabits;
pub use naming_client::NamingHabits;
pub use network::{NetworkFault, Place};
pub use note::{Ask, End, Held, Note, Offer, Outcome, Seen, Step};
pub use planted::{PLANTED, Planted};
pub use run::{Report, run, run_cluster, run_drill};
pub use scan::Answer;
pub use sights::Sight;
pub use timeline::timeline;
pub use trace::Trace;
pub use world::{Happening, Physics, World, seeded, settings};
