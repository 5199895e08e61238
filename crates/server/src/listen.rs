//! Doors: listening sockets and the loop that accepts on them.

use crate::{clock::Clock, connection};
use host::Host;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

/// How long to wait after the operating system refused a connection (no descriptors left).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// How long open connections may take to end when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// An open door.
pub(crate) struct Listener {
    socket: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Listener {
    /// Opens a door.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Accepts until told to stop, then waits for the connections to end.
    pub(crate) async fn run(
        self,
        host: Arc<Host>,
        clock: Clock,
        login: bool,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => break,
                Some(_) = connections.join_next() => {}
                accepted = self.socket.accept() => match accepted {
                    Ok((socket, _)) => {
                        connections.spawn(connection::serve(host.clone(), clock, socket, login));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_BACKOFF).await;
                    }
                },
            }
        }
        drop(self.socket);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            connections.shutdown().await;
        }
    }
}
