//! Whoever cannot talk to a majority acknowledges no write that is asked for meanwhile.

use super::{Findings, History, requests::epochs, seconds, trouble::Troubles};
use crate::world::Happening;
use std::collections::BTreeSet;

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("minority");
    let troubles = Troubles::read(history);
    let machines = history.iter().filter_map(|(_, happening)| match happening {
        Happening::Up { machine } => Some(machine + 1),
        _ => None,
    });
    let count = machines.max().unwrap_or(1);
    for (key, epochs) in epochs(history) {
        for request in epochs.iter().flat_map(|epoch| &epoch.requests) {
            let Some(at) = request.acknowledged() else { continue };
            findings.checked += 1;
            let parted = |a, b| troubles.parted(a, b, request.asked, at);
            if together(request.machine, count, parted) * 2 <= count {
                findings.violations.push(format!(
                    "{}: m{} acknowledged a write of {key} that was asked for at {}, cut off from a majority",
                    seconds(at),
                    request.machine,
                    seconds(request.asked)
                ));
            }
        }
    }
    findings
}

/// How many machines this one can reach, itself too, over others if need be: whom it asks may still have a majority.
fn together(machine: usize, count: usize, parted: impl Fn(usize, usize) -> bool) -> usize {
    let mut reached = BTreeSet::from([machine]);
    let mut left = vec![machine];
    while let Some(here) = left.pop() {
        for there in (0..count).filter(|there| !parted(here, *there)) {
            if reached.insert(there) {
                left.push(there);
            }
        }
    }
    reached.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::script::{at, configs},
        network::Place,
    };

    /// A write at m0 of three, from 10 to 12 s, while m0 hears these from 5 s on no more.
    fn found(deaf_to: &[usize], from: u64) -> usize {
        let mut history: Vec<_> =
            (0..3).map(|machine| (at(0), Happening::Up { machine })).collect();
        for other in deaf_to {
            let (from_place, to) = (Place::Machine(*other), Place::Machine(0));
            history.push((at(from), Happening::Parted { from: from_place, to, cut: true }));
        }
        history.extend(configs("10-12 set a"));
        history.sort_by_key(|(at, _)| *at);
        check(&history).violations.len()
    }

    #[test]
    fn who_reaches_a_majority_over_another_one_may() {
        let cut = |pairs: &'static [(usize, usize)]| {
            move |a: usize, b: usize| pairs.contains(&(a, b)) || pairs.contains(&(b, a))
        };
        assert_eq!(together(0, 3, cut(&[(0, 1)])), 3);
        assert_eq!(together(0, 3, cut(&[(0, 1), (0, 2)])), 1);
        assert_eq!(together(4, 5, cut(&[(4, 0), (4, 1), (4, 2)])), 5);
        assert_eq!(together(4, 5, cut(&[(4, 0), (4, 1), (4, 2), (3, 0), (3, 1), (3, 2)])), 2);
    }

    #[test]
    fn a_minority_acknowledges_nothing() {
        assert_eq!(found(&[1], 5), 0);
        assert_eq!(found(&[1, 2], 5), 1);
        assert_eq!(found(&[1, 2], 11), 0, "it began before");
    }
}
