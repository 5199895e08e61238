//! Is the history of each config key that of a single copy? (Linearizability: Wing and Gong's search with memory, Lowe 2017.)
//!
//! Contents are unique in a run, so a read names the write that it saw. An acknowledged write takes effect between request
//! and answer; one without an answer takes effect at any later time or never; a crash changes nothing of that. So what a
//! crash loses, what is served before it is kept, and a read of the past are all the same finding: there is no order.

use super::{
    Findings, History,
    requests::{Epoch, Request, epochs},
    seconds,
};
use crate::{
    config_client::md5_of,
    note::{Ask, Outcome},
};
use base::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// States that the search may visit per key; beyond that it gives up and says so.
const STATES_MAX: usize = 400_000;

/// A content's number; `None`: there is no such config.
type State = Option<usize>;

#[derive(Clone, Debug)]
enum Effect {
    /// With the number of the content that must be there (`Some(None)`: one that nobody published).
    Publish {
        content: usize,
        only_over: Option<State>,
    },
    Remove,
    Read(State),
    /// A publish whose condition did not hold.
    Conflict {
        expected: State,
    },
}

#[derive(Clone, Debug)]
struct Op {
    asked: Instant,
    /// `None`: no answer.
    answered: Option<Instant>,
    effect: Effect,
}

/// Checks every config request of a run.
pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("linear");
    for (name, epochs) in epochs(history) {
        let key = Key::read(&epochs);
        for epoch in &epochs {
            findings.checked += epoch.requests.len();
            findings.violations.extend(key.judge(name, epoch));
        }
    }
    findings
}

/// The contents that were ever written to a key, numbered.
struct Key<'a> {
    contents: BTreeMap<&'a str, usize>,
    md5s: BTreeMap<String, usize>,
}

impl<'a> Key<'a> {
    fn read(epochs: &[Epoch<'a>]) -> Self {
        let mut key = Self { contents: BTreeMap::new(), md5s: BTreeMap::new() };
        for request in epochs.iter().flat_map(|epoch| &epoch.requests) {
            if let Ask::Publish { content, .. } = request.ask {
                let next = key.contents.len();
                key.contents.insert(content, next);
                key.md5s.insert(md5_of(content), next);
            }
        }
        key
    }

    fn judge(&self, name: &str, epoch: &Epoch<'_>) -> Option<String> {
        let mut ops = Vec::new();
        for request in &epoch.requests {
            match self.op(name, request) {
                Ok(op) => ops.extend(op),
                Err(violation) => return Some(violation),
            }
        }
        ops.sort_by_key(|op| op.asked);
        drop_unseen(&mut ops);
        let mut search = Search {
            ops: &ops,
            visited: BTreeSet::new(),
            furthest: Placed::default(),
            exhausted: false,
        };
        let starts: BTreeSet<State> =
            epoch.base.iter().map(|held| held.map(|content| self.contents[content])).collect();
        if starts.into_iter().any(|start| search.linearize(Placed::default(), start)) {
            return None;
        }
        if search.exhausted {
            return Some(format!("{name}: undecided after {STATES_MAX} states"));
        }
        let left: Vec<String> = ops
            .iter()
            .enumerate()
            .filter(|(n, op)| !search.furthest.has(*n) && op.answered.is_some())
            .take(3)
            .map(|(_, op)| format!("{:?} asked at {}", op.effect, seconds(op.asked)))
            .collect();
        Some(format!("{name}: no order explains the answers; cannot place {}", left.join("; ")))
    }

    fn op(&self, name: &str, request: &Request<'_>) -> Result<Option<Op>, String> {
        let asked = request.asked;
        let (answered, outcome) = match request.end {
            Some((_, Outcome::Refused(_))) => return Ok(None),
            Some((_, Outcome::Unknown)) | None => (None, &Outcome::Unknown),
            Some((at, outcome)) => (Some(at), outcome),
        };
        let known = |md5: &str| self.md5s.get(md5).copied();
        let effect = match (request.ask, outcome) {
            // What is said to be old may be; `stale` judges whether it may be said.
            (Ask::Query, Outcome::Unknown | Outcome::FoundStale(_)) => return Ok(None),
            (Ask::Query, Outcome::Found(None)) => Effect::Read(None),
            (Ask::Query, Outcome::Found(Some(content))) => {
                match self.contents.get(content.as_str()) {
                    Some(number) => Effect::Read(Some(*number)),
                    None => {
                        let start: String = content.chars().take(20).collect();
                        let at = seconds(asked);
                        return Err(format!(
                            "{name}: a read asked at {at} found {start:?}, which nobody published"
                        ));
                    }
                }
            }
            (Ask::Publish { cas: Some(md5), .. }, Outcome::Conflict) => {
                Effect::Conflict { expected: known(md5) }
            }
            (Ask::Publish { content, cas }, Outcome::Done | Outcome::Unknown) => Effect::Publish {
                content: self.contents[content.as_str()],
                only_over: cas.as_deref().map(known),
            },
            (Ask::Remove, Outcome::Done | Outcome::Unknown) => Effect::Remove,
            (ask, outcome) => return Err(format!("{name}: {ask:?} was answered {outcome:?}")),
        };
        Ok(Some(Op { asked, answered, effect }))
    }
}

/// A write without an answer that nobody saw may as well never have happened, unless a conflict needs it.
fn drop_unseen(ops: &mut Vec<Op>) {
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut conflicts = false;
    for op in ops.iter() {
        match &op.effect {
            Effect::Read(state) => seen.extend(state),
            Effect::Publish { only_over, .. } => seen.extend(only_over.iter().flatten()),
            Effect::Conflict { .. } => conflicts = true,
            Effect::Remove => {}
        }
    }
    if !conflicts {
        ops.retain(|op| match &op.effect {
            Effect::Publish { content, .. } => op.answered.is_some() || seen.contains(content),
            Effect::Remove | Effect::Read(_) | Effect::Conflict { .. } => true,
        });
    }
}

/// A set of operations by their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Placed(Vec<u64>);

impl Placed {
    fn has(&self, n: usize) -> bool {
        self.0.get(n / 64).is_some_and(|word| word & (1 << (n % 64)) != 0)
    }

