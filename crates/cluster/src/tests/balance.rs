//! Who should give clients to whom.

use crate::{Crowd, Shift, TOLERANCE, even_out};
use base::NodeId;
use proptest::prelude::*;

fn crowd(node: usize, streams: u32) -> Crowd {
    let node = NodeId(node as u64 + 1);
    Crowd { node, connections: streams + 3, streams, serves: true, busy: None }
}

fn crowds(streams: &[u32]) -> Vec<Crowd> {
    streams.iter().enumerate().map(|(node, streams)| crowd(node, *streams)).collect()
}

fn told(shifts: &[Shift]) -> String {
    let told = shifts.iter().map(|Shift { from, to, clients }| format!("{clients} {from}>{to}"));
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn who_has_too_many_gives_to_those_who_have_the_fewest() {
    for (streams, wanted) in [
        (&[30, 0, 0][..], "10 n1>n2, 10 n1>n3"),
        (&[0, 30, 3], "11 n2>n1, 8 n2>n3"),
        (&[20, 20, 0, 0], "10 n1>n3, 10 n2>n4"),
        // Within the tolerance, and alone, and nobody.
        (&[11, 10, 9], ""),
        (&[7], ""),
        (&[], ""),
        (&[0, 0, 0], ""),
        // Fewer clients than nodes: each has its own.
        (&[2, 0, 0], "1 n1>n2"),
        (&[1, 0, 0], ""),
    ] {
        assert_eq!(told(&even_out(&crowds(streams), TOLERANCE)), wanted, "{streams:?}");
    }
    assert_eq!(told(&even_out(&crowds(&[12, 10, 8]), 250)), "");
    assert_eq!(told(&even_out(&crowds(&[12, 10, 8]), 0)), "2 n1>n3");
}

/// Its clients go by themselves, and the others' share is as if it were not there.
#[test]
fn who_is_about_to_stop_neither_gives_nor_gets() {
    let mut all = crowds(&[20, 0, 100]);
    all[2].serves = false;
    assert_eq!(told(&even_out(&all, TOLERANCE)), "10 n1>n2");
    all[1].serves = false;
    assert_eq!(told(&even_out(&all, TOLERANCE)), "");
}

proptest! {
    /// Nobody gives what it has not, nobody gets more than its share, and a second look finds nothing to do.
    #[test]
    fn afterwards_it_is_even(
        streams in proptest::collection::vec(0_u32..5_000, 1..9),
        tolerance in 0_u32..=1_000,
    ) {
        let mut all = crowds(&streams);
        let share = streams.iter().sum::<u32>().div_ceil(streams.len() as u32);
        for Shift { from, to, clients } in even_out(&all, tolerance) {
            prop_assert!(clients > 0 && from != to);
            for crowd in &mut all {
                if crowd.node == from {
                    crowd.streams -= clients;
                    prop_assert!(crowd.streams >= share);
                }
                if crowd.node == to {
                    crowd.streams += clients;
                    prop_assert!(crowd.streams <= share);
                }
            }
        }
        prop_assert_eq!(even_out(&all, tolerance), []);
        let allowed = u64::from(share) * u64::from(1_000 + tolerance);
        prop_assert!(all.iter().all(|crowd| u64::from(crowd.streams) * 1_000 <= allowed));
    }
}
