//! `trine dev`: one node, or a cluster of several in this process.

use super::{BROKEN, NOT_STARTED, STOPPED, banner, explain, fail, signals::Signals};
use server::{Bound, RunError, Running, Settings};
use std::{convert::Infallible, net::SocketAddr, process::ExitCode, task::Poll};

/// Between the ports of one node and those of the next.
const PORTS_APART: u16 = 10;

/// The settings of each of several nodes: those that were given, with ports and directories of its own.
///
/// # Errors
/// What does not go together, for people.
pub(super) fn apart(
    given: &Settings,
    nodes: u16,
    keeps_data: bool,
) -> Result<Vec<Settings>, String> {
    let cluster = &given.cluster;
    if cluster.is_asked_for() || cluster.expect.is_some() {
        return Err(
            "several nodes found a cluster of their own: --join, --expect, --token, certificates and secrets are \
             for one node (--nodes 1)"
                .to_owned(),
        );
    }
    if given.listen.peer.is_none() {
        return Err("several nodes need their peer doors: leave out --listen-peer".to_owned());
    }
    (0..nodes).map(|node| of_node(given, node, keeps_data)).collect()
}

fn of_node(given: &Settings, node: u16, keeps_data: bool) -> Result<Settings, String> {
    let mut settings = given.clone();
    let doors = [&mut settings.listen.api, &mut settings.listen.grpc, &mut settings.listen.peer];
    for door in doors.into_iter().flatten() {
        *door = moved(*door, node * PORTS_APART)?;
    }
    let directory = given.data.as_ref().filter(|_| keeps_data);
    settings.data = directory.map(|directory| directory.join(format!("node-{}", node + 1)));
    Ok(settings)
}

fn moved(door: SocketAddr, by: u16) -> Result<SocketAddr, String> {
    if door.port() == 0 {
        return Ok(door);
    }
    let port = door.port().checked_add(by).ok_or_else(|| {
        format!("port {} + {by} for another node is over 65535: choose a lower one", door.port())
    })?;
    Ok(SocketAddr::new(door.ip(), port))
}

/// Runs several nodes until they are told to stop.
pub(super) async fn serve(mut all: Vec<Settings>) -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "the banner says how long the start took")]
    let begun = std::time::Instant::now();
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return fail(NOT_STARTED, "no signals", &error.to_string()),
    };
    let first = all.iter().all(|settings| settings.data.as_ref().is_none_or(|data| !data.exists()));
    let password = match share_password(&mut all) {
        Ok(password) => password.filter(|_| first),
        Err(error) => return fail(NOT_STARTED, "the nodes did not start", &explain(&error)),
    };
    let nodes = match start(all.clone()).await {
        Ok(nodes) => nodes,
        Err(error) => return fail(NOT_STARTED, "the nodes did not start", &explain(&error)),
    };
    let shown = async {
        for node in &nodes {
            node.ready().await;
        }
        if nodes.iter().all(Running::is_ready) {
            banner::cluster(&all, &nodes, password.as_deref(), begun.elapsed());
        }
        std::future::pending::<Infallible>().await
    };
    let stop_timeout = all.iter().map(|settings| settings.stop_timeout).max().unwrap_or_default();
    tokio::select! {
        biased;
        never = shown => match never {},
        reason = first_halted(&nodes) => fail(BROKEN, "a node stopped itself", &reason),
        () = signals.stop() => {
            tracing::info!(timeout_s = stop_timeout.as_secs_f64(), "stopping");
            tokio::select! {
                biased;
                () = stop(nodes) => {
                    tracing::info!("stopped");
                    ExitCode::from(STOPPED)
                }
                () = signals.stop() => super::stop_at_once(),
            }
        }
    }
}

/// Whichever of them founds the access tables, there is one administrator with one password. What was generated.
fn share_password(all: &mut [Settings]) -> Result<Option<String>, RunError> {
    if all.iter().any(|settings| settings.admin_password.is_some()) {
        return Ok(None);
    }
    let password = server::new_password()?;
    for settings in all {
        settings.admin_password = Some(password.clone());
    }
    Ok(Some(password))
}

async fn start(all: Vec<Settings>) -> Result<Vec<Running>, RunError> {
    let bound: Vec<Bound> = server::bind_together(all).await?;
    let mut nodes = Vec::new();
    for node in bound {
        nodes.push(node.start().await?);
    }
    Ok(nodes)
}

async fn first_halted(nodes: &[Running]) -> String {
    let mut halted: Vec<_> = nodes.iter().map(|node| Box::pin(node.halted())).collect();
    std::future::poll_fn(|context| {
        let ended = halted.iter_mut().find_map(|halted| match halted.as_mut().poll(context) {
            Poll::Ready(reason) => Some(reason),
            Poll::Pending => None,
        });
        ended.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// One after the other would hand everything from node to node; the last ones go alone anyway.
async fn stop(nodes: Vec<Running>) {
    let stopping: Vec<_> = nodes.into_iter().map(|node| tokio::spawn(node.stop())).collect();
    for stopped in stopping {
        if let Err(error) = stopped.await {
            tracing::error!(%error, "a node did not stop in an orderly way");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use server::Flags;
    use std::path::Path;

    fn given(flags: Flags) -> Settings {
        let listen_api = Some("127.0.0.1:8848".to_owned());
        let listen_peer = Some("127.0.0.1:7848".to_owned());
        Settings::resolve(Flags { listen_api, listen_peer, ..flags }, None).expect("valid")
    }

    #[test]
    fn each_node_has_ports_and_a_directory_of_its_own() {
        let data = Some("d".into());
        let nodes = apart(&given(Flags { data, ..Flags::default() }), 3, true).expect("valid");
        let ports = |settings: &Settings| {
            let listen = &settings.listen;
            [listen.api, listen.grpc, listen.peer].map(|door| door.expect("open").port())
        };
        let all: Vec<[u16; 3]> = nodes.iter().map(ports).collect();
        assert_eq!(all, [[8848, 9848, 7848], [8858, 9858, 7858], [8868, 9868, 7868]]);
        assert_eq!(nodes[2].data.as_deref(), Some(Path::new("d/node-3")));
        let nodes = apart(&given(Flags::default()), 2, false).expect("valid");
        assert!(nodes.iter().all(|node| node.data.is_none()), "in memory unless told otherwise");
    }

    #[test]
    fn free_ports_stay_free_ports_and_the_last_ones_have_no_neighbours() {
        assert_eq!(moved(SocketAddr::from(([127, 0, 0, 1], 0)), 20).map(|a| a.port()), Ok(0));
        let error = moved(SocketAddr::from(([127, 0, 0, 1], 65_530)), 10).expect_err("none");
        assert!(error.contains("65530 + 10"), "{error}");
    }

    #[test]
    fn what_is_for_one_node_is_not_for_several() {
        let flags = Flags { expect: Some(1), ..Flags::default() };
        let error = apart(&given(flags), 3, false).expect_err("contradicts");
        assert!(error.contains("--nodes 1"), "{error}");
    }

    #[test]
    fn all_nodes_have_one_password_and_a_given_one_is_not_shown() {
        let mut all = apart(&given(Flags::default()), 3, false).expect("valid");
        let password = share_password(&mut all).expect("randomness").expect("generated");
        assert!(all.iter().all(|node| node.admin_password.as_ref() == Some(&password)));
        assert_eq!(share_password(&mut all).expect("randomness"), None);
    }
}
