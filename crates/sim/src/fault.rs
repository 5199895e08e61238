//! What goes wrong.

use crate::{
    client::Client,
    line::Heard,
    world::{Event, Happening, ToMachine, World},
};
use base::Duration;
use storage::Survivors;

/// A machine that lost its power, and its disk what it had acknowledged, is not back before this: by then the others, who have
/// it, have elected a leader among themselves. One that is back sooner, as the only one that forgot, could elect with a
/// node that never had it.
const BOOT_TIME: Duration = Duration::from_secs(5);

/// Something that happens to a machine, its disk or a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process ends in order and begins again.
    Stop,
    /// The process dies (`kill -9`): what it had written stays, durable or not; clients notice at once.
    Kill,
    /// The power goes: of what was not durable this survives; clients notice by silence.
    PowerLoss(Survivors),
    /// The power goes in the middle of disk work, after this many more operations; this survives.
    PowerLossAfter(u64, Survivors),
    /// The process stands still.
    Pause(Duration),
    /// The wall clock is set, by so many milliseconds.
    ClockJump(i64),
    /// The next fsync fails: the host must stop.
    FailSync,
    /// For so long fsyncs say "done" and do nothing; then the power goes, and this survives.
    LoseSyncs(Duration, Survivors),
    /// A bit of a file flips.
    FlipBit {
        /// Of which.
        file: DiskFile,
        /// Counted from its start, and on from there when it is shorter.
        byte: u64,
        /// Which bit of the byte.
        bit: u8,
    },
    /// The disk gets full; with the reserve, even the reserve cannot be given up.
    FillDisk {
        /// Take the reserve, too.
        reserve: bool,
    },
    /// There is room again.
    FreeDisk,
    /// A client goes for good.
    ClientDies {
        /// Which.
        client: usize,
        /// Without a word.
        silent: bool,
    },
}

/// A file of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFile {
    /// The Raft log.
    Log,
    /// The state tables.
    Tables,
    /// What was listed.
    Hint,
}

impl DiskFile {
    fn name(self) -> &'static str {
        match self {
            Self::Log => "raft.redb",
            Self::Tables => "tables.redb",
            Self::Hint => "hint",
        }
    }
}

impl World {
    pub(crate) fn inject(&mut self, machine: usize, fault: Fault) {
        self.trace.line(self.now, format_args!("m{machine} fault {fault:?}"));
        match fault {
            Fault::Stop => {
                self.machines[machine].stop();
                self.go_down(machine);
            }
            Fault::Kill => self.go_down(machine),
            Fault::PowerLoss(survivors) => self.crash(machine, survivors, false),
            Fault::PowerLossAfter(operations, survivors) => {
                self.machines[machine].arm(operations, survivors)
            }
            Fault::Pause(duration) => {
                if self.machines[machine].running.is_some() {
                    self.machines[machine].paused_until = self.now.after(duration);
                    self.happened(Happening::Paused { machine, duration });
                }
            }
            Fault::ClockJump(by_ms) => {
                self.machines[machine].jump_clock(by_ms);
                self.happened(Happening::ClockSet { machine, by_ms });
            }
            Fault::FailSync => {
                self.machines[machine].halt_expected = true;
                self.machines[machine].disk.fail_syncs(1);
            }
            Fault::LoseSyncs(duration, survivors) => {
                self.keep_copy(machine);
                self.machines[machine].syncs_lost_since.get_or_insert(self.now);
                self.machines[machine].disk.lose_syncs(true);
                self.plan_on(machine, self.now.after(duration), Fault::PowerLoss(survivors));
            }
            Fault::FlipBit { file, byte, bit } => self.flip_bit(machine, file, byte, bit),
            Fault::FillDisk { reserve } => {
                if reserve {
                    self.machines[machine].disk.fill_with_reserve();
                } else {
                    self.machines[machine].disk.fill();
                }
                self.happened(Happening::Full { machine, full: true });
            }
            Fault::FreeDisk => {
                self.machines[machine].disk.free();
                self.happened(Happening::Full { machine, full: false });
            }
            Fault::ClientDies { client, silent } => {
                self.with_client(client, |client, _| Client::die(client, silent));
                self.actors[client].alive = false;
            }
        }
    }

    fn flip_bit(&mut self, machine: usize, file: DiskFile, byte: u64, bit: u8) {
        let len = self.machines[machine].disk.len(file.name());
        if len == 0 {
            return;
        }
        self.keep_copy(machine);
        // A hint that does not read is none, for as long as no other one is written.
        self.machines[machine].hint_damaged |= file == DiskFile::Hint;
        self.machines[machine].disk.flip_bit(file.name(), byte % len, bit);
    }

    /// The armed moment came.
    pub(crate) fn lose_power(&mut self, machine: usize) {
        let survivors = self.machines[machine].survivors();
        self.crash(machine, survivors, false);
    }

    /// The process ends, and the machine lives: clients are told by its kernel, and nothing written is lost.
    pub(crate) fn go_down(&mut self, machine: usize) {
        if self.machines[machine].is_down {
            return;
        }
        let life = self.machines[machine].life;
        let cut: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.machine == machine && link.life == life)
            .map(|(id, _)| *id)
            .collect();
        for id in cut {
            self.tell(id, Heard::Closed);
        }
        self.crash(machine, Survivors::All, true);
    }

    fn crash(&mut self, machine: usize, survivors: Survivors, kept: bool) {
        if self.machines[machine].is_down && !self.machines[machine].power_lost() {
            return; // and it will begin again
        }
        self.machines[machine].is_down = true;
        self.links_of_the_dead(machine, kept);
        self.machines[machine].crash(survivors);
        self.happened(Happening::Down {
            machine,
            kept: kept && !self.machines[machine].hint_damaged,
        });
        let alone = self.machines.len() == 1;
        let lied = self.machines[machine].syncs_lost_since.take();
        if let Some(as_of) = lied.filter(|_| !kept && alone) {
            self.happened(Happening::Restored { machine, as_of });
            self.tell_restored();
        }
        for link in self.links.values_mut().filter(|link| link.machine == machine) {
            link.connection = None;
        }
        if !self.machines[machine].stays_down {
            let boots = if lied.is_some() && !kept && !alone { BOOT_TIME } else { Duration::ZERO };
            let at = self.now.after(boots + self.draw(self.physics.restart));
            self.queue.push(at, Event::Machine(machine, ToMachine::Start));
        }
    }
}
