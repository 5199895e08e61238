//! Two registries with a link between them.

use crate::*;
use base::{ConnectionId, Duration, HybridClock, HybridTime, NodeId, Now, RequestId};
use std::{collections::BTreeMap, sync::Arc};

/// Both registries, and what each shows.
struct Pair {
    now: Now,
    nodes: [Naming; 2],
    views: [BTreeMap<ServiceKey, Arc<ServiceView>>; 2],
    linked: bool,
    pushed: Vec<ConnectionId>,
}

fn id(index: usize) -> NodeId {
    NodeId(index as u64 + 1)
}

impl Pair {
    fn new() -> Self {
        let now = Now::START.after(Duration::from_secs(1));
        let node = |index| Naming::new(Settings::default(), now, id(index), HybridClock::default());
        let nodes = [node(0), node(1)];
        let mut pair =
            Self { now, nodes, views: Default::default(), linked: false, pushed: Vec::new() };
        for index in 0..2 {
            pair.step(index, Input::Restored);
            let alive = Input::NodeAlive { node: id(1 - index), life: HybridTime(0) };
            pair.step(index, alive);
        }
        pair.link();
        pair
    }

    fn link(&mut self) {
        self.linked = true;
        for index in 0..2 {
            self.step(index, Input::PeerUp(id(1 - index)));
        }
    }

    fn cut(&mut self) {
        self.linked = false;
        for index in 0..2 {
            self.step(index, Input::PeerDown(id(1 - index)));
        }
    }

