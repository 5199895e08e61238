//! What is done for another node, that may have given up waiting.

use crate::*;
use base::Duration;
use std::vec::Vec;

type Core = Distro<u8, u32>;

/// The record in question.
const KEY: u8 = 7;

fn core(id: u64) -> Core {
    let mut core = Distro::new(Now::START, NodeId(id), HybridClock::default());
    for other in [1, 2, 3].into_iter().filter(|other| *other != id) {
        core.step(Now::START, Input::OwnerAlive { owner: NodeId(other), life: HybridTime(0) });
    }
    core
}

fn at(ms: u64) -> (Now, HybridTime) {
    (Now::START.after(Duration::from_millis(ms)), HybridTime::from_unix_ms(ms))
}

fn learn(core: &mut Core, now: Now, from: &Core) {
    let record = from.state(&KEY).expect("it is known");
    core.step(now, Input::Learned { from: from.node, record });
}

fn value(core: &Core) -> Option<u32> {
    core.get(&KEY).map(|entry| entry.value)
}

/// Both nodes know what the other one knows.
fn exchanged(a: &mut Core, b: &mut Core, now: Now) -> (Option<u32>, Option<u32>) {
    for _ in 0..2 {
        let of_a = a.state(&KEY);
        if b.state(&KEY).is_some() {
            learn(a, now, b);
        }
        if let Some(record) = of_a {
            b.step(now, Input::Learned { from: a.node, record });
        }
    }
    (value(a), value(b))
}

#[test]
fn what_the_asker_does_after_it_has_given_up_wins_however_late_the_request_comes() {
    for late_ms in [20, 500, 5000] {
        let (mut asker, mut responsible) = (core(1), core(2));
        let (_, asked) = at(10);
        let (given_up, _) = at(310);
        asker.step(given_up, Input::Write { key: KEY, value: 1 });
        asker.step(given_up, Input::Delete { key: KEY });
        let (now, _) = at(late_ms);
        responsible.step(now, Input::WriteAsked { key: KEY, value: 1, at: asked });
        assert_eq!(value(&responsible), Some(1), "nothing speaks against it yet");
        let (now, _) = at(9000);
        assert_eq!(exchanged(&mut asker, &mut responsible, now), (None, None), "{late_ms} ms");
    }
}

#[test]
fn whoever_did_it_for_another_node_owns_the_record() {
    let (mut first, mut second) = (core(1), core(2));
    let (now, _) = at(5);
    first.step(now, Input::Write { key: KEY, value: 1 });
    learn(&mut second, now, &first);
    let (now, asked) = at(10);
    assert!(!second.is_outdated(now, &KEY, asked));
    second.step(now, Input::WriteAsked { key: KEY, value: 2, at: asked });
    learn(&mut first, now, &second);
    let owns = |core: &Core| core.owns(core.get(&KEY).expect("it is there"));
    assert_eq!((value(&first), owns(&first), owns(&second)), (Some(2), false, true));
}

#[test]
fn what_was_asked_before_a_deletion_and_comes_after_it_changes_nothing() {
    let mut core = core(2);
    let (now, _) = at(5);
    core.step(now, Input::Write { key: KEY, value: 1 });
    let (now, asked) = at(30);
    core.step(now, Input::DeleteAsked { key: KEY, at: asked });
    assert_eq!(value(&core), None);
    let (_, earlier) = at(20);
    assert!(core.is_outdated(now, &KEY, earlier));
    core.step(now, Input::WriteAsked { key: KEY, value: 2, at: earlier });
    assert_eq!(value(&core), None);
    let (now, later) = at(40);
    core.step(now, Input::WriteAsked { key: KEY, value: 3, at: later });
    assert_eq!(value(&core), Some(3));
}

#[test]
fn nothing_is_done_as_of_a_time_before_the_start_or_of_a_junk_time() {
    let mut core = Core::new(at(100).0, NodeId(2), HybridClock::default());
    for junk in [at(50).1, HybridTime(u64::MAX)] {
        assert!(core.is_outdated(at(200).0, &KEY, junk));
        core.step(at(200).0, Input::WriteAsked { key: KEY, value: 2, at: junk });
        core.step(at(200).0, Input::DeleteAsked { key: KEY, at: junk });
        assert!(core.state(&KEY).is_none());
    }
    assert!(core.clock().last() < at(1000).1);
}

#[test]
fn a_state_of_its_own_incarnations_is_still_refused() {
    let mut core = core(2);
    let (now, asked) = at(10);
    core.step(now, Input::WriteAsked { key: KEY, value: 1, at: asked });
    let mut forged = core.state(&KEY).expect("it was written");
    (forged.version.seq, forged.value) = (9, None);
    core.step(now, Input::Learned { from: NodeId(1), record: forged });
    assert_eq!(value(&core), Some(1));
}

#[test]
fn what_is_done_for_another_node_is_said_to_all_peers() {
    let mut core = core(2);
    let (now, _) = at(5);
    core.step(now, Input::PeerUp { peer: NodeId(1) });
    core.step(now, Input::Write { key: KEY, value: 1 });
    let (now, asked) = at(10);
    core.step(now, Input::WriteAsked { key: KEY, value: 2, at: asked });
    let incarnation = core.state(&KEY).expect("it is there").version.incarnation;
    assert_eq!(incarnation, Incarnation { at: asked, node: NodeId(2) });
    let sent: Vec<u32> = std::iter::from_fn(|| core.poll())
        .filter_map(|output| match output {
            Output::Send { message: Message::Delta { records, .. }, .. } => Some(records),
            _ => None,
        })
        .flatten()
        .filter_map(|record| record.value)
        .collect();
    assert_eq!(sent, [1, 2]);
}
