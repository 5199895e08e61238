//! Config publish over gRPC by 32 clients of one node, the leader and then a follower; all is read back at the next node.

use super::super::config::{self, PUBLISHERS};
use crate::{
    cluster::{Cluster, NODES},
    grpc::Grpc,
    load,
    problem::Problem,
    row::Row,
};
use std::{cell::RefCell, rc::Rc, time::Duration};

pub(crate) async fn run(cluster: &Cluster, length: Duration) -> Result<Vec<Row>, Problem> {
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
            let (data_id, content) = (format!("published-{number}-{lane}"), config::content(count));
            config::publish_grpc(client, &data_id, &content).await?;
            newest.borrow_mut()[*lane] = content;
            Ok(())
        };
        let mut row = load::closed_loop_of(&cluster.processes(), length, lanes, operation).await?;
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
