//! Who looks after the machines. Of a sole one a copy of the disk is kept before it is damaged, and put back when the host says
//! that it cannot use what is there. One of several gets an empty disk then: the others have what it had.

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
        let alone = self.machines.len() == 1;
        let machine = &mut self.machines[machine];
        if !alone {
            machine.is_suspect = true;
            return;
        }
        if machine.copy.is_none() {
            machine.copy = Some(Copy { as_of, disk: machine.disk.copy() });
        }
    }

    /// Whether what is on the disk may be damaged.
    pub(crate) fn is_damaged(&self, machine: usize) -> bool {
        self.machines[machine].copy.is_some() || self.machines[machine].is_suspect
    }

    /// The host is down, and its disk is not to be trusted: puts the copy back, or has it begin with nothing.
    pub(crate) fn put_back(&mut self, machine: usize) {
        assert!(self.machines[machine].running.is_none(), "nobody works on the disk");
        let Some(Copy { as_of, disk }) = self.machines[machine].copy.take() else {
            return self.begin_anew(machine);
        };
        self.machines[machine].replace_disk(disk);
        self.happened(Happening::Restored { machine, as_of });
        self.happened(Happening::Full { machine, full: false });
        self.tell_restored();
        let at = self.now.after(self.draw(self.physics.restart));
        self.queue.push(at, Event::Machine(machine, ToMachine::Start));
    }

    fn begin_anew(&mut self, machine: usize) {
        let disk = SimDisk::new(self.rng.fork());
        self.machines[machine].replace_disk(disk);
        self.machines[machine].is_suspect = false;
        self.happened(Happening::Replaced { machine });
        self.happened(Happening::Full { machine, full: false });
        let at = self.now.after(self.draw(self.physics.restart));
        self.queue.push(at, Event::Machine(machine, ToMachine::Start));
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
