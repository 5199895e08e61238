//! `trine status`: how a node is.

use super::cluster;
use crate::{
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::{Exit, Failure},
};
use console::shape::Status;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only say whether the node serves, by the exit code (0 or 6); needs no login
    #[arg(long)]
    ready: bool,
}

pub(crate) async fn run(client: &Client, format: Format, args: Args) -> Result<(), Failure> {
    if args.ready {
        return ready(client).await;
    }
    let status: Status = client.call(Call::get(&["v1", "status"])).await?;
    output::write(format, &status, || rows(&status));
    Ok(())
}

async fn ready(client: &Client) -> Result<(), Failure> {
    let (status, body) = client.probe(Call::get(&["readyz"]).anonymous()).await?;
    if status == 200 {
        output::say("ready");
        return Ok(());
    }
    Err(Failure::new(
        Exit::Unavailable,
        "not-ready",
        "the node does not serve",
        format!("/readyz answers {status}: {}", String::from_utf8_lossy(&body)),
        "wait, or look at /readyz?verbose",
    ))
}

fn rows(status: &Status) -> Rows {
    let mut rows = Rows::new(&["WHAT", "VALUE"]);
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    let Status { node, state, version, uptime_s, raft, cluster, counts, listen, disk, auth } =
        status;
    row("node", node.clone());
    row("state", state.clone());
    row("version", version.clone());
    row("uptime", output::span(*uptime_s));
    row("leader", raft.leader.clone().unwrap_or_else(|| "none known".to_owned()));
    row("term", raft.term.to_string());
    row("log", format!("committed {}, applied {}", raft.commit_index, raft.applied_index));
    row("voters", raft.voters.join(", "));
    let id = cluster.id.as_deref().unwrap_or("none");
    row("cluster", format!("{id} ({})", cluster.formation));
    for member in cluster.members.iter().filter(|member| !member.is_self) {
        let (role, link, lag) =
            (cluster::role(member), cluster::link(member), cluster::lag(member));
        let behind = cluster::behind(member);
        row(
            &format!("member {}", member.node),
            format!("{}, {role}, link {link}, lag {lag}, log behind {behind}", member.state),
        );
    }
    row("services", format!("{} with {} instances", counts.services, counts.instances));
    row("configs", counts.configs.to_string());
    row("clients", format!("{} ({} subscriptions)", counts.connections, counts.subscriptions));
    for (door, address) in listen {
        row(&format!("listens: {door}"), address.clone());
    }
    row(
        "disk",
        match (disk.kept, disk.low) {
            (false, _) => "nothing is kept on disk",
            (true, false) => "has room",
            (true, true) => "too little room: writes are refused",
        }
        .to_owned(),
    );
    row("login", if *auth { "needed" } else { "not needed" }.to_owned());
    rows
}
