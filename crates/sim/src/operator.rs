//! Who looks after the machine: keeps a copy of a disk before it is damaged, and puts it back when the host says that it cannot
//! use what is there.

use crate::world::{Event, Happening, ToMachine, World};
use base::Instant;
use storage::SimDisk;

/// A copy of the disk.
pub(crate) struct Copy {
    as_of: Instant,
    disk: SimDisk,
}

impl World {
    /// Before damage is done. A copy that is there already stays: the damage of then may not have been found yet.
    pub(crate) fn keep_copy(&mut self, machine: usize) {
        let as_of = self.now;
        let machine = &mut self.machines[machine];
        if machine.copy.is_none() {
            machine.copy = Some(Copy { as_of, disk: machine.disk.copy() });
        }
    }

    /// Whether what is on the disk may be damaged.
    pub(crate) fn is_damaged(&self, machine: usize) -> bool {
        self.machines[machine].copy.is_some()
    }

    /// The host is down, and its disk is not to be trusted: puts the copy back. False if there is none.
    pub(crate) fn put_back(&mut self, machine: usize) -> bool {
        let Some(Copy { as_of, disk }) = self.machines[machine].copy.take() else { return false };
        assert!(self.machines[machine].running.is_none(), "nobody works on the disk");
        self.machines[machine].replace_disk(disk);
        self.happened(Happening::Restored { machine, as_of });
        self.happened(Happening::Full { machine, full: false });
        self.tell_restored();
        let at = self.now.after(self.draw(self.physics.restart));
        self.queue.push(at, Event::Machine(machine, ToMachine::Start));
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
