//! What a seed stands for: who is there, how slow things are, and what goes wrong when.

use crate::{BeatHabits, ConfigHabits, DiskFile, Fault, LockHabits, NamingHabits, Physics, World};
use base::{Duration, Instant, Rng};
use storage::Survivors;

/// How long things go wrong before the world is healed.
pub(crate) const SAFETY_PHASE: Duration = Duration::from_secs(60);

/// The plan of a run.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(crate) physics: Physics,
    pub(crate) naming: Vec<NamingHabits>,
    pub(crate) beat: Vec<BeatHabits>,
    /// Who has persistent instances.
    pub(crate) operators: Vec<BeatHabits>,
    pub(crate) config: Vec<ConfigHabits>,
    pub(crate) lock: Vec<LockHabits>,
    /// In order of time.
    pub(crate) faults: Vec<(Instant, Fault)>,
    /// Kinds of faults that this run may have.
    kinds: Vec<&'static str>,
}

const KINDS: [&str; 12] = [
    "stop",
    "kill",
    "power-loss",
    "power-loss-in-write",
    "pause",
    "clock-jump",
    "failed-fsync",
    "lost-fsync",
    "bit-flip",
    "disk-full",
    "client-hangs-up",
    "client-vanishes",
];

impl Profile {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let millis = Duration::from_millis;
        let latency_max = [millis(1), millis(5), millis(80)][rng.below(3) as usize];
        let disk_max = [millis(2), millis(12), millis(200)][rng.below(3) as usize];
        let physics = Physics {
            latency: (Duration::from_micros(50), latency_max),
            disk: (Duration::from_micros(50), disk_max),
            ..Physics::default()
        };
        let services = names("service", 1 + rng.below(5));
        let persistent = names("fixed", rng.below(3));
        let keys = names("key", 1 + rng.below(3));
        let naming: Vec<NamingHabits> = (0..2 + rng.below(3))
            .map(|_| NamingHabits {
                services: services.clone(),
                watched: persistent.clone(),
                pause: millis(300 + rng.below(3_000)),
                quiet: false,
            })
            .collect();
        let beat: Vec<BeatHabits> = (0..rng.below(3))
            .map(|_| BeatHabits {
                services: services.clone(),
                persistent: Vec::new(),
                pause: millis(500 + rng.below(4_000)),
            })
            .collect();
        let operators: Vec<BeatHabits> = (!persistent.is_empty())
            .then(|| BeatHabits { services: Vec::new(), persistent, pause: millis(2_000) })
            .into_iter()
            .collect();
        let config: Vec<ConfigHabits> = (0..1 + rng.below(3))
            .map(|_| ConfigHabits {
                keys: keys.clone(),
                pause: millis(500 + rng.below(2_500)),
                content_bytes_max: [64, 4_096, 60_000][rng.below(3) as usize],
                asks_max: 60,
                only_publishes: false,
            })
            .collect();
        let kinds: Vec<&'static str> = KINDS.into_iter().filter(|_| rng.below(3) == 0).collect();
        let registrants = (naming.len() + beat.len()) as u64;
        let mut faults = Vec::new();
        if !kinds.is_empty() {
            for _ in 0..rng.below(8) {
                let at = millis(500 + rng.below(SAFETY_PHASE.as_millis() as u64 - 500));
                let kind = kinds[rng.below(kinds.len() as u64) as usize];
                add(&mut faults, Instant::START.after(at), kind, rng, registrants);
            }
        }
        faults.sort_by_key(|(at, _)| *at);
        Self { physics, naming, beat, operators, config, lock: Vec::new(), faults, kinds }
    }

    /// A few clients that have no rest.
    pub(crate) fn busy() -> Self {
        let millis = Duration::from_millis;
        let services = names("service", 2);
        let naming = vec![
            NamingHabits {
                services: services.clone(),
                watched: Vec::new(),
                pause: millis(600),
                quiet: false
            };
            3
        ];
        let beat = vec![BeatHabits { services, persistent: Vec::new(), pause: millis(1_500) }];
        let config = ConfigHabits {
            keys: names("key", 2),
            pause: millis(500),
            content_bytes_max: 20_000,
            asks_max: 40,
            only_publishes: false,
        };
        Self {
            physics: Physics::default(),
            naming,
            beat,
            operators: Vec::new(),
            config: vec![config; 3],
            lock: Vec::new(),
            faults: Vec::new(),
            kinds: Vec::new(),
        }
    }

    /// So many that want the same two locks.
    pub(crate) fn lockers(count: usize) -> Vec<LockHabits> {
        let (pause, ttl) = (Duration::from_millis(400), Duration::from_secs(3));
        vec![LockHabits { keys: names("lock", 2), pause, ttl }; count]
    }

    /// How many clients may have instances that end with them.
    pub(crate) fn registrants(&self) -> u64 {
        (self.naming.len() + self.beat.len()) as u64
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        self.naming.len()
            + self.beat.len()
            + self.operators.len()
            + self.config.len()
            + self.lock.len()
    }

    pub(crate) fn populate(&self, world: &mut World) {
        self.add_clients(world);
        for (at, fault) in &self.faults {
            world.plan(*at, *fault);
        }
    }

    pub(crate) fn add_clients(&self, world: &mut World) {
        for habits in &self.naming {
            world.add_naming_client(habits.clone());
        }
        for habits in self.beat.iter().chain(&self.operators) {
            world.add_beat_client(habits.clone());
        }
        for habits in &self.config {
            world.add_config_client(habits.clone());
        }
        for habits in &self.lock {
            world.add_lock_client(habits.clone());
        }
    }

    /// For people.
    pub(crate) fn words(&self) -> String {
        format!("{}, {} faults of {:?}", self.clients_words(), self.faults.len(), self.kinds)
    }

    pub(crate) fn clients_words(&self) -> String {
        format!(
            "{} naming, {} beat, {} persistent, {} config and {} lock clients, latency ≤ {:?}, disk ≤ {:?}",
            self.naming.len(),
            self.beat.len(),
            self.operators.len(),
            self.config.len(),
            self.lock.len(),
            self.physics.latency.1,
            self.physics.disk.1,
        )
    }
}

