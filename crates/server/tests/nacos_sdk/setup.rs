//! A server, and the SDK pointed at it.

use nacos_sdk::api::{
    config::{ConfigService, ConfigServiceBuilder},
    constants,
    naming::{
        NamingChangeEvent, NamingEventListener, NamingService, NamingServiceBuilder,
        ServiceInstance,
    },
    props::ClientProps,
};
use server::{Limits, Running, Settings};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// How long anything that must happen may take. Nothing waits this long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Of the first administrator in these tests.
pub const PASSWORD: &str = "a password of these tests";

pub fn group() -> String {
    constants::DEFAULT_GROUP.to_owned()
}

/// Where a server keeps its data and listens, for starting it again.
pub fn settings(data: Option<PathBuf>) -> Settings {
    Settings { data, ..Settings::in_memory(PASSWORD, Limits::default()) }
}

pub async fn running(settings: Settings) -> Running {
    let running = server::start(settings).await.expect("free ports and a disk");
    tokio::time::timeout(PATIENCE, running.ready()).await.expect("ready");
    running
}

pub async fn in_memory() -> Running {
    running(settings(None)).await
}

fn props(address: String) -> ClientProps {
    ClientProps::new()
        .server_addr(address)
        .app_name("conformance")
        .auth_username("nacos")
        .auth_password(PASSWORD)
        // The SDK would otherwise keep the last instance of a service for ever.
        .naming_push_empty_protection(false)
}

pub async fn naming_at(address: String) -> NamingService {
    let builder = NamingServiceBuilder::new(props(address)).enable_auth_plugin_http();
    builder.build().await.expect("connected")
}

pub async fn naming(running: &Running) -> NamingService {
    naming_at(running.api.expect("open").to_string()).await
}

pub async fn config(running: &Running) -> ConfigService {
    let props = props(running.api.expect("open").to_string());
    ConfigServiceBuilder::new(props).enable_auth_plugin_http().build().await.expect("connected")
}

/// Pointed at the API's port for gRPC, too: both are served there.
pub async fn naming_on_one_port(running: &Running) -> NamingService {
    let api = running.api.expect("open");
    let props = props(api.to_string()).remote_grpc_port(api.port());
    NamingServiceBuilder::new(props).enable_auth_plugin_http().build().await.expect("connected")
}

pub fn instance(port: i32) -> ServiceInstance {
    ServiceInstance { ip: "10.0.0.1".to_owned(), port, ..Default::default() }
}

/// Collects what is pushed of a service: the addresses, sorted.
pub struct Pushes(mpsc::UnboundedSender<Vec<String>>);

impl NamingEventListener for Pushes {
    fn event(&self, event: Arc<NamingChangeEvent>) {
        let mut hosts: Vec<String> = event
            .instances
            .iter()
            .flatten()
            .map(|host| format!("{}:{}", host.ip, host.port))
            .collect();
        hosts.sort();
        // The test may have seen enough and be gone.
        let _ = self.0.send(hosts);
    }
}

pub async fn subscribe(naming: &NamingService, name: &str) -> mpsc::UnboundedReceiver<Vec<String>> {
    let (sender, pushes) = mpsc::unbounded_channel();
    let listener = Arc::new(Pushes(sender));
    let subscribed = naming.subscribe(name.to_owned(), Some(group()), Vec::new(), listener);
    subscribed.await.expect("subscribed");
    pushes
}

/// Waits for a push of exactly these addresses.
pub async fn until(pushes: &mut mpsc::UnboundedReceiver<Vec<String>>, wanted: &[&str]) {
    let seen = tokio::time::timeout(PATIENCE, async {
        while pushes.recv().await.expect("the listener lives") != wanted {}
    });
    assert!(seen.await.is_ok(), "no push of {wanted:?}");
}
