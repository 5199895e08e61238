//! Three real processes that form a cluster, killed, stopped, cut off and copied, while clients write to all of them. What the
//! clients saw is judged by the checkers of the simulator.
//!
//! The cuts need network namespaces, so root: `cargo test -p trine --test cluster -- --ignored`.
#![allow(missing_docs, clippy::disallowed_methods)]

mod http;
mod load;
mod member_states;
mod netns;
mod process;
mod recover;
mod registry;
mod status;

use load::{Client, History, Load, read_everything};
use process::Cluster;
use registry::Registered;
use sim::Outcome;
use status::{leader, wait_leader};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Writes between one blow and the next.
const BETWEEN: usize = 60;
/// SIGSTOP lasts this long: much longer than it takes the others to elect a leader.
const STOPPED: Duration = Duration::from_secs(15);

/// Whose clients live is listed all the time by every node that serves.
#[test]
fn kill_9_of_leader_and_follower_loses_nothing() {
    let mut cluster = Cluster::on_loopback(3).started();
    let history = History::new();
    let registered = Registered::start(&cluster.apis(), false);
    let load = Load::start(&history, &cluster.apis(), 4);
    load.wait_for(BETWEEN);
    let first = wait_leader(&cluster.apis());
    cluster.kill(first);
    load.wait_for(BETWEEN);
    cluster.start(first);
    cluster.wait_ready(first);
    load.wait_for(BETWEEN);
    let second = wait_leader(&cluster.apis());
    let follower = (second + 1) % 3;
    cluster.kill(follower);
    load.wait_for(BETWEEN);
    cluster.start(follower);
    cluster.wait_ready(follower);
    load.wait_for(BETWEEN);
    println!("longest time without an acknowledged write: {:?}", load.stop().gap);
    registered.judge();
    read_everything(&history, &cluster.apis());
    history.judge();
}

#[test]
fn all_killed_and_restarted_lose_nothing() {
    let mut cluster = Cluster::on_loopback(3).started();
    let history = History::new();
    for round in 0..3 {
        let load = Load::start(&history, &cluster.apis(), 3);
        load.wait_for(BETWEEN);
        for k in 0..3 {
            cluster.kill(k);
        }
        load.stop();
        for k in 0..3 {
            // What they know of each other is on their disks, too.
            if round == 2 { cluster.start_bare(k) } else { cluster.start((k + round) % 3) }
        }
        cluster.wait_all_ready();
        read_everything(&history, &cluster.apis());
    }
    history.judge();
}

/// Nodes are told to stop, one after another, and come back: no publish needs more than one more attempt, and every node that
/// serves lists all instances all the time, whether their clients come over HTTP or over gRPC.
#[test]
fn a_rolling_restart_under_load_loses_nothing() {
    let mut cluster = Cluster::on_loopback(3).started();
    let history = History::new();
    let registered = Registered::start(&cluster.apis(), true);
    let load = Load::start(&history, &cluster.apis(), 3);
    for node in 0..3 {
        load.wait_for(BETWEEN);
        cluster.terminate(node);
        load.wait_for(BETWEEN);
        cluster.start(node);
        cluster.wait_ready(node);
    }
    load.wait_for(BETWEEN);
    let ended = load.stop();
    println!("longest time without an acknowledged write: {:?}", ended.gap);
    assert!(ended.attempts_max <= 2, "a publish took {} attempts", ended.attempts_max);
    registered.judge();
    read_everything(&history, &cluster.apis());
    history.judge();
}

/// What was registered a moment before a node is told to stop is there when it comes back, though nobody else knows it.
#[test]
fn a_node_that_is_told_to_stop_leaves_all_it_lists_on_disk() {
    let mut cluster = Cluster::on_loopback(1).started();
    registry::register_slow(&cluster.apis());
    cluster.terminate(0);
    cluster.start(0);
    cluster.wait_ready(0);
    assert!(registry::lists_slow(cluster.api(0)));
}

/// A leader that was stopped, and whose clients write to it while it wakes, acknowledges nothing that is lost.
#[test]
fn a_leader_that_was_stopped_for_15_s_acknowledges_nothing_that_is_lost() {
    let cluster = Cluster::on_loopback(3).started();
    let history = History::new();
    let load = Load::start(&history, &cluster.apis(), 3);
    load.wait_for(BETWEEN);
    let stopped = wait_leader(&cluster.apis());
    let others: Vec<_> =
        cluster.apis().into_iter().filter(|api| *api != cluster.api(stopped)).collect();
    cluster.signal(stopped, "STOP");
    let began = Instant::now();
    // Waiting in its sockets when it wakes.
    let late = |n: usize| {
        let (history, to) = (history.clone(), cluster.api(stopped));
        std::thread::spawn(move || {
            let mut client = Client::new(&history);
            while began.elapsed() < STOPPED {
                client.publish(to, n % 3);
            }
            (0..10).filter(|_| client.publish(to, n % 3) == Outcome::Done).count()
        })
    };
    let late: Vec<_> = (0..4).map(late).collect();
    while began.elapsed() < STOPPED {
        load.wait_for(1);
    }
    assert_ne!(leader(&others), None, "two of three go on");
    cluster.signal(stopped, "CONT");
    let after: usize = late.into_iter().map(|client| client.join().expect("a client")).sum();
    load.wait_for(BETWEEN);
    let gap = load.stop().gap;
    println!("longest time without an acknowledged write: {gap:?}; {after} on the one that woke");
    read_everything(&history, &cluster.apis());
    history.judge();
}

/// A node that goes on from a copy of what it was some time ago: it has to catch up, and forgets none of its votes.
#[test]
fn a_node_on_an_older_copy_of_its_directory_loses_nothing() {
    let mut cluster = Cluster::on_loopback(3).started();
    let history = History::new();
    let load = Load::start(&history, &cluster.apis(), 2);
    load.wait_for(BETWEEN);
    cluster.kill(2);
    let copy = cluster.directory().join("copy");
    copy_directory(&cluster.nodes[2].data, &copy);
    load.wait_for(BETWEEN);
    cluster.start_from(2, &copy);
    cluster.wait_ready(2);
    load.wait_for(BETWEEN);
    load.stop();
    read_everything(&history, &cluster.apis());
    history.judge();
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            copy_directory(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file");
        }
    }
}

/// A second process with the id of one that runs: one of both stops and says why, nothing is lost.
#[test]
fn of_twins_one_stops_and_says_why() {
    let mut cluster = Cluster::on_loopback(3).started();
    let history = History::new();
    let load = Load::start(&history, &cluster.apis(), 2);
    load.wait_for(BETWEEN);
    let copy = cluster.directory().join("copy");
    cluster.kill(2);
    copy_directory(&cluster.nodes[2].data, &copy);
    cluster.start(2);
    cluster.wait_ready(2);
    let twin = cluster.start_twin(&copy);
    let (stopped, code, log) = cluster.wait_exit(&[2, twin]);
    assert_eq!(code, Some(70), "{log}");
    assert!(log.contains("is a copy of the other"), "{log}");
    load.wait_for(BETWEEN);
    load.stop();
    assert!([2, twin].contains(&stopped));
    // The one that stays is a member as before, also at an address where nobody looked for it; unless its disk is older
    // than what the other one had acknowledged meanwhile.
    let stays = 2 + twin - stopped;
    let mut nodes = cluster.apis()[..2].to_vec();
    match cluster.wait_serves_or_ends(stays) {
        None => nodes.push(cluster.api(stays)),
        Some(log) => assert!(log.contains("the data directory is an older copy"), "{log}"),
    }
    read_everything(&history, &nodes);
    history.judge();
}
