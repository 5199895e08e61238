//! Opening the doors of a server, and what others are told of them.

use crate::{
    RunError, Settings,
    cluster_settings::{Advertise, PEER_PORT, written},
    listen::Listener,
    peer::Tls,
    running::fill,
    udp::Udp,
};
use cluster::{Address, Secret};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::net::{TcpListener, UdpSocket, lookup_host};

/// How often a pair of free ports (p, p + 1000) is looked for.
const PORT_PAIR_TRIES: u32 = 64;
/// How long names may take to resolve when a node looks for its own address.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Nobody is there (RFC 5737); but the way there tells which interface leads out. Nothing is sent.
const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), PEER_PORT);

/// Doors that are open, and nobody behind them yet. What comes meanwhile waits.
pub struct Bound {
    /// May still be changed, but for where to listen.
    pub settings: Settings,
    pub(crate) api: Option<Listener>,
    pub(crate) grpc: Option<Listener>,
    pub(crate) udp: Option<Udp>,
    pub(crate) peer: Option<TcpListener>,
}

/// Opens the doors of a server, so that their addresses are known before it starts.
///
/// # Errors
/// When one cannot be opened. None is then.
pub async fn bind(mut settings: Settings) -> Result<Bound, RunError> {
    let (api, grpc) = open_doors(&settings).await?;
    let udp = match &api {
        Some(api) => Some(open_udp(api.address).await?),
        None => None,
    };
    let mut peer = match settings.listen.peer {
        Some(address) if settings.cluster.is_asked_for() || address.port() == 0 => Some(
            TcpListener::bind(address)
                .await
                .map_err(|source| RunError::Listen { address, source })?,
        ),
        Some(_) | None => None,
    };
    if !settings.cluster.is_asked_for()
        && let Some(socket) = peer.take()
    {
        // It stays closed for now, but others are told from the start where it will be.
        settings.listen.peer = socket.local_addr().ok();
    }
    Ok(Bound { settings, api, grpc, udp, peer })
}

/// Opens the doors of servers that found a cluster together: they are given a new secret and each other's addresses.
///
/// # Errors
/// When one cannot be opened. None is then.
///
/// # Panics
/// If one of them has no peer door.
pub async fn bind_together(nodes: Vec<Settings>) -> Result<Vec<Bound>, RunError> {
    let mut secret = [0; 32];
    fill(&mut secret)?;
    let secret = Secret::new(&secret).expect("32 bytes are enough");
    let mut bound = Vec::new();
    for mut settings in nodes {
        settings.cluster.secret = Some(secret.clone());
        bound.push(bind(settings).await?);
    }
    let mut addresses = Vec::new();
    for node in &bound {
        addresses.push(node.cluster().await?.advertise);
    }
    for node in &mut bound {
        assert!(node.peer.is_some(), "a node of several has a peer door");
        node.settings.cluster.join = addresses.clone();
        node.settings.cluster.expect = u32::try_from(addresses.len()).ok();
    }
    Ok(bound)
}

impl Bound {
    /// Where other nodes are served.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer.as_ref()?.local_addr().ok()
    }

    /// For `status`.
    pub(crate) fn shown(&self) -> Vec<console::Door> {
        let api = self.api.as_ref().map(|listener| ("api", listener.address));
        let grpc = self.grpc.as_ref().map(|listener| ("grpc", listener.address));
        let peer = self.peer().map(|address| ("peer", address));
        let open = [api, grpc, peer].into_iter().flatten();
        open.map(|(name, address)| console::Door { name, address }).collect()
    }

    pub(crate) fn tls(&self) -> Result<Tls, RunError> {
        let tls = if let Some(files) = &self.settings.cluster.certificates {
            Tls::certified(files)
        } else {
            let mut seed = [0; 32];
            fill(&mut seed)?;
            Tls::own(seed)
        };
        tls.map_err(|error| RunError::PeerTls(error.to_string()))
    }

    /// How the node finds others, and where they are told to find it.
    pub(crate) async fn cluster(&self) -> Result<host::ClusterSettings, RunError> {
        let given = &self.settings.cluster;
        let listen = self.peer().or(self.settings.listen.peer);
        let own = || async {
            let host = own_host(listen, &given.join).await.to_string();
            Advertise { host, port: None }
        };
        let Advertise { host, port } = match &given.advertise {
            Some(advertise) => advertise.clone(),
            None => own().await,
        };
        let listening = listen.map(|address| address.port()).filter(|port| *port != 0);
        let port = port.or(listening).unwrap_or(PEER_PORT);
        let address = |port| {
            Address::new(&written(&host, port)).map_err(|error| RunError::System {
                what: "an address to tell others",
                problem: format!("{host}: {error}"),
            })
        };
        let api = self.api.as_ref().map(|listener| address(listener.address.port()));
        Ok(host::ClusterSettings {
            advertise: address(port)?,
            api: api.transpose()?,
            seeds: given.join.clone(),
            expect: given.expect,
            secret: given.secret.clone(),
            token: given.token.clone(),
        })
    }
}

/// The address that others are told: the one that is listened on, or that of the interface that leads to them.
async fn own_host(listen: Option<SocketAddr>, join: &[Address]) -> IpAddr {
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_unspecified()) {
        return listen.ip();
    }
    let found = async {
        for other in join {
            let Ok(addresses) = lookup_host(other.as_str()).await else { continue };
            for address in addresses {
                if let Ok(own) = interface_to(address).await {
                    return Some(own);
                }
            }
        }
        None
    };
    if let Ok(Some(own)) = tokio::time::timeout(RESOLVE_TIMEOUT, found).await {
        return own;
    }
    if let Ok(own) = interface_to(ELSEWHERE).await {
        return own;
    }
    if !join.is_empty() {
        tracing::warn!(
            "no interface leads to the other nodes: they are told 127.0.0.1; give --advertise"
        );
    }
    Ipv4Addr::LOCALHOST.into()
}

async fn interface_to(other: SocketAddr) -> std::io::Result<IpAddr> {
    let any = match other {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(other).await?;
    Ok(socket.local_addr()?.ip())
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
