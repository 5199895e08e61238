//! The Nacos edge: HTTP and gRPC of the official clients on one side, requests of the planes on the other.
//!
//! # The problem
//!
//! Clients of Nacos exist in many languages and generations, and cannot be changed. They branch on error codes, on
//! texts, on fields that are absent instead of null, on the order of a handshake. So this crate answers as the official
//! 2.5.1 does, byte for byte where a client can see it, and better where the official answer harms: nothing of a token in
//! an error, no hint who exists, no "not found" from a node that has not read its disk, no success for what was not done.
//!
//! # Roles
//!
//! A [`Session`] is one connection, of either door. It has the three verbs of all our state machines and no clock, socket
//! or lock. What it may look at comes as [`Views`] with each step; what it cannot answer from them it asks
//! ([`Output::Ask`]), and goes on when the answer comes. So every request is a record that can be resumed:
//!
//! ```text
//! parse → authenticate → views fresh enough? → authorize → run (view, or plane) → render
//!           ⇅ Attempt, Verify, Attempted   ⇅ Fresh          ⇅ Naming, Config, Access
//! ```
//!
//! One file per operation holds its parsing, its run and its answers for both doors; `routes` and `grpc` are closed tables
//! from verb and path, or message type, to operation. Who may do what is decided from the parsed operation, never from a
//! path.
//!
//! # Messages that are lost
//!
//! * A question always gets one answer (its node sees to that); of a call that is over, the answer is dropped.
//! * A push or its confirmation: the newest view is sent again 1 s after 5 s without a confirmation, for as long as the
//!   connection lives. A notification of a changed config: again after 3 s + 2 s per try, five times; then the client's
//!   own comparison finds it.
//! * A message of a fuzzy watch: what it told is compared again with what there is, and told again, after 3 s times the try,
//!   five times; then the client's own comparison finds it.
//! * A push by UDP ([`UdpSession`]) or its confirmation: once more after 10 s; then the client's next poll finds it.
//! * A client without power: after 20 s of silence it is asked for a sign, 5 s later its connection is closed.
//! * A request that overtakes its connection's setup waits 300 ms for it.
//!
//! # Invariants
//!
//! * ∀ call: answers(call) ≤ 1; = 1 unless the client dropped it or the connection closed.
//! * ∀ subscription: pushes in flight ≤ 1 ∧ views held ≤ 2 (in flight, newest unsent).
//! * ∀ gRPC answer: success ⇔ resultCode = 200 ⇔ errorCode = 0; no field is null.
//! * ∀ watch: what is told = what exists − what the client holds, both ways; unconfirmed messages ≤ 20, names ≤ 500.
//! * ∀ long poll: what was registered with the config plane is taken back when the call ends, whatever ended it.
//! * state = Starting ⇒ no answer says "not found".
//!
//! # Left out
//!
//! Health checks of persistent instances, the API of v3 but for logins, probes and what clients use: each is answered
//! by a typed refusal, and those of HTTP stand in the routing table with their fate.
#![forbid(unsafe_code)]

mod access_ops;
mod archive;
mod call;
mod check;
mod client;
mod config_ops;
mod credential;
mod dates;
mod fault;
mod filter;
mod form;
mod grpc;
mod json;
mod limits;
mod liveness;
mod lock_ops;
mod multipart;
mod naming_ops;
mod notify;
mod operation;
mod payload;
mod push;
mod reply;
mod routes;
mod server_ops;
mod service_info;
mod session;
mod setup;
mod surface;
mod tally;
#[cfg(test)]
mod tests;
mod udp;
mod watching;

pub use archive::{
    ARCHIVE_FILES_MAX, ARCHIVE_INFLATED_BYTES_MAX, ARCHIVE_RATIO_MAX, Archive, ArchiveError, pack,
};
pub use grpc::{grpc_api, result_code};
pub use limits::{CALLS_MAX, LISTENED_KEYS_MAX, Limits, POLL_HOLD_MAX};
pub use payload::{Any, Metadata, Payload};
pub use routes::{BODY_BYTES_MAX, CONFIG_BODY_BYTES_MAX, http_api, serves, takes_configs};
pub use session::{SETUP_WAIT, Session};
pub use surface::{
    Answer, Ask, CallId, Connected, Facts, Format, Input, Login, Move, NodeState, Output, Page,
    Password, Place, Tell, Unavailable, Views,
};
pub use tally::{Denial, Noted, Pushing};
pub use udp::{
    DATAGRAM_BYTES_MAX, SUBSCRIBERS_MAX, SUBSCRIPTIONS_PER_SUBSCRIBER_MAX, UdpInput, UdpOutput,
    UdpSession, UdpSubscription,
};
