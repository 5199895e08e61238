//! `trine cluster members|join-token|rebalance|remove|transfer-leader|verify`; `recover` has a file of its own.

use super::{recover, service};
use crate::{
    cli,
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::{Exit, Failure},
};
use clap::Subcommand;
use console::shape::{
    ClientsMove, Cluster, Invitation, InvitationTerms, Leadership, Member, Rebalance, Rebalanced,
    Repair, Verification, Written,
};
use http::Method;
use std::{collections::BTreeSet, time::Duration};

/// What is on its way between nodes has arrived by then, and what was lost has been found.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Places shown of a service that differs.
const PLACES_SHOWN: usize = 3;

/// What can be done with a cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The nodes of the cluster, as the asked one knows them
    Members,
    /// Invite one more node: prints what to run there, this once
    JoinToken {
        /// How long the invitation holds
        #[arg(long, default_value = "24h", value_parser = cli::duration, value_name = "DURATION")]
        ttl: Duration,
    },
    /// Take a node out of the cluster for good: its id never comes back
    Remove {
        /// The node, as `trine cluster members` shows it
        node: String,
    },
    /// Compare what all nodes list of the registry with what the asked one lists
    Verify {
        /// Have the nodes that differ exchange everything with the asked one, and compare once more
        #[arg(long)]
        fix: bool,
    },
    /// Have nodes with too many clients ask some of them to go to the others
    Rebalance {
        /// How many percent more than its share a node may serve
        #[arg(long, default_value_t = 10, value_name = "PERCENT",
              value_parser = clap::value_parser!(u32).range(0..=100))]
        tolerance: u32,
        /// Only show what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Let another voter lead
    TransferLeader {
        /// The node, as `trine cluster members` shows it
        node: String,
    },
    /// When a majority is lost for good: make the node that is left a cluster of its own. On its data directory, while it
    /// does not run
    Recover(recover::Args),
}

pub(crate) async fn run(client: &Client, format: Format, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Members => {
            let cluster: Cluster = client
                .call(Call::get(&["v1", "cluster", "members"]).with("clients", Some(true)))
                .await?;
            output::write(format, &cluster, || rows(&cluster.members));
            if cluster.id.is_none() {
                output::say("note: this node belongs to no cluster yet");
            }
            if let Some(hint) = hint(&cluster.members) {
                output::say(&hint);
            }
        }
        Verb::JoinToken { ttl } => {
            // Of what is less than a second nothing would be left.
            let terms = InvitationTerms { ttl_s: Some(ttl.as_secs().max(1)) };
            let call = Call::new(Method::POST, &["v1", "cluster", "join-token"]).json(&terms);
            let invitation: Invitation = client.call(call).await?;
            match format {
                Format::Json => output::json(&invitation),
                Format::Table => {
                    output::line(invitation.join.as_ref().unwrap_or(&invitation.token));
                    output::say(&format!("it is taken until {}", invitation.expires_at));
                }
            }
        }
        Verb::Remove { node } => {
            let call = Call::new(Method::DELETE, &["v1", "cluster", "members", &node]);
            let written: Written = client.call(call).await?;
            service::say_written(format, &written, "removed", "there was nothing to remove");
        }
        Verb::Verify { fix } => return verify(client, format, fix).await,
        Verb::Rebalance { tolerance, dry_run } => {
            let wanted = Rebalance { tolerance_percent: Some(tolerance), dry_run };
            let call = Call::new(Method::POST, &["v1", "cluster", "rebalance"]).json(&wanted);
            let done: Rebalanced = client.call(call).await?;
            output::write(format, &done, || spread(&done));
            return rebalanced(&done, dry_run);
        }
        Verb::Recover(args) => return recover::run(format, &args),
        Verb::TransferLeader { node } => {
            let call = Call::new(Method::PUT, &["v1", "cluster", "leader"]);
            let leads: Leadership = client.call(call.json(&Leadership { node })).await?;
            match format {
                Format::Json => output::json(&leads),
                Format::Table => output::say(&format!("{} leads", leads.node)),
            }
        }
    }
    Ok(())
}

/// What differs is looked at twice: most of it was on its way.
async fn verify(client: &Client, format: Format, fix: bool) -> Result<(), Failure> {
    let mut found = verified(client).await?;
    if !found.differences.is_empty() {
        let nodes: BTreeSet<&String> = found.differences.iter().map(|one| &one.node).collect();
        for node in nodes.into_iter().filter(|_| fix) {
            let call = Call::new(Method::POST, &["v1", "cluster", "repair"]);
            let _: Repair = client.call(call.json(&Repair { node: node.clone() })).await?;
        }
        tokio::time::sleep(SETTLED_AFTER).await;
        found = verified(client).await?;
    }
    output::write(format, &found, || differing(&found));
    outcome(&found)
}

