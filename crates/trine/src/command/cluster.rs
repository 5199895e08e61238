//! `trine cluster members|join-token|remove|transfer-leader`.

use super::service;
use crate::{
    cli,
    client::{Call, Client},
    output::{self, Format, Rows},
    problem::Failure,
};
use clap::Subcommand;
use console::shape::{Cluster, Invitation, InvitationTerms, Leadership, Member, Written};
use http::Method;
use std::time::Duration;

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
    /// Let another voter lead
    TransferLeader {
        /// The node, as `trine cluster members` shows it
        node: String,
    },
}

pub(crate) async fn run(client: &Client, format: Format, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Members => {
            let cluster: Cluster = client.call(Call::get(&["v1", "cluster", "members"])).await?;
            output::write(format, &cluster, || rows(&cluster.members));
            if cluster.id.is_none() {
                output::say("note: this node belongs to no cluster yet");
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

fn rows(members: &[Member]) -> Rows {
    let heading = &["NODE", "STATE", "ROLE", "LINK", "PEER", "API", "LAG", "STARTED"];
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
            lag(member),
            text(&member.started_at),
        ]);
    }
    rows
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
        }
    }

    #[test]
    fn a_member_is_shown_with_its_link_and_whether_it_leads() {
        let (one, two, three) = (member("n1"), member("n2"), member("n3"));
        let one = Member { is_self: true, leader: true, ..one };
        let two = Member { lag_ms: Some(12), ..two };
        let three = Member { linked: false, ..three };
        let shown = [&one, &two, &three].map(|m| format!("{} {} {}", role(m), link(m), lag(m)));
        assert_eq!(shown, ["voter, leads self -", "voter up 12 ms", "voter down -"]);
    }
}
