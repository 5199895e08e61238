//! `trine cluster recover`: what is left of a cluster whose majority is lost for good, made a cluster again. On the data
//! directory of a node that does not run.

use crate::{
    output::{self, Format, Rows},
    problem::{Exit, Failure},
};
use base::Rng;
use host::{NotLeft, Survivor};
use serde::Serialize;
use std::{
    io::{self, BufRead, IsTerminal},
    path::{Path, PathBuf},
};
use storage::Place;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The data directory of the node that is left; it must not run
    #[arg(long, env = "TRINE_DATA", default_value = "trine-data", value_name = "DIR")]
    data: PathBuf,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Only say what would be done
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// What is to be done, or was.
#[derive(Debug, Serialize)]
struct Recovery {
    data: String,
    node: String,
    had_vote: bool,
    /// Of which it was a member.
    former_cluster: String,
    /// Of which it is the only member now.
    cluster: Option<String>,
    last_index: u64,
    last_term: u64,
    /// Through here all was decided, as far as this node knows.
    commit_index: u64,
    forgotten: Vec<Forgotten>,
    done: bool,
}

/// A node that never comes back.
#[derive(Debug, Serialize)]
struct Forgotten {
    node: String,
    voter: bool,
}

pub(crate) fn run(format: Format, args: &Args) -> Result<(), Failure> {
    let survivor = Survivor::open(Place::Directory(args.data.clone()))
        .map_err(|why| failure(&args.data, &why))?;
    let mut recovery = plan(&args.data, &survivor);
    if format == Format::Table || args.dry_run {
        output::write(format, &recovery, || rows(&recovery));
    }
    output::say(&warning(&recovery));
    if args.dry_run {
        output::say("nothing was changed");
        return Ok(());
    }
    if !args.yes {
        confirm()?;
    }
    let cluster = survivor
        .go_alone(&mut Rng::from_seed(seed()?))
        .map_err(|why| failure(&args.data, &why))?
        .to_string();
    if format == Format::Json {
        (recovery.done, recovery.cluster) = (true, Some(cluster));
        output::json(&recovery);
        return Ok(());
    }
    output::say(&format!(
        "done: {} is the only voter of the new cluster {cluster}. Next: start it with `trine server --data {}` as before; then start other nodes with empty data directories and the former settings, or with what `trine cluster join-token` prints",
        recovery.node, recovery.data
    ));
    Ok(())
}

fn plan(data: &Path, survivor: &Survivor) -> Recovery {
    let standing = survivor.standing();
    let forgotten =
        |node| Forgotten { node: format!("{node}"), voter: standing.voters.contains(&node) };
    Recovery {
        data: data.display().to_string(),
        node: survivor.node().to_string(),
        had_vote: !survivor.has_no_vote(),
        former_cluster: survivor.cluster().to_string(),
        cluster: None,
        last_index: standing.last.0,
        last_term: standing.last_term.0,
        commit_index: standing.commit.0,
        forgotten: survivor.forgotten().into_iter().map(forgotten).collect(),
        done: false,
    }
}

fn rows(recovery: &Recovery) -> Rows {
    let mut rows = Rows::new(&["WHAT", "VALUE"]);
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    row("data", recovery.data.clone());
    let vote = if recovery.had_vote { "" } else { " (it had no vote)" };
    row("node", format!("{}{vote}", recovery.node));
    row("former cluster", recovery.former_cluster.clone());
    row("last entry", format!("{}, of term {}", recovery.last_index, recovery.last_term));
    row("known to be decided", format!("through {}", recovery.commit_index));
    for one in &recovery.forgotten {
        row("never comes back", format!("{}{}", one.node, if one.voter { ", voter" } else { "" }));
    }
    rows
}

fn warning(recovery: &Recovery) -> String {
    let open = recovery.last_index.saturating_sub(recovery.commit_index);
    format!(
        "This is for a cluster that has lost the majority of its voters for good.\n\
         kept       all that this node has, through its last entry. The last {open} of them may not have been decided:\n           \
         they count as decided, since among them may be what clients were told is done\n\
         lost       what the lost nodes decided without this one: that cannot be seen from here\n\
         before     stop every former node that still runs. If more than one node is left, recover only the one with the\n           \
         highest term of the last entry, among those the one with the highest last entry; --dry-run shows it\n\
         afterwards this node is a new cluster of its own. Former nodes are refused and stop, until they are started with\n           \
         empty data directories"
    )
}

fn confirm() -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "nothing was changed",
            "there is no terminal to ask for a confirmation",
            "give --yes if this is what you want, --dry-run to see what it would do",
        ));
    }
    eprint!("Make this node a cluster of its own? Type `yes`: ");
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    if read.is_ok() && line.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Failed,
        "not-confirmed",
        "nothing was changed",
        "it was not confirmed",
        "run it again when you are sure",
    ))
}

/// The new cluster's id must be one that no other cluster has.
#[expect(clippy::disallowed_methods, reason = "this command runs in no simulated world")]
fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    let next = "look at the limits of this machine";
    getrandom::fill(&mut seed).map_err(|error| {
        Failure::new(Exit::Failed, "randomness", "nothing was changed", error.to_string(), next)
    })?;
    Ok(seed)
}

fn failure(data: &Path, why: &NotLeft) -> Failure {
    let (exit, code, next) = match why {
        NotLeft::NoNode => (
            Exit::NotFound,
            "no-node",
            "name the data directory of the node that is left: --data DIR",
        ),
        NotLeft::NeverFormed => {
            (Exit::Conflict, "never-formed", "start it with --join or --token to become a member")
        }
        NotLeft::SoleVoter => (Exit::Conflict, "sole-voter", "start it: `trine server`"),
        NotLeft::NoMember => (
            Exit::Conflict,
            "no-member",
            "recover another node, or start this one with an empty directory",
        ),
        NotLeft::Disk(storage::Error::InUse { .. }) => {
            (Exit::Conflict, "in-use", "stop the server that runs on it")
        }
        NotLeft::Disk(storage::Error::Full { .. }) => {
            (Exit::Unavailable, "disk-full", "free some space, then run it again")
        }
        NotLeft::Disk(_) | NotLeft::Identity(_) | NotLeft::Log(_) => {
            (Exit::Failed, "disk", "recover another node that is left, or restore a backup")
        }
    };
    let what = "nothing was recovered";
    Failure::new(exit, code, what, why.to_string(), next).at(data.display().to_string())
}
