//! The story of a run for people: what went wrong, who led, who was there, in the order in which it happened.

use crate::{
    check::seconds,
    network::Place,
    note::{Ask, End, Held, Note, Outcome},
    sights::Sight,
    world::Happening,
};
use base::Instant;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The lines of the story. With `clients`, also what clients did.
#[must_use]
pub fn timeline(history: &[(Instant, Happening)], clients: bool) -> Vec<String> {
    let mut story = Story::default();
    for (at, happening) in history {
        story.tell(*at, happening, clients);
    }
    story.flush();
    story.lines
}

type Pairs = BTreeSet<(Place, Place)>;

#[derive(Default)]
struct Story {
    lines: Vec<String>,
    /// By node.
    machines: BTreeMap<u64, usize>,
    sights: BTreeMap<usize, Sight>,
    /// Cuts and mendings of one moment are one line.
    parted: Option<(Instant, Pairs, Pairs)>,
    asked: BTreeMap<(usize, u64), String>,
}

impl Story {
    fn say(&mut self, at: Instant, text: fmt::Arguments<'_>) {
        self.lines.push(format!("{:>10}  {text}", seconds(at)));
    }

    fn tell(&mut self, at: Instant, happening: &Happening, clients: bool) {
        if let Happening::Parted { from, to, cut } = happening {
            return self.parted(at, (*from, *to), *cut);
        }
        self.flush();
        match happening {
            Happening::Up { machine } => self.say(at, format_args!("m{machine} starts")),
            Happening::Ready { machine } => self.say(at, format_args!("m{machine} serves")),
            Happening::Down { machine, kept } => {
                let how = if *kept { "its process ends" } else { "its power goes" };
                self.sights.remove(machine);
                self.say(at, format_args!("m{machine} is gone: {how}"));
            }
            Happening::Paused { machine, duration } => {
                self.say(at, format_args!("m{machine} stands still for {duration:?}"));
            }
            Happening::ClockSet { machine, by_ms } => {
                self.say(at, format_args!("m{machine}'s clock is set by {by_ms} ms"));
            }
            Happening::Full { machine, full } => {
                let how = if *full { "is full" } else { "has room" };
                self.say(at, format_args!("m{machine}'s disk {how}"));
            }
            Happening::Restored { machine, .. } => {
                self.say(at, format_args!("m{machine}'s disk is that of before"));
            }
            Happening::Replaced { machine } => {
                self.say(at, format_args!("m{machine} gets an empty disk"));
            }
            Happening::Slowed { from, to, most } => {
                self.say(at, format_args!("network: m{from} → m{to} takes up to {most:?}"));
            }
            Happening::Halted { machine, reason } => {
                self.say(at, format_args!("m{machine} stops itself: {reason}"));
            }
            Happening::Sighted { machine, sight } => self.sighted(at, *machine, sight),
            Happening::Noted { client, machine, note } if clients => {
                self.noted(at, *client, *machine, note);
            }
            Happening::Noted { .. }
            | Happening::Cut { .. }
            | Happening::Scanned { .. }
            | Happening::Applied { .. }
            | Happening::Parted { .. } => {}
        }
    }

    fn parted(&mut self, at: Instant, pair: (Place, Place), cut: bool) {
        if self.parted.as_ref().is_some_and(|(since, ..)| *since != at) {
            self.flush();
        }
        let (_, cuts, mends) =
            self.parted.get_or_insert_with(|| (at, BTreeSet::new(), BTreeSet::new()));
        if cut {
            cuts.insert(pair)
        } else {
            mends.insert(pair)
        };
    }

    fn flush(&mut self) {
        let Some((at, cuts, mends)) = self.parted.take() else { return };
        for (pairs, what) in [(cuts, "cut"), (mends, "mended")] {
            if !pairs.is_empty() {
                let words = pair_words(&pairs);
                self.say(at, format_args!("network {what}: {words}"));
            }
        }
    }

