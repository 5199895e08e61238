//! Doors: listening sockets and the loop that accepts on them.

use crate::{
    connection::{self, Common},
    running::Phase,
};
use base::Limit;
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::Instant,
};

/// How long to wait after the operating system refused a connection (no descriptors left).
pub(crate) const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// How long to wait after a client was turned away, unless a connection ends before: whoever comes in masses waits in the
/// operating system's queue, not in ours.
const FULL_BACKOFF: Duration = Duration::from_millis(10);
/// What a client is told that is turned away.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
    content-type: text/plain\r\ncontent-length: 57\r\n\r\n\
    too many connections: try again in a moment, or elsewhere";
/// A refusal of the operating system is told this often at most.
const TOLD_INTERVAL: Duration = Duration::from_secs(10);

/// How many connections there may be, of all doors together.
pub(crate) struct Seats {
    all: Arc<Semaphore>,
    /// 0: as many as an address likes.
    per_address_max: usize,
    by_address: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// A connection's right to be there.
struct Seat {
    _permit: OwnedSemaphorePermit,
    address: Option<IpAddr>,
    by_address: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Seats {
    pub(crate) fn new(connections_max: usize, per_address_max: usize) -> Arc<Self> {
        let all = Arc::new(Semaphore::new(connections_max));
        Arc::new(Self { all, per_address_max, by_address: Arc::default() })
    }

    fn take(&self, address: IpAddr) -> Result<Seat, Limit> {
        let permit = self.all.clone().try_acquire_owned().map_err(|_| Limit::Connections)?;
        let mut seat = Seat { _permit: permit, address: None, by_address: self.by_address.clone() };
        if self.per_address_max > 0 {
            let address = address.to_canonical();
            let mut taken = lock(&self.by_address);
            let count = taken.entry(address).or_default();
            if *count >= self.per_address_max {
                return Err(Limit::ConnectionsPerAddress);
            }
            *count += 1;
            seat.address = Some(address);
        }
        Ok(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut taken = lock(&self.by_address);
        if let Some(count) = taken.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&address);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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

    /// Accepts until told to close, then waits for the connections to end, or cuts them when it is time.
    pub(crate) async fn run(
        self,
        common: Common,
        seats: Arc<Seats>,
        login: bool,
        mut phase: watch::Receiver<Phase>,
    ) {
        let mut connections = JoinSet::new();
        let mut refusals = Refusals::default();
        loop {
            let pause = tokio::select! {
                biased;
                () = Phase::Draining.reached(&mut phase) => break,
                Some(_) = connections.join_next() => None,
                accepted = self.socket.accept() => match accepted {
                    Ok((socket, from)) => match seats.take(from.ip()) {
                        Ok(seat) => {
                            let serving = connection::serve(common.clone(), socket, login);
                            connections.spawn(async move {
                                serving.await;
                                drop(seat);
                            });
                            None
                        }
                        Err(limit) => {
                            common.host.tally.reject(limit);
                            turn_away(&socket);
                            // An address that has its share must not make others wait.
                            (limit == Limit::Connections).then_some(FULL_BACKOFF)
                        }
                    },
                    Err(error) => {
                        refusals.tell(&error);
                        Some(ACCEPT_BACKOFF)
                    }
                },
            };
            if let Some(pause) = pause {
                tokio::select! {
                    biased;
                    () = Phase::Draining.reached(&mut phase) => break,
                    Some(_) = connections.join_next() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
        }
        drop(self.socket);
        tokio::select! {
            biased;
            () = async { while connections.join_next().await.is_some() {} } => {}
            () = Phase::Stopped.reached(&mut phase) => connections.shutdown().await,
        }
    }
}

/// Refusals of the operating system: the first one is told, and then how many there were.
#[derive(Default)]
pub(crate) struct Refusals {
    told: Option<Instant>,
    untold_count: u64,
}

impl Refusals {
    pub(crate) fn tell(&mut self, error: &std::io::Error) {
        self.untold_count += 1;
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_INTERVAL) {
            let refused_count = std::mem::take(&mut self.untold_count);
            tracing::warn!(%error, refused_count, "a connection could not be accepted");
            self.told = Some(Instant::now());
        }
    }
}

/// There are too many connections. What does not fit into the socket's buffer at once is not sent.
fn turn_away(socket: &TcpStream) {
    let _ = socket.try_write(FULL);
}
