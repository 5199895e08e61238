//! What this node dials: a task per link, which carries the host's frames out on two connections.

use super::{
    Broken, Peers, Stage,
    frames::Writer,
    introduce::{self, No},
    prove,
    roll::Roll,
    wire,
};
use crate::{running::Phase, woken::Woken};
use bytes::Bytes;
use cluster::{Address, Introduction, Secret};
use host::{Dial, KeyName, Lane, LinkId};
use std::collections::BTreeMap;
use tokio::{
    io::{AsyncReadExt, ReadHalf, split},
    net::{TcpStream, lookup_host},
    sync::{oneshot, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_rustls::TlsStream;
use tracing::Instrument;

type Stream = TlsStream<TcpStream>;

/// Does what the host wants of links, until the server has stopped. Says when there is a secret that others can prove.
pub(crate) async fn run(
    peers: Peers,
    secret_known: oneshot::Sender<()>,
    mut phase: watch::Receiver<Phase>,
) {
    let (raised, waker) = Woken::pair();
    peers.host.link_signal.listen(waker);
    let mut secret_known = Some(secret_known);
    let mut hang_ups: BTreeMap<LinkId, oneshot::Sender<()>> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut roll = Roll::default();
    loop {
        roll.look(peers.host.cluster());
        if secret_known.is_some() && peers.key(KeyName::Cluster).is_some() {
            let known = secret_known.take().expect("just seen");
            if known.send(()).is_err() {
                tracing::warn!(
                    "there is a secret now, but --listen-peer is \"\": nobody can join here"
                );
            }
        }
        for dial in peers.host.take_dials() {
            let (hang_up, hung_up) = oneshot::channel();
            hang_ups.insert(dial.link, hang_up);
            tasks.spawn(link(peers.clone(), dial, hung_up).in_current_span());
        }
        for link in peers.host.take_hangups() {
            hang_ups.remove(&link);
        }
        tokio::select! {
            biased;
            () = Phase::Stopped.reached(&mut phase) => break,
            Some(ended) = tasks.join_next() => {
                // One that panicked has told the host that its link is gone, as it was dropped.
                if let Ok(link) = ended {
                    hang_ups.remove(&link);
                }
            }
            () = raised.notified() => {}
        }
    }
    tasks.shutdown().await;
}

/// A link that the host waits to hear of. However its task ends, the host is told.
struct Attempt<'a> {
    peers: &'a Peers,
    link: LinkId,
    address: &'a Address,
    was_up: bool,
    why: Option<Broken>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let why = self.why.take().unwrap_or(Broken::HungUp);
        if self.was_up {
            self.peers.reject(&why);
        }
        self.peers.told.link_ended(self.address, self.was_up, &why);
        let now = self.peers.clock.now();
        match why {
            Broken::Refused { refusal: Some(refusal), .. } => {
                self.peers.host.link_refused(now, self.link, refusal);
            }
            _ => self.peers.host.link_closed(now, self.link, why.to_string()),
        }
    }
}

/// One link, from connecting to its end.
async fn link(peers: Peers, dial: Dial, hung_up: oneshot::Receiver<()>) -> LinkId {
    let Dial { link, address, .. } = &dial;
    let mut attempt = Attempt { peers: &peers, link: *link, address, was_up: false, why: None };
    let broken = tokio::select! {
        biased;
        // The host has dropped the other end.
        _ = hung_up => Broken::HungUp,
        broken = serve(&peers, &dial, &mut attempt.was_up) => broken,
    };
    attempt.why = Some(broken);
    drop(attempt);
    dial.link
}

