//! The Nacos edge: HTTP and gRPC of the official clients on one side, requests of the planes on the other.
#![forbid(unsafe_code)]

mod access_ops;
mod call;
mod check;
mod client;
mod config_ops;
mod credential;
mod dates;
mod fault;
mod form;
mod grpc;
mod json;
mod liveness;
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
#[cfg(test)]
mod tests;

pub use payload::{Any, Metadata, Payload};
pub use routes::{BODY_BYTES_MAX, CONFIG_BODY_BYTES_MAX, body_bytes_max, serves};
pub use session::{CALLS_MAX, SETUP_WAIT, Session};
pub use surface::{
    Answer, Ask, CallId, Facts, Format, Input, Login, NodeState, Output, Page, Password, Tell,
    Unavailable, Views,
};
