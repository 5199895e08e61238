//! The server that is attacked, and the normal client that must not notice.

use crate::wire::{Reply, ask, ask_with};
use base::Limit;
use server::{Limits, Running, Settings};
use std::{net::SocketAddr, time::Duration};

/// How long anything that must happen may take. Nothing waits this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Timeouts of the server under attack: long enough for a busy machine, short enough to wait for.
pub const SHORT: Duration = Duration::from_millis(400);
/// Of the first administrator in these tests.
pub const PASSWORD: &str = "a password of these tests";

pub struct Target {
    pub running: Running,
    pub api: SocketAddr,
    pub grpc: SocketAddr,
    /// The normal client's.
    pub token: String,
}

impl Target {
    pub async fn start() -> Self {
        Self::within(Limits::default()).await
    }

    pub async fn within(limits: Limits) -> Self {
        Self::of(Settings::in_memory(PASSWORD, limits)).await
    }

    pub async fn of(settings: Settings) -> Self {
        let running = server::start(settings).await.expect("free ports");
        tokio::time::timeout(PATIENCE, running.ready()).await.expect("ready");
        let (api, grpc) = (running.api.expect("open"), running.grpc.expect("open"));
        let mut target = Self { running, api, grpc, token: String::new() };
        target.token = target.log_in().await;
        target.quiet(0).await;
        target
    }

    pub fn doors(&self) -> [SocketAddr; 2] {
        [self.api, self.grpc]
    }

    async fn log_in(&self) -> String {
        let body = format!("username=nacos&password={}", PASSWORD.replace(' ', "+"));
        let reply = ask(self.api, "POST", "/nacos/v1/auth/login", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let json: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
        json["accessToken"].as_str().expect("a token").to_owned()
    }

    /// A request of the normal client.
    pub async fn normal(&self, verb: &str, target: &str, body: &str) -> Reply {
        let token = format!("accessToken: {}\r\n", self.token);
        ask_with(self.api, verb, target, &token, body).await
    }

    pub async fn config(&self, data_id: &str) -> Reply {
        self.normal("GET", &format!("/nacos/v1/cs/configs?group=g&dataId={data_id}"), "").await
    }

    pub async fn publish(&self, data_id: &str, content: &str) {
        let form = format!("group=g&dataId={data_id}&content={content}");
        let reply = self.normal("POST", "/nacos/v1/cs/configs", &form).await;
        assert_eq!((reply.status, reply.text()), (200, "true".to_owned()));
    }

    /// How often something was refused at this limit, as the metrics tell it.
    pub async fn rejected(&self, limit: Limit) -> u64 {
        let page = self.normal("GET", "/metrics", "").await.text();
        let begin = format!("trine_rejected_total{{limit=\"{}\"}} ", limit.label());
        let line = page.lines().find_map(|line| line.strip_prefix(&begin));
        line.expect("every limit is there").parse().expect("a number")
    }

    /// What a normal client does all day works.
    pub async fn serves(&self) {
        assert!(self.running.is_ready(), "the node lives");
        let form = "serviceName=normal&ip=10.0.0.1&port=80";
        let reply = self.normal("POST", "/nacos/v1/ns/instance", form).await;
        assert_eq!((reply.status, reply.text()), (200, "ok".to_owned()));
        let list = "/nacos/v1/ns/instance/list?serviceName=normal";
        let reply = self.normal("GET", list, "").await;
        assert!(reply.text().contains("10.0.0.1"), "{}", reply.text());
        self.publish("normal", "fine").await;
        let reply = self.config("normal").await;
        assert_eq!((reply.status, reply.text()), (200, "fine".to_owned()));
    }

    /// Waits until this many connections are open.
    pub async fn quiet(&self, connections: usize) {
        let counted = async {
            while self.running.connections_open() != connections {
                tokio::task::yield_now().await;
            }
        };
        let open = || self.running.connections_open();
        let counted = tokio::time::timeout(PATIENCE, counted).await;
        assert!(counted.is_ok(), "{} connections are open, not {connections}", open());
    }

    /// The end of each attack.
    pub async fn unharmed(self) {
        self.serves().await;
        self.quiet(0).await;
        self.running.stop().await;
    }
}

/// Waits for something that must happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen: {what}"),
    }
}
