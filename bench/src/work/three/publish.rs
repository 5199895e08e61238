//! Config publish over gRPC by 32 clients of one node, the leader and then a follower; all is read back at the next node.

use super::super::config::{self, PUBLISHERS};
use crate::{
    cluster::{Cluster, NODES},
    grpc::Grpc,
    load,
    problem::Problem,
    process,
    row::Row,
};
use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

pub(crate) async fn run(
    cluster: &Cluster,
    length: Duration,
    bytes: Option<u32>,
) -> Result<Vec<Row>, Problem> {
    let processes = cluster.processes();
    let leader = cluster.leader_now().await?;
    let follower = (leader + 1) % NODES;
    let mut rows = Vec::new();
    for (place, number) in [("the leader", leader), ("a follower", follower)] {
        let (node, next) = (&cluster.nodes[number], &cluster.nodes[(number + 1) % NODES]);
        let mut lanes = Vec::new();
        for lane in 0..PUBLISHERS {
            lanes.push((lane, Grpc::open(node.grpc, None).await?));
        }
        let taken = Rc::new(RefCell::new(vec![String::new(); PUBLISHERS]));
        let newest = taken.clone();
        let operation = async move |(lane, client): &mut (usize, Grpc), count| {
            let data_id = format!("published-{number}-{lane}");
            let content = match bytes {
                Some(bytes) => config::content_of(count, bytes as usize),
                None => config::content(count),
            };
            config::publish_grpc(client, &data_id, &content).await?;
            newest.borrow_mut()[*lane] = content;
            Ok(())
        };
        let (sent, began) = (process::bytes_between(&processes)?, Instant::now());
        let mut row = load::closed_loop_of(&processes, length, lanes, operation).await?;
        let sent = process::bytes_between(&processes)?.saturating_sub(sent);
        row.link_bytes = Some(sent as f64 / began.elapsed().as_secs_f64());
        for (lane, content) in taken.take().iter().enumerate() {
            let data_id = format!("published-{number}-{lane}");
            if let Err(wrong) = config::settled(next.api, &data_id, content).await {
                row.wrong += 1;
                row.first_wrong.get_or_insert(wrong);
            }
        }
        rows.push(row.titled(&format!("three nodes: publish at {place}, {PUBLISHERS} clients")));
    }
    Ok(rows)
}
