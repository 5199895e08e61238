//! Three servers that form a cluster, each with clients' ports of its own on loopback.

use crate::{
    http::Http,
    problem::Problem,
    subject::{self, Kind, Source, Subject},
};
use http::Method;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

pub(crate) const NODES: usize = 3;
/// How long they may take to find each other.
const FORM_TIMEOUT: Duration = Duration::from_secs(15);
/// What did not form is started anew: r-nacos's nodes ask only once to be taken in.
const FORM_TRIES_MAX: u32 = 6;
const FORM_RETRY: Duration = Duration::from_millis(50);
/// No secret: it only keeps this run's clusters together.
const SECRET: &str = "the secret of the load generator's clusters";

/// Its nodes are ended when this is dropped.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Subject>,
    kind: Kind,
}

impl Source {
    /// A cluster that serves and has a leader.
    pub(crate) async fn cluster(&self) -> Result<Cluster, Problem> {
        let Self::Binary { name: _, kind, path } = self else { return Err(Problem::NoCluster) };
        for _ in 1..FORM_TRIES_MAX {
            match Cluster::start(*kind, path).await {
                Err(Problem::Unformed(_)) => {}
                ended => return ended,
            }
        }
        Cluster::start(*kind, path).await
    }
}

impl Cluster {
    async fn start(kind: Kind, path: &Path) -> Result<Self, Problem> {
        let mut members = Vec::new();
        for _ in 0..NODES {
            members.push(Member { api: subject::free_pair()?, peer: free()? });
        }
        let mut nodes = Vec::new();
        for number in 0..NODES {
            let data = subject::data_folder()?;
            let secret = data.path().join("secret");
            std::fs::write(&secret, SECRET)
                .map_err(|source| Problem::World { what: "the secret", source })?;
            let settings = match kind {
                Kind::Trine => trine(&members, number, secret.display().to_string()),
                Kind::RNacos => r_nacos(&members, number),
            };
            let mut node = subject::launch(kind, path, data, members[number].api, &settings)?;
            // One of r-nacos's nodes joins those that are a cluster already, and asks only once.
            if kind == Kind::RNacos {
                node.wait_open().await?;
                wait_member(&node, number + 1).await?;
            }
            nodes.push(node);
        }
        let mut cluster = Self { nodes, kind };
        for node in &mut cluster.nodes {
            node.wait_open().await?;
            node.wait_ready().await?;
        }
        cluster.wait_formed().await?;
        Ok(cluster)
    }
}

/// Where a node is.
struct Member {
    api: SocketAddr,
    peer: SocketAddr,
}

fn trine(members: &[Member], number: usize, secret: String) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("--listen-peer", members[number].peer.to_string()),
        ("--expect", members.len().to_string()),
        ("--cluster-secret-file", secret),
        ("--listen-redis", String::new()),
    ];
    settings.extend(members.iter().map(|member| ("--join", member.peer.to_string())));
    settings
}

fn r_nacos(members: &[Member], number: usize) -> Vec<(&'static str, String)> {
    let grpc = |member: &Member| {
        SocketAddr::new(member.api.ip(), member.api.port() + subject::GRPC_PORT_OFFSET).to_string()
    };
    let mut settings = vec![
        ("RNACOS_RAFT_NODE_ID", (number + 1).to_string()),
        ("RNACOS_RAFT_NODE_ADDR", grpc(&members[number])),
        ("RNACOS_RAFT_AUTO_INIT", (number == 0).to_string()),
    ];
    if number > 0 {
        settings.push(("RNACOS_RAFT_JOIN_ADDR", grpc(&members[0])));
    }
    settings
}

fn free() -> Result<SocketAddr, Problem> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|bound| bound.local_addr())
        .map_err(|source| Problem::World { what: "a free port", source })
}

impl Cluster {
    async fn wait_formed(&self) -> Result<(), Problem> {
        let until = Instant::now() + FORM_TIMEOUT;
        while Instant::now() < until {
            let mut whole = 0;
            for node in &self.nodes {
                whole += usize::from(self.is_whole(node).await);
            }
            if whole == NODES && self.leader().await.is_some() {
                return Ok(());
            }
            tokio::time::sleep(FORM_RETRY).await;
        }
        Err(Problem::Unformed(FORM_TIMEOUT))
    }

    /// Whether this node serves as one of three.
    async fn is_whole(&self, node: &Subject) -> bool {
        match self.kind {
            Kind::Trine => page(node, "/readyz").await.is_some(),
            Kind::RNacos => page(node, "/nacos/v1/raft/metrics")
                .await
                .is_some_and(|metrics| knows_members(&metrics, NODES)),
        }
    }

    /// The node that leads the log.
    pub(crate) async fn leader(&self) -> Option<usize> {
        for (number, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.is_alive()) {
            let (path, mark) = match self.kind {
                Kind::Trine => ("/metrics", "trine_raft_is_leader 1"),
                Kind::RNacos => ("/nacos/v1/raft/metrics", "\"state\":\"Leader\""),
            };
            if page(node, path).await.is_some_and(|page| page.contains(mark)) {
                return Some(number);
            }
        }
        None
    }

    /// A leader must be there: it was when the cluster formed.
    pub(crate) async fn leader_now(&self) -> Result<usize, Problem> {
        self.leader().await.ok_or(Problem::Unformed(Duration::ZERO))
    }

    pub(crate) fn processes(&self) -> Vec<u32> {
        self.nodes.iter().filter(|node| node.is_alive()).map(|node| node.pid).collect()
    }
}

/// Waits until this node of r-nacos knows so many members and a leader.
async fn wait_member(node: &Subject, members: usize) -> Result<(), Problem> {
    let until = Instant::now() + FORM_TIMEOUT;
    while Instant::now() < until {
        if let Some(metrics) = page(node, "/nacos/v1/raft/metrics").await
            && knows_members(&metrics, members)
        {
            return Ok(());
        }
        tokio::time::sleep(FORM_RETRY).await;
    }
    Err(Problem::Unformed(FORM_TIMEOUT))
}

/// What r-nacos says of its Raft group.
fn knows_members(metrics: &str, members: usize) -> bool {
    let listed = metrics.split_once("\"members\":[").and_then(|(_, rest)| rest.split_once(']'));
    let count = listed.map_or(0, |(listed, _)| listed.split(',').count());
    count == members && !metrics.contains("\"current_leader\":null")
}

async fn page(node: &Subject, path: &str) -> Option<String> {
    let mut client = Http::open(node.api).await.ok()?;
    let answer = client.call(Method::GET, path, String::new()).await.ok()?;
    String::from_utf8(answer.to_vec()).ok()
}
