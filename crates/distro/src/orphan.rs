//! Records whose owner is gone.

use crate::{Change, Distro, Entry, RECORDS_PER_WAKE, Standing, Version};
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

impl<K: Ord + Clone, V> Distro<K, V> {
    pub(crate) fn owner_gone(&mut self, owner: NodeId, heard: Instant) {
        if owner != self.node && self.gone.insert(owner, heard) != Some(heard) {
            self.sweeps.push_back(Sweep { owner, after: None });
        }
    }

    pub(crate) fn owner_back(&mut self, owner: NodeId) {
        if self.gone.remove(&owner).is_some() {
            self.sweeps.push_back(Sweep { owner, after: None });
        }
    }

    /// Goes on with the oldest sweep, for one piece.
    pub(crate) fn sweep(&mut self) {
        let Some(mut sweep) = self.sweeps.pop_front() else { return };
        let gone = self.gone.get(&sweep.owner).copied();
        let piece: alloc::vec::Vec<_> = self
            .after(sweep.after.as_ref())
            .take(RECORDS_PER_WAKE)
            .map(|(key, entry)| (key.clone(), entry.version.incarnation.node, entry.standing))
            .collect();
        let finished = piece.len() < RECORDS_PER_WAKE;
        for (key, owner, standing) in piece {
            sweep.after = Some(key.clone());
            if owner != sweep.owner {
                continue;
            }
            match (gone, standing) {
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

    pub(crate) fn put_orphan(&mut self, key: K, version: Version, value: V, heard: Instant) {
        let standing = Standing::Orphan;
        self.put(key.clone(), Entry { version, value, heard, standing });
        self.watch_orphan(heard, key.clone());
        self.tell(key, Change::Orphaned);
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
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.standing = Standing::Living;
        self.tell(key, Change::Reclaimed);
    }

    fn age_orphan(&mut self, now: Instant, key: K) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let hide = entry.heard.after(ORPHAN_LISTED_TIME);
        let drop = entry.heard.after(ORPHAN_KEEP_TIME);
        match entry.standing {
            Standing::Living => {}
            Standing::Orphan if hide <= now => {
                entry.standing = Standing::Hidden;
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
