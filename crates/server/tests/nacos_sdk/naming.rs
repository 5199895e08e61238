use crate::setup::{
    group, in_memory, instance, naming, naming_at, naming_on_one_port, running, settings,
    subscribe, until,
};
use nacos_sdk::api::naming::ServiceInstance;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_registers_lists_and_is_pushed_what_changes() {
    let running = in_memory().await;
    let (provider, consumer) = (naming(&running).await, naming(&running).await);
    let name = "orders".to_owned();
    let mut pushes = subscribe(&consumer, &name).await;
    provider
        .register_instance(name.clone(), Some(group()), instance(8080))
        .await
        .expect("registered");
    until(&mut pushes, &["10.0.0.1:8080"]).await;
    let listed = consumer
        .get_all_instances(name.clone(), Some(group()), Vec::new(), false)
        .await
        .expect("listed");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].instance_id.as_deref(),
        Some("10.0.0.1#8080#DEFAULT#DEFAULT_GROUP@@orders")
    );
    let batch = vec![instance(1), instance(2)];
    provider
        .batch_register_instance(name.clone(), Some(group()), batch)
        .await
        .expect("the batch replaces what was there");
    until(&mut pushes, &["10.0.0.1:1", "10.0.0.1:2"]).await;
    let (names, count) = consumer.get_service_list(1, 10, Some(group())).await.expect("names");
    assert_eq!((names, count), (vec![name.clone()], 1));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deregistering_the_last_one_pushes_an_empty_list() {
    let running = in_memory().await;
    let (provider, consumer) = (naming(&running).await, naming(&running).await);
    let name = "leaving".to_owned();
    let mut pushes = subscribe(&consumer, &name).await;
    provider
        .register_instance(name.clone(), Some(group()), instance(8080))
        .await
        .expect("registered");
    until(&mut pushes, &["10.0.0.1:8080"]).await;
    provider.deregister_instance(name, Some(group()), instance(8080)).await.expect("deregistered");
    until(&mut pushes, &[]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_port_serves_grpc_too() {
    let running = in_memory().await;
    let client = naming_on_one_port(&running).await;
    let mut pushes = subscribe(&client, "one-port").await;
    client
        .register_instance("one-port".to_owned(), Some(group()), instance(80))
        .await
        .expect("registered");
    until(&mut pushes, &["10.0.0.1:80"]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_instances_of_a_client_that_dies_are_gone() {
    let running = in_memory().await;
    let consumer = naming(&running).await;
    let name = "mortal".to_owned();
    let mut pushes = subscribe(&consumer, &name).await;
    // The SDK keeps its tasks in a runtime of its own: what dies here is the wire, as when the machine is gone.
    let wire = Wire::to(running.api.expect("open"), running.grpc.expect("open")).await;
    let provider = naming_at(wire.address.clone()).await;
    provider.register_instance(name, Some(group()), instance(9090)).await.expect("registered");
    until(&mut pushes, &["10.0.0.1:9090"]).await;
    wire.cut();
    until(&mut pushes, &[]).await;
    running.stop().await;
}

/// A wire to both doors of a server that can be cut.
struct Wire {
    /// What the SDK is told; it adds 1000 to the port for gRPC.
    address: String,
    forwarding: Vec<tokio::task::JoinHandle<()>>,
}

impl Wire {
    async fn to(api: SocketAddr, grpc: SocketAddr) -> Self {
        loop {
            let first = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = first.local_addr().expect("bound");
            let Some(port) = address.port().checked_add(1000) else { continue };
            if let Ok(second) = TcpListener::bind(("127.0.0.1", port)).await {
                let forwarding =
                    vec![tokio::spawn(forward(first, api)), tokio::spawn(forward(second, grpc))];
                return Self { address: address.to_string(), forwarding };
            }
        }
    }

    fn cut(self) {
        for task in self.forwarding {
            task.abort();
        }
    }
}

async fn forward(socket: TcpListener, server: SocketAddr) {
    let mut pipes = tokio::task::JoinSet::new();
    while let Ok((mut client, _)) = socket.accept().await {
        let mut server = TcpStream::connect(server).await.expect("the server lives");
        pipes.spawn(async move {
            // Ends with either side; there is nobody to tell.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persistent_instance_outlives_its_client_and_the_server() {
    let data = tempfile::tempdir().expect("a directory");
    let at = settings(Some(data.path().to_owned()));
    let first = running(at.clone()).await;
    let (provider, consumer) = (naming(&first).await, naming(&first).await);
    let name = "database".to_owned();
    let persistent = ServiceInstance { ephemeral: false, ..instance(5432) };
    let mut pushes = subscribe(&consumer, &name).await;
    provider
        .register_instance(name.clone(), Some(group()), persistent.clone())
        .await
        .expect("registered");
    until(&mut pushes, &["10.0.0.1:5432"]).await;
    let mixed = provider.register_instance(name.clone(), Some(group()), instance(1)).await;
    let why = mixed.expect_err("a service has instances of one kind").to_string();
    assert!(why.contains("is persistent service, can't register ephemeral instance."), "{why}");
    first.stop().await;

    // On other ports: the first clients cannot find it and register anew.
    let second = running(at).await;
    let consumer = naming(&second).await;
    let mut pushes = subscribe(&consumer, &name).await;
    let listed = consumer
        .get_all_instances(name.clone(), Some(group()), Vec::new(), false)
        .await
        .expect("listed");
    assert_eq!((listed.len(), listed[0].ephemeral, listed[0].port), (1, false, 5432));
    consumer.deregister_instance(name, Some(group()), persistent).await.expect("deregistered");
    until(&mut pushes, &[]).await;
    second.stop().await;
}
