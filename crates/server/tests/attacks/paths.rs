//! Paths that mean to be something else, without a token.

use crate::{
    setup::{SHORT, Target, soon},
    wire::{connect, read_reply},
};
use server::Limits;
use std::{collections::BTreeMap, net::SocketAddr};
use tokio::io::AsyncWriteExt;

/// What is open to everybody, by design: whether the node lives, its own address for SDKs that look for it, and numbers
/// for who asks from the same machine, as these tests do.
const OPEN: &[&str] = &[
    "/nacos/v1/console/health/liveness",
    "/nacos/v1/console/health/readiness",
    "/nacos/v2/console/health/liveness",
    "/nacos/v2/console/health/readiness",
    "/nacos/v3/console/health/liveness",
    "/nacos/v3/console/health/readiness",
    "/nacos/actuator/health",
    "/nacos/serverlist",
    "/metrics",
    "/livez",
    "/readyz",
];

/// What every route of the two APIs might want.
const QUERY: &str = "dataId=stolen&group=g&content=x&serviceName=stolen&ip=10.6.6.6&port=1&username=thief\
    &password=thief&newPassword=thief&role=ROLE_ADMIN&resource=*&action=rw&pageNo=1&pageSize=9\
    &customNamespaceId=stolen&namespaceName=stolen&namespaceDesc=x&search=accurate\
    &Listening-Configs=stolen%02g%02x%01";

fn routes() -> Vec<(&'static str, String)> {
    let nacos = nacos::http_api().map(|(verb, path, _)| (verb, path));
    let own = [
        ("GET", "/v1/status"),
        ("GET", "/v1/services"),
        ("PUT", "/v1/services/stolen"),
        ("POST", "/v1/services/stolen/instances"),
        ("GET", "/v1/configs"),
        ("GET", "/v1/configs/secret"),
        ("PUT", "/v1/configs/stolen"),
        ("DELETE", "/v1/configs/secret"),
        ("GET", "/v1/namespaces"),
        ("PUT", "/v1/namespaces/stolen"),
        // What other servers of this kind were taken over by.
        ("GET", "/nacos/v1/cs/ops/derby"),
        ("POST", "/nacos/v1/cs/ops/data/removal"),
        ("GET", "/nacos/v1/core/ops/ids"),
        ("GET", "/nacos/actuator/env"),
        ("GET", "/actuator/heapdump"),
        ("GET", "/metrics"),
    ];
    nacos.chain(own.map(|(verb, path)| (verb, path.to_owned()))).collect()
}

fn variants(path: &str) -> Vec<String> {
    let (front, last) = path.rsplit_once('/').expect("a path");
    let encoded: String = last.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let twice: String = last.bytes().map(|byte| format!("%25{byte:02x}")).collect();
    vec![
        path.to_owned(),
        format!("{path}/"),
        format!("{path}//"),
        format!("{path};"),
        format!("{path};a=b"),
        format!("{path};/livez"),
        format!("{path}/."),
        format!("{path}/.."),
        format!("{path}/%2e"),
        format!("{path}%2f"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}.json"),
        format!("{path}..;/"),
        format!("/{path}"),
        format!("/.{path}"),
        format!("/%2e{path}"),
        format!("/x/..{path}"),
        format!("/x/..;{path}"),
        format!("/x/%2e%2e{path}"),
        format!("/livez/..{path}"),
        format!("/nacos/v1/auth/login/../../..{path}"),
        format!("/nacos/v1/console/health/liveness/..;/../../../..{path}"),
        format!("/nacos{path}"),
        format!("http://other{path}"),
        path.replace('/', "//"),
        path.replace('/', "/./"),
        path.replace('/', "\\"),
        path.to_uppercase(),
        format!("{front}/{encoded}"),
        format!("{front}/{twice}"),
        format!("{front};x/{last}"),
        format!("{front}/x/../{last}"),
        format!("{front}%2f{last}"),
    ]
}

/// Asks for many things on few connections.
async fn statuses(door: SocketAddr, requests: &[(String, String)]) -> Vec<u16> {
    let mut statuses = Vec::new();
    let mut socket = connect(door).await;
    for (verb, target) in requests {
        let request = format!(
            "{verb} {target} HTTP/1.1\r\nhost: x\r\nuser-agent: Nacos-Server\r\ncontent-length: 0\r\n\r\n"
        );
        let mut reply = None;
        if socket.write_all(request.as_bytes()).await.is_ok() {
            reply = if verb == "HEAD" {
                head_only(&mut socket).await
            } else {
                soon("an answer", read_reply(&mut socket)).await
            };
        }
        let ends = reply.as_ref().is_none_or(|reply| reply.status == 400 || closes(&reply.head));
        // A connection that ends without an answer refuses, too.
        statuses.push(reply.map_or(400, |reply| reply.status));
        if ends {
            socket = connect(door).await;
        }
    }
    statuses
}

fn closes(head: &str) -> bool {
    head.contains("connection: close")
}

async fn head_only(socket: &mut tokio::net::TcpStream) -> Option<crate::wire::Reply> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tokio::io::AsyncReadExt::read_u8(socket).await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(crate::wire::Reply { status, head, body: Vec::new() })
}

#[tokio::test]
async fn no_spelling_of_a_path_gets_around_the_login() {
    let target = Target::within(Limits { close_timeout: SHORT, ..Limits::default() }).await;
    target.publish("secret", "s").await;
    let mut requests = Vec::new();
    let mut verbs: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (verb, path) in routes() {
        verbs.entry(path).or_default().push(verb);
    }
    for (path, verbs) in verbs {
        for verb in verbs {
            for variant in variants(&path) {
                requests.push((verb.to_owned(), format!("{variant}?{QUERY}")));
            }
        }
        for verb in ["HEAD", "OPTIONS", "TRACE", "PATCH", "get", "PROPFIND"] {
            requests.push((verb.to_owned(), format!("{path}?{QUERY}")));
        }
    }
    assert!(requests.len() > 2_000, "{}", requests.len());
    let statuses = statuses(target.api, &requests).await;
    for ((verb, asked), status) in requests.iter().zip(statuses) {
        let path = asked.split('?').next().expect("a path");
        let bare = path.trim_start_matches("http://other").trim_end_matches('/');
        let open = OPEN.contains(&bare) && ["GET", "HEAD"].contains(&verb.as_str());
        assert!(open || !(200..300).contains(&status), "{verb} {path}: {status}");
    }
    assert_eq!(target.config("stolen").await.status, 404);
    assert_eq!(target.config("secret").await.text(), "s");
    let users = target.normal("GET", "/nacos/v1/auth/users?pageNo=1&pageSize=9", "").await;
    assert!(!users.text().contains("thief"), "{}", users.text());
    target.unharmed().await;
}
