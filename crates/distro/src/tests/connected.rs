//! Records of clients that are connected to one node: only that node ends them while it hears their client.

use crate::*;
use base::Duration;

/// The node to which the client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ClientOf(u64);

impl Key for ClientOf {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&self.0.to_le_bytes());
    }

    fn heard_only_by(&self) -> Option<NodeId> {
        Some(NodeId(self.0))
    }
}

type Core = Distro<ClientOf, &'static str>;

const ITS: ClientOf = ClientOf(1);

fn core(now: Now, id: u64) -> Core {
    let mut core = Distro::new(now, NodeId(id), HybridClock::default());
    for other in [1, 2].into_iter().filter(|other| *other != id) {
        core.step(now, Input::OwnerAlive { owner: NodeId(other), life: HybridTime(0) });
    }
    core
}

/// Tells one node what another one knows of the record, deleted or not.
fn tell(core: &mut Core, now: Now, from: &Core) {
    let record = from.state(&ITS).expect("it was known once");
    core.step(now, Input::Learned { from: from.node, record });
}

/// The first node owns the record, and the second one, which does not hear it, takes it for an orphan and ends it.
fn ended_by_mistake() -> (Now, Core, Core) {
    let now = Now::START.after(Duration::from_secs(1000));
    let (mut owner, mut other) = (core(now, 1), core(now, 2));
    owner.step(now, Input::Write { key: ITS, value: "it lives" });
    tell(&mut other, now, &owner);
    let now = now.after(Duration::from_secs(10));
    other.step(now, Input::OwnerGone { owner: NodeId(1), heard: now.instant });
    other.step(now, Input::Delete { key: ITS });
    (now, owner, other)
}

#[test]
fn what_another_node_ended_while_its_owner_was_cut_off_is_there_again() {
    let (now, mut owner, mut other) = ended_by_mistake();
    tell(&mut owner, now, &other);
    tell(&mut other, now, &owner);
    for core in [&owner, &other] {
        assert_eq!(core.get(&ITS).map(|entry| entry.value), Some("it lives"));
    }
    assert!(owner.owns(owner.get(&ITS).expect("it is there")));
    // Its owner ends it as ever.
    owner.step(now, Input::Delete { key: ITS });
    tell(&mut other, now, &owner);
    assert_eq!((owner.len(), other.len()), (0, 0));
}

#[test]
fn what_its_owner_has_ended_meanwhile_stays_ended() {
    let (now, mut owner, mut other) = ended_by_mistake();
    owner.step(now, Input::Delete { key: ITS });
    tell(&mut owner, now, &other);
    tell(&mut other, now, &owner);
    assert_eq!((owner.len(), other.len()), (0, 0));
}

#[test]
fn an_owner_that_was_restarted_hears_nobody_of_its_earlier_life() {
    let (now, _, other) = ended_by_mistake();
    let mut owner = core(now, 1);
    tell(&mut owner, now, &other);
    assert_eq!((owner.len(), other.len()), (0, 0));
}
