//! Starting a server and stopping it.

use crate::{
    Auth, Bound, Settings, bind, checks,
    clock::Clock,
    connection::Common,
    listen::Seats,
    machine, metrics,
    peer::{Peers, Told, door, door::Door, links},
    requests::Requests,
    threads::Threads,
    woken::Woken,
};
use base::Rng;
use host::{Begun, Host};
use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};
use storage::Place;
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
    time::Instant,
};
use tracing::{Instrument, Span};

/// Cost of new password hashes: 60 ms, as everywhere in this field.
const BCRYPT_COST: u32 = 10;

/// How often notices of the node are written to the log, and how many at once.
const NOTICES_INTERVAL: Duration = Duration::from_secs(1);
const NOTICES_PER_INTERVAL: usize = 3;

/// In how many batches clients are asked to go when the server stops.
const DRAIN_BATCHES: u32 = 20;
/// So much time is taken for each client that is asked to go, if there is as much.
const MOVED_INTERVAL: Duration = Duration::from_millis(1);

/// How far a server's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// Doors are closed; clients are asked to go.
    Draining,
    /// Everything ends.
    Stopped,
}

impl Phase {
    /// Waits until it has come this far.
    pub(crate) async fn reached(self, phase: &mut watch::Receiver<Self>) {
        // Without a sender there is no server any more: that is as far as it comes.
        let _ = phase.wait_for(|phase| *phase >= self).await;
    }
}

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
    /// No TLS between nodes.
    #[error("no TLS for the peer door: {0}")]
    PeerTls(String),
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
    /// Where other nodes are served, if it was known at the start that there are any.
    pub peer: Option<SocketAddr>,
    phase: watch::Sender<Phase>,
    stop_timeout: Duration,
    chance: Rng,
    listeners: Vec<JoinHandle<()>>,
    tasks: Vec<JoinHandle<()>>,
    threads: Threads,
    /// The node became ready or halted.
    state_changed: Arc<Notify>,
    /// Every log line says which node it is about: several may live in one process.
    span: Span,
}

/// Wakes all that wait for another state; each of them looks again before it waits.
struct Notifying(Arc<Notify>);

impl Wake for Notifying {
    fn wake(self: Arc<Self>) {
        self.0.notify_waiters();
    }
}

/// Starts a server: doors are open when this returns, and answer "not ready" until the disk is read.
///
/// # Errors
/// When a door, the disk, a thread or randomness is not to be had. Nothing runs then.
pub async fn start(settings: Settings) -> Result<Running, RunError> {
    bind(settings).await?.start().await
}

