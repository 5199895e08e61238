//! What a person sees when a node is up.

use server::{Auth, Running, Settings};
use std::{net::SocketAddr, time::Duration};

/// For `trine dev`: every door, the password, what to be aware of, and what to try next.
pub(super) fn dev(settings: &Settings, running: &Running, took: Duration) {
    println!("\n  trine {}  one node, {}", env!("CARGO_PKG_VERSION"), place(settings));
    doors(running);
    administrator(running);
    if settings.auth == Auth::Off {
        println!("  login     not asked for on these doors: anyone on this machine may use them");
    }
    println!("  ready in {} ms.   Try:  {}\n", took.as_millis(), try_next(running));
}

/// For `trine dev` with several nodes.
pub(super) fn cluster(all: &[Settings], nodes: &[Running], password: Option<&str>, took: Duration) {
    let kept = match all.first().and_then(|settings| settings.data.as_deref()?.parent()) {
        Some(path) => format!("data in {}", path.display()),
        None => "nothing kept on disk".to_owned(),
    };
    println!(
        "\n  trine {}  {} nodes in this process, {kept}",
        env!("CARGO_PKG_VERSION"),
        nodes.len()
    );
    for (number, node) in (1..).zip(nodes) {
        println!("  node {number}");
        doors(node);
    }
    if let Some(password) = password {
        println!(
            "  admin     user nacos  password {password}   (shown once; trine login keeps a token)"
        );
    }
    if all.iter().any(|settings| settings.auth == Auth::Off) {
        println!("  login     not asked for on these doors: anyone on this machine may use them");
    }
    let addresses: Vec<String> =
        nodes.iter().filter_map(|node| node.api).map(|api| api.to_string()).collect();
    println!("  servers   {}   (what SDKs are given)", addresses.join(","));
    if let Some(node) = nodes.first() {
        println!("  ready in {} ms.   Try:  {}\n", took.as_millis(), try_next(node));
    }
}

/// For `trine server`: the same without the hints for beginners.
pub(super) fn server(settings: &Settings, running: &Running, took: Duration) {
    println!("trine {}  {}", env!("CARGO_PKG_VERSION"), place(settings));
    doors(running);
    administrator(running);
    if settings.auth == Auth::Off {
        println!("  login     OFF: whoever reaches these doors may do everything");
    }
    println!("  ready in {} ms", took.as_millis());
}

fn place(settings: &Settings) -> String {
    match &settings.data {
        Some(path) => format!("data in {}", path.display()),
        None => "nothing kept on disk (--memory)".to_owned(),
    }
}

fn doors(running: &Running) {
    if let Some(api) = running.api {
        println!("  nacos     {api}   (HTTP, and gRPC on the same port)");
        println!("  api       http://{api}/v1   /livez   /readyz");
    }
    if let Some(grpc) = running.grpc {
        println!("  grpc      {grpc}");
    }
    if let Some(peer) = running.peer {
        println!("  peers     {peer}   (other nodes, by TLS and the cluster's secret)");
    }
}

fn administrator(running: &Running) {
    if let Some(password) = running.take_generated_password() {
        println!(
            "  admin     user nacos  password {password}   (shown once; trine login keeps a token)"
        );
    }
}

fn try_next(running: &Running) -> String {
    let address =
        running.api.map_or_else(|| "127.0.0.1:8848".to_owned(), |a: SocketAddr| a.to_string());
    format!(
        "curl -X POST 'http://{address}/nacos/v1/ns/instance?serviceName=demo&ip=10.0.0.1&port=80'"
    )
}
