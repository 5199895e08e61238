//! One run: things go wrong, then nothing does any more, then everything must come right.

use crate::{
    Planted, Trace, World,
    check::check,
    client::Client,
    cluster_profile::{ClusterProfile, Drill},
    note::Offer,
    profile::{Profile, SAFETY_PHASE},
    seeded, timeline,
    world::Happening,
};
use base::{Duration, Instant};
use std::{collections::BTreeSet, fmt};
use storage::SimDisk;

/// After the last fault, ghosts may be listed for as long as a vanished client can go unnoticed, and once more after a
/// restart.
const CALM: Duration = Duration::from_secs(50);
/// Then everything must be right within this.
const LIVENESS_LIMIT: Duration = Duration::from_secs(20);

/// Violations that a report writes out: what follows is mostly the same again.
const SHOWN_LEN_MAX: usize = 5;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// Of the run.
    pub seed: u64,
    /// What it stood for.
    pub profile: String,
    /// What happened to machines and network, for people.
    pub story: Vec<String>,
    /// Everything that happened.
    pub trace: Trace,
    /// What must never happen, and did.
    pub violations: Vec<String>,
    /// Why the world did not come right after it was healed.
    pub stuck: Option<String>,
    /// How much was checked.
    pub checked: String,
}

impl Report {
    /// Whether nothing was found.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.violations.is_empty() && self.stuck.is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.profile)?;
        for violation in self.violations.iter().take(SHOWN_LEN_MAX) {
            writeln!(f, "  violation: {violation}")?;
        }
        if self.violations.len() > SHOWN_LEN_MAX {
            writeln!(f, "  and {} more", self.violations.len() - SHOWN_LEN_MAX)?;
        }
        if let Some(reason) = &self.stuck {
            writeln!(f, "  stuck: {reason}")?;
        }
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        let (hash, count) = (self.trace.hash(), self.trace.count());
        write!(f, "  hash {hash:016x} of {count} lines; {}; {verdict}", self.checked)
    }
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, planted: Planted, keep_trace: bool) -> Report {
    let mut rng = seeded(seed);
    let mut profile = Profile::draw(&mut rng);
    profile.physics.planted = planted;
    let disk = SimDisk::new(rng.fork());
    let mut world = World::with_disk(rng, disk, profile.physics.clone(), keep_trace);
    profile.populate(&mut world);
    judge(seed, profile.words(), world, (SAFETY_PHASE, CALM))
}

/// Runs a seed with so many machines.
///
/// # Panics
/// If there are fewer than two.
#[must_use]
pub fn run_cluster(seed: u64, machines: usize, planted: Planted, keep_trace: bool) -> Report {
    assert!(machines > 1, "one machine is no cluster");
    let mut rng = seeded(seed);
    let mut profile = ClusterProfile::draw(&mut rng, machines);
    profile.base.physics.planted = planted;
    let mut world = World::unstarted(rng, machines, profile.physics(), keep_trace);
    profile.populate(&mut world);
    judge(seed, profile.words(), world, (SAFETY_PHASE, CALM))
}

/// Runs a seed with so many machines, shorter, and with faults of a few kinds.
#[must_use]
pub fn run_drill(
    seed: u64,
    machines: usize,
    drill: &Drill,
    planted: Planted,
    keep_trace: bool,
) -> Report {
    let mut rng = seeded(seed);
    let mut profile = ClusterProfile::drill(&mut rng, machines, drill);
    profile.base.physics.planted = planted;
    let mut world = World::unstarted(rng, machines, profile.physics(), keep_trace);
    profile.populate(&mut world);
    let calm = Duration::from_secs(drill.calm_secs);
    judge(seed, profile.words(), world, (drill.phase(), calm))
}

/// Lets things go wrong, then nothing, then looks whether everything has come right.
fn judge(
    seed: u64,
    profile: String,
    mut world: World,
    (phase, calm): (Duration, Duration),
) -> Report {
    world.run(phase);
    world.heal();
    // A pause lasts as long as it lasts.
    let pause_end = |(at, happening): &(Instant, Happening)| {
        let Happening::Paused { duration, .. } = happening else { return None };
        Some(at.after(*duration))
    };
    let awake = world.history().iter().filter_map(pause_end).max();
    world.run(calm + awake.map_or(Duration::ZERO, |awake| awake.since(world.now())));
    let came_right = world.run_until(LIVENESS_LIMIT, |world| world.unsettled().is_none());
    let stuck = if came_right { None } else { world.unsettled() };
    world.look();
    let mut violations = world.violations().to_vec();
    let mut checked = Vec::new();
    for found in check(world.history()) {
        checked.push(format!("{} {}", found.checker, found.checked));
        let name = found.checker;
        violations.extend(found.violations.into_iter().map(|what| format!("{name}: {what}")));
    }
    let checked = checked.join(", ");
    let story = timeline(world.history(), false);
    Report { seed, profile, story, trace: world.trace, violations, stuck, checked }
}

impl World {
    /// Nothing goes wrong any more; clients only look.
    pub fn heal(&mut self) {
        self.trace.line(self.now, format_args!("healed"));
        self.heal_network();
        for machine in 0..self.machines.len() {
            self.machines[machine].heal();
            self.happened(Happening::Full { machine, full: false });
            self.machines[machine].syncs_lost_since = None;
            let is_down = self.machines[machine].is_down;
            let alone = self.machines.len() == 1;
            if alone && self.is_damaged(machine) && !is_down && !self.serves(machine) {
                self.go_down(machine);
                self.put_back(machine);
            }
        }
        for index in 0..self.actors.len() {
            if self.actors[index].alive {
                self.with_client(index, Client::settle);
            }
        }
    }

    /// What is not as it must be in a healed world; `None` if everything is.
    #[must_use]
    pub fn unsettled(&self) -> Option<String> {
        let waits = (0..self.machines.len()).find(|machine| !self.serves(*machine));
        if let Some(machine) = waits {
            return Some(self.words_of(machine));
        }
        let living = || self.actors.iter().filter(|actor| actor.alive).map(|actor| &actor.client);
        if let Some(reason) = living().find_map(Client::unsettled) {
            return Some(reason);
        }
        let mut truth: BTreeSet<&Offer> = BTreeSet::new();
        let mut copies: Option<&std::collections::BTreeMap<String, String>> = None;
        for client in living() {
            match client {
                Client::Naming(client) => truth.extend(client.offers()),
                Client::Beat(client) => truth.extend(client.offers()),
                Client::Lock(_) => {}
                Client::Config(client) => match copies {
                    None => copies = Some(client.held()),
                    Some(copies) if copies == client.held() => {}
                    Some(copies) => {
                        return Some(format!("copies differ: {copies:?} and {:?}", client.held()));
                    }
                },
            }
        }
        living().find_map(|client| match client {
            Client::Config(_) | Client::Beat(_) | Client::Lock(_) => None,
            Client::Naming(client) => client.known().values().find_map(|seen| {
                let must: BTreeSet<String> = truth
                    .iter()
                    .filter(|offer| offer.service == seen.service)
                    .map(|offer| offer.address.clone())
                    .collect();
                (must != seen.addresses).then(|| {
                    let (service, shown) = (&seen.service, &seen.addresses);
                    format!("a subscriber of {service} still sees {shown:?} instead of {must:?}")
                })
            }),
        })
    }
}