impl Bound {
    /// Starts the server behind the doors.
    ///
    /// # Errors
    /// When the disk, a thread or randomness is not to be had. Nothing runs then.
    pub async fn start(self) -> Result<Running, RunError> {
        let cluster = self.cluster().await?;
        let tls = self.tls()?;
        let doors = self.shown();
        let Self { settings, api, grpc, udp, peer } = self;
        let limits = settings.limits.clone();
        metrics::note_start();
        let clock = Clock::start();
        let mut seed = [0; 32];
        fill(&mut seed)?;
        let place = settings.data.clone().map_or(Place::Memory, Place::Directory);
        let host_settings = host::Settings {
            bcrypt_cost: BCRYPT_COST,
            auth: settings.auth == Auth::On,
            admin_password: settings.admin_password.clone(),
            doors,
            disk_kept: settings.data.is_some(),
            version: env!("CARGO_PKG_VERSION"),
            cluster,
            naming: limits.of_naming(),
            limits: limits.of_host(),
            planted: host::Planted::Nothing,
        };
        let mut rng = Rng::from_seed(seed);
        let chance = rng.fork();
        let Begun { host, worker } = Host::begin(host_settings, clock.now(), rng, place)?;
        let workers =
            std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        let threads = Threads::start(&host, clock, worker, workers)
            .map_err(|error| RunError::System { what: "a thread", problem: error.to_string() })?;
        let (stop, stopping) = watch::channel(Phase::Serving);
        let state_changed = Arc::new(Notify::new());
        host.state_signal.listen(Waker::from(Arc::new(Notifying(state_changed.clone()))));
        let mut running = Running {
            api: api.as_ref().map(|listener| listener.address),
            grpc: grpc.as_ref().map(|listener| listener.address),
            peer: peer.as_ref().and_then(|socket| socket.local_addr().ok()),
            host: host.clone(),
            clock,
            phase: stop,
            stop_timeout: settings.stop_timeout,
            chance,
            listeners: Vec::new(),
            tasks: vec![tokio::spawn(run_timer(host.clone(), clock, stopping.clone()))],
            threads,
            state_changed,
            // As grave as any line: it is there whatever level is asked for.
            span: tracing::error_span!("node", node = %host.id()),
        };
        running.tasks.push(tokio::spawn(machine::watch(host.clone(), stopping.clone())));
        let noticing = run_notices(host.clone(), stopping.clone());
        running.tasks.push(tokio::spawn(noticing.instrument(running.span.clone())));
        running.tasks.push(tokio::spawn(checks::run(host.clone(), clock, stopping.clone())));
        if let Some(udp) = udp {
            running.tasks.push(tokio::spawn(udp.run(host.clone(), clock, stopping.clone())));
        }
        let told = Arc::new(Told::default());
        let peers = Peers::new(host.clone(), clock, tls, told.clone(), &limits);
        let span = running.span.clone();
        span.in_scope(|| running.link(peers, peer, settings.listen.peer, &stopping));
        let seats = Seats::new(limits.connections_max, limits.connections_per_address_max);
        let requests = Arc::new(Requests::new());
        let (limits, bodies) = (Arc::new(limits), Arc::default());
        let common = Common { host, clock, limits, bodies, requests, told };
        let login = settings.auth == Auth::On;
        for listener in [api, grpc].into_iter().flatten() {
            let task = listener.run(common.clone(), seats.clone(), login, stopping.clone());
            running.listeners.push(tokio::spawn(task.instrument(span.clone())));
        }
        Ok(running)
    }
}

/// A password for a first administrator.
///
/// # Errors
/// When there is no randomness.
pub fn new_password() -> Result<String, RunError> {
    let mut seed = [0; 32];
    fill(&mut seed)?;
    Ok(host::password(&mut Rng::from_seed(seed)))
}

/// Fills bytes by chance.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), RunError> {
    getrandom::fill(bytes)
        .map_err(|error| RunError::System { what: "randomness", problem: error.to_string() })
}

impl Running {
    /// Dials other nodes, and lets them in: at once through an open door, or once there is a secret that they can prove.
    fn link(
        &mut self,
        peers: Peers,
        open: Option<TcpListener>,
        listen: Option<SocketAddr>,
        phase: &watch::Receiver<Phase>,
    ) {
        let (known, secret_known) = oneshot::channel();
        let door = open.map(Door::Open).or_else(|| {
            let closed = listen.map(Door::Closed)?;
            tracing::info!(
                "the peer door stays closed: there is neither a secret, nor --join, nor --token"
            );
            Some(closed)
        });
        if let Some(door) = door {
            let running = door::run(peers.clone(), door, secret_known, phase.clone());
            self.tasks.push(tokio::spawn(running.in_current_span()));
        }
        let running = links::run(peers, known, phase.clone());
        self.tasks.push(tokio::spawn(running.in_current_span()));
    }

