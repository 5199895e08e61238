//! Starting a server and stopping it.

use crate::{
    Auth, Limits, Settings, clock::Clock, connection::Common, listen::Listener, threads::Threads,
    udp::Udp,
};
use base::Rng;
use host::{Begun, Host, StreamLimits};
use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Wake, Waker},
};
use storage::Place;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinHandle,
};

/// How often a pair of free ports (p, p + 1000) is looked for.
const PORT_PAIR_TRIES: u32 = 64;
/// Cost of new password hashes: 60 ms, as everywhere in this field.
const BCRYPT_COST: u32 = 10;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A door could not be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// No pair of free ports was found.
    #[error("no free ports p and p + 1000 were found: give --listen-api")]
    NoPorts,
    /// The disk.
    #[error(transparent)]
    Start(#[from] host::StartError),
    /// The operating system gave no thread or no randomness.
    #[error("the operating system refused {what}: {problem}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        problem: String,
    },
}

/// A server that runs.
pub struct Running {
    host: Arc<Host>,
    clock: Clock,
    /// Where HTTP and gRPC are served, if at all.
    pub api: Option<SocketAddr>,
    /// Where gRPC is served for SDKs, if at all.
    pub grpc: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    threads: Threads,
    halted: Arc<Notify>,
}

/// Turns a host's signal into a notification of tokio's.
struct Notifying(Arc<Notify>);

impl Wake for Notifying {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// Starts a server: doors are open when this returns, and answer "not ready" until the disk is read.
///
/// # Errors
/// When a door, the disk, a thread or randomness is not to be had. Nothing runs then.
pub async fn start(settings: Settings) -> Result<Running, RunError> {
    start_within(settings, Limits::default()).await
}

/// Starts a server that has other limits than the usual ones.
///
/// # Errors
/// As `start`.
pub async fn start_within(settings: Settings, limits: Limits) -> Result<Running, RunError> {
    let clock = Clock::start();
    let (api, grpc) = open_doors(&settings).await?;
    let udp = match &api {
        Some(api) => Some(open_udp(api.address).await?),
        None => None,
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| RunError::System { what: "randomness", problem: error.to_string() })?;
    let place = settings.data.clone().map_or(Place::Memory, Place::Directory);
    let host_settings = host::Settings {
        bcrypt_cost: BCRYPT_COST,
        auth: settings.auth == Auth::On,
        admin_password: settings.admin_password.clone(),
        doors: doors(api.as_ref(), grpc.as_ref()),
        disk_kept: settings.data.is_some(),
        version: env!("CARGO_PKG_VERSION"),
        naming: naming::Settings::default(),
        log_bytes_max: host::LOG_BYTES_MAX,
        planted: host::Planted::Nothing,
    };
    let Begun { host, worker } =
        Host::begin(host_settings, clock.now(), Rng::from_seed(seed), place)?;
    let patience = limits.stream_patience;
    host.set_stream_limits(StreamLimits { patience, ..StreamLimits::default() });
    let workers = std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
    let threads = Threads::start(&host, clock, worker, workers)
        .map_err(|error| RunError::System { what: "a thread", problem: error.to_string() })?;
    let (stop, stopping) = watch::channel(false);
    let halted = Arc::new(Notify::new());
    host.halt_signal.listen(Waker::from(Arc::new(Notifying(halted.clone()))));
    let mut running = Running {
        api: api.as_ref().map(|listener| listener.address),
        grpc: grpc.as_ref().map(|listener| listener.address),
        host: host.clone(),
        clock,
        stop,
        tasks: vec![tokio::spawn(run_timer(host.clone(), clock, stopping.clone()))],
        threads,
        halted,
    };
    if let Some(udp) = udp {
        running.tasks.push(tokio::spawn(udp.run(host.clone(), clock, stopping.clone())));
    }
    let login = settings.auth == Auth::On;
    let seats = Arc::new(Semaphore::new(limits.connections_max));
    let common = Common { host, clock, limits: Arc::new(limits), bodies: Arc::default() };
    for listener in [api, grpc].into_iter().flatten() {
        let task = listener.run(common.clone(), seats.clone(), login, stopping.clone());
        running.tasks.push(tokio::spawn(task));
    }
    Ok(running)
}

impl Running {
    /// Whether the node serves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.host.is_ready()
    }

    /// Waits until the node serves, or until it halted.
    pub async fn ready(&self) {
        while !self.host.is_ready() && self.host.halted().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// Waits until the node halted by itself.
    pub async fn halted(&self) -> String {
        loop {
            if let Some(reason) = self.host.halted() {
                return reason;
            }
            self.halted.notified().await;
        }
    }

    /// Connections that are open now, over all doors.
    #[must_use]
    pub fn connections_open(&self) -> usize {
        self.host.connections_open()
    }

    /// The one-time password of the first administrator, if it was generated by this start. Taken once.
    #[must_use]
    pub fn take_generated_password(&self) -> Option<String> {
        self.host.take_generated_password()
    }

    /// Stops in an orderly way: clients are asked to go elsewhere, what is queued is written, threads end.
    pub async fn stop(self) {
        self.host.drain(self.clock.now());
        // The receivers are the tasks below; without any there is nobody to tell.
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = task.await;
        }
        let threads = self.threads;
        let _ = tokio::task::spawn_blocking(move || threads.stop()).await;
    }
}

async fn run_timer(host: Arc<Host>, clock: Clock, mut stop: watch::Receiver<bool>) {
    let closer = Arc::new(Notify::new());
    host.timer_signal.listen(Waker::from(Arc::new(Notifying(closer.clone()))));
    loop {
        let due = host.deadline().map(|at| clock.tokio(at));
        let sleep = async {
            match due {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = closer.notified() => {}
            () = sleep => host.wake(clock.now()),
        }
    }
}

async fn open_doors(settings: &Settings) -> Result<(Option<Listener>, Option<Listener>), RunError> {
    let listen = &settings.listen;
    if let (Some(api), None) = (listen.api, listen.grpc)
        && api.port() == 0
    {
        let (api, grpc) = free_pair(api).await?;
        return Ok((Some(api), Some(grpc)));
    }
    Ok((open(listen.api).await?, open(listen.grpc).await?))
}

async fn open(address: Option<SocketAddr>) -> Result<Option<Listener>, RunError> {
    match address {
        None => Ok(None),
        Some(address) => Listener::bind(address)
            .await
            .map(Some)
            .map_err(|source| RunError::Listen { address, source }),
    }
}

async fn open_udp(api: SocketAddr) -> Result<Udp, RunError> {
    let address = SocketAddr::new(api.ip(), 0);
    Udp::bind(address.ip()).await.map_err(|source| RunError::Listen { address, source })
}

/// Two free ports, the second 1000 above the first, as SDKs compute it.
async fn free_pair(address: SocketAddr) -> Result<(Listener, Listener), RunError> {
    for _ in 0..PORT_PAIR_TRIES {
        let api =
            Listener::bind(address).await.map_err(|source| RunError::Listen { address, source })?;
        let Some(port) = api.address.port().checked_add(1000) else { continue };
        if let Ok(grpc) = Listener::bind(SocketAddr::new(address.ip(), port)).await {
            return Ok((api, grpc));
        }
    }
    Err(RunError::NoPorts)
}

fn doors(api: Option<&Listener>, grpc: Option<&Listener>) -> Vec<console::Door> {
    let door = |name, listener: &Listener| console::Door { name, address: listener.address };
    let api = api.map(|listener| door("api", listener));
    let grpc = grpc.map(|listener| door("grpc", listener));
    [api, grpc].into_iter().flatten().collect()
}
