//! The world around a host: sockets, files, threads, clocks and settings. The only async crate.
//!
//! Everything that happens on a connection happens in its one task (`turn`), and what it writes in one turn leaves in one
//! piece (`socket`). Nothing is decided here but what a connection may cost (`Limits`). A connection's bytes become `host::Arrival`s and its `host::Sending`s become bytes; disk jobs
//! run on one thread, bcrypt on a few others, and a timer wakes the host when it asked to be woken.
//!
//! ```text
//!  accept ─► connection task (hyper) ─► host.deliver ─► … ─► Door::wake ─► the waiting call
//!  datagram task ⇄ host.datagram, host.take_datagram
//!  timer task ─► host.wake        disk thread ─► worker.run ─► host.disk_done
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods)] // this crate is where clocks, threads and chance enter

mod body;
mod checks;
mod clock;
mod cluster_settings;
mod connection;
mod doors;
mod grpc;
mod http_calls;
mod intake;
mod limit_settings;
mod limits;
mod listen;
mod machine;
mod metrics;
mod peer;
mod protocol;
mod requests;
mod running;
mod settings;
mod socket;
mod threads;
mod traffic;
mod turn;
mod udp;
mod woken;

pub use cluster_settings::{Advertise, ClusterSettings};
pub use doors::{Bound, bind, bind_together};
pub use limit_settings::LimitFlags;
pub use limits::Limits;
pub use peer::PeerCertificates;
pub use running::{RunError, Running, new_password, start};
pub use settings::{Auth, Flags, Listen, LogFormat, LogLevel, Settings, SettingsError};
