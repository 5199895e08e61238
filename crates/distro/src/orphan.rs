//! Records whose owner is gone.

use crate::{
    Change, Distro, Entry, Incarnation, Key, RECORDS_PER_WAKE, Standing, Version, key::Spot,
};
use alloc::vec::Vec;
use base::{Duration, Instant, NodeId};

/// How long an orphan is listed after anyone last heard its owner or its client. Clients that notice the loss of their
/// node are elsewhere within a few seconds; those that have died with it are ghosts for this long.
pub const ORPHAN_LISTED_TIME: Duration = Duration::from_secs(15);

/// How long an orphan is kept, hidden, after anyone last heard its owner or its client.
pub const ORPHAN_KEEP_TIME: Duration = Duration::from_secs(600);

/// A walk over all records because an owner went or came back. Rare, so no index by owner is kept for it.
#[derive(Debug)]
pub(crate) struct Sweep<K> {
    owner: NodeId,
    /// The last record that was looked at.
    after: Option<K>,
}

impl<K> Sweep<K> {
    pub(crate) fn new(owner: NodeId) -> Self {
        Self { owner, after: None }
    }
}

impl<K: Key, V: Clone> Distro<K, V> {
    /// Goes on with the oldest sweep, for one piece.
    pub(crate) fn sweep(&mut self, now: Instant) {
        let Some(mut sweep) = self.sweeps.pop_front() else { return };
        let piece: Vec<(K, Incarnation, Standing)> = self
            .after(sweep.after.as_ref())
            .take(RECORDS_PER_WAKE)
            .map(|(key, entry)| (key.clone(), entry.version.incarnation, entry.standing))
            .collect();
        let finished = piece.len() < RECORDS_PER_WAKE;
        for (key, incarnation, standing) in piece {
            sweep.after = Some(key.clone());
            if incarnation.node != sweep.owner {
                continue;
            }
            match (self.unanswered_since(now, incarnation), standing) {
                (Some(heard), Standing::Living) => self.orphan(key, heard),
                (None, Standing::Orphan | Standing::Hidden) => self.reclaim(key),
                (Some(_), Standing::Orphan | Standing::Hidden) | (None, Standing::Living) => {}
            }
        }
        if !finished {
            self.sweeps.push_front(sweep);
        }
    }

    /// Hides and drops the orphans whose time has come, for one piece.
    pub(crate) fn age_orphans(&mut self, now: Instant) {
        for _ in 0..RECORDS_PER_WAKE {
            match self.orphans.first() {
                Some((at, _)) if *at <= now => {}
                Some(_) | None => return,
            }
            let (_, key) = self.orphans.pop_first().expect("looked at above");
            self.age_orphan(now, key);
        }
    }

    /// Takes in a record that nobody answers for.
    pub(crate) fn put_orphan(
        &mut self,
        now: Instant,
        key: K,
        version: Version,
        value: V,
        heard: Instant,
    ) {
        let late = heard.after(ORPHAN_LISTED_TIME) <= now;
        let (standing, change) = if late {
            (Standing::Hidden, Change::Hidden)
        } else {
            (Standing::Orphan, Change::Orphaned)
        };
        self.put(key.clone(), Entry { version, value, heard, standing });
        self.watch_orphan(heard, key.clone());
        self.tell(key, change);
    }

    pub(crate) fn watch_orphan(&mut self, heard: Instant, key: K) {
        self.orphans.insert((heard.after(ORPHAN_LISTED_TIME), key));
    }

    fn orphan(&mut self, key: K, heard: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.standing = Standing::Orphan;
        // A client that was heard by this node later than its owner counts, too.
        entry.heard = entry.heard.max(heard);
        let heard = entry.heard;
        self.watch_orphan(heard, key.clone());
        self.tell(key, Change::Orphaned);
    }

    fn reclaim(&mut self, key: K) {
        self.stand(&key, Standing::Living);
        self.tell(key, Change::Reclaimed);
    }

    /// Changes the standing of a record. What is hidden is not in the digests.
    pub(crate) fn stand(&mut self, key: &K, standing: Standing) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let (listed, version) = (entry.listed(), entry.version);
        entry.standing = standing;
        match (listed, entry.listed()) {
            (false, true) => self.digests.add(Spot::of(key), version),
            (true, false) => self.digests.remove(Spot::of(key), version),
            (true, true) | (false, false) => {}
        }
    }

    fn age_orphan(&mut self, now: Instant, key: K) {
        let Some(entry) = self.entries.get(&key) else { return };
        let hide = entry.heard.after(ORPHAN_LISTED_TIME);
        let drop = entry.heard.after(ORPHAN_KEEP_TIME);
        match entry.standing {
            Standing::Living => {}
            Standing::Orphan if hide <= now => {
                self.stand(&key, Standing::Hidden);
                self.orphans.insert((drop, key.clone()));
                self.tell(key, Change::Hidden);
            }
            Standing::Orphan => {
                self.orphans.insert((hide, key));
            }
            Standing::Hidden if drop <= now => {
                self.entries.remove(&key);
                self.tell(key, Change::Dropped);
            }
            Standing::Hidden => {
                self.orphans.insert((drop, key));
            }
        }
    }
}
