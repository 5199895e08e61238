//! What a listener of a key is owed:
//!
//! ```text
//! order    it never reads an older content after a newer one (older: replaced before the other was asked for)
//! told     a change that was asked for after it began to listen and was acknowledged is told within `TOLD_WITHIN`, unless
//!          its connection or the host went meanwhile
//! true     who is told of a change of what he holds does not read the same again: the change is there to be read first.
//!          A machine that says that it may be behind promises less: what the client brings from elsewhere may be newer
//! ```

use super::{
    Findings, History,
    requests::{Epoch, Request, epochs},
    seconds,
    trouble::{CONVERGE_TIME, Troubles, before, calm},
};
use crate::{
    config_client::md5_of,
    note::{Ask, Note, Outcome},
    world::Happening,
};
use base::{Duration, Instant};
use std::collections::BTreeMap;

/// From the acknowledgement of a change to the word of it: one way through the network, and slack.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// A client that listens to a key and was not told anything yet.
struct Ear {
    client: usize,
    /// Where it listens.
    machine: usize,
    key: String,
    /// When it asked to listen.
    since: Instant,
    until: Instant,
    /// Of what it holds; empty if that is nothing.
    md5: String,
}

/// Keys, and md5s of what is held of them.
type Held = Vec<(String, String)>;

#[derive(Default)]
struct Ears {
    asked: BTreeMap<(usize, u64), (Instant, Held)>,
    open: BTreeMap<(usize, String), Ear>,
    closed: Vec<Ear>,
    /// Who was told of a change of what he held then, and has not read it since.
    told: BTreeMap<(usize, String), (Instant, String)>,
    pauses: Vec<(Instant, Duration)>,
    stale: Vec<String>,
    troubles: Troubles,
}

pub(crate) fn check(history: &History) -> Findings {
    let mut findings = Findings::of("listen");
    let ears = Ears::read(history);
    let keys = epochs(history);
    for ear in &ears.closed {
        findings.checked += 1;
        let epochs = keys.get(ear.key.as_str()).map_or(&[] as &[_], Vec::as_slice);
        findings.violations.extend(ears.untold(ear, epochs));
    }
    for (key, epochs) in &keys {
        findings.violations.extend(epochs.iter().flat_map(|epoch| backwards(key, epoch)));
    }
    findings.violations.extend(ears.stale);
    findings
}

impl Ears {
    fn read(history: &History) -> Self {
        let mut ears = Self { troubles: Troubles::read(history), ..Self::default() };
        let mut reads: BTreeMap<(usize, u64), (Instant, String)> = BTreeMap::new();
        for (at, happening) in history {
            match happening {
                Happening::Noted { client, machine, note } => match note {
                    Note::Asked { number, key, ask: Ask::Query } => {
                        reads.insert((*client, *number), (*at, key.clone()));
                    }
                    Note::Answered { number, outcome: Outcome::Found(found) } => {
                        if let Some((asked, key)) = reads.remove(&(*client, *number)) {
                            let md5 = found.as_deref().map(md5_of).unwrap_or_default();
                            ears.found(*at, (*client, key), asked, &md5);
                        }
                    }
                    note => ears.note(*at, (*client, *machine), note),
                },
                Happening::Down { machine, .. } => ears.close(*at, |ear| ear.machine == *machine),
                Happening::Restored { .. } => ears.told.clear(),
                Happening::Paused { duration, .. } => ears.pauses.push((*at, *duration)),
                Happening::Cut { .. }
                | Happening::Up { .. }
                | Happening::Ready { .. }
                | Happening::ClockSet { .. }
                | Happening::Full { .. }
                | Happening::Scanned { .. }
                | Happening::Parted { .. }
                | Happening::Slowed { .. }
                | Happening::Replaced { .. }
                | Happening::Sighted { .. }
                | Happening::Applied { .. }
                | Happening::Halted { .. } => {}
            }
        }
        let end = history.last().map_or(Instant::START, |(at, _)| *at);
        ears.close(end, |_| true);
        ears
    }

