//! Servers that find each other, and a client that asks any of them.

use cluster::{Address, JoinToken, Secret};
use server::{Auth, ClusterSettings, Limits, Running, Settings};
use std::{future::Future, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long anything that must happen may take. Nothing waits this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Cluster {
    nodes: Vec<Option<Running>>,
    seeds: Vec<Address>,
}

/// Free ports of loopback, nothing on disk, nobody needs a login.
pub fn settings(secret: u8) -> Settings {
    let secret = Secret::new(&[secret; 32]).expect("long enough");
    let mut settings = Settings::in_memory("a password of these tests", Limits::default());
    settings.auth = Auth::Off;
    settings.listen.peer = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    settings.stop_timeout = Duration::from_secs(5);
    settings.cluster = ClusterSettings { secret: Some(secret), ..ClusterSettings::default() };
    settings
}

impl Cluster {
    /// Nodes that found a cluster together.
    pub async fn start(len: usize) -> Self {
        let bound = server::bind_together(vec![settings(7); len]).await.expect("free ports");
        let seeds = bound[0].settings.cluster.join.clone();
        let mut nodes = Vec::new();
        for node in bound {
            nodes.push(Some(node.start().await.expect("nothing is missing")));
        }
        let cluster = Self { nodes, seeds };
        for node in cluster.nodes.iter().flatten() {
            soon("the cluster forms", node.ready()).await;
            assert!(node.is_ready());
        }
        cluster
    }

    /// A node that nobody was told of.
    pub async fn alone() -> Self {
        let settings = Settings { cluster: ClusterSettings::default(), ..settings(0) };
        let node = server::start(settings).await.expect("free ports");
        assert_eq!(node.peer, None);
        soon("it founds its cluster", node.ready()).await;
        Self { nodes: vec![Some(node)], seeds: Vec::new() }
    }

    /// A connection to the peer door of somebody who says nothing.
    pub async fn knock(&self, node: usize) -> TcpStream {
        let peer = self.nodes[node].as_ref().expect("it runs").peer.expect("open");
        TcpStream::connect(peer).await.expect("it listens")
    }

    /// A token for one more node.
    pub async fn invite(&mut self, node: usize) -> JoinToken {
        let (status, text) = self.ask(node, "POST", "/v1/cluster/join-token", "").await;
        assert_eq!(status, 200, "{text}");
        let invitation: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let line = invitation["join"].as_str().expect("a command line");
        let mut words = line.split(' ').skip_while(|word| *word != "--join");
        let address = words.nth(1).expect("an address");
        self.seeds = vec![Address::new(address).expect("an address")];
        invitation["token"].as_str().expect("a token").parse().expect("a token")
    }

    /// One more node, by an invitation.
    pub async fn join(&mut self, token: &JoinToken) {
        let mut joining = settings(0);
        joining.cluster = ClusterSettings {
            join: self.seeds.clone(),
            token: Some(token.clone()),
            ..ClusterSettings::default()
        };
        let node = server::start(joining).await.expect("free ports");
        soon("it is let in", node.ready()).await;
        self.nodes.push(Some(node));
    }

    /// Somebody who knows where the nodes are and does not know their secret.
    pub async fn stranger(&self) -> Running {
        let mut stranger = settings(8);
        stranger.cluster.join = self.seeds.clone();
        stranger.cluster.expect = Some(2);
        server::start(stranger).await.expect("free ports")
    }

    pub async fn publish(&self, node: usize, data_id: &str, content: &str) {
        let form = format!("group=g&dataId={data_id}&content={content}");
        let (status, text) = self.ask(node, "POST", "/nacos/v1/cs/configs", &form).await;
        assert_eq!((status, &text[..]), (200, "true"));
    }

    /// Once somebody leads.
    pub async fn publish_soon(&self, node: usize, data_id: &str, content: &str) {
        let form = format!("group=g&dataId={data_id}&content={content}");
        let published = async {
            while self.ask(node, "POST", "/nacos/v1/cs/configs", &form).await.0 != 200 {
                tokio::task::yield_now().await;
            }
        };
        soon("a write is taken", published).await;
    }

    /// The node shows this content, now or soon.
    pub async fn reads(&self, node: usize, data_id: &str, content: &str) {
        let path = format!("/nacos/v1/cs/configs?group=g&dataId={data_id}");
        self.shows(node, &path, |text| text == content).await;
    }

    pub async fn register(&self, node: usize, service: &str, ip: &str) {
        let form = format!("serviceName={service}&ip={ip}&port=80");
        let (status, text) = self.ask(node, "POST", "/nacos/v1/ns/instance", &form).await;
        assert_eq!((status, &text[..]), (200, "ok"));
    }

    /// The node lists these instances among others, now or soon.
    pub async fn lists(&self, node: usize, service: &str, ips: &[&str]) {
        let path = format!("/nacos/v1/ns/instance/list?serviceName={service}");
        self.shows(node, &path, |text| ips.iter().all(|ip| text.contains(ip))).await;
    }

    async fn shows(&self, node: usize, path: &str, fits: impl Fn(&str) -> bool) {
        let shown = async {
            while !fits(&self.page(node, path).await) {
                tokio::task::yield_now().await;
            }
        };
        soon(path, shown).await;
    }

    pub async fn page(&self, node: usize, path: &str) -> String {
        self.ask(node, "GET", path, "").await.1
    }

    /// What a node answers to a POST that it takes.
    pub async fn post(&self, node: usize, path: &str, body: &str) -> String {
        let (status, text) = self.ask(node, "POST", path, body).await;
        assert_eq!(status, 200, "{text}");
        text
    }

    /// Where a node serves clients.
    pub fn api(&self, node: usize) -> SocketAddr {
        self.nodes[node].as_ref().expect("it runs").api.expect("open")
    }

    pub async fn stop(&mut self, node: usize) {
        self.nodes[node].take().expect("it runs").stop().await;
    }

    pub async fn end(self) {
        let stopping = self.nodes.into_iter().flatten().map(|node| tokio::spawn(node.stop()));
        for stopped in stopping.collect::<Vec<_>>() {
            stopped.await.expect("it stops");
        }
    }

    async fn ask(&self, node: usize, verb: &str, target: &str, body: &str) -> (u16, String) {
        let reply = self.reply(node, verb, target, "", body).await;
        (reply.status, reply.text)
    }

    /// The answer with its head. `lines` are header lines, each with its end.
    pub async fn reply(
        &self,
        node: usize,
        verb: &str,
        target: &str,
        lines: &str,
        body: &str,
    ) -> Reply {
        let mut stream = TcpStream::connect(self.api(node)).await.expect("it listens");
        let request = format!(
            "{verb} {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n{lines}\r\n{body}",
            body.len()
        );
        // Whoever is refused early need not be heard to the end.
        let sent = stream.write_all(request.as_bytes()).await;
        let mut reply = Vec::new();
        let read = soon("an answer", stream.read_to_end(&mut reply)).await;
        assert!(!reply.is_empty(), "{verb} {target}: {sent:?} {read:?}");
        let reply = String::from_utf8_lossy(&reply);
        let (head, text) = reply.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        Reply { status, head: head.to_owned(), text: text.to_owned() }
    }
}

/// An answer.
pub struct Reply {
    pub status: u16,
    head: String,
    pub text: String,
}

impl Reply {
    /// The value of a header line.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Waits for something that must happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen: {what}"),
    }
}