    /// A message arrives at once, in the form in which it travels.
    fn step(&mut self, index: usize, input: Input) {
        self.nodes[index].step(self.now, input);
        while let Some(output) = self.nodes[index].poll() {
            match output {
                Output::Publish(view) => {
                    self.views[index].insert(view.key.clone(), view);
                }
                Output::Peer { message, .. } if self.linked => {
                    let bytes = postcard::to_allocvec(&message).expect("it encodes");
                    let message = postcard::from_bytes(&bytes).expect("it reads back");
                    self.step(1 - index, Input::Peer { from: id(index), message });
                }
                Output::Push { to, .. } => self.pushed.push(to),
                _ => {}
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        let due = |pair: &Self| pair.nodes.iter().filter_map(Naming::deadline).min();
        while let Some(due) = due(self).filter(|due| *due <= end.instant) {
            self.now = self.now.after(due.since(self.now.instant));
            for index in 0..2 {
                self.step(index, Input::Wake);
            }
        }
        self.now = end;
    }

    fn register(&mut self, index: usize, counter: u64, port: u16) -> ConnectionId {
        let boot = HybridTime(1);
        let from = ConnectionId { node: id(index), boot, counter };
        self.step(index, Input::Opened(from));
        let request = Request::Register {
            client: ClientId::Connection(from),
            service: service(),
            instance: instance(port),
        };
        self.step(index, Input::Request { from, id: RequestId(1), request });
        from
    }

    fn subscribe(&mut self, index: usize, counter: u64) -> ConnectionId {
        let from = ConnectionId { node: id(index), boot: HybridTime(1), counter };
        self.step(index, Input::Opened(from));
        let subscriber = Subscriber::default();
        let request = Request::Subscribe { service: service(), clusters: Arc::new([]), subscriber };
        self.step(index, Input::Request { from, id: RequestId(2), request });
        from
    }

    fn version(&self, index: usize) -> u64 {
        self.views[index][&service()].version
    }

    fn ports(&self, index: usize) -> Vec<u16> {
        let view = self.views[index].get(&service());
        view.map_or_else(Vec::new, |view| view.instances.iter().map(|one| one.port).collect())
    }
}

fn service() -> ServiceKey {
    ServiceKey { namespace: "public".into(), group: "DEFAULT_GROUP".into(), name: "shop".into() }
}

fn instance(port: u16) -> Instance {
    super::script::instance(&[&format!("10.0.0.1:{port}")])
}

#[test]
fn what_registers_at_one_is_listed_by_the_other_at_once() {
    let mut pair = Pair::new();
    let first = pair.register(0, 1, 80);
    pair.register(1, 1, 81);
    assert_eq!((pair.ports(0), pair.ports(1)), (vec![80, 81], vec![80, 81]));
    pair.step(0, Input::Closed(first));
    pair.wait(Duration::from_secs(1));
    assert_eq!((pair.ports(0), pair.ports(1)), (vec![81], vec![81]));
}

#[test]
fn what_registered_during_a_cut_is_listed_by_both_when_it_has_healed() {
    let mut pair = Pair::new();
    let first = pair.register(0, 1, 80);
    pair.cut();
    pair.register(0, 2, 90);
    pair.register(1, 1, 81);
    pair.step(0, Input::Closed(first));
    pair.wait(Duration::from_secs(5));
    assert_eq!((pair.ports(0), pair.ports(1)), (vec![90], vec![80, 81]));
    pair.link();
    pair.wait(Duration::from_secs(3));
    assert_eq!((pair.ports(0), pair.ports(1)), (vec![81, 90], vec![81, 90]));
}

#[test]
fn the_instances_of_a_node_that_died_are_listed_for_15_s() {
    let mut pair = Pair::new();
    pair.register(1, 1, 81);
    pair.cut();
    let heard = pair.now.instant;
    pair.step(0, Input::NodeGone { node: id(1), heard });
    pair.wait(Duration::from_secs(14));
    assert_eq!(pair.ports(0), vec![81]);
    pair.wait(Duration::from_secs(2));
    assert_eq!(pair.ports(0), Vec::<u16>::new());
}

#[test]
fn whoever_comes_from_another_node_during_a_cut_is_shown_a_list_that_looks_newer() {
    let mut pair = Pair::new();
    pair.register(0, 1, 80);
    let stays = pair.subscribe(1, 1);
    pair.wait(Duration::from_secs(1));
    pair.cut();
    // The client that comes next has seen this.
    pair.register(0, 2, 90);
    pair.wait(Duration::from_secs(1));
    assert!(pair.version(1) < pair.version(0));
    pair.pushed.clear();
    let comes = pair.subscribe(1, 2);
    assert!(pair.version(1) > pair.version(0), "or it would hold on to the other list");
    assert_eq!(pair.ports(1), vec![80]);
    // Nothing has changed for who is there already, also if many come.
    let again = pair.subscribe(1, 3);
    pair.wait(Duration::from_secs(1));
    assert_eq!(pair.pushed, vec![comes, again], "not to {stays}: nothing changed for it");
}

/// A name or an address is kept once, also of what was heard of from another node.
#[test]
fn what_was_heard_shares_names_and_texts() {
    let mut pair = Pair::new();
    let client = pair.register(0, 1, 80);
    let batch = Request::RegisterBatch {
        client: ClientId::Connection(client),
        service: service(),
        instances: (80..90).map(instance).collect(),
    };
    pair.step(0, Input::Request { from: client, id: RequestId(2), request: batch });
    pair.register(1, 2, 90);

    let heard = &pair.nodes[1];
    let (name, _) = heard.services.get_key_value(&service()).expect("it is listed");
    let offers: Vec<_> = heard.distro.after(None).collect();
    assert_eq!(offers.len(), 11);
    let (first, _) = offers[0];
    for (key, entry) in &offers[..10] {
        assert!(Arc::ptr_eq(&key.service, name), "{key:?}");
        assert!(Arc::ptr_eq(&key.client, &first.client), "{key:?}");
        assert!(Arc::ptr_eq(&key.place.ip, &first.place.ip), "{key:?}");
        assert!(Arc::ptr_eq(&key.place.cluster_name, &heard.default_cluster), "{key:?}");
        assert!(Arc::ptr_eq(&entry.value.ip, &key.place.ip), "{key:?}");
        assert!(Arc::ptr_eq(&entry.value.cluster_name, &key.place.cluster_name), "{key:?}");
    }
}