/// All pieces as one.
async fn verified(client: &Client) -> Result<Verification, Failure> {
    let get = || Call::get(&["v1", "cluster", "verify"]);
    let mut all: Verification = client.call(get()).await?;
    while let Some(after) = all.next.take() {
        let call = get()
            .with("after_namespace", Some(after.namespace))
            .with("after_group", Some(after.group))
            .with("after_service", Some(after.service));
        let piece: Verification = client.call(call).await?;
        all.services += piece.services;
        all.differences.extend(piece.differences);
        all.more_differences |= piece.more_differences;
        // Who was silent once was not compared in full.
        all.silent.extend(piece.silent);
        all.silent.sort();
        all.silent.dedup();
        all.answered.retain(|node| piece.answered.contains(node));
        all.next = piece.next;
    }
    Ok(all)
}

fn differing(found: &Verification) -> Rows {
    let mut rows = Rows::new(&["NODE", "NAMESPACE", "GROUP", "SERVICE", "INSTANCES", "PLACES"]);
    for one in &found.differences {
        let more = if one.places.len() > PLACES_SHOWN { ", …" } else { "" };
        let places: Vec<&str> = one.places.iter().take(PLACES_SHOWN).map(String::as_str).collect();
        rows.push([
            one.node.clone(),
            one.namespace.clone(),
            one.group.clone(),
            one.service.clone(),
            one.instances.to_string(),
            format!("{}{more}", places.join(", ")),
        ]);
    }
    rows
}

/// Whether all nodes list the same, and all were asked.
fn outcome(found: &Verification) -> Result<(), Failure> {
    if !found.differences.is_empty() || found.more_differences {
        return Err(Failure::new(
            Exit::Failed,
            "differences",
            "the nodes do not list the same",
            "they differ where the list says, also after a while",
            "`trine cluster verify --fix`; `trine explain instance` tells what happened to one",
        ));
    }
    if !found.silent.is_empty() {
        return Err(Failure::new(
            Exit::Unavailable,
            "silent",
            "not all nodes were compared",
            format!("{} did not answer", found.silent.join(", ")),
            "`trine cluster members` shows who is alive and linked",
        ));
    }
    let others = if found.answered.is_empty() {
        "no other node".to_owned()
    } else {
        found.answered.join(", ")
    };
    output::say(&format!("{} services compared with {others}: no difference", found.services));
    Ok(())
}

/// What each node serves, gives and gets.
fn spread(done: &Rebalanced) -> Rows {
    let mut rows = Rows::new(&["NODE", "CLIENTS", "CONNECTIONS", "GIVES", "GETS"]);
    for node in &done.nodes {
        let sum = |of: fn(&ClientsMove) -> &String| {
            let moves = done.moves.iter().filter(|one| *of(one) == node.node);
            moves.map(|one| u64::from(one.clients)).sum::<u64>()
        };
        rows.push([
            node.node.clone(),
            node.clients.to_string(),
            node.connections.to_string(),
            sum(|one| &one.from).to_string(),
            sum(|one| &one.to).to_string(),
        ]);
    }
    rows
}

/// Whether all nodes took part.
fn rebalanced(done: &Rebalanced, dry_run: bool) -> Result<(), Failure> {
    let text = match (done.moves.is_empty(), dry_run) {
        (true, _) => "each has its share: nobody has to go".to_owned(),
        (false, true) => "nobody was asked to go: this was a dry run".to_owned(),
        (false, false) => format!("{} clients are being asked to go", done.asked),
    };
    output::say(&text);
    if done.silent.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Unavailable,
        "silent",
        "not all nodes took part",
        format!("{} did not answer", done.silent.join(", ")),
        "`trine cluster members` shows who is alive and linked; then do it again",
    ))
}

fn rows(members: &[Member]) -> Rows {
    let heading =
        &["NODE", "STATE", "ROLE", "LINK", "PEER", "API", "CLIENTS", "LAG", "BEHIND", "STARTED"];
    let mut rows = Rows::new(heading);
    for member in members {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        rows.push([
            member.node.clone(),
            member.state.clone(),
            role(member),
            link(member).to_owned(),
            text(&member.peer),
            text(&member.api),
            member.clients.map_or_else(|| "-".to_owned(), |clients| clients.to_string()),
            lag(member),
            behind(member),
            text(&member.started_at),
        ]);
    }
    rows
}

/// What to do about voters that are down.
fn hint(members: &[Member]) -> Option<String> {
    let voters: Vec<&Member> = members.iter().filter(|member| member.role == "voter").collect();
    let down: Vec<&str> = voters
        .iter()
        .filter(|member| member.state == "down")
        .map(|member| member.node.as_str())
        .collect();
    if down.is_empty() {
        return None;
    }
    let which = down.join(", ");
    Some(if down.len() * 2 < voters.len() {
        format!(
            "note: {which} votes and is down. If its disk is lost, start its machine with an empty data directory and the same settings: it takes its old place. If it never comes back: `trine cluster remove`"
        )
    } else {
        format!(
            "note: {which} vote and are down: nothing can be agreed on without a majority. Start them again; if they are lost for good, see `trine cluster recover --help`"
        )
    })
}

