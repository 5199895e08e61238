//! A read is said to be old only when it may be: something was wrong with the cluster a moment ago, or with the disk of the
//! machine that answers, or its ways to the others are so slow that nobody can confirm a read in time.

use super::{
    Findings, History,
    requests::epochs,
    seconds,
    trouble::{CONVERGE_TIME, Troubles, before, calm},
};
use crate::note::Outcome;
use base::Duration;

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("stale");
    let troubles = Troubles::read(history);
    for (key, epochs) in epochs(history) {
        for request in epochs.iter().flat_map(|epoch| &epoch.requests) {
            let Some((at, Outcome::FoundStale(found))) = request.end else { continue };
            findings.checked += 1;
            // What was on its way when the way became quick again came late.
            let slow_since = before(request.asked, Duration::from_secs(1));
            if calm(&troubles.before(request.machine), before(request.asked, CONVERGE_TIME), at)
                && calm(&troubles.slow_ways(request.machine), slow_since, at)
            {
                findings.violations.push(format!(
                    "{}: m{} says that {key} may be old, and all is well",
                    seconds(at),
                    request.machine
                ));
            }
            let written = |request: &super::requests::Request<'_>| {
                request.effect() == Some(found.as_deref()) && request.asked <= at
            };
            let requests = epochs.iter().flat_map(|epoch| &epoch.requests);
            if found.is_some() && !requests.into_iter().any(written) {
                let text: String = found.iter().flat_map(|text| text.chars().take(20)).collect();
                findings.violations.push(format!(
                    "{}: m{} found {text:?} under {key}, which nobody published",
                    seconds(at),
                    request.machine
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::script::{at, configs},
        note::Note,
        world::Happening,
    };

    /// A read of "a" at 30 s that is said to be old; a machine was down between these moments.
    fn found(content: &str, down: Option<(u64, u64)>) -> usize {
        let down = down.into_iter().flat_map(|(from, to)| {
            [
                (at(from), Happening::Down { machine: 1, kept: true }),
                (at(to), Happening::Ready { machine: 1 }),
            ]
        });
        found_after(content, down.collect())
    }

    /// The same after something else.
    fn found_after(content: &str, troubles: Vec<(base::Instant, Happening)>) -> usize {
        let mut history = vec![(at(0), Happening::Up { machine: 1 })];
        history.extend(configs(&format!("1-2 set a; 30-31 get {content}")));
        for (_, happening) in &mut history {
            if let Happening::Noted { note: Note::Answered { outcome, .. }, .. } = happening
                && let Outcome::Found(found) = outcome
            {
                *outcome = Outcome::FoundStale(found.clone());
            }
        }
        history.extend(troubles);
        history.sort_by_key(|(at, _)| *at);
        check(&history).violations.len()
    }

    #[test]
    fn a_read_is_old_only_in_trouble_and_never_made_up() {
        assert_eq!(found("a", Some((25, 29))), 0);
        assert_eq!(found("a", None), 1);
        assert_eq!(found("a", Some((5, 9))), 1, "long ago");
        assert_eq!(found("b", Some((25, 29))), 1, "nobody wrote it");
    }

    #[test]
    fn a_read_may_be_old_at_the_end_of_a_slow_way() {
        let slow = |from_to: (usize, usize), ms, until| {
            let slowed = |s, ms| {
                let (from, to) = from_to;
                (at(s), Happening::Slowed { from, to, most: Duration::from_millis(ms) })
            };
            found_after("a", vec![slowed(20, ms), slowed(until, 2)])
        };
        assert_eq!(slow((0, 1), 300, 40), 0);
        assert_eq!(slow((1, 0), 300, 40), 0);
        assert_eq!(slow((1, 2), 300, 40), 1, "the machine that was asked is at neither end");
        assert_eq!(slow((0, 1), 100, 40), 1, "quick enough");
        assert_eq!(slow((0, 1), 300, 25), 1, "it was");
    }
}
