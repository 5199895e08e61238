//! Suspicions: how long a member has to refute one, and who shares it.

use crate::{Generation, Incarnation, logarithm};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use base::{Duration, Instant, NodeId};

/// How long a suspicion lasts with this many independent confirmations out of those that would shorten it to `min`:
///
/// ```text
/// max(min, max − (max − min) · log(confirmations + 1) / log(wanted + 1))
/// ```
///
/// (Lifeguard, §IV.B.) One who alone suspects many may itself be cut off, and waits long; what several see on their own
/// is true soon.
pub(crate) fn timeout(
    min: Duration,
    max: Duration,
    confirmations: usize,
    wanted: usize,
) -> Duration {
    if wanted == 0 || confirmations >= wanted {
        return min;
    }
    let span = max.saturating_sub(min);
    let numerator = logarithm::log2(confirmations as u64 + 1);
    let shrink = logarithm::multiply(span, numerator, logarithm::log2(wanted as u64 + 1));
    max.saturating_sub(shrink).max(min)
}

/// One member under suspicion.
#[derive(Debug)]
pub(crate) struct Suspicion {
    pub(crate) generation: Generation,
    pub(crate) incarnation: Incarnation,
    since: Instant,
    min: Duration,
    max: Duration,
    /// How many confirmations shorten it to `min`.
    wanted: usize,
    /// Who: one accuser and its confirmers.
    by: Vec<NodeId>,
    due: Instant,
}

impl Suspicion {
    /// Those whose word counts, oldest first.
    pub(crate) fn by(&self) -> &[NodeId] {
        &self.by
    }
}

/// All members under suspicion.
#[derive(Debug, Default)]
pub(crate) struct Suspicions {
    by_node: BTreeMap<NodeId, Suspicion>,
    by_due: BTreeSet<(Instant, NodeId)>,
}

/// What a suspicion is begun with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) generation: Generation,
    pub(crate) incarnation: Incarnation,
    pub(crate) min: Duration,
    pub(crate) max: Duration,
    pub(crate) wanted: usize,
}

impl Suspicions {
    pub(crate) fn get(&self, node: NodeId) -> Option<&Suspicion> {
        self.by_node.get(&node)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_node.len()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.by_due.first().map(|(due, _)| *due)
    }

    /// Begins one, in place of one of an earlier incarnation.
    pub(crate) fn begin(&mut self, now: Instant, node: NodeId, terms: Terms, by: NodeId) {
        self.end(node);
        let Terms { generation, incarnation, min, max, wanted } = terms;
        let due = now.after(timeout(min, max, 0, wanted));
        self.by_due.insert((due, node));
        let by = Vec::from([by]);
        let suspicion =
            Suspicion { generation, incarnation, since: now, min, max, wanted, by, due };
        self.by_node.insert(node, suspicion);
    }

    /// One more accuser. `true` if its word shortens the suspicion, and so should be passed on.
    pub(crate) fn confirm(&mut self, now: Instant, node: NodeId, by: NodeId) -> bool {
        let Some(suspicion) = self.by_node.get_mut(&node) else { return false };
        if suspicion.by.contains(&by) || suspicion.by.len() > suspicion.wanted {
            return false;
        }
        suspicion.by.push(by);
        let lasts = timeout(suspicion.min, suspicion.max, suspicion.by.len() - 1, suspicion.wanted);
        self.by_due.remove(&(suspicion.due, node));
        // Never in the past: a deadline that was missed looks like a pause of this node.
        suspicion.due = suspicion.since.after(lasts).max(now);
        self.by_due.insert((suspicion.due, node));
        true
    }

    /// It was refuted, or is over.
    pub(crate) fn end(&mut self, node: NodeId) {
        if let Some(suspicion) = self.by_node.remove(&node) {
            self.by_due.remove(&(suspicion.due, node));
        }
    }

    /// One that was not refuted in time.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(NodeId, Suspicion)> {
        let (_, node) = *self.by_due.first().filter(|(due, _)| *due <= now)?;
        let suspicion = self.by_node.remove(&node).expect("both maps have the same nodes");
        self.by_due.remove(&(suspicion.due, node));
        Some((node, suspicion))
    }

    /// This node was away for so long: nobody could have refuted anything to it.
    pub(crate) fn postpone(&mut self, lost: Duration) {
        self.by_due.clear();
        for (node, suspicion) in &mut self.by_node {
            suspicion.since = suspicion.since.after(lost);
            suspicion.due = suspicion.due.after(lost);
            self.by_due.insert((suspicion.due, *node));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirmations_shorten_it_as_in_the_paper() {
        let (min, max) = (Duration::from_secs(5), Duration::from_secs(30));
        // max − (max − min) · log(c + 1) / log(4), which is 30, 17.5, 10.2 and 5 seconds.
        let millis = |c| timeout(min, max, c, 3).as_millis();
        assert_eq!(millis(0), 30_000);
        assert_eq!(millis(1), 17_500);
        assert!((10_180..10_190).contains(&millis(2)), "{}", millis(2));
        assert_eq!(millis(3), 5_000);
        assert_eq!(millis(9), 5_000);
        assert_eq!(timeout(min, max, 0, 0), min, "nobody is there who could confirm");
    }
}