/// What it does, and whether it leads.
pub(super) fn role(member: &Member) -> String {
    if member.leader { format!("{}, leads", member.role) } else { member.role.clone() }
}

/// Whether the node that answered has a link to it.
pub(super) fn link(member: &Member) -> &'static str {
    match (member.is_self, member.linked) {
        (true, _) => "self",
        (false, true) => "up",
        (false, false) => "down",
    }
}

/// How far the registry may lag behind it.
pub(super) fn lag(member: &Member) -> String {
    member.lag_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"))
}

/// How many entries of the log it lacks.
pub(super) fn behind(member: &Member) -> String {
    member.log_behind.map_or_else(|| "-".to_owned(), |entries| entries.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(node: &str) -> Member {
        Member {
            node: node.to_owned(),
            state: "alive".to_owned(),
            role: "voter".to_owned(),
            leader: false,
            is_self: false,
            linked: true,
            peer: Some("10.0.0.2:7848".to_owned()),
            api: None,
            started_at: None,
            lag_ms: None,
            log_behind: None,
            clients: None,
        }
    }

    #[test]
    fn what_differs_or_was_not_compared_is_a_failure() {
        let same = Verification {
            services: 3,
            differences: Vec::new(),
            more_differences: false,
            answered: vec!["n2".to_owned()],
            silent: Vec::new(),
            next: None,
        };
        assert!(outcome(&same).is_ok());
        let silent = Verification { silent: vec!["n3".to_owned()], ..same.clone() };
        assert_eq!(outcome(&silent).map_err(|failure| failure.exit), Err(Exit::Unavailable));
        let one = console::shape::Differing {
            node: "n2".to_owned(),
            namespace: "public".to_owned(),
            group: "g".to_owned(),
            service: "web".to_owned(),
            instances: 4,
            places: ["a:1/c", "b:1/c", "c:1/c", "d:1/c"].map(str::to_owned).to_vec(),
        };
        let other = Verification { differences: vec![one], ..silent };
        assert_eq!(outcome(&other).map_err(|failure| failure.exit), Err(Exit::Failed));
        let more = Verification { more_differences: true, ..same };
        assert_eq!(outcome(&more).map_err(|failure| failure.exit), Err(Exit::Failed));
    }

    #[test]
    fn who_gives_and_who_gets_is_shown_and_a_silent_node_is_a_failure() {
        let clients = |node: &str, clients| console::shape::Clients {
            node: node.to_owned(),
            clients,
            connections: clients + 1,
            serves: true,
        };
        let give =
            |to: &str, clients| ClientsMove { from: "n1".to_owned(), to: to.to_owned(), clients };
        let done = Rebalanced {
            nodes: vec![clients("n1", 9), clients("n2", 0), clients("n3", 0)],
            moves: vec![give("n2", 3), give("n3", 2)],
            asked: 5,
            silent: Vec::new(),
        };
        let shown = spread(&done).text(false);
        let lines: Vec<Vec<&str>> =
            shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["n1", "9", "10", "5", "0"], "{shown}");
        assert_eq!(lines[2], ["n2", "0", "1", "0", "3"], "{shown}");
        assert!(rebalanced(&done, false).is_ok());
        let silent = Rebalanced { silent: vec!["n4".to_owned()], ..done };
        let failed = rebalanced(&silent, true).map_err(|failure| failure.exit);
        assert_eq!(failed, Err(Exit::Unavailable));
    }

    #[test]
    fn what_to_do_about_voters_that_are_down_depends_on_how_many_are_left() {
        let down = |node| Member { state: "down".to_owned(), ..member(node) };
        let of = |members: &[Member]| hint(members).unwrap_or_default();
        assert_eq!(hint(&[member("n1"), member("n2"), member("n3")]), None);
        let one = of(&[member("n1"), member("n2"), down("n3")]);
        assert!(one.contains("n3 votes and is down") && one.contains("trine cluster remove"));
        let two = of(&[member("n1"), down("n2"), down("n3")]);
        assert!(two.contains("n2, n3 vote") && two.contains("trine cluster recover"));
        let learner = Member { role: "learner".to_owned(), ..down("n4") };
        assert_eq!(hint(&[member("n1"), learner]), None, "nothing waits for its vote");
    }

    #[test]
    fn a_member_is_shown_with_its_link_and_whether_it_leads() {
        let (one, two, three) = (member("n1"), member("n2"), member("n3"));
        let one = Member { is_self: true, leader: true, ..one };
        let two = Member { lag_ms: Some(12), log_behind: Some(3), ..two };
        let three = Member { linked: false, ..three };
        let shown = [&one, &two, &three]
            .map(|m| format!("{} {} {} {}", role(m), link(m), lag(m), behind(m)));
        assert_eq!(shown, ["voter, leads self - -", "voter up 12 ms 3", "voter down - -"]);
    }
}
