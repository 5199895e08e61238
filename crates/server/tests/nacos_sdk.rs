//! The official Rust SDK, unchanged, against a server in this process.
#![allow(missing_docs, clippy::disallowed_methods)]

use nacos_sdk::api::{
    constants,
    naming::{
        NamingChangeEvent, NamingEventListener, NamingService, NamingServiceBuilder, ServiceInstance,
    },
    props::ClientProps,
};
use server::{Auth, Listen, Running, Settings};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

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
    assert_eq!(listed[0].instance_id.as_deref(), Some("10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@orders"));
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
    // A runtime of its own: the SDK's tasks outlive its handle, and end with their runtime as they would with a process.
    let life = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let address = running.api.expect("open");
    let provider = life
        .spawn(async move {
            let provider = naming_at(address.to_string()).await;
            provider.register_instance(name, group, instance(9090)).await.map(|()| provider)
        })
        .await
        .expect("no panic")
        .expect("registered");
    until(&mut pushes, &["10.0.0.1:9090"]).await;
    life.shutdown_background();
    drop(provider);
    until(&mut pushes, &[]).await;
    running.stop().await;
}
