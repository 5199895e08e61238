//! When machines could not be expected to agree: one of them was down, stood still, or bytes did not pass between them.

use super::History;
use crate::{network::Place, world::Happening};
use base::{Duration, Instant};
use std::collections::BTreeMap;

/// From the end of a trouble until two nodes know the same again: links are dialled anew (at most 5 s apart), then two rounds
/// of digests, and what they bring.
pub(crate) const CONVERGE_TIME: Duration = Duration::from_secs(12);

/// A way that takes this long is slow: a read is confirmed in up to four turns, to the leader, from there to a quorum and all
/// the way back, within 500 ms.
const SLOW: Duration = Duration::from_millis(125);

/// A span of time; `None`: it has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Instant,
    pub(crate) to: Option<Instant>,
}

impl Span {
    pub(crate) fn touches(&self, from: Instant, to: Instant) -> bool {
        self.from <= to && self.to.is_none_or(|end| end >= from)
    }
}

#[derive(Default)]
pub(crate) struct Troubles {
    /// More than one machine takes part.
    pub(crate) is_cluster: bool,
    /// Until they serve again.
    downs: BTreeMap<usize, Vec<Span>>,
    /// Until they begin again.
    off: BTreeMap<usize, Vec<Span>>,
    pauses: BTreeMap<usize, Vec<Span>>,
    cuts: BTreeMap<(usize, usize), Vec<Span>>,
    /// Bytes pass, and take `SLOW` or longer.
    slow: BTreeMap<(usize, usize), Vec<Span>>,
    full: BTreeMap<usize, Vec<Span>>,
    /// Between clients and machines.
    client_cuts: Vec<Span>,
    open_client_cuts: usize,
}

impl Troubles {
    pub(crate) fn read(history: &History) -> Self {
        let mut troubles = Self::default();
        for (at, happening) in history {
            match happening {
                Happening::Up { machine } => {
                    troubles.is_cluster |= *machine > 0;
                    if let Some(last) = troubles.off.get_mut(machine).and_then(|o| o.last_mut()) {
                        last.to = Some(*at);
                    }
                }
                Happening::Down { machine, .. } => {
                    troubles.off.entry(*machine).or_default().push(Span { from: *at, to: None });
                    let spans = troubles.downs.entry(*machine).or_default();
                    if spans.last().is_none_or(|last| last.to.is_some()) {
                        spans.push(Span { from: *at, to: None });
                    }
                }
                Happening::Ready { machine } => {
                    let spans = troubles.downs.entry(*machine).or_default();
                    match spans.last_mut() {
                        Some(last) => last.to = last.to.or(Some(*at)),
                        // It had to begin first.
                        None => spans.push(Span { from: Instant::START, to: Some(*at) }),
                    }
                }
                Happening::Paused { machine, duration } => {
                    let span = Span { from: *at, to: Some(at.after(*duration)) };
                    troubles.pauses.entry(*machine).or_default().push(span);
                }
                Happening::Full { machine, full: true } => {
                    let spans = troubles.full.entry(*machine).or_default();
                    if spans.last().is_none_or(|last| last.to.is_some()) {
                        spans.push(Span { from: *at, to: None });
                    }
                }
                Happening::Full { machine, full: false } => {
                    if let Some(last) = troubles.full.get_mut(machine).and_then(|s| s.last_mut()) {
                        last.to = last.to.or(Some(*at));
                    }
                }
                Happening::Parted { from, to, cut } => troubles.cut(*at, *from, *to, *cut),
                Happening::Slowed { from, to, most } => {
                    let spans = troubles.slow.entry((*from, *to)).or_default();
                    if let Some(last) = spans.last_mut() {
                        last.to = last.to.or(Some(*at));
                    }
                    if *most >= SLOW {
                        spans.push(Span { from: *at, to: None });
                    }
                }
                Happening::Noted { .. }
                | Happening::Cut { .. }
                | Happening::ClockSet { .. }
                | Happening::Restored { .. }
                | Happening::Scanned { .. }
                | Happening::Replaced { .. }
                | Happening::Sighted { .. }
                | Happening::Applied { .. }
                | Happening::Halted { .. } => {}
            }
        }
        troubles
    }

    fn cut(&mut self, at: Instant, from: Place, to: Place, cut: bool) {
        let (Place::Machine(from), Place::Machine(to)) = (from, to) else {
            match (cut, self.open_client_cuts) {
                (true, 0) => self.client_cuts.push(Span { from: at, to: None }),
                (false, 1) => self.client_cuts.last_mut().expect("it is open").to = Some(at),
                (true | false, _) => {}
            }
            if cut {
                self.open_client_cuts += 1;
            } else {
                self.open_client_cuts -= 1;
            }
            return;
        };
        let spans = self.cuts.entry((from, to)).or_default();
        if cut {
            spans.push(Span { from: at, to: None });
        } else if let Some(last) = spans.last_mut() {
            last.to = Some(at);
        }
    }

    /// Of one machine alone: down or standing still.
    pub(crate) fn of(&self, machine: usize) -> impl Iterator<Item = Span> {
        let downs = self.downs.get(&machine).into_iter().flatten();
        downs.chain(self.pauses.get(&machine).into_iter().flatten()).copied()
    }

