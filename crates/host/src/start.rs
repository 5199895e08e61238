//! From a disk to a host whose node reads it.

use crate::{
    DiskWorker, Host, Limits, NodeCell, Opened, Planted, Timers, credentials::Credentials,
    disk::DiskJob, lanes::Lanes, planted::Planting, views::ViewStore,
};
use base::{Duration, HybridClock, HybridTime, LogIndex, NodeId, Now, Rng};
use cluster::{Address, Identity, JoinToken, Secret};
use node::{Input, Node, RESTORED_TABLES, Recovered, TableRow, consensus};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use storage::Place;

/// How a host is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Cost of new bcrypt hashes, 4 to 14.
    pub bcrypt_cost: u32,
    /// Whether a client on any door may come without a login.
    pub auth: bool,
    /// The password of the first administrator; generated when not given.
    pub admin_password: Option<String>,
    /// Where the node listens, for `status`.
    pub doors: Vec<console::Door>,
    /// Whether anything is kept on disk, for `status`.
    pub disk_kept: bool,
    /// Of the program.
    pub version: &'static str,
    /// For other nodes.
    pub cluster: ClusterSettings,
    /// For the registry.
    pub naming: naming::Settings,
    /// Everything that refuses.
    pub limits: Limits,
    /// Nothing, but in a simulator.
    pub planted: Planted,
}

/// How the node finds others, and is found by them.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Where other nodes reach it.
    pub advertise: Address,
    /// Where clients reach it, for lists of members.
    pub api: Option<Address>,
    /// Where others may be found.
    pub seeds: Vec<Address>,
    /// How many nodes found the cluster together.
    pub expect: Option<u32>,
    /// The cluster's secret, if it is not to be the one on disk.
    pub secret: Option<Secret>,
    /// To be proven where the secret is not known yet.
    pub token: Option<JoinToken>,
}

impl ClusterSettings {
    /// A node that knows of no others, nor others of it.
    ///
    /// # Panics
    /// Never: the address is plain text.
    #[must_use]
    pub fn alone() -> Self {
        let advertise = Address::new("127.0.0.1:7848").expect("plain text");
        Self { advertise, api: None, seeds: Vec::new(), expect: None, secret: None, token: None }
    }
}

/// A host that was begun, and what came of it.
pub struct Begun {
    /// The host.
    pub host: Arc<Host>,
    /// To be run next to it.
    pub worker: DiskWorker,
}

/// Why a host could not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] storage::Error),
    /// The identity record is of another version or broken, or the settings of the cluster contradict themselves.
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
}

/// The state tables that are still to be read.
pub(crate) struct Restoring {
    hint: Vec<Vec<u8>>,
}

impl NodeCell {
    fn new(
        now: Now,
        node: Node,
        rng: Rng,
        ceiling: HybridTime,
        restoring: Restoring,
        planting: Planting,
    ) -> Self {
        Self {
            node,
            rng,
            latest: now,
            restoring: Some(restoring),
            ceiling,
            ceiling_raised: now.instant,
            planting,
            offered: false,
        }
    }
}

impl Host {
    /// Opens the disk and makes the node. It serves once its tables are read, its log is replayed and, on the first
    /// start, its secrets are in the log: run the disk jobs and watch `is_ready`.
    ///
    /// # Errors
    /// When the disk cannot be used. Nothing was changed then.
    pub fn begin(
        settings: Settings,
        now: Now,
        mut rng: Rng,
        place: Place,
    ) -> Result<Begun, StartError> {
        let Opened { mut worker, recovered, hint, clock_high_water } = DiskWorker::open(place)?;
        let identity = match &recovered.identity {
            Some(bytes) => Identity::decode(bytes)?,
            None => new_identity(&mut worker, &mut rng)?,
        };
        let (boot, ceiling) =
            start_clock(&mut worker, settings.planted, now, &hint, clock_high_water)?;
        let id = identity.node;
        let node = make_node(&settings, now, &mut rng, identity, &recovered, boot)?;
        let mut key = [0; 32];
        rng.fill(&mut key);
        let salts = Mutex::new(rng.fork());
        let tally = crate::Tally::default();
        let links = crate::links::Links::new(rng.fork(), &settings.limits, tally.links.clone());
        let views =
            ViewStore::new(id, boot, Credentials::new(key), settings.limits.rendered_bytes_max);
        let planting = Planting::new(settings.planted);
        let cell = NodeCell::new(now, node, rng, ceiling, Restoring { hint }, planting);
        let host = Arc::new(Self {
            id,
            boot,
            work: Mutex::new(crate::work::Works::new(settings.limits.work_len_max)),
            udp: crate::udp::Udp::new(&settings.limits),
            links: Mutex::new(links),
            inbounds_paused: false.into(),
            node: Mutex::new(cell),
            lanes: Mutex::new(Lanes::new(settings.limits.lane_len_max)),
            views,
            slots: Mutex::new(BTreeMap::new()),
            connections: 0.into(),
            connections_open: 0.into(),
            sessions_broken: 0.into(),
            streams_bytes: Arc::default(),
            crowd: crate::gathering::OwnCrowd::default(),
            access_watchers: Mutex::default(),
            timers: Mutex::new(Timers::default()),
            disk_jobs: Mutex::default(),
            checks: Mutex::default(),
            check_signal: crate::Signal::default(),
            salts,
            halted: Mutex::default(),
            notices: Mutex::default(),
            left: false.into(),
            generated_password: Mutex::default(),
            settings,
            tally,
            disk_signal: crate::Signal::default(),
            work_signal: crate::Signal::default(),
            timer_signal: crate::Signal::default(),
            udp_signal: crate::Signal::default(),
            link_signal: crate::Signal::default(),
            notice_signal: crate::Signal::default(),
            state_signal: crate::Signal::default(),
        });
        host.push_disk_job(DiskJob::Restore { table: RESTORED_TABLES.start, after: None });
        Ok(Begun { host, worker })
    }