fn names(stem: &str, count: u64) -> Vec<String> {
    (0..count).map(|number| format!("{stem}{number}")).collect()
}

pub(crate) fn survivors(rng: &mut Rng) -> Survivors {
    match rng.below(4) {
        0 => Survivors::None,
        1 => Survivors::All,
        2 => Survivors::TornLast,
        _ => Survivors::Random,
    }
}

pub(crate) fn lost_fsyncs(rng: &mut Rng) -> Fault {
    Fault::LoseSyncs(Duration::from_millis(50 + rng.below(4_000)), survivors(rng))
}

/// A restart, and the bit that flips before it: pages that are in memory are not read again, and only a restart meets what
/// happened to them.
pub(crate) fn bit_flip(at: Instant, rng: &mut Rng) -> ((Instant, Fault), Fault) {
    let restart = at.after(Duration::from_millis(1 + rng.below(5_000)));
    let restart = (restart, if rng.below(2) == 0 { Fault::Kill } else { Fault::Stop });
    let file = match rng.below(5) {
        0 => DiskFile::Hint,
        1..=2 => DiskFile::Log,
        _ => DiskFile::Tables,
    };
    // What is in use lies mostly near the beginning.
    let reach = if rng.below(2) == 0 { 1 << 40 } else { 64 * 1024 };
    let byte = rng.below(reach);
    (restart, Fault::FlipBit { file, byte, bit: rng.below(8) as u8 })
}

fn add(
    faults: &mut Vec<(Instant, Fault)>,
    at: Instant,
    kind: &str,
    rng: &mut Rng,
    registrants: u64,
) {
    let fault = match kind {
        "stop" => Fault::Stop,
        "kill" => Fault::Kill,
        "power-loss" => Fault::PowerLoss(survivors(rng)),
        "power-loss-in-write" => Fault::PowerLossAfter(1 + rng.below(60), survivors(rng)),
        "pause" => Fault::Pause(Duration::from_millis(100 + rng.below(20_000))),
        "clock-jump" => {
            if rng.below(2) == 0 {
                // The next life must not begin in the past of this one, whatever is left of it.
                let crash = at.after(Duration::from_millis(500 + rng.below(10_000)));
                faults.push((crash, Fault::PowerLoss(Survivors::None)));
            }
            Fault::ClockJump(rng.below(120_000) as i64 - 60_000)
        }
        "failed-fsync" => {
            // A host that went on would pay for it at the next crash.
            let crash = at.after(Duration::from_millis(500 + rng.below(10_000)));
            faults.push((crash, Fault::PowerLoss(survivors(rng))));
            Fault::FailSync
        }
        "lost-fsync" => lost_fsyncs(rng),
        "bit-flip" => {
            let (restart, flip) = bit_flip(at, rng);
            faults.push(restart);
            flip
        }
        "disk-full" => {
            let free = at.after(Duration::from_millis(500 + rng.below(10_000)));
            faults.push((free, Fault::FreeDisk));
            Fault::FillDisk { reserve: rng.below(2) == 0 }
        }
        "client-hangs-up" | "client-vanishes" => Fault::ClientDies {
            client: rng.below(registrants) as usize,
            silent: kind == "client-vanishes",
        },
        _ => unreachable!("the kinds are listed above"),
    };
    faults.push((at, fault));
}
