//! Which node answers for a client that may talk to any.

use base::NodeId;
use core::hash::Hasher;
use siphasher::sip::SipHasher13;

/// The node that is responsible for this client, out of those that live: the one with the greatest weight (rendezvous
/// hashing, Thaler and Ravishankar 1998). Every node that knows the same living nodes names the same one, and when a
/// node comes or goes only its share moves. `None` if there are no nodes.
pub fn responsible(client: &[u8], nodes: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
    let weight = |node: &NodeId| {
        let mut hasher = SipHasher13::new_with_keys(node.0, 0);
        hasher.write(client);
        (hasher.finish(), *node)
    };
    nodes.into_iter().max_by_key(weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String, vec::Vec};

    fn clients() -> impl Iterator<Item = String> {
        (0..3000).map(|number| format!("10.0.{}.{}:8080", number / 250, number % 250))
    }

    #[test]
    fn each_node_gets_its_share() {
        let nodes = [NodeId(1), NodeId(2), NodeId(3)];
        for node in nodes {
            let share = clients()
                .filter(|client| responsible(client.as_bytes(), nodes) == Some(node))
                .count();
            assert!((900..1100).contains(&share), "{node} has {share} of 3000");
        }
        assert_eq!(responsible(b"10.0.0.1:80", []), None);
    }

    #[test]
    fn only_the_share_of_the_node_that_left_moves() {
        let all = [NodeId(1), NodeId(2), NodeId(3)];
        for client in clients() {
            let before = responsible(client.as_bytes(), all);
            let after = responsible(client.as_bytes(), all.into_iter().filter(|node| node.0 != 2));
            assert!(before == Some(NodeId(2)) || before == after, "{client} moved without need");
        }
    }

    #[test]
    fn the_order_of_the_nodes_does_not_matter() {
        let nodes: Vec<NodeId> = (1..=5).map(NodeId).collect();
        for client in clients() {
            let backwards = responsible(client.as_bytes(), nodes.iter().rev().copied());
            assert_eq!(responsible(client.as_bytes(), nodes.iter().copied()), backwards);
        }
    }
}
