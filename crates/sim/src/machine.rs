//! One machine: its disk, its clocks, and the host that runs on it between a start and a crash.

use crate::{
    operator::Copy,
    planted::{self, Planted, Planting},
    sights::Seen,
};
use base::{Duration, Instant, Now, Rng};
use host::{DiskDone, DiskJob, DiskWorker, Host, Settings, StartError};
use std::sync::Arc;
use storage::{Place, SimDisk, Survivors};

/// What the wall clock shows when the run begins: a day in 2026, milliseconds since 1970.
const WALL_START_MS: u64 = 1_790_000_000_000;

pub(crate) struct Machine {
    /// It may stop by itself: its disk was made to fail.
    pub(crate) halt_expected: bool,
    /// Kept from before the disk was damaged.
    pub(crate) copy: Option<Copy>,
    /// One of several, whose disk lied or was damaged: there is no copy, since the others have what it had.
    pub(crate) is_suspect: bool,
    /// The hint may be unreadable.
    pub(crate) hint_damaged: bool,
    pub(crate) syncs_lost_since: Option<Instant>,
    /// A start that the disk does not allow is no violation: the disk was damaged.
    pub(crate) damage_expected: bool,
    /// From a crash to the next start.
    pub(crate) is_down: bool,
    /// No start is planned after a crash.
    pub(crate) stays_down: bool,
    /// What was seen of the host last.
    pub(crate) seen: Seen,
    pub(crate) disk: SimDisk,
    settings: Settings,
    rng: Rng,
    planting: Planting,
    /// Counts the starts; what belongs to an earlier life is void.
    pub(crate) life: u64,
    born: Instant,
    wall_offset_ms: i64,
    pub(crate) paused_until: Instant,
    pub(crate) running: Option<Running>,
    /// The power goes when the disk has done this many operations, and this survives.
    power_until: Option<(u64, Survivors)>,
}

pub(crate) struct Running {
    pub(crate) host: Arc<Host>,
    worker: DiskWorker,
    pub(crate) disk_busy: bool,
    pub(crate) ready: bool,
    /// The deadline for which a wake is planned.
    pub(crate) wake_for: Option<Instant>,
}

/// What came of disk jobs.
pub(crate) enum DiskRun {
    Done(Vec<DiskDone>),
    /// The power went meanwhile.
    PowerLost,
}

impl Machine {
    pub(crate) fn new(disk: SimDisk, settings: Settings, rng: Rng, planted: Planted) -> Self {
        Self {
            halt_expected: false,
            copy: None,
            is_suspect: false,
            hint_damaged: false,
            syncs_lost_since: None,
            damage_expected: false,
            is_down: false,
            stays_down: false,
            seen: Seen::default(),
            disk,
            settings,
            rng,
            planting: Planting::new(planted),
            life: 0,
            born: Instant::START,
            wall_offset_ms: 0,
            paused_until: Instant::START,
            running: None,
            power_until: None,
        }
    }

    /// The machine's clocks: `instant` counts from its start, the wall clock may have been set.
    pub(crate) fn now(&self, world: Instant) -> Now {
        let wall = WALL_START_MS + world.as_nanos() / 1_000_000;
        Now {
            instant: Instant::from_nanos(world.since(self.born).as_nanos() as u64),
            unix_ms: wall.saturating_add_signed(self.wall_offset_ms),
        }
    }

    /// A moment of the machine's clock, on the world's.
    pub(crate) fn world_time(&self, instant: Instant) -> Instant {
        self.born.after(Duration::from_nanos(instant.as_nanos()))
    }

    /// From the next start on nobody tells it of others, or of a secret.
    pub(crate) fn forget_settings(&mut self) {
        let advertise = self.settings.cluster.advertise.clone();
        self.settings.cluster =
            host::ClusterSettings { advertise, ..host::ClusterSettings::alone() };
    }

    pub(crate) fn jump_clock(&mut self, by_ms: i64) {
        self.wall_offset_ms += by_ms;
    }

    /// The power goes after this many more disk operations.
    pub(crate) fn arm(&mut self, operations: u64, survivors: Survivors) {
        self.power_until = Some((self.disk.operations() + operations, survivors));
        self.disk.crash_after(operations);
    }

    /// Another disk takes the place of the one that nobody uses any more.
    pub(crate) fn replace_disk(&mut self, disk: SimDisk) {
        self.disk = disk;
        self.power_until = None;
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&mut self) {
        self.disk.free();
        self.disk.fail_syncs(0);
        self.disk.lose_syncs(false);
        self.disk.crash_after(u64::MAX / 2);
        self.power_until = None;
    }

    /// Whether the armed moment has come.
    pub(crate) fn power_lost(&self) -> bool {
        self.power_until.is_some_and(|(until, _)| self.disk.operations() >= until)
    }

    pub(crate) fn survivors(&self) -> Survivors {
        self.power_until.map_or(Survivors::None, |(_, survivors)| survivors)
    }

    /// Starts a host from what is on the disk.
    pub(crate) fn begin(&mut self, world: Instant) -> Result<(), StartError> {
        assert!(self.running.is_none(), "one host per machine at a time");
        self.life += 1;
        self.seen = Seen::default();
        self.born = world;
        let place = Place::Simulated(self.disk.clone());
        self.planting.begin();
        let settings = self.planting.settings(&self.settings);
        let begun = Host::begin(settings, self.now(world), self.rng.fork(), place)?;
        self.running = Some(Running {
            host: begun.host,
            worker: begun.worker,
            disk_busy: false,
            ready: false,
            wake_for: None,
        });
        Ok(())
    }

    /// The host ends in order: its files are closed.
    pub(crate) fn stop(&mut self) {
        self.running = None;
        self.crash(Survivors::All);
    }

    /// The host is gone, and of the disk this survives.
    pub(crate) fn crash(&mut self, survivors: Survivors) {
        // First the disk: a database that is closed in order would save what a crash must lose.
        self.disk.crash(survivors);
        self.running = None;
        self.power_until = None;
        self.paused_until = Instant::START;
    }

    pub(crate) fn host(&self) -> Option<&Arc<Host>> {
        self.running.as_ref().map(|running| &running.host)
    }

    /// Answers that a planted bug gives before the jobs are run.
    pub(crate) fn early_answers(&self, jobs: &[DiskJob]) -> Vec<DiskDone> {
        self.planting.early_answers(jobs)
    }

    pub(crate) fn run_disk(&mut self, jobs: Vec<DiskJob>) -> DiskRun {
        let asked = planted::persists(&jobs);
        let jobs = self.planting.jobs(jobs);
        let running = self.running.as_mut().expect("jobs of a dead host are void");
        let done = running.worker.run(jobs);
        if self.power_lost() {
            return DiskRun::PowerLost;
        }
        DiskRun::Done(self.planting.done(asked, done))
    }
}
