//! The works: what clients of a registry and of a config center do all day. One file each.

pub(crate) mod beat_http;
pub(crate) mod config;
pub(crate) mod list_http;
pub(crate) mod listen;
pub(crate) mod long_polls;
pub(crate) mod memory;
pub(crate) mod naming;
pub(crate) mod nothing;
pub(crate) mod ports;
pub(crate) mod publish_grpc;
pub(crate) mod publish_http;
pub(crate) mod push;
pub(crate) mod query_grpc;
pub(crate) mod read_grpc;
pub(crate) mod read_http;
pub(crate) mod register_grpc;
pub(crate) mod register_http;
pub(crate) mod three;

use clap::ValueEnum;

/// Connections of a work that is not about their number.
pub(crate) const CONNECTIONS: usize = 8;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Calls that do nothing: what the protocols alone cost
    Nothing,
    /// gRPC register, 1 and 8 in flight
    RegisterGrpc,
    /// gRPC query of 10 hosts, 1 and 8 in flight
    QueryGrpc,
    /// HTTP v1 list of 10 hosts, 8 connections
    ListHttp,
    /// HTTP v1 register, 8 connections
    RegisterHttp,
    /// HTTP v1 beat, 8 connections
    BeatHttp,
    /// Config publish over HTTP, 32 clients; answered when it is on disk
    PublishHttp,
    /// Config publish over gRPC, 32 clients; answered when it is on disk
    PublishGrpc,
    /// Config read over HTTP, 8 connections
    ReadHttp,
    /// Config read over gRPC, 8 in flight
    ReadGrpc,
    /// A changed instance until all subscribers have seen it
    Push,
    /// A config change until 500 listeners have fetched it
    Listen,
    /// Memory when idle and with 100 000 instances, and what these cost when nothing happens
    Memory,
    /// 10 000 HTTP long polls that wait, then all answered
    LongPolls,
    /// From the start of the process until its ports are open
    Ports,
    /// Three nodes: config publish over gRPC at the leader and at a follower, 32 clients; answered when it is on disk
    ThreePublish,
    /// Three nodes: an instance registered at one until it is listed at the others
    ThreeSeen,
    /// Three nodes: an instance changed at one until all subscribers of the others have seen it
    ThreePush,
    /// Three nodes: memory, CPU and bytes between them with 100 000 instances when nothing happens
    ThreeStill,
    /// Three nodes: the leader is killed; until writes go on, and whether what was acknowledged is there
    ThreeLeaderLost,
    /// Three nodes: one is killed with its clients; until their instances are gone
    ThreeGhosts,
}

impl Work {
    /// How many nodes it needs.
    pub(crate) fn nodes(self) -> u8 {
        match self {
            Self::ThreePublish
            | Self::ThreeSeen
            | Self::ThreePush
            | Self::ThreeStill
            | Self::ThreeLeaderLost
            | Self::ThreeGhosts => 3,
            Self::Nothing
            | Self::RegisterGrpc
            | Self::QueryGrpc
            | Self::ListHttp
            | Self::RegisterHttp
            | Self::BeatHttp
            | Self::PublishHttp
            | Self::PublishGrpc
            | Self::ReadHttp
            | Self::ReadGrpc
            | Self::Push
            | Self::Listen
            | Self::Memory
            | Self::LongPolls
            | Self::Ports => 1,
        }
    }
}
