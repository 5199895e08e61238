//! Nodes in network namespaces of their own, on one bridge. A link is cut by a neighbour entry with an address that nobody
//! has: what one sends to the other is lost without a word, in this direction only.

use crate::process::{Cluster, Home};
use std::{
    net::Ipv4Addr,
    process::Command,
    sync::atomic::{AtomicU8, Ordering},
};

const NOBODY: &str = "02:00:00:00:00:99";

pub struct Net {
    tag: String,
    call: u8,
    len: usize,
}

fn run(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    Command::new(words[0]).args(&words[1..]).status().is_ok_and(|status| status.success())
}

fn must(line: &str) {
    assert!(run(line), "failed (is this root, with network namespaces?): {line}");
}

impl Net {
    /// A bridge that the test is on as well, and a namespace per node.
    pub fn new(len: usize) -> Self {
        static CALLS: AtomicU8 = AtomicU8::new(0);
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        // Names of devices have at most 15 characters.
        let net = Self { tag: format!("t{:x}c{call}", std::process::id()), call, len };
        let tag = &net.tag;
        must(&format!("ip link add {tag} type bridge"));
        must(&format!("ip addr add {}/24 dev {tag}", net.address(200)));
        must(&format!("ip link set {tag} up"));
        for k in 0..len {
            let space = net.space(k);
            must(&format!("ip netns add {space}"));
            must(&format!("ip link add {tag}v{k} type veth peer name eth0 netns {space}"));
            must(&format!("ip link set {tag}v{k} master {tag} up"));
            let inside = format!("ip netns exec {space} ip");
            must(&format!("{inside} link set lo up"));
            must(&format!("{inside} addr add {}/24 dev eth0", net.address(k)));
            must(&format!("{inside} link set eth0 up"));
        }
        net
    }

    fn space(&self, k: usize) -> String {
        format!("{}n{k}", self.tag)
    }

    fn address(&self, k: usize) -> Ipv4Addr {
        let [low, ..] = std::process::id().to_le_bytes();
        Ipv4Addr::new(10, 208 + self.call, low, u8::try_from(k + 1).expect("few nodes"))
    }

    pub fn homes(&self) -> Vec<Home> {
        let home = |k| Home { ip: self.address(k), netns: Some(self.space(k)) };
        (0..self.len).map(home).collect()
    }

    /// What `from` sends to `to` is lost from now on.
    pub fn cut(&self, from: usize, to: usize) {
        let (space, address) = (self.space(from), self.address(to));
        must(&format!(
            "ip netns exec {space} ip neigh replace {address} lladdr {NOBODY} dev eth0 nud permanent"
        ));
    }

    pub fn heal(&self, from: usize, to: usize) {
        let (space, address) = (self.space(from), self.address(to));
        must(&format!("ip netns exec {space} ip neigh del {address} dev eth0"));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for k in 0..self.len {
            run(&format!("ip netns del {}", self.space(k)));
        }
        run(&format!("ip link del {}", self.tag));
    }
}

mod tests {
    use super::{Cluster, Net};
    use crate::{
        load::{Client, History, Load, read_everything},
        status::{leader, wait_leader},
    };
    use sim::Outcome;

    const BETWEEN: usize = 60;

    /// The leader alone on one side: it refuses in time, the others go on, nothing is lost.
    #[test]
    #[ignore = "needs root and network namespaces"]
    fn one_against_two() {
        let net = Net::new(3);
        let cluster = Cluster::new(net.homes()).started();
        let history = History::new();
        let load = Load::start(&history, &cluster.apis(), 3);
        load.wait_for(BETWEEN);
        let alone = wait_leader(&cluster.apis());
        let others = [(alone + 1) % 3, (alone + 2) % 3];
        for other in others {
            net.cut(alone, other);
            net.cut(other, alone);
        }
        wait_leader(&others.map(|k| cluster.api(k)));
        load.wait_for(BETWEEN);
        let mut client = Client::new(&history);
        assert_ne!(client.publish(cluster.api(alone), 0), Outcome::Done, "a minority acknowledged");
        for other in others {
            net.heal(alone, other);
            net.heal(other, alone);
        }
        while client.publish(cluster.api(alone), 0) != Outcome::Done {}
        load.wait_for(BETWEEN);
        println!("longest time without an acknowledged write: {:?}", load.stop().gap);
        read_everything(&history, &cluster.apis());
        history.judge();
    }

    /// The leader is heard and hears nothing, then the other way round: writes go on.
    #[test]
    #[ignore = "needs root and network namespaces"]
    fn one_way() {
        let net = Net::new(3);
        let cluster = Cluster::new(net.homes()).started();
        let history = History::new();
        let load = Load::start(&history, &cluster.apis(), 3);
        for deaf in [true, false] {
            load.wait_for(BETWEEN);
            let one = wait_leader(&cluster.apis());
            let others = [(one + 1) % 3, (one + 2) % 3];
            for other in others {
                let (from, to) = if deaf { (other, one) } else { (one, other) };
                net.cut(from, to);
            }
            wait_leader(&others.map(|k| cluster.api(k)));
            load.wait_for(BETWEEN);
            assert_ne!(leader(&others.map(|k| cluster.api(k))), None);
            for other in others {
                let (from, to) = if deaf { (other, one) } else { (one, other) };
                net.heal(from, to);
            }
        }
        load.wait_for(BETWEEN);
        println!("longest time without an acknowledged write: {:?}", load.stop().gap);
        read_everything(&history, &cluster.apis());
        history.judge();
    }
}
