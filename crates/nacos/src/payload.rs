//! The one message of Nacos's gRPC: a type name, headers, and JSON.
//!
//! The services are `Request.request` (unary) and `BiRequestStream.requestBiStream`, both Payload to Payload
//! (nacos_grpc_service.proto of the official clients; field numbers are the wire's).

use prost::Message;
use std::collections::BTreeMap;

/// What travels in every direction.
#[derive(Clone, PartialEq, Message)]
pub struct Payload {
    /// Type, headers and the sender's address.
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<Metadata>,
    /// The JSON.
    #[prost(message, optional, tag = "3")]
    pub body: Option<Any>,
}

/// What is said of a payload.
#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    /// Simple class name of the message; its only discriminator.
    #[prost(string, tag = "3")]
    pub r#type: String,
    /// Access token, application name, tracing.
    #[prost(btree_map = "string, string", tag = "7")]
    pub headers: BTreeMap<String, String>,
    /// What the sender believes its address to be.
    #[prost(string, tag = "8")]
    pub client_ip: String,
}

/// `google.protobuf.Any`: only its value is used.
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// Left empty by clients and ignored.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// UTF-8 JSON.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: bytes::Bytes,
}