    fn note(&mut self, at: Instant, (client, machine): (usize, usize), note: &Note) {
        match note {
            Note::Listening { number, held } => {
                self.asked.insert((client, *number), (at, held.clone()));
            }
            Note::Listened { number, changed, stale } => {
                let Some((since, held)) = self.asked.remove(&(client, *number)) else { return };
                for (key, md5) in held {
                    self.close(at, |ear| ear.client == client && ear.key == key);
                    if changed.contains(&key) {
                        if *stale {
                            self.told.remove(&(client, key));
                        } else {
                            self.told.insert((client, key), (at, md5));
                        }
                    } else {
                        let ear = Ear { client, machine, key: key.clone(), since, until: at, md5 };
                        self.open.insert((client, key), ear);
                    }
                }
            }
            Note::Told { key } => {
                if let Some(ear) = self.open.get(&(client, key.clone())) {
                    self.told.insert((client, key.clone()), (at, ear.md5.clone()));
                }
                self.close(at, |ear| ear.client == client && ear.key == *key);
            }
            Note::Deaf => self.close(at, |ear| ear.client == client),
            Note::Registering(_)
            | Note::Registered(_)
            | Note::Leaving(_)
            | Note::Left(..)
            | Note::Listed(..)
            | Note::Pushed(_)
            | Note::Persistent(..)
            | Note::Asked { .. }
            | Note::Answered { .. }
            | Note::Lock { .. }
            | Note::Fenced { .. }
            | Note::Broken(_) => {}
        }
    }

    fn close(&mut self, at: Instant, which: impl Fn(&Ear) -> bool) {
        let open = std::mem::take(&mut self.open);
        let (closed, open): (BTreeMap<_, _>, BTreeMap<_, _>) =
            open.into_iter().partition(|(_, ear)| which(ear));
        self.open = open;
        self.closed.extend(closed.into_values().map(|ear| Ear { until: at, ..ear }));
    }

    fn found(&mut self, at: Instant, reader: (usize, String), asked: Instant, md5: &str) {
        let Some((told, held)) = self.told.get(&reader) else { return };
        if asked < *told {
            return;
        }
        if held == md5 && !md5.is_empty() {
            let (client, key) = &reader;
            self.stale.push(format!(
                "{}: client {client} was told at {} that {key} is another, and read the same",
                seconds(at),
                seconds(*told)
            ));
        }
        self.told.remove(&reader);
    }