async fn serve(peers: &Peers, dial: &Dial, was_up: &mut bool) -> Broken {
    let until = Instant::now() + peers.handshake_timeout;
    // One after the other: who is refused on the first knocks once.
    let opened = Box::pin(async {
        let urgent = connect(peers, dial, Lane::Urgent, until).await?;
        Ok((urgent, connect(peers, dial, Lane::Bulk, until).await?))
    });
    let (urgent, bulk) = match opened.await {
        Ok(both) => both,
        Err(broken) => return broken,
    };
    if (urgent.peer.node, urgent.peer.life) != (bulk.peer.node, bulk.peer.life) {
        return Broken::Introduction("two nodes answer at this address".to_owned());
    }
    let welcome = urgent.welcome.or(bulk.welcome);
    *was_up = true;
    peers.told.link_up(&dial.address, urgent.peer.node);
    peers.host.link_opened(peers.clock.now(), dial.link, urgent.peer, welcome);
    let mut lanes = JoinSet::new();
    for (lane, stream) in [(Lane::Urgent, urgent.stream), (Lane::Bulk, bulk.stream)] {
        lanes.spawn(carry(peers.clone(), dial.link, lane, stream));
    }
    match lanes.join_next().await {
        Some(Ok(broken)) => broken,
        Some(Err(_)) | None => Broken::HungUp,
    }
}

/// A connection on which both sides have proved themselves and said who they are.
struct Opened {
    stream: Stream,
    peer: Introduction,
    welcome: Option<Secret>,
}

async fn connect(peers: &Peers, dial: &Dial, lane: Lane, until: Instant) -> Result<Opened, Broken> {
    let mut stage = Stage::Connect;
    let connecting = async {
        let found = lookup_host(dial.address.as_str()).await.map_err(Broken::Unresolved)?;
        let socket = wire::connect(found).await.map_err(Broken::at(Stage::Connect))?;
        wire::prepare(&socket, peers.stall_max);
        stage = Stage::Tls;
        let host = host_of(&dial.address);
        let (mut stream, binding) = peers.tls.connect(socket, host).await?;
        stage = Stage::Proof;
        let key = peers.key(dial.key).ok_or(Broken::UnknownKey)?;
        let nonce = peers.nonce()?;
        prove::dial(&mut stream, binding, lane, dial.key, key.expose(), nonce).await?;
        stage = Stage::Introduction;
        let me = peers.host.introduction().ok_or(Broken::HungUp)?;
        introduce::say(&mut stream, &me.encode()).await?;
        let answer = introduce::Answer::decode(&introduce::hear(&mut stream).await?)?;
        let welcome =
            answer.verdict.map_err(|No { refusal, why }| Broken::Refused { refusal, why })?;
        let peer = Introduction::decode(&answer.introduction)
            .map_err(|error| Broken::Introduction(error.to_string()))?;
        let welcome = match &welcome[..] {
            [] => None,
            bytes => Some(Secret::new(bytes).map_err(Broken::Introduction)?),
        };
        Ok(Opened { stream, peer, welcome })
    };
    match tokio::time::timeout_at(until, connecting).await {
        Ok(opened) => opened,
        Err(_) => Err(Broken::Late(stage)),
    }
}

/// Without the port, and without the brackets of an address.
fn host_of(address: &Address) -> &str {
    let text = address.as_str();
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Carries what the host has for one lane of a link, until it breaks.
async fn carry(peers: Peers, link: LinkId, lane: Lane, stream: Stream) -> Broken {
    let (source, sink) = split(stream);
    let (raised, waker) = Woken::pair();
    peers.host.listen_link(link, lane, waker);
    let mut writer = Writer::new(sink, peers.stall_max);
    let next = || -> Option<Bytes> { peers.host.take_frame(link, lane) };
    let writing = async {
        loop {
            if let Err(broken) = writer.write(next).await {
                return broken;
            }
            raised.notified().await;
        }
    };
    tokio::select! {
        biased;
        broken = watch_end(source) => broken,
        broken = writing => broken,
    }
}

/// Nothing comes on what was dialed but its end.
async fn watch_end(mut source: ReadHalf<Stream>) -> Broken {
    match source.read(&mut [0]).await {
        Ok(0) => Broken::Ended,
        Ok(_) => Broken::Frame("nothing is said on this side".to_owned()),
        Err(source) => Broken::Io { stage: Stage::Frames, source },
    }
}
