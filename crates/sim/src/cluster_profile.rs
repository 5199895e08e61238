//! What a seed stands for when several machines take part: as with one, and cuts, one-way cuts, bridges, stalls and slow ways between
//! them.

use crate::{
    Fault, NetworkFault, Physics, Place, World,
    profile::{Profile, SAFETY_PHASE, bit_flip, lost_fsyncs, survivors},
};
use base::{Duration, Instant, Rng};

/// The plan of a run of several machines.
pub(crate) struct ClusterProfile {
    pub(crate) machines: usize,
    /// Who is there, and how slow things are.
    pub(crate) base: Profile,
    /// When each machine is switched on.
    starts: Vec<Instant>,
    faults: Vec<(Instant, Planned)>,
    kinds: Vec<&'static str>,
    /// The machine whose disk lies or flips bits: there is one at most.
    bad_disk: usize,
}

/// A short run with faults of a few kinds.
#[derive(Clone, Copy, Debug)]
pub struct Drill {
    /// The kinds.
    pub kinds: &'static [&'static str],
    /// How many faults.
    pub faults: u64,
    /// Not before this, in seconds: until about the third, the cluster is founded.
    pub from_secs: u64,
    /// How long things go wrong, in seconds.
    pub phase_secs: u64,
    /// How long nothing does after that, in seconds.
    pub calm_secs: u64,
    /// How many want the same locks.
    pub lockers: usize,
}

impl Drill {
    /// Machines crash and come back.
    pub const CRASHES: Self = Self::of(&["kill", "power-loss", "stop"], 6);
    /// The network is cut, and mended.
    pub const CUTS: Self = Self::of(&["split", "bridge", "one-way", "reset"], 6);
    /// The disk of one machine says "durable" of what it then loses with the power.
    pub const LIES: Self = Self::of(&["lost-fsync"], 1);
    /// A bit flips on the disk of one machine.
    pub const FLIPS: Self = Self::of(&["bit-flip"], 1);
    /// Nothing goes wrong.
    pub const CALM: Self = Self::of(&["reset"], 0);
    /// Crashes while the cluster is founded.
    pub const FOUNDING: Self = Self {
        kinds: &["power-loss", "kill"],
        faults: 6,
        from_secs: 0,
        phase_secs: 12,
        calm_secs: 20,
        lockers: 0,
    };
    /// Machines crash and the network is cut, and some want the same locks.
    pub const LOCKS: Self = Self {
        lockers: 4,
        ..Self::of(&["kill", "power-loss", "pause", "clock-jump", "split", "one-way"], 6)
    };

    const fn of(kinds: &'static [&'static str], faults: u64) -> Self {
        Self { kinds, faults, from_secs: 4, phase_secs: 25, calm_secs: 20, lockers: 0 }
    }

    /// A drill by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "crashes" => Some(Self::CRASHES),
            "cuts" => Some(Self::CUTS),
            "lies" => Some(Self::LIES),
            "flips" => Some(Self::FLIPS),
            "calm" => Some(Self::CALM),
            "locks" => Some(Self::LOCKS),
            "founding" => Some(Self::FOUNDING),
            _ => None,
        }
    }

    pub(crate) fn phase(&self) -> Duration {
        Duration::from_secs(self.phase_secs)
    }
}

#[derive(Clone, Debug)]
enum Planned {
    Machine(usize, Fault),
    Network(NetworkFault),
}

const KINDS: [&str; 15] = [
    "stop",
    "kill",
    "power-loss",
    "power-loss-in-write",
    "pause",
    "clock-jump",
    "failed-fsync",
    "disk-full",
    "client-goes",
    "split",
    "one-way",
    "bridge",
    "stall",
    "slow",
    "reset",
];

/// What may go wrong next to a disk that lies: nothing that takes another node away.
const BESIDE_LIES: [&str; 4] = ["clock-jump", "client-goes", "slow", "reset"];

impl ClusterProfile {
    pub(crate) fn draw(rng: &mut Rng, machines: usize) -> Self {
        let mut base = Profile::draw(rng);
        base.lock = Profile::lockers(rng.below(4) as usize);
        let starts = (0..machines)
            .map(|_| match rng.below(3) {
                0 => Instant::START.after(Duration::from_millis(rng.below(8_000))),
                _ => Instant::START,
            })
            .collect();
        let kinds: Vec<&'static str> = KINDS.into_iter().filter(|_| rng.below(3) == 0).collect();
        let bad_disk = rng.below(machines as u64) as usize;
        let mut profile = Self { machines, base, starts, faults: Vec::new(), kinds, bad_disk };
        if rng.below(4) == 0 {
            profile.only_lies(rng);
        }
        if !profile.kinds.is_empty() {
            let count = 1 + rng.below(8);
            profile.add_faults(rng, count, (Duration::from_millis(500), SAFETY_PHASE));
        }
        profile
    }

    /// Busy clients, and so many faults of these kinds in a short time.
    pub(crate) fn drill(rng: &mut Rng, machines: usize, drill: &Drill) -> Self {
        let mut base = Profile::busy();
        base.lock = Profile::lockers(drill.lockers);
        let starts = vec![Instant::START; machines];
        let kinds = drill.kinds.to_vec();
        // No draw: the seeds of the other drills stay what they are.
        let bad_disk = 0;
        let mut profile = Self { machines, base, starts, faults: Vec::new(), kinds, bad_disk };
        let from = Duration::from_secs(drill.from_secs);
        profile.add_faults(rng, drill.faults, (from, drill.phase() - Duration::from_secs(5)));
        profile
    }