    /// The change that this listener should have been told of.
    fn untold(&self, ear: &Ear, epochs: &[Epoch<'_>]) -> Option<String> {
        let requests = epochs.iter().flat_map(|epoch| &epoch.requests);
        let around = self.troubles.around(ear.machine);
        let missed = requests.filter(|request| request.asked >= ear.since).find(|request| {
            let (Some(effect), Some(done)) = (request.effect(), request.acknowledged()) else {
                return false;
            };
            let md5 = effect.map(md5_of).unwrap_or_default();
            let paused: Duration = self
                .pauses
                .iter()
                .filter(|(at, duration)| *at <= ear.until && at.after(*duration) >= done)
                .map(|(_, duration)| *duration)
                .sum();
            let all = self.troubles.all();
            let begun = before(request.asked, CONVERGE_TIME);
            let well = calm(&all, begun, done.after(TOLD_WITHIN));
            // Where the write was acknowledged and where it is listened for are two nodes: the other one has to hear of it.
            let late = if well { Duration::ZERO } else { CONVERGE_TIME };
            md5 != ear.md5
                && calm(&around, begun, ear.until)
                && done.after(TOLD_WITHIN + paused + late) < ear.until
        })?;
        Some(format!(
            "client {} listened to {} from {} to {} and was not told of what was asked for at {}",
            ear.client,
            ear.key,
            seconds(ear.since),
            seconds(ear.until),
            seconds(missed.asked)
        ))
    }
}

/// Reads of one client that show an older content after a newer one.
fn backwards(key: &str, epoch: &Epoch<'_>) -> Vec<String> {
    let writes: BTreeMap<&str, &Request<'_>> =
        epoch.requests.iter().filter_map(|request| Some((request.effect()??, request))).collect();
    let mut last: BTreeMap<usize, (Instant, &Request<'_>)> = BTreeMap::new();
    let mut found = Vec::new();
    let mut reads: Vec<(Instant, &Request<'_>, &str)> = Vec::new();
    for request in &epoch.requests {
        if let (Ask::Query, Some((at, Outcome::Found(Some(content))))) = (request.ask, request.end)
        {
            reads.push((at, request, content));
        }
    }
    reads.sort_by_key(|(at, ..)| *at);
    for (at, read, content) in reads {
        let Some(write) = writes.get(content) else { continue };
        if let Some((seen_at, newer)) = last.get(&read.client)
            && read.asked >= *seen_at
            && write.acknowledged().is_some_and(|acknowledged| acknowledged < newer.asked)
        {
            found.push(format!(
                "{}: client {} read of {key} what was asked for at {} after what was asked for at {}",
                seconds(at),
                read.client,
                seconds(write.asked),
                seconds(newer.asked)
            ));
        }
        last.insert(read.client, (at, write));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::{Line, at, configs, noted};

    fn listens(from: u64, held: &str) -> Vec<Line> {
        let md5 = if held.is_empty() { String::new() } else { md5_of(held) };
        let held = vec![("k".to_owned(), md5)];
        vec![
            noted(from, Note::Listening { number: 1, held }),
            noted(from, Note::Listened { number: 1, changed: Vec::new(), stale: false }),
        ]
    }

    /// Is said to hold another content than is here.
    fn differs(from: u64, held: &str, stale: bool) -> Vec<Line> {
        let held = vec![("k".to_owned(), md5_of(held))];
        vec![
            noted(from, Note::Listening { number: 1, held }),
            noted(from, Note::Listened { number: 1, changed: vec!["k".to_owned()], stale }),
        ]
    }

    fn told(s: u64) -> Vec<Line> {
        vec![noted(s, Note::Told { key: "k".to_owned() })]
    }

    fn found(script: &str, rest: &[Vec<Line>]) -> usize {
        let mut history = [configs(script), rest.concat()].concat();
        history.push((at(60), Happening::Ready { machine: 0 }));
        history.sort_by_key(|(at, _)| *at);
        check(&history).violations.len()
    }

    #[test]
    fn a_change_must_be_told() {
        let script = "1-2 set a; 10-11 set b";
        assert_eq!(found(script, &[listens(5, "a"), told(12)]), 0);
        assert_eq!(found(script, &[listens(5, "a")]), 1);
        assert_eq!(found("1-2 set a; 10-11 remove", &[listens(5, "a")]), 1);
        assert_eq!(found("1-2 set a; 10-- set b", &[listens(5, "a")]), 0, "not acknowledged");
        let lost = vec![noted(12, Note::Deaf)];
        assert_eq!(found(script, &[listens(5, "a"), lost]), 0);
        let down = vec![(at(12), Happening::Down { machine: 0, kept: true })];
        assert_eq!(found(script, &[listens(5, "a"), down]), 0);
    }

    #[test]
    fn who_is_told_reads_something_else() {
        let script = |read| format!("1-2 set a; 10-11 set b; 13-14 get {read}");
        assert_eq!(found(&script("b"), &[listens(5, "a"), told(12)]), 0);
        assert!(found(&script("a"), &[listens(5, "a"), told(12)]) > 0);
    }

    #[test]
    fn only_a_machine_that_says_that_it_may_be_behind_takes_the_newest_for_another() {
        let script = "1-2 set a; 3-4 set b; 13-14 get b";
        assert_eq!(found(script, &[differs(10, "b", true)]), 0);
        assert_eq!(found(script, &[differs(10, "b", false)]), 1);
        assert_eq!(found(script, &[differs(10, "a", false)]), 0);
        let before = differs(9, "b", false);
        assert_eq!(found(script, &[before, differs(10, "b", true)]), 0, "asked anew");
    }

    #[test]
    fn nobody_reads_backwards() {
        let writes = "1-2 set a; 3-4 set b";
        assert_eq!(found(&format!("{writes}; 5-6 get a; 7-8 get b"), &[]), 0);
        assert_eq!(found(&format!("{writes}; 5-6 get b; 7-8 get a"), &[]), 1);
        assert_eq!(found("1-4 set a; 3-4 set b; 5-6 get b; 7-8 get a", &[]), 0, "at once");
    }
}