    fn with(mut self, n: usize) -> Self {
        if self.0.len() <= n / 64 {
            self.0.resize(n / 64 + 1, 0);
        }
        self.0[n / 64] |= 1 << (n % 64);
        self
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

struct Search<'a> {
    ops: &'a [Op],
    visited: BTreeSet<(Placed, State)>,
    /// The placed operations of the longest order found.
    furthest: Placed,
    exhausted: bool,
}

impl Search<'_> {
    /// Whether all answered operations that are not in `placed` can follow on `state`.
    fn linearize(&mut self, mut placed: Placed, state: State) -> bool {
        // What changes nothing and is true now may as well come now.
        while let Some(n) = self.enabled(&placed).into_iter().find(|n| match &self.ops[*n].effect {
            Effect::Read(seen) => *seen == state,
            Effect::Conflict { expected } => state.is_some() && *expected != state,
            Effect::Publish { .. } | Effect::Remove => false,
        }) {
            placed = placed.with(n);
        }
        if placed.len() > self.furthest.len() {
            self.furthest = placed.clone();
        }
        if self.answered().all(|n| placed.has(n)) {
            return true;
        }
        if self.visited.len() >= STATES_MAX {
            self.exhausted = true;
            return false;
        }
        if !self.visited.insert((placed.clone(), state)) {
            return false;
        }
        let candidates = self.enabled(&placed);
        candidates.into_iter().any(|n| {
            let next = match &self.ops[n].effect {
                Effect::Publish { content, only_over: None } => Some(*content),
                // A key that does not exist is inserted, whatever the condition.
                Effect::Publish { content, only_over: Some(expected) } => {
                    if state.is_some() && state != *expected {
                        return false;
                    }
                    Some(*content)
                }
                Effect::Remove => None,
                Effect::Read(_) | Effect::Conflict { .. } => return false,
            };
            self.linearize(placed.clone().with(n), next)
        })
    }

    fn answered(&self) -> impl Iterator<Item = usize> {
        self.ops.iter().enumerate().filter(|(_, op)| op.answered.is_some()).map(|(n, _)| n)
    }

    /// The operations that were asked before any operation that is not placed was answered.
    fn enabled(&self, placed: &Placed) -> Vec<usize> {
        let left = |(n, _): &(usize, &Op)| !placed.has(*n);
        let first_answer =
            self.ops.iter().enumerate().filter(left).filter_map(|(_, op)| op.answered).min();
        self.ops
            .iter()
            .enumerate()
            .filter(left)
            .filter(move |(_, op)| first_answer.is_none_or(|first| op.asked <= first))
            .map(|(n, _)| n)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check::script, world::Happening};

    fn judge(script: &str) -> Vec<String> {
        check(&script::configs(script)).violations
    }

    #[test]
    fn histories_of_one_copy_pass_and_others_do_not() {
        let table = [
            ("1-2 set a; 3-4 get a", true),
            ("1-2 set a; 3-4 get", false),
            ("1-2 set a; 3-4 get b", false),
            ("1-2 set a; 3-4 set b; 5-6 get a", false),
            ("1-4 set a; 2-3 set b; 5-6 get a; 7-8 get a", true),
            ("1-4 set a; 2-3 set b; 5-6 get a; 7-8 get b", false),
            ("1-2 set a; 3-- set b; 4-5 get a; 6-7 get b", true),
            ("1-2 set a; 3-- set b; 4-5 get b; 6-7 get a", false),
            ("1-2 set a; 3-4 remove; 5-6 get", true),
            ("1-2 set a; 3-4 remove; 5-6 get a", false),
            ("1-2 set a; 3-4 set b a; 5-6 get b", true),
            ("1-2 set a; 3-4 set b; 5-6 set c a", false),
            ("1-2 set a; 3-4 set b; 5-6 conflict c a; 7-8 get b", true),
            ("1-2 set a; 3-4 conflict c a", false),
            ("1-2 set a; 3-- set b; 5-6 conflict c a; 7-8 get b", true),
            ("1-2 set a x; 3-4 get a", true),
        ];
        for (script, sound) in table {
            assert_eq!(judge(script).is_empty(), sound, "{script}: {:?}", judge(script));
        }
    }
    #[test]
    fn a_disk_that_went_back_explains_an_older_state_and_nothing_else() {
        for (found, restored, sound) in [
            ("7-8 get a", Some(2), true),
            ("7-8 get b", Some(2), true),
            ("7-8 get a", Some(4), false),
            ("7-8 get", Some(2), false),
            ("7-8 get a", None, false),
            ("7-8 get a; 9-10 get b", Some(2), false),
        ] {
            let mut history = script::configs(&format!("1-2 set a; 3-4 set b; {found}"));
            let as_of =
                restored.map(|as_of| Happening::Restored { machine: 0, as_of: script::at(as_of) });
            history.extend(as_of.map(|restored| (script::at(5), restored)));
            history.sort_by_key(|(at, _)| *at);
            assert_eq!(check(&history).violations.is_empty(), sound, "{found}, {restored:?}");
        }
    }
}
