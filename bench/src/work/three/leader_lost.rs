//! The leader is killed while clients of the other two nodes publish: how long their writes fail, and whether every
//! acknowledged one is there.
//!
//! Each write has a name of its own: one that failed may have happened, one that was acknowledged must have.

use super::super::config;
use crate::{
    cluster::{Cluster, NODES},
    grpc::Grpc,
    http::Http,
    load::Tally,
    problem::{Problem, Wrong},
    row::{Goal, Row},
    subject::Source,
};
use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const ROUNDS: u32 = 5;
const WRITERS_EACH: usize = 2;
/// How long clients write before the kill.
const BEFORE: Duration = Duration::from_secs(1);
/// After that SDKs give up one call.
const WRITE_TIMEOUT: Duration = Duration::from_secs(3);
const RETRY: Duration = Duration::from_millis(10);
/// After that a writer gives up.
const BACK_TIMEOUT: Duration = Duration::from_secs(60);

/// What one writer has seen.
struct Written {
    acknowledged: Vec<(String, String)>,
    failed: u64,
    /// When the first write that began after the kill was answered.
    back: Result<Instant, Wrong>,
}

pub(crate) async fn run(source: &Source) -> Result<Vec<Row>, Problem> {
    let (back, there) = (Tally::default(), Tally::default());
    let mut failed = 0;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let mut cluster = source.cluster().await?;
        let (killed, written) = kill(&mut cluster).await?;
        for writer in written {
            failed += writer.failed;
            back.count(writer.back.map(|at| at.saturating_duration_since(killed)));
            for node in cluster.nodes.iter().filter(|node| node.is_alive()) {
                let mut reader = Http::open(node.api).await?;
                for (data_id, content) in &writer.acknowledged {
                    let read = config::read_http(&mut reader, data_id, content).await;
                    let read = match read {
                        Err(_) => config::settled(node.api, data_id, content).await,
                        Ok(()) => Ok(()),
                    };
                    there.count(read.map(|()| Duration::ZERO));
                }
            }
        }
    }
    let row = |tally: &Tally| tally.row(began.elapsed(), Duration::ZERO);
    let back = Row { operations: failed, per_second: None, cpu_micros: None, ..row(&back) };
    let there = Row { per_second: None, cpu_micros: None, p50: None, p99: None, ..row(&there) };
    Ok(vec![
        back.named(
            "three nodes: leader killed, until writes go on (ops: failed ones)",
            Goal::P99Millis(5_000.0),
        ),
        there.titled("three nodes: leader killed, acknowledged writes read at both others"),
    ])
}

/// When the leader was killed, and what the writers saw.
async fn kill(cluster: &mut Cluster) -> Result<(Instant, Vec<Written>), Problem> {
    let leader = cluster.leader_now().await?;
    let killed = Rc::new(Cell::new(None));
    let mut writers = JoinSet::new();
    for number in (1..NODES).map(|step| (leader + step) % NODES) {
        for writer in 0..WRITERS_EACH {
            let name = format!("{number}-{writer}");
            writers.spawn_local(write(cluster.nodes[number].grpc, name, killed.clone()));
        }
    }
    tokio::time::sleep(BEFORE).await;
    cluster.nodes[leader].kill();
    let at = Instant::now();
    killed.set(Some(at));
    Ok((at, writers.join_all().await))
}

async fn write(address: SocketAddr, name: String, killed: Rc<Cell<Option<Instant>>>) -> Written {
    let gone = Wrong(format!("no write within {BACK_TIMEOUT:?}"));
    let mut written = Written { acknowledged: Vec::new(), failed: 0, back: Err(gone) };
    let mut client = None;
    for number in 0.. {
        let after = killed.get();
        if after.is_some_and(|at| at.elapsed() > BACK_TIMEOUT) {
            break;
        }
        let (data_id, content) = (format!("lost-{name}-{number}"), config::content(number));
        let attempt = async {
            if client.is_none() {
                client = Some(Grpc::open(address, None).await?);
            }
            let client = client.as_mut().expect("it was just opened");
            config::publish_grpc(client, &data_id, &content).await
        };
        match tokio::time::timeout(WRITE_TIMEOUT, attempt).await {
            Ok(Ok(())) => {
                written.acknowledged.push((data_id, content));
                if after.is_some() {
                    written.back = Ok(Instant::now());
                    break;
                }
            }
            Ok(Err(_)) | Err(_) => {
                written.failed += 1;
                client = None;
                tokio::time::sleep(RETRY).await;
            }
        }
    }
    written
}
