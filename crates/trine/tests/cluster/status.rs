//! What the nodes say of themselves.

use crate::{http::exchange, process::PATIENCE};
use std::{net::SocketAddr, time::Instant};

/// Which of them leads, as the one in the latest term says of itself.
pub fn leader(nodes: &[SocketAddr]) -> Option<usize> {
    let claims = nodes.iter().enumerate().filter_map(|(k, node)| {
        let answer = exchange(*node, "GET", "/v1/status", "")?;
        let status: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
        let raft = &status["raft"];
        (raft["leader"] == status["node"]).then(|| (raft["term"].as_u64(), k))
    });
    claims.max().map(|(_, k)| k)
}

/// Waits until one of these leads.
pub fn wait_leader(nodes: &[SocketAddr]) -> usize {
    let began = Instant::now();
    loop {
        if let Some(leader) = leader(nodes) {
            return leader;
        }
        assert!(began.elapsed() < PATIENCE, "nobody leads");
    }
}

/// Whether this node answers a read with what all have agreed on.
pub fn is_current(node: SocketAddr) -> bool {
    let answer = exchange(node, "GET", "/nacos/v1/cs/configs?dataId=k0&group=g", "");
    answer.is_some_and(|answer| answer.header("x-trine-consistency") == Some("linearizable"))
}
