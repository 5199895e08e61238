//! The Nacos edge: HTTP and gRPC of the official clients on one side, requests of the planes on the other.
#![forbid(unsafe_code)]

mod payload;
mod surface;

pub use payload::{Any, Metadata, Payload};
pub use surface::{
    Answer, Ask, CallId, Facts, Format, Input, Login, NodeState, Output, Page, Password, Tell,
    Unavailable, Views,
};
