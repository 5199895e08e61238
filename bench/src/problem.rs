//! What can end a work, and what is wrong with one answer.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

/// The work cannot go on: what happened, where, what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{} does not start: {source}; is it built (`cargo build --release -p trine`)?", path.display())]
    Start { path: PathBuf, source: io::Error },
    #[error("{what} of the server: {source}")]
    World { what: &'static str, source: io::Error },
    #[error("nothing answers at {address} after {waited:?}: look at the server's own words")]
    Silent { address: SocketAddr, waited: Duration },
    #[error("the server ended by itself ({0}): look at its own words")]
    Ended(std::process::ExitStatus),
    #[error("process {pid} cannot be looked at: {source}; is it the server's, and alive?")]
    Process { pid: u32, source: io::Error },
    #[error("no two free ports 1000 apart in {0} tries")]
    NoPorts(u32),
    #[error("a server that runs already is no cluster: give binaries, without --server")]
    NoCluster,
    #[error("no cluster with a leader within {0:?}: look at the servers' own words")]
    Unformed(Duration),
    #[error("the connections between nodes cannot be counted: {0}; is `ss` of iproute2 there?")]
    Links(String),
    #[error("preparing: {0}")]
    Prepare(#[from] Wrong),
}

/// One answer that is not what it must be. It is counted, and the run fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Wrong(pub(crate) String);

impl Wrong {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What was expected, and the beginning of what came.
    pub(crate) fn expected(what: &str, got: &[u8]) -> Self {
        const SHOWN_BYTES_MAX: usize = 200;
        let got = &got[..got.len().min(SHOWN_BYTES_MAX)];
        Self(format!("expected {what}, got {:?}", String::from_utf8_lossy(got)))
    }
}
