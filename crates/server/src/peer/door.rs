//! What others dial: the listening socket, the handshakes in progress, and the frames of those that were taken in.

use super::{
    Broken, Peers, Stage,
    frames::Reader,
    introduce::{self, Answer, No},
    prove, wire,
};
use crate::{
    listen::{ACCEPT_BACKOFF, Refusals},
    running::Phase,
    woken::Woken,
};
use cluster::Introduction;
use host::{FRAME_BYTES_MAX, Flow, InboundId, KeyName, NotAccepted, Reading};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_rustls::TlsStream;
use tracing::Instrument;

type Stream = TlsStream<TcpStream>;

/// The door, open or still to be opened.
pub(crate) enum Door {
    Open(TcpListener),
    Closed(SocketAddr),
}

/// Accepts other nodes until the server has stopped, from the moment on at which this one can check what they prove: who came
/// earlier would be told that its secret is wrong. Until then they wait in the socket.
pub(crate) async fn run(
    peers: Peers,
    door: Door,
    secret_known: oneshot::Receiver<()>,
    mut phase: watch::Receiver<Phase>,
) {
    tokio::select! {
        biased;
        () = Phase::Stopped.reached(&mut phase) => return,
        known = secret_known => if known.is_err() {
            return;
        },
    }
    let socket = match door {
        Door::Open(socket) => socket,
        Door::Closed(address) => match TcpListener::bind(address).await {
            Ok(socket) => socket,
            Err(error) => {
                return tracing::error!(%address, %error, "the peer door cannot be opened: no other node can join");
            }
        },
    };
    accept(peers, socket, phase).await;
}

async fn accept(peers: Peers, socket: TcpListener, mut phase: watch::Receiver<Phase>) {
    let mut connections = JoinSet::new();
    let mut refusals = Refusals::default();
    let half_open = Arc::new(HalfOpen::default());
    if let Ok(address) = socket.local_addr() {
        tracing::info!(%address, "the peer door is open");
    }
    loop {
        tokio::select! {
            biased;
            () = Phase::Stopped.reached(&mut phase) => break,
            Some(_) = connections.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((socket, from)) => {
                    let place = half_open.enter(peers.half_open_max);
                    let serving = serve(peers.clone(), socket, from, place);
                    connections.spawn(serving.in_current_span());
                }
                Err(error) => {
                    refusals.tell(&error);
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            },
        }
    }
    connections.shutdown().await;
}

/// Connections that have not proved themselves. When there are too many, the oldest one goes: a node that knows the secret
/// is through in milliseconds, and who is the oldest of so many is not one.
#[derive(Default)]
pub(super) struct HalfOpen(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    last: u64,
    places: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A place among them, until it is dropped.
pub(super) struct Place {
    half_open: Arc<HalfOpen>,
    number: u64,
    /// Ends when the place is needed.
    pub(super) crowded_out: oneshot::Receiver<()>,
}

impl HalfOpen {
    pub(super) fn enter(self: &Arc<Self>, len_max: usize) -> Place {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.places.len() >= len_max.max(1) {
            waiting.places.pop_first();
        }
        waiting.last += 1;
        let number = waiting.last;
        let (needed, crowded_out) = oneshot::channel();
        waiting.places.insert(number, needed);
        Place { half_open: self.clone(), number, crowded_out }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.half_open.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.places.remove(&self.number);
    }
}

/// One connection, from the first byte to its end.
async fn serve(peers: Peers, socket: TcpStream, from: SocketAddr, mut place: Place) {
    let greeted = tokio::select! {
        biased;
        _ = &mut place.crowded_out => Err(Broken::Crowded),
        greeted = Box::pin(greet(&peers, socket)) => greeted,
    };
    drop(place);
    let (stream, inbound) = match greeted {
        Ok(greeted) => greeted,
        Err(broken) => {
            peers.reject(&broken);
            return peers.told.refused(from, &broken);
        }
    };
    let id = inbound.id;
    let broken = take_in(&peers, id, stream).await;
    drop(inbound);
    peers.reject(&broken);
    peers.told.inbound_ended(from, &broken);
}

/// A connection that the host has taken in. However its task ends, the host is told.
struct Inbound {
    peers: Peers,
    id: InboundId,
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.peers.host.inbound_closed(self.peers.clock.now(), self.id);
    }
}

async fn greet(peers: &Peers, socket: TcpStream) -> Result<(Stream, Inbound), Broken> {
    let until = Instant::now() + peers.handshake_timeout;
    let mut stage = Stage::Tls;
    let greeting = async {
        wire::prepare(&socket, peers.stall_max);
        let (mut stream, binding) = peers.tls.accept(socket).await?;
        stage = Stage::Proof;
        let nonce = peers.nonce()?;
        let find_key = |name| peers.key(name).map(|key| key.expose().to_vec());
        let (lane, key) = prove::accept(&mut stream, binding, find_key, nonce).await?;
        stage = Stage::Introduction;
        let peer = introduce::hear(&mut stream).await?;
        let peer =
            Introduction::decode(&peer).map_err(|error| Broken::Introduction(error.to_string()))?;
        let me = peers.host.introduction().map_or_else(Vec::new, |me| me.encode());
        let taken = peers.host.accept(&peer, lane);
        let inbound = match taken {
            Ok(id) => Inbound { peers: peers.clone(), id },
            Err(not) => {
                let refusal = match not {
                    NotAccepted::Refused(refusal) => Some(refusal),
                    NotAccepted::NotRunning | NotAccepted::TooMany => None,
                };
                let no = No { refusal, why: not.to_string() };
                let answer = Answer { verdict: Err(no), introduction: me };
                introduce::say(&mut stream, &answer.encode()).await?;
                return Err(Broken::Refused { refusal, why: not.to_string() });
            }
        };
        let welcome = match key {
            KeyName::Cluster => Vec::new(),
            // An invitation is worth the cluster's secret.
            KeyName::Token(_) => {
                peers.key(KeyName::Cluster).map_or_else(Vec::new, |secret| secret.expose().to_vec())
            }
        };
        let answer = Answer { verdict: Ok(welcome), introduction: me };
        introduce::say(&mut stream, &answer.encode()).await?;
        Ok((stream, inbound))
    };
    match tokio::time::timeout_at(until, greeting).await {
        Ok(greeted) => greeted,
        Err(_) => Err(Broken::Late(stage)),
    }
}

/// Hands the frames of a connection to the host, until it ends.
async fn take_in(peers: &Peers, id: InboundId, stream: Stream) -> Broken {
    let (raised, waker) = Woken::pair();
    peers.host.listen_inbound(id, waker);
    let mut reader = Reader::new(stream, FRAME_BYTES_MAX);
    // Until the host has said that it is fine: it may have changed its mind before it was listened to.
    let mut is_doubtful = true;
    loop {
        if is_doubtful {
            match peers.host.reading(id) {
                Reading::Closed => return Broken::HungUp,
                Reading::Pause => {
                    raised.notified().await;
                    continue;
                }
                Reading::Go => is_doubtful = false,
            }
        }
        let frame = tokio::select! {
            biased;
            () = raised.notified() => {
                is_doubtful = true;
                continue;
            }
            frame = reader.next() => frame,
        };
        match frame {
            Ok(None) => return Broken::Ended,
            Err(broken) => return broken,
            Ok(Some(frame)) => match peers.host.peer_frame(peers.clock.now(), id, frame) {
                Ok(Flow::Go) => {}
                Ok(Flow::Pause) => is_doubtful = true,
                Err(bad) => return Broken::Frame(bad.to_string()),
            },
        }
    }
}
