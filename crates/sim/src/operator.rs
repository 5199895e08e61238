//! Who looks after the machine: keeps a copy of a disk before it is damaged, and puts it back when the host says that it cannot
//! use what is there.

use crate::world::{Event, Happening, World};
use base::Instant;
use storage::SimDisk;

/// A copy of the disk.
pub(crate) struct Copy {
    as_of: Instant,
    disk: SimDisk,
}

impl World {
    /// Before damage is done. A copy that is there already stays: the damage of then may not have been found yet.
    pub(crate) fn keep_copy(&mut self) {
        if self.copy.is_none() {
            self.copy = Some(Copy { as_of: self.now, disk: self.machine.disk.copy() });
        }
    }

    /// Whether what is on the disk may be damaged.
    pub(crate) fn is_damaged(&self) -> bool {
        self.copy.is_some()
    }

    /// The host is down, and its disk is not to be trusted: puts the copy back. False if there is none.
    pub(crate) fn put_back(&mut self) -> bool {
        let Some(Copy { as_of, disk }) = self.copy.take() else { return false };
        assert!(self.machine.running.is_none(), "nobody works on the disk");
        self.machine.replace_disk(disk);
        self.happened(Happening::Restored { as_of });
        self.happened(Happening::Full(false));
        self.tell_restored();
        let at = self.now.after(self.draw(self.physics.restart));
        self.queue.push(at, Event::Start);
        true
    }

    /// Whoever has something in the log looks whether it is still there.
    pub(crate) fn tell_restored(&mut self) {
        for index in 0..self.actors.len() {
            if self.actors[index].alive {
                self.with_client(index, |client, now| client.restored(now));
            }
        }
    }
}