    /// Whether the node serves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.host.is_ready()
    }

    /// Waits until the node serves, or until it halted.
    pub async fn ready(&self) {
        loop {
            // Before the look: a change after it is not missed.
            let changed = self.state_changed.notified();
            if self.host.is_ready() || self.host.halted().is_some() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the node halted by itself.
    pub async fn halted(&self) -> String {
        loop {
            let changed = self.state_changed.notified();
            if let Some(reason) = self.host.halted() {
                return reason;
            }
            changed.await;
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

    /// Stops in an orderly way, within the time of the settings: doors close, clients are asked to go elsewhere, what is
    /// in progress is answered, what is queued for the disk is written, threads end.
    pub async fn stop(self) {
        let span = self.span.clone();
        self.end().instrument(span).await;
    }

    async fn end(mut self) {
        let begun = Instant::now();
        // What is left to the disk when clients take all the time they have.
        let clients_timeout = self.stop_timeout.mul_f32(0.8);
        // The receivers are the tasks below; without any there is nobody to tell.
        let _ = self.phase.send(Phase::Draining);
        self.drain(self.stop_timeout.mul_f32(0.4)).await;
        let gone = async {
            for listener in &mut self.listeners {
                let _ = listener.await;
            }
        };
        let in_time = tokio::time::timeout_at(begun + clients_timeout, gone).await.is_ok();
        if !in_time {
            let connections = self.host.connections_open();
            tracing::warn!(connections, "clients did not go in time: their connections are cut");
        }
        self.leave(begun + self.stop_timeout.mul_f32(0.9)).await;
        let _ = self.phase.send(Phase::Stopped);
        for task in self.tasks {
            let _ = task.await;
        }
        let threads = self.threads;
        let written = tokio::task::spawn_blocking(move || threads.stop());
        if tokio::time::timeout_at(begun + self.stop_timeout, written).await.is_err() {
            tracing::warn!("the disk did not answer in time");
        }
    }

    /// Hands over what the node leads, and says goodbye: the others need not find out that it is gone.
    async fn leave(&self, until: Instant) {
        self.host.leave(self.clock.now());
        let left = async {
            loop {
                let changed = self.state_changed.notified();
                if self.host.has_left() || self.host.halted().is_some() {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout_at(until, left).await.is_err() {
            tracing::warn!("the other nodes did not answer in time that this one leaves");
        }
    }

    /// Asks the clients to go, not all at once: each of them comes to another node with all that it has.
    async fn drain(&mut self, spread_max: Duration) {
        let mut connections = self.host.begin_drain();
        shuffle(&mut connections, &mut self.chance);
        let spread =
            spread_max.min(MOVED_INTERVAL * u32::try_from(connections.len()).unwrap_or(u32::MAX));
        let pause = spread / DRAIN_BATCHES;
        let batch_len = connections.len().div_ceil(DRAIN_BATCHES as usize).max(1);
        for batch in connections.chunks(batch_len) {
            self.host.drain(self.clock.now(), batch);
            // Between half of the pause and one and a half.
            let jitter = self.chance.below(1_000) as f32 / 1_000.0;
            tokio::time::sleep(pause.mul_f32(0.5 + jitter)).await;
        }
        // Who came while the doors closed.
        let late = self.host.begin_drain();
        self.host.drain(self.clock.now(), &late);
    }
}

fn shuffle<T>(items: &mut [T], chance: &mut Rng) {
    for at in (1..items.len()).rev() {
        let other = chance.below(at as u64 + 1) as usize;
        items.swap(at, other);
    }
}

/// Writes to the log what the node has to tell, now and then: whoever provokes it must not fill the log.
async fn run_notices(host: Arc<Host>, mut phase: watch::Receiver<Phase>) {
    let (closer, waker) = Woken::pair();
    host.notice_signal.listen(waker);
    loop {
        let mut notices = host.take_notices().into_iter();
        for why in notices.by_ref().take(NOTICES_PER_INTERVAL) {
            tracing::warn!(%why, "noticed");
        }
        let untold_count = notices.len();
        if untold_count > 0 {
            tracing::warn!(untold_count, "noticed more than is written");
        }
        tokio::select! {
            biased;
            () = Phase::Stopped.reached(&mut phase) => return,
            () = async {
                closer.notified().await;
                tokio::time::sleep(NOTICES_INTERVAL).await;
            } => {}
        }
    }
}

async fn run_timer(host: Arc<Host>, clock: Clock, mut phase: watch::Receiver<Phase>) {
    let (closer, waker) = Woken::pair();
    host.timer_signal.listen(waker);
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
            () = Phase::Stopped.reached(&mut phase) => return,
            () = closer.notified() => {}
            () = sleep => host.wake(clock.now()),
        }
    }
}
