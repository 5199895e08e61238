//! Configs as the works use them.

use crate::{
    grpc::{self, Grpc},
    http::{Http, form},
    problem::Wrong,
};
use http::Method;
use serde::Deserialize;
use std::{
    fmt::Write,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Clients that publish at once.
pub(crate) const PUBLISHERS: usize = 32;
/// Bytes of a config, about those of a small properties file.
const CONTENT_BYTES: usize = 512;

/// How long a publish that was answered may take until it is read: a server may answer before all of its doors know.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
const SETTLE_RETRY: Duration = Duration::from_millis(20);

/// Waits until a config that was published before the measuring is read as it was published.
pub(crate) async fn settled(api: SocketAddr, data_id: &str, content: &str) -> Result<(), Wrong> {
    let mut reader = Http::open(api).await?;
    let until = Instant::now() + SETTLE_TIMEOUT;
    loop {
        match read_http(&mut reader, data_id, content).await {
            Err(_) if Instant::now() < until => tokio::time::sleep(SETTLE_RETRY).await,
            read => return read,
        }
    }
}

/// Content that differs for each number.
pub(crate) fn content(number: u64) -> String {
    format!("{number:<CONTENT_BYTES$}.")
}

/// Content of so many bytes that differs for each number and looks like that of a properties file: some of it repeats.
pub(crate) fn content_of(number: u64, bytes: usize) -> String {
    let mut content = format!("revision={number};");
    let mut value = number;
    while content.len() < bytes {
        // Knuth's: no two values are alike.
        value =
            value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (line, value) = (content.len(), value >> 32);
        write!(content, "app.module-{line}.setting={value};").expect("strings grow");
    }
    content.truncate(bytes);
    content
}

pub(crate) async fn publish_http(
    client: &mut Http,
    data_id: &str,
    content: &str,
) -> Result<(), Wrong> {
    let body = form(&[("dataId", data_id), ("group", "DEFAULT_GROUP"), ("content", content)]);
    let answer = client.call(Method::POST, "/nacos/v1/cs/configs", body).await?;
    if answer == "true" { Ok(()) } else { Err(Wrong::expected("true", &answer)) }
}

pub(crate) async fn read_http(
    client: &mut Http,
    data_id: &str,
    content: &str,
) -> Result<(), Wrong> {
    let path = format!("/nacos/v1/cs/configs?dataId={data_id}&group=DEFAULT_GROUP");
    let answer = client.call(Method::GET, &path, String::new()).await?;
    if answer == content { Ok(()) } else { Err(Wrong::expected("the content", &answer)) }
}

pub(crate) async fn publish_grpc(
    client: &mut Grpc,
    data_id: &str,
    content: &str,
) -> Result<(), Wrong> {
    let json = format!(
        r#"{{"dataId":"{data_id}","group":"DEFAULT_GROUP","tenant":"","content":"{content}","additionMap":{{}},"requestId":"1"}}"#
    );
    client.ask("ConfigPublishRequest", &json, "ConfigPublishResponse").await.map(drop)
}

pub(crate) async fn read_grpc(
    client: &mut Grpc,
    data_id: &str,
    content: &str,
) -> Result<(), Wrong> {
    #[derive(Deserialize)]
    struct Queried {
        content: String,
    }
    let json =
        format!(r#"{{"dataId":"{data_id}","group":"DEFAULT_GROUP","tenant":"","requestId":"1"}}"#);
    let answer = client.ask("ConfigQueryRequest", &json, "ConfigQueryResponse").await?;
    let queried: Queried = grpc::read(&answer)?;
    if queried.content == content {
        return Ok(());
    }
    Err(Wrong::expected("the content", queried.content.as_bytes()))
}
