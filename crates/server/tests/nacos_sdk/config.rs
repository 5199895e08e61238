use crate::setup::{PATIENCE, config, group, in_memory};
use nacos_sdk::api::config::{ConfigChangeListener, ConfigResponse};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

struct Changes(mpsc::UnboundedSender<String>);

impl ConfigChangeListener for Changes {
    fn notify(&self, change: ConfigResponse) {
        // The test may have seen enough and be gone.
        let _ = self.0.send(change.content().clone());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_publishes_reads_its_own_write_compares_and_removes() {
    let running = in_memory().await;
    let client = config(&running).await;
    let id = "app.yaml".to_owned();
    let publish = |content: &str| {
        client.publish_config(id.clone(), group(), content.to_owned(), Some("yaml".to_owned()))
    };
    assert!(publish("a: 1").await.expect("published"));
    let read = client.get_config(id.clone(), group()).await.expect("read after write");
    assert_eq!((read.content().as_str(), read.content_type().as_str()), ("a: 1", "yaml"));
    let cas = |content: &str, md5: String| {
        client.publish_config_cas(id.clone(), group(), content.to_owned(), None, md5)
    };
    assert!(cas("a: 2", read.md5().clone()).await.expect("the md5 is right"));
    assert!(!cas("a: 3", read.md5().clone()).await.unwrap_or(false), "the md5 is old");
    let read = client.get_config(id.clone(), group()).await.expect("read");
    assert_eq!(read.content(), "a: 2");
    assert!(client.remove_config(id.clone(), group()).await.expect("removed"));
    assert!(client.get_config(id, group()).await.is_err(), "it is gone");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_sees_the_change_of_another_client() {
    let running = in_memory().await;
    let (writer, reader) = (config(&running).await, config(&running).await);
    let id = "shared.properties".to_owned();
    let publish =
        |content: &str| writer.publish_config(id.clone(), group(), content.to_owned(), None);
    publish("k=1").await.expect("published");
    let (sender, mut changes) = mpsc::unbounded_channel();
    reader.add_listener(id.clone(), group(), Arc::new(Changes(sender))).await.expect("listens");
    // The SDK begins to listen behind our back: a change that it finds at its first look is no change to it.
    let seen = tokio::time::timeout(PATIENCE, async {
        for number in 2.. {
            publish(&format!("k={number}")).await.expect("published");
            let change = tokio::time::timeout(Duration::from_secs(1), changes.recv()).await;
            if let Ok(Some(content)) = change {
                assert!(content.starts_with("k=") && content != "k=1", "{content}");
                return;
            }
        }
    });
    assert!(seen.await.is_ok(), "no notification of the change");
    running.stop().await;
}
