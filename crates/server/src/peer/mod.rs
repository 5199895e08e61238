//! The peer door: how nodes of one cluster come to trust each other and hand each other frames.
//!
//! # Problem
//! Whoever may speak here may write every config and remove every instance. So nobody is heard before it has proved that
//! it belongs, what strangers say before that is of fixed size and parsed by TLS and by `hello` alone, and no stranger can
//! hold more than one of a limited number of places for a few seconds.
//!
//! # Stages, all of them within one deadline
//! ```text
//!  dialer                                   acceptor
//!    ── TLS 1.3, keys made at this start ──►   (or certificates of both sides, checked)
//!    ── hello: role, lane, key name, nonce ─►
//!    ◄── hello: the same, its own nonce ─────
//!    ── proof ──────────────────────────────►   the dialer proves itself first
//!    ◄────────────────────────────── proof ──
//!    ── introduction ───────────────────────►
//!    ◄── answer: taken or refused, welcome, introduction
//!    ══ frames, from the dialer only ═══════►
//! ```
//!
//! A *proof* is HMAC-SHA256 under the named key over the prover's role, both hellos, and what TLS exports of this one
//! connection. So a proof is of no use
//! - to a relay between two connections: they export different things;
//! - in a later connection: nonces and the exported key differ;
//! - sent back to who made it: the role differs.
//!
//! The acceptor proves itself only to who has proved itself: a stranger who knocks gets nothing to try passwords on. Who
//! stands in for a node that is dialed does get a proof to try secrets on, which is why a secret has a least length.
//! Certificates, where they are used, are checked by TLS; the proof is done all the same, under the cluster's secret if
//! there is one.
//!
//! # What was left out
//! Keys for parts of the protocol: who belongs may say everything.

pub(crate) mod door;
mod frames;
mod hello;
mod introduce;
pub(crate) mod links;
mod prove;
mod roll;
mod tls;
mod told;
mod wire;

use crate::{Limits, clock::Clock, cluster_settings::certified_secret};
use base::Limit;
use cluster::{Refusal, Secret};
use hello::NONCE_BYTES;
use host::{Host, KeyName};
use std::{io, sync::Arc, time::Duration};
pub use tls::PeerCertificates;
pub(crate) use tls::Tls;
pub(crate) use told::Told;

/// What every connection between nodes needs.
#[derive(Clone)]
pub(crate) struct Peers {
    host: Arc<Host>,
    clock: Clock,
    tls: Tls,
    told: Arc<Told>,
    half_open_max: usize,
    handshake_timeout: Duration,
    stall_max: Duration,
}

impl Peers {
    pub(crate) fn new(
        host: Arc<Host>,
        clock: Clock,
        tls: Tls,
        told: Arc<Told>,
        limits: &Limits,
    ) -> Self {
        Self {
            host,
            clock,
            tls,
            told,
            half_open_max: limits.peer_handshakes_max,
            handshake_timeout: limits.peer_handshake_timeout,
            stall_max: limits.peer_stall_timeout,
        }
    }

    /// What is proven under this name, if it is known here.
    fn key(&self, name: KeyName) -> Option<Secret> {
        let key = self.host.peer_key(self.clock.now(), name)?;
        // What stands for certificates is no secret: it proves nothing where none were checked.
        (self.tls.is_certified() || key != certified_secret()).then_some(key)
    }

    /// Counts what ended at a limit.
    fn reject(&self, broken: &Broken) {
        let limit = match broken {
            Broken::Crowded => Limit::PeerHandshakes,
            Broken::Late(_) => Limit::PeerHandshakeTimeout,
            Broken::FrameBytes { .. } => Limit::PeerFrame,
            Broken::Stalled(_) => Limit::PeerStall,
            _ => return,
        };
        self.host.tally.reject(limit);
    }

    fn nonce(&self) -> Result<[u8; NONCE_BYTES], Broken> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|error| Broken::at(Stage::Hello)(io::Error::other(error.to_string())))?;
        Ok(nonce)
    }
}

/// How far a connection between nodes has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The network's.
    Connect,
    /// TLS.
    Tls,
    /// Hellos.
    Hello,
    /// Proofs.
    Proof,
    /// Introductions.
    Introduction,
    /// Frames.
    Frames,
}

/// Why a connection between nodes ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// The address has no host with that name.
    #[error("the address does not resolve: {0}")]
    Unresolved(io::Error),
    /// TLS did not come about.
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    /// Nothing more came, or the network refused.
    #[error("it broke off at {stage:?}: {source}")]
    Io {
        /// Where.
        stage: Stage,
        /// Why.
        source: io::Error,
    },
    /// It hung up instead of proving itself.
    #[error(
        "it hung up instead of proving itself: it has another secret, or the token is not valid there (any more)"
    )]
    NotTrusted,
    /// Others needed its place.
    #[error("too many connections are proving themselves, and this one was the oldest")]
    Crowded,
    /// Time ran out.
    #[error("it took too long at {0:?}")]
    Late(Stage),
    /// The first bytes are no hello.
    #[error("what came is not the hello of a node")]
    NoHello,
    /// The hello is of another build.
    #[error("its peer door has version {theirs}, ours has {}", hello::VERSION)]
    Version {
        /// What it speaks.
        theirs: u8,
    },
    /// The hello does not fit ours.
    #[error("its hello does not answer ours: bytes were sent back, or changed")]
    Mismatch,
    /// It named a key that is not here.
    #[error(
        "it named a key that is not known here: the token has expired, or is another cluster's"
    )]
    UnknownKey,
    /// The proof is wrong.
    #[error("it does not know the secret, or somebody stands in between")]
    Proof,
    /// The introduction or the answer to it cannot be read.
    #[error("its introduction cannot be read: {0}")]
    Introduction(String),
    /// It was introduced and not taken.
    #[error("{why}")]
    Refused {
        /// What the other node must know of it.
        refusal: Option<Refusal>,
        /// For people.
        why: String,
    },
    /// A frame of a length that no node sends.
    #[error("a frame of {bytes} bytes: 1 to {bytes_max} are taken")]
    FrameBytes {
        /// What it says.
        bytes: u64,
        /// What would be taken.
        bytes_max: usize,
    },
    /// A frame that the node could not use.
    #[error("a frame that cannot be read: {0}")]
    Frame(String),
    /// What was sent is not taken.
    #[error("it takes nothing for {} s", .0.as_secs())]
    Stalled(Duration),
    /// The other side closed the connection.
    #[error("it hung up")]
    Ended,
    /// The node of this process wants the link no more.
    #[error("this node hung up")]
    HungUp,
}

impl Broken {
    /// What was dialed was this node itself, as its own address is among the seeds.
    fn is_itself(&self) -> bool {
        matches!(self, Self::Refused { refusal: Some(Refusal::Itself), .. })
    }

    /// As metrics count it.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Unresolved(_) => "unresolved",
            Self::Tls(_) => "tls",
            Self::Io { .. } | Self::Ended => "broken_off",
            Self::NotTrusted | Self::UnknownKey | Self::Proof => "proof",
            Self::Crowded => "crowded",
            Self::Late(_) => "timeout",
            Self::NoHello | Self::Version { .. } | Self::Mismatch => "hello",
            Self::Introduction(_) | Self::Refused { .. } => "introduction",
            Self::FrameBytes { .. } | Self::Frame(_) => "frame",
            Self::Stalled(_) => "stalled",
            Self::HungUp => "hung_up",
        }
    }

    /// What came of reading or writing at a stage.
    fn at(stage: Stage) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { stage, source }
    }
}

#[cfg(test)]
mod tests;
