//! Doors: listening sockets and the loop that accepts on them.

use crate::connection::{self, Common};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// How long to wait after the operating system refused a connection (no descriptors left).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// How long to wait after a client was turned away, unless a connection ends before: whoever comes in masses waits in the
/// operating system's queue, not in ours.
const FULL_BACKOFF: Duration = Duration::from_millis(10);
/// What a client is told that is turned away.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
    content-type: text/plain\r\ncontent-length: 57\r\n\r\n\
    too many connections: try again in a moment, or elsewhere";
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
        common: Common,
        seats: Arc<Semaphore>,
        login: bool,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut connections = JoinSet::new();
        loop {
            let pause = tokio::select! {
                biased;
                _ = stop.changed() => break,
                Some(_) = connections.join_next() => None,
                accepted = self.socket.accept() => match accepted {
                    Ok((socket, _)) => match seats.clone().try_acquire_owned() {
                        Ok(seat) => {
                            let serving = connection::serve(common.clone(), socket, login);
                            connections.spawn(async move {
                                serving.await;
                                drop(seat);
                            });
                            None
                        }
                        Err(_) => {
                            turn_away(&socket);
                            Some(FULL_BACKOFF)
                        }
                    },
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        Some(ACCEPT_BACKOFF)
                    }
                },
            };
            if let Some(pause) = pause {
                tokio::select! {
                    biased;
                    _ = stop.changed() => break,
                    Some(_) = connections.join_next() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
        drop(self.socket);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            connections.shutdown().await;
        }
    }
}

/// There are too many connections. What does not fit into the socket's buffer at once is not sent.
fn turn_away(socket: &TcpStream) {
    let _ = socket.try_write(FULL);
}
