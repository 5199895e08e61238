//! An orderly stop: what HTTP clients offer passes to the nodes that are responsible for them without this one, and the hint
//! is written to its end.
//!
//! ```text
//! leaving node ── Handed{records, silent for how long} ──► the responsible node owns them from now on, and judges them
//!              ◄──────────────── Taken ──────────────────
//! ```
//!
//! Without it the records would be orphans until their clients beat again, and whoever beats less often than an orphan is
//! listed would be missing meanwhile. Nobody lives longer for it: the new owner counts silence from when the client was heard
//! here. A node that leaves does nothing for others any more and asks them for its own clients, so nothing comes back to it.
//! Lost, or not answered in `LEAVE_TIME`: orphans, as after a crash. The offers of connections pass with their clients.

use crate::{ClientId, Instance, Naming, Output, offer::OfferKey, peers::Said};
use base::{Duration, Instant, NodeId};
use distro::{Input, Record};
use journal::Kind;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// A node that could not hand everything over by then leaves all the same.
pub const LEAVE_TIME: Duration = Duration::from_secs(2);

/// How many records one step looks at for handing them over at most.
pub const HANDED_PER_WAKE: usize = 1000;

/// How many records one message hands over at most.
const HANDED_PER_MESSAGE: usize = 64;

/// Between two pieces: what is handed over must not crowd out what else is said.
const HAND_INTERVAL: Duration = Duration::from_millis(10);

/// A record that another node is to own from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Handed {
    record: Record<OfferKey, Arc<Instance>>,
    /// How long its client has not been heard.
    silent_ms: u64,
}

/// How far this node has come in leaving.
#[derive(Debug)]
pub(crate) struct Leave {
    until: Instant,
    stage: Stage,
    /// By node: messages that it has not answered.
    untaken: BTreeMap<NodeId, usize>,
}

#[derive(Debug)]
enum Stage {
    /// Records after this one are still to be handed over, from then on.
    Handing { after: Option<OfferKey>, at: Instant },
    /// The others have not taken all of it.
    Waiting,
    /// The last of the hint is to be written.
    Writing,
    /// Nothing is left to do.
    Left,
}

impl Leave {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Handing { at, .. } => Some(at),
            Stage::Waiting | Stage::Writing => Some(self.until),
            Stage::Left => None,
        }
    }
}

impl Naming {
    /// Whether this node is about to stop.
    pub(crate) fn leaves(&self) -> bool {
        self.leave.is_some()
    }

    pub(crate) fn leave(&mut self) {
        if self.leave.is_none() {
            let now = self.now.instant;
            let stage = Stage::Handing { after: None, at: now };
            let untaken = BTreeMap::new();
            self.leave = Some(Leave { until: now.after(LEAVE_TIME), stage, untaken });
            self.hint_soon();
            self.go_on_leaving();
        }
    }

    /// Does what is next.
    pub(crate) fn go_on_leaving(&mut self) {
        let now = self.now.instant;
        if let Some(Leave { stage: Stage::Handing { after, at }, .. }) = &mut self.leave
            && *at <= now
        {
            let after = after.take();
            self.hand_over(after.as_ref());
        }
        let written = self.hint_is_written();
        let Some(leave) = &mut self.leave else { return };
        if matches!(leave.stage, Stage::Waiting) && leave.untaken.is_empty() {
            leave.stage = Stage::Writing;
        }
        let finished = match leave.stage {
            Stage::Handing { .. } | Stage::Waiting => leave.until <= now,
            Stage::Writing => written || leave.until <= now,
            Stage::Left => false,
        };
        if finished {
            leave.stage = Stage::Left;
            self.outputs.push_back(Output::Left);
        }
    }

    /// Hands over one piece.
    fn hand_over(&mut self, after: Option<&OfferKey>) {
        let (last, handed) = self.to_hand_over(after);
        let mut untaken = Vec::new();
        for (to, handed) in handed {
            for piece in handed.chunks(HANDED_PER_MESSAGE) {
                untaken.push(to);
                self.say(to, Said::Handed(piece.to_vec()));
            }
        }
        let at = self.now.instant.after(HAND_INTERVAL);
        let leave = self.leave.as_mut().expect("the caller looked");
        for to in untaken {
            *leave.untaken.entry(to).or_default() += 1;
        }
        leave.stage = match last {
            Some(last) => Stage::Handing { after: Some(last), at },
            None => Stage::Waiting,
        };
    }

    /// Who is to own what from now on, for one piece, and the last record of it if there may be more.
    fn to_hand_over(
        &self,
        after: Option<&OfferKey>,
    ) -> (Option<OfferKey>, BTreeMap<NodeId, Vec<Handed>>) {
        let mut handed: BTreeMap<NodeId, Vec<Handed>> = BTreeMap::new();
        let (mut last, mut count) = (None, 0);
        for (key, entry) in self.distro.after(after).take(HANDED_PER_WAKE) {
            (last, count) = (Some(key), count + 1);
            if self.distro.owns(entry)
                && let Some(to) = self.responsible_elsewhere(&key.client)
            {
                let value = Some(entry.value.clone());
                let record = Record { key: key.clone(), version: entry.version, value };
                let silent = self.hearing().instant.since(entry.heard);
                let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
                handed.entry(to).or_default().push(Handed { record, silent_ms });
            }
        }
        (last.filter(|_| count == HANDED_PER_WAKE).cloned(), handed)
    }

    /// Another node leaves: what it owned is this one's from now on.
    pub(crate) fn handed(&mut self, from: NodeId, handed: Vec<Handed>) {
        if handed.len() > HANDED_PER_MESSAGE {
            return self.refuse_junk(from, "a handover");
        }
        for Handed { record, silent_ms } in handed {
            let key = record.key.clone();
            self.distro(Input::Learned { from, record });
            let Some(entry) = self.distro.get(&key) else { continue };
            let of_leaver = entry.version.incarnation.node == from && entry.listed();
            let by_beats = matches!(*key.client, ClientId::Address { .. });
            if self.leaves() || !of_leaver || !by_beats {
                continue;
            }
            let now = self.hearing().instant.as_nanos();
            let silent = Duration::from_millis(silent_ms).as_nanos();
            let silent = u64::try_from(silent).unwrap_or(u64::MAX);
            let heard = Instant::from_nanos(now.saturating_sub(silent));
            self.instance_event(Kind::Adopted, &key);
            self.distro(Input::TakeOver { key: key.clone(), heard });
            self.watch_beats(key);
        }
        self.say(from, Said::Taken);
    }

    /// A peer owns what one message handed over.
    pub(crate) fn taken(&mut self, from: NodeId) {
        let Some(leave) = &mut self.leave else { return };
        if let Some(count) = leave.untaken.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                leave.untaken.remove(&from);
            }
        }
        self.go_on_leaving();
    }

    /// A peer will not answer any more.
    pub(crate) fn not_taken(&mut self, peer: NodeId) {
        if let Some(leave) = &mut self.leave {
            leave.untaken.remove(&peer);
            self.go_on_leaving();
        }
    }
}
