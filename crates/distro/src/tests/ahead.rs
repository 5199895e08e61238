//! Records of a node whose wall clock is decades ahead: they are taken in like any other, and poison nothing.

use crate::*;
use base::{Duration, FOLLOWED_AHEAD_MAX};

type Core = Distro<u8, u32>;

const DECADES: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

fn core(now: Now, id: u64) -> Core {
    let mut core = Distro::new(now, NodeId(id), HybridClock::default());
    for other in [1, 2].into_iter().filter(|other| *other != id) {
        core.step(now, Input::OwnerAlive { owner: NodeId(other), life: HybridTime(0) });
    }
    core
}

fn learn(core: &mut Core, now: Now, key: u8, from: &Core) {
    let record = from.state(&key).expect("it is known");
    core.step(now, Input::Learned { from: from.node, record });
}

#[test]
fn a_record_of_a_time_decades_ahead_is_taken_in_and_taken_over_and_no_other_one_goes_there() {
    let now = Now::START.after(Duration::from_secs(1000));
    let ahead = Now { unix_ms: now.after(DECADES).unix_ms, ..now };
    let (mut sane, mut mad) = (core(now, 1), core(ahead, 2));
    mad.step(ahead, Input::Write { key: 7, value: 1 });
    learn(&mut sane, now, 7, &mad);
    assert_eq!(sane.get(&7).map(|entry| entry.value), Some(1));
    assert!(sane.clock().last().unix_ms() <= now.unix_ms + 1, "{}", sane.clock().last());
    // Its client comes to the other node, which owns it from then on, everywhere.
    sane.step(now, Input::Write { key: 7, value: 2 });
    learn(&mut mad, ahead, 7, &sane);
    let owns = |core: &Core| core.owns(core.get(&7).expect("it is there"));
    assert_eq!((owns(&sane), owns(&mad)), (true, false));
    sane.step(now, Input::Delete { key: 7 });
    learn(&mut mad, ahead, 7, &sane);
    assert_eq!((sane.len(), mad.len()), (0, 0));
    // What else it issues is of its own time.
    sane.step(now, Input::Write { key: 8, value: 1 });
    let at = sane.get(&8).expect("just written").version.incarnation.at;
    assert!(at.unix_ms() <= now.after(FOLLOWED_AHEAD_MAX).unix_ms, "{at}");
}

#[test]
fn nothing_is_done_for_another_node_as_of_a_time_that_is_not_followed() {
    let now = Now::START.after(Duration::from_secs(1000));
    let mut core = core(now, 1);
    let at = HybridTime::from_unix_ms(now.after(DECADES).unix_ms);
    assert!(core.is_outdated(now, &7, at));
    core.step(now, Input::WriteAsked { key: 7, value: 1, at });
    assert!(core.is_empty());
}