    /// A piece of the state tables came: pass it on and ask for the next one.
    pub(crate) fn restored_piece(
        &self,
        now: Now,
        rows: Vec<TableRow>,
        next: Option<(u8, Option<Vec<u8>>)>,
    ) {
        if !rows.is_empty() {
            self.push_input(Input::Restore(rows));
        }
        if let Some((table, after)) = next {
            self.push_disk_job(DiskJob::Restore { table, after });
        } else {
            let restoring = crate::sessions::lock(&self.node).restoring.take();
            if let Some(Restoring { hint }) = restoring.filter(|left| !left.hint.is_empty()) {
                self.push_input(Input::Hint(hint));
            }
            self.push_input(Input::Restored);
        }
        self.run(now, &[]);
    }
}

fn make_node(
    settings: &Settings,
    now: Now,
    rng: &mut Rng,
    identity: Identity,
    recovered: &storage::Recovered,
    clock_high_water: HybridTime,
) -> Result<Node, StartError> {
    let cluster = settings.cluster.clone();
    let cluster = cluster::Settings {
        identity,
        advertise: cluster.advertise,
        api: cluster.api,
        seeds: cluster.seeds,
        expect: cluster.expect,
        secret: cluster.secret,
    };
    cluster.check()?;
    let settings = node::Settings {
        cluster,
        journal_bytes_max: settings.limits.journal_bytes_max,
        log_bytes_max: settings.limits.log_bytes_max,
        proposals_max: settings.limits.proposals_max,
        naming: settings.naming.clone(),
        config: settings.limits.config,
        access: settings.limits.access,
    };
    let recovered = Recovered { consensus: for_engine(recovered), clock_high_water };
    Ok(Node::new(settings, now, rng.fork(), recovered))
}

/// What the disk gave back, in the engine's words.
pub(crate) fn for_engine(recovered: &storage::Recovered) -> consensus::Recovered {
    let entries = recovered.entries.iter();
    consensus::Recovered {
        hard_state: recovered.hard_state.clone(),
        snapshot: recovered.snapshot.clone(),
        entries: entries.map(|entry| (LogIndex(entry.index), entry.bytes.clone())).collect(),
        applied: LogIndex(recovered.applied),
    }
}

/// The time of boot, above all that earlier lives gave out, and the ceiling of the times of this life. The first is part of
/// every connection's id, and times are given out from now on: the ceiling must be on disk before.
fn start_clock(
    worker: &mut DiskWorker,
    planted: Planted,
    now: Now,
    hint: &[Vec<u8>],
    noted: HybridTime,
) -> Result<(HybridTime, HybridTime), StartError> {
    let hinted = naming::hint_high_water(hint).unwrap_or_default();
    let forgets = planted == Planted::ForgottenClock;
    let past = if forgets { HybridTime::default() } else { noted.max(hinted) };
    let boot = HybridClock::above(past).tick(now);
    let ceiling = clock_ceiling(boot, now);
    worker.set_clock(ceiling)?;
    Ok((boot, ceiling))
}

/// How far ahead of a clock that runs its ceiling is noted.
pub(crate) const CLOCK_AHEAD_MS: u64 = 60_000;

/// A clock that came to its ceiling sooner than this, runs.
pub(crate) const CLOCK_RUNS: Duration = Duration::from_secs(30);

/// The ceiling to note for a clock that has come to `reached`: a minute ahead, so that it is noted seldom. A clock that is
/// ahead of the wall stands nearly still, and restarts must not drive it on: a second is plenty for it.
pub(crate) fn clock_ceiling(reached: HybridTime, now: Now) -> HybridTime {
    let minute = now.unix_ms.saturating_add(CLOCK_AHEAD_MS);
    HybridTime::from_unix_ms(minute.max(reached.unix_ms() + 1_000))
}

/// A new password: 20 characters of 32, 100 bits, without letters and digits that look alike.
#[must_use]
pub fn password(rng: &mut Rng) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut text = String::new();
    for position in 0..20 {
        if position > 0 && position % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[rng.below(32) as usize]));
    }
    text
}

fn new_identity(worker: &mut DiskWorker, rng: &mut Rng) -> Result<Identity, StartError> {
    // 32 bits are enough to tell the nodes of a cluster apart, and short enough to be read aloud.
    let node = NodeId(1 + rng.below(u64::from(u32::MAX)));
    let identity = Identity::fresh(node);
    worker.set_identity(&identity.encode())?;
    Ok(identity)
}
