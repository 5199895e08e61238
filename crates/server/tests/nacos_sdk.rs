//! The official Rust SDK, unchanged, against a server in this process.
#![allow(missing_docs, clippy::disallowed_methods)]

use nacos_sdk::api::{
    constants,
    naming::{
        NamingChangeEvent, NamingEventListener, NamingService, NamingServiceBuilder,
        ServiceInstance,
    },
    props::ClientProps,
};
use server::{Auth, Listen, Running, Settings};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

const GROUP: &str = constants::DEFAULT_GROUP;
/// How long anything that must happen may take. Nothing waits this long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(20);

async fn running() -> Running {
    let settings = Settings {
        data: None,
        listen: Listen { api: Some("127.0.0.1:0".parse().expect("an address")), grpc: None },
        auth: Auth::Off,
        admin_password: None,
        notices: Vec::new(),
    };
    let running = server::start(settings).await.expect("free ports");
    running.ready().await;
    running
}

async fn naming(running: &Running) -> NamingService {
    naming_at(running.api.expect("open").to_string()).await
}

async fn naming_at(address: String) -> NamingService {
    let props = ClientProps::new().server_addr(address).app_name("conformance");
    // The SDK would otherwise keep the last instance of a service for ever.
    let props = props.naming_push_empty_protection(false);
    NamingServiceBuilder::new(props).build().await.expect("connected")
}

struct Pushes(mpsc::UnboundedSender<Vec<String>>);

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

async fn until(pushes: &mut mpsc::UnboundedReceiver<Vec<String>>, wanted: &[&str]) {
    let seen = tokio::time::timeout(PATIENCE, async {
        while pushes.recv().await.expect("the listener lives") != wanted {}
    });
    assert!(seen.await.is_ok(), "no push of {wanted:?}");
}

fn instance(port: i32) -> ServiceInstance {
    ServiceInstance { ip: "10.0.0.1".to_owned(), port, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_registers_lists_and_is_pushed_what_changes() {
    let running = running().await;
    let (provider, consumer) = (naming(&running).await, naming(&running).await);
    let group = Some(GROUP.to_owned());
    let (sender, mut pushes) = mpsc::unbounded_channel();
    let name = "orders".to_owned();
    consumer
        .subscribe(name.clone(), group.clone(), Vec::new(), Arc::new(Pushes(sender)))
        .await
        .expect("subscribed");
    provider
        .register_instance(name.clone(), group.clone(), instance(8080))
        .await
        .expect("registered");
    until(&mut pushes, &["10.0.0.1:8080"]).await;
    let listed = consumer
        .get_all_instances(name.clone(), group.clone(), Vec::new(), false)
        .await
        .expect("listed");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].instance_id.as_deref(),
        Some("10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@orders")
    );
    provider
        .deregister_instance(name.clone(), group.clone(), instance(8080))
        .await
        .expect("deregistered");
    until(&mut pushes, &[]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_instances_of_a_client_that_dies_are_gone() {
    let running = running().await;
    let consumer = naming(&running).await;
    let group = Some(GROUP.to_owned());
    let (sender, mut pushes) = mpsc::unbounded_channel();
    let name = "mortal".to_owned();
    consumer
        .subscribe(name.clone(), group.clone(), Vec::new(), Arc::new(Pushes(sender)))
        .await
        .expect("subscribed");
    // The SDK keeps its tasks in a runtime of its own: what dies here is the wire, as when the machine is gone.
    let wire = Wire::to(running.grpc.expect("open")).await;
    let provider = naming_at(wire.address.clone()).await;
    provider.register_instance(name, group, instance(9090)).await.expect("registered");
    until(&mut pushes, &["10.0.0.1:9090"]).await;
    wire.cut();
    until(&mut pushes, &[]).await;
    running.stop().await;
}

/// A wire that can be cut.
struct Wire {
    /// What the SDK is told; it adds 1000 to the port.
    address: String,
    forwarding: tokio::task::JoinHandle<()>,
}

impl Wire {
    async fn to(server: SocketAddr) -> Self {
        let socket = loop {
            let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            if socket.local_addr().expect("bound").port() > 2000 {
                break socket;
            }
        };
        let port = socket.local_addr().expect("bound").port() - 1000;
        let forwarding = tokio::spawn(async move {
            let mut pipes = tokio::task::JoinSet::new();
            while let Ok((mut client, _)) = socket.accept().await {
                let mut server = TcpStream::connect(server).await.expect("the server lives");
                pipes.spawn(async move {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address: format!("127.0.0.1:{port}"), forwarding }
    }

    fn cut(self) {
        self.forwarding.abort();
    }
}