    fn sighted(&mut self, at: Instant, machine: usize, sight: &Sight) {
        self.machines.insert(sight.node, machine);
        let before = self.sights.insert(machine, sight.clone());
        let was = |f: fn(&Sight) -> Option<u64>| before.as_ref().and_then(f);
        if let Some(cluster) = sight.cluster
            && was(|sight| sight.cluster).is_none()
        {
            self.say(at, format_args!("m{machine} is in cluster {cluster:016x}"));
        }
        let voters = before.as_ref().map_or(&[] as &[u64], |before| &before.voters);
        if voters != sight.voters && !sight.voters.is_empty() {
            let names: Vec<String> = sight.voters.iter().map(|voter| self.name(*voter)).collect();
            self.say(at, format_args!("m{machine} knows as voters {}", names.join(", ")));
        }
        let term = sight.term;
        match (was(|sight| sight.leader), sight.leader) {
            (before, now) if before == now => {}
            (Some(_), None) => self.say(at, format_args!("m{machine} has no leader")),
            (_, Some(leader)) if leader == sight.node => {
                self.say(at, format_args!("m{machine} leads term {term}"));
            }
            (_, Some(leader)) => {
                let leader = self.name(leader);
                self.say(at, format_args!("m{machine} follows {leader} in term {term}"));
            }
            (None, None) => {}
        }
    }

    fn name(&self, node: u64) -> String {
        self.machines.get(&node).map_or_else(|| format!("node {node}"), |m| format!("m{m}"))
    }

    fn noted(&mut self, at: Instant, client: usize, machine: usize, note: &Note) {
        match note {
            Note::Registered(offer) => {
                let (service, address) = (&offer.service, &offer.address);
                self.say(at, format_args!("m{machine} registers {address} of {service}"));
            }
            Note::Left(offer, end) => {
                let how = match end {
                    End::Deregistered => "is taken back",
                    End::HungUp => "ends with its connection",
                    End::Silent => "ends in silence",
                    End::Beatless => "beats no more",
                };
                self.say(at, format_args!("{} of {} {how}", offer.address, offer.service));
            }
            Note::Asked { number, key, ask } => {
                let what = match ask {
                    Ask::Publish { .. } => format!("publishing {key}"),
                    Ask::Remove => format!("removing {key}"),
                    Ask::Query => return,
                };
                self.asked.insert((client, *number), what);
            }
            Note::Answered { number, outcome } => {
                let Some(what) = self.asked.remove(&(client, *number)) else { return };
                let outcome = match outcome {
                    Outcome::Done => "done".to_owned(),
                    Outcome::Conflict => "another one was first".to_owned(),
                    Outcome::Refused(why) => format!("refused: {why}"),
                    Outcome::Unknown => "no answer".to_owned(),
                    Outcome::Found(_) | Outcome::FoundStale(_) => return,
                };
                self.say(at, format_args!("c{client} at m{machine}, {what}: {outcome}"));
            }
            Note::Lock { key, held } => match held {
                Held::Asking | Held::Until { .. } | Held::Releasing { .. } => {}
                Held::Granted { token, .. } => {
                    self.say(
                        at,
                        format_args!("c{client} at m{machine} has {key} with token {token}"),
                    );
                }
                Held::Lost { token } => {
                    self.say(
                        at,
                        format_args!("c{client} at m{machine} has lost token {token} of {key}"),
                    );
                }
            },
            Note::Registering(_)
            | Note::Leaving(_)
            | Note::Listed(..)
            | Note::Pushed(_)
            | Note::Persistent(..)
            | Note::Listening { .. }
            | Note::Listened { .. }
            | Note::Told { .. }
            | Note::Deaf
            | Note::Fenced { .. }
            | Note::Broken(_) => {}
        }
    }
}

fn pair_words(pairs: &BTreeSet<(Place, Place)>) -> String {
    let mut words = Vec::new();
    for (from, to) in pairs {
        match (pairs.contains(&(*to, *from)), from < to) {
            (true, true) => words.push(format!("{from} – {to}")),
            (true, false) => {}
            (false, _) => words.push(format!("{from} → {to}")),
        }
    }
    words.join(", ")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(machine) => write!(f, "m{machine}"),
            Self::Client(client) => write!(f, "c{client}"),
        }
    }
}
