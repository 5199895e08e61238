use crate::setup::{config, group, instance, naming, running, settings, subscribe, until};

/// The server is away for a while: the application still resolves from what it has, and comes back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_servers_down_and_back() {
    let data = tempfile::tempdir().expect("a directory");
    let mut at = settings(Some(data.path().to_owned()));
    let first = running(at.clone()).await;
    at.listen.api = first.api;
    at.listen.grpc = first.grpc;
    let (provider, consumer) = (naming(&first).await, naming(&first).await);
    let writer = config(&first).await;
    let mut pushes = subscribe(&consumer, "steady").await;
    provider
        .register_instance("steady".to_owned(), Some(group()), instance(80))
        .await
        .expect("registered");
    until(&mut pushes, &["10.0.0.1:80"]).await;
    writer
        .publish_config("kept".to_owned(), group(), "v1".to_owned(), None)
        .await
        .expect("published");
    first.stop().await;

    let resolved = consumer
        .get_all_instances("steady".to_owned(), Some(group()), Vec::new(), true)
        .await
        .expect("resolves from its cache");
    assert_eq!(resolved.len(), 1);

    let second = running(at).await;
    let late = naming(&second).await;
    late.register_instance("steady".to_owned(), Some(group()), instance(81))
        .await
        .expect("registered");
    // Both the first instance and the subscription are back without anyone having asked for it again.
    until(&mut pushes, &["10.0.0.1:80", "10.0.0.1:81"]).await;
    let kept = config(&second).await.get_config("kept".to_owned(), group()).await.expect("kept");
    assert_eq!(kept.content(), "v1");
    second.stop().await;
}