    /// Whose fsyncs lie may forget what it had acknowledged. It is one that fails, so nobody else may meanwhile.
    fn only_lies(&mut self, rng: &mut Rng) {
        let lies = rng.below(2) == 0;
        let kinds = self.kinds.iter().copied();
        let beside = |kind: &&str| !lies || BESIDE_LIES.contains(kind);
        let bad = if lies { "lost-fsync" } else { "bit-flip" };
        self.kinds = kinds.filter(beside).chain([bad]).collect();
    }

    fn add_faults(&mut self, rng: &mut Rng, count: u64, (from, to): (Duration, Duration)) {
        let range = (to - from).as_millis() as u64;
        for _ in 0..count {
            let at = from + Duration::from_millis(rng.below(range));
            let kind = self.kinds[rng.below(self.kinds.len() as u64) as usize];
            self.add(Instant::START.after(at), kind, rng);
        }
        self.faults.sort_by_key(|(at, _)| *at);
    }

    pub(crate) fn physics(&self) -> Physics {
        self.base.physics.clone()
    }

    pub(crate) fn populate(&self, world: &mut World) {
        for (machine, at) in self.starts.iter().enumerate() {
            world.start_at(machine, *at);
        }
        self.base.add_clients(world);
        for (at, planned) in &self.faults {
            match planned {
                Planned::Machine(machine, fault) => world.plan_on(*machine, *at, *fault),
                Planned::Network(fault) => world.plan_network(*at, fault.clone()),
            }
        }
    }

    /// For people.
    pub(crate) fn words(&self) -> String {
        let (machines, faults, kinds) = (self.machines, self.faults.len(), &self.kinds);
        format!("{machines} machines, {}; {faults} faults of {kinds:?}", self.base.clients_words())
    }

    fn add(&mut self, at: Instant, kind: &str, rng: &mut Rng) {
        let machine = rng.below(self.machines as u64) as usize;
        let millis = |least, most| Duration::from_millis(least + most);
        let later = at.after(millis(500, rng.below(15_000)));
        let other = (machine + 1 + rng.below(self.machines as u64 - 1) as usize) % self.machines;
        let (here, there) = (Place::Machine(machine), Place::Machine(other));
        let network = |fault| Planned::Network(fault);
        let on = |fault| Planned::Machine(machine, fault);
        let planned = match kind {
            "stop" => on(Fault::Stop),
            "kill" => on(Fault::Kill),
            "power-loss" => on(Fault::PowerLoss(survivors(rng))),
            "power-loss-in-write" => on(Fault::PowerLossAfter(1 + rng.below(60), survivors(rng))),
            "pause" => on(Fault::Pause(millis(100, rng.below(30_000)))),
            "clock-jump" => on(Fault::ClockJump(rng.below(120_000) as i64 - 60_000)),
            "failed-fsync" => on(Fault::FailSync),
            "lost-fsync" => Planned::Machine(self.bad_disk, lost_fsyncs(rng)),
            "bit-flip" => {
                let ((restart, how), flip) = bit_flip(at, rng);
                self.faults.push((restart, Planned::Machine(self.bad_disk, how)));
                Planned::Machine(self.bad_disk, flip)
            }
            "disk-full" => {
                self.faults.push((later, on(Fault::FreeDisk)));
                on(Fault::FillDisk { reserve: rng.below(2) == 0 })
            }
            "client-goes" => {
                let client = rng.below(self.base.registrants()) as usize;
                on(Fault::ClientDies { client, silent: rng.below(2) == 0 })
            }
            "split" => {
                self.faults.push((later, network(NetworkFault::Heal)));
                network(NetworkFault::Split(self.sides(rng)))
            }
            "one-way" => {
                self.faults.push((later, network(NetworkFault::Mend(here, there))));
                network(NetworkFault::Cut(here, there))
            }
            "bridge" => {
                self.faults.push((later, network(NetworkFault::Mend(here, there))));
                self.faults.push((later, network(NetworkFault::Mend(there, here))));
                self.faults.push((at, network(NetworkFault::Cut(here, there))));
                network(NetworkFault::Cut(there, here))
            }
            "stall" => network(NetworkFault::Stall(here, there, millis(100, rng.below(9_000)))),
            "slow" => {
                let range = (millis(5, 0), millis(20, rng.below(400)));
                self.faults.push((
                    later,
                    network(NetworkFault::Slow(here, there, self.base.physics.latency)),
                ));
                network(NetworkFault::Slow(here, there, range))
            }
            "reset" => network(NetworkFault::Reset(machine, other)),
            _ => unreachable!("the kinds are listed above"),
        };
        self.faults.push((at, planned));
    }

    /// Two sides, and each client on one of them.
    fn sides(&self, rng: &mut Rng) -> Vec<Vec<Place>> {
        let mut sides = vec![Vec::new(), Vec::new()];
        let few = rng.below(self.machines as u64) as usize;
        for machine in 0..self.machines {
            let side = if self.machines <= 3 {
                usize::from(machine == few)
            } else {
                usize::from((machine + few) % self.machines < 2)
            };
            sides[side].push(Place::Machine(machine));
        }
        let with_clients = rng.below(2) == 0;
        for client in 0..self.base.clients() {
            let side = rng.below(2) as usize;
            if with_clients {
                sides[side].push(Place::Client(client));
            }
        }
        sides
    }
}