    pub(crate) fn downs_of(&self, machine: usize) -> impl Iterator<Item = Span> {
        self.downs.get(&machine).into_iter().flatten().copied()
    }

    /// Whatever may keep two machines from knowing the same. What a client over HTTP asks of one of them may be done by a third.
    pub(crate) fn near(&self, a: usize, b: usize) -> Vec<Span> {
        self.around(a).into_iter().chain(self.around(b)).collect()
    }

    /// Between two machines, either way.
    #[cfg(test)]
    pub(crate) fn between(&self, a: usize, b: usize) -> Vec<Span> {
        let cuts = [(a, b), (b, a)].into_iter().filter_map(|pair| self.cuts.get(&pair)).flatten();
        self.of(a).chain(self.of(b)).chain(cuts.copied()).collect()
    }

    /// Whatever keeps this machine from being up to date: its own, and cuts from any other.
    pub(crate) fn around(&self, machine: usize) -> Vec<Span> {
        if !self.is_cluster {
            return Vec::new();
        }
        let cuts = self.cuts.iter().filter(|((a, b), _)| [*a, *b].contains(&machine));
        self.of(machine).chain(cuts.flat_map(|(_, spans)| spans.iter().copied())).collect()
    }

    /// Of any machine.
    pub(crate) fn all(&self) -> Vec<Span> {
        if !self.is_cluster {
            return Vec::new();
        }
        let spans = self.downs.values().chain(self.pauses.values());
        let spans = spans.chain(self.cuts.values()).chain(self.full.values());
        spans.flatten().copied().collect()
    }

    /// Whatever may keep this machine from showing what was agreed. What is committed is applied once it is on the own disk: a
    /// machine whose disk takes nothing stays behind, and no other one.
    pub(crate) fn before(&self, machine: usize) -> Vec<Span> {
        if !self.is_cluster {
            return Vec::new();
        }
        let full = self.full.get(&machine).into_iter().flatten();
        let spans = self.downs.values().chain(self.pauses.values()).chain(self.cuts.values());
        spans.flatten().chain(full).copied().collect()
    }

    /// Whether a machine was up from then on, and so remembers what it heard then, and could tell the others lately.
    pub(crate) fn remembered(&self, since: Instant, until: Instant) -> bool {
        let lately = before(until, CONVERGE_TIME);
        let tells = |machine: usize| calm(&self.around(machine), lately, until);
        self.downs.iter().any(|(machine, downs)| calm(downs, since, until) && tells(*machine))
    }

    /// When a way to or from this machine was so slow that it cannot confirm a read in time.
    pub(crate) fn slow_ways(&self, machine: usize) -> Vec<Span> {
        let ways = self.slow.iter().filter(|((a, b), _)| [*a, *b].contains(&machine));
        ways.flat_map(|(_, spans)| spans.iter().copied()).collect()
    }

    /// Whether all of this time nothing can be agreed on between two machines: one does not hear the other.
    pub(crate) fn parted(&self, a: usize, b: usize, from: Instant, to: Instant) -> bool {
        let cuts = [(a, b), (b, a)].into_iter().filter_map(|pair| self.cuts.get(&pair)).flatten();
        let off = self.off.get(&b).into_iter().flatten();
        let parted = |span: &Span| span.from < from && span.to.is_none_or(|end| end > to);
        cuts.chain(off).any(parted)
    }

    pub(crate) fn client_cut_spans(&self) -> impl Iterator<Item = Span> {
        self.client_cuts.iter().copied()
    }

    /// Whether a client was cut off from a machine between these moments.
    pub(crate) fn clients_cut(&self, from: Instant, to: Instant) -> bool {
        self.client_cuts.iter().any(|span| span.touches(from, to))
    }
}

/// Whether none of these touches this time.
pub(crate) fn calm(spans: &[Span], from: Instant, to: Instant) -> bool {
    !spans.iter().any(|span| span.touches(from, to))
}

/// `duration` before this moment.
pub(crate) fn before(at: Instant, duration: Duration) -> Instant {
    Instant::from_nanos(at.as_nanos().saturating_sub(duration.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::script::at;

    #[test]
    fn a_machine_that_is_down_or_cut_off_is_in_trouble_until_it_serves_or_is_joined() {
        let (a, b) = (Place::Machine(0), Place::Machine(1));
        let troubles = Troubles::read(&[
            (at(0), Happening::Up { machine: 0 }),
            (at(0), Happening::Up { machine: 1 }),
            (at(1), Happening::Ready { machine: 0 }),
            (at(1), Happening::Ready { machine: 1 }),
            (at(5), Happening::Parted { from: a, to: b, cut: true }),
            (at(7), Happening::Parted { from: a, to: b, cut: false }),
            (at(10), Happening::Down { machine: 1, kept: true }),
            (at(12), Happening::Ready { machine: 1 }),
        ]);
        let pair = troubles.between(1, 0);
        for (from, to, expected) in
            [(2, 4, true), (2, 6, false), (8, 9, true), (9, 11, false), (13, 99, true)]
        {
            assert_eq!(calm(&pair, at(from), at(to)), expected, "{from} to {to}");
        }
        assert!(calm(&troubles.between(0, 2), at(8), at(99)));
    }
}
