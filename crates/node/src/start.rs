//! How a node begins: state tables first, then the log on top of them, then, on the very first start, the secrets.

use crate::{
    Initial, Node, Output, Phase, Standing, TableRow, Tally,
    command::Command,
    commit::{Join, Reads},
    pace::Pace,
    proposals::Proposals,
    tables::{self, Plane},
};
use base::{ConnectionId, HybridClock, HybridTime, NodeId, Now, RequestId, Rng, Term};
use journal::{Cause, Journal, Kind, Subject};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who asks when the node asks itself. No connection has this id: counters begin at 1.
pub(crate) const OURSELVES: ConnectionId =
    ConnectionId { node: NodeId(0), boot: HybridTime(0), counter: 0 };

/// However long the log may get: an entry is no longer. Peers send it in one message.
const ENTRY_BYTES_MAX: usize = 16 << 20;

/// How many lives may begin at one moment of the hybrid clock.
const LIVES_PER_MOMENT: u64 = 1 << 15;

/// What a node is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which node it is, and where others may be.
    pub cluster: cluster::Settings,
    /// About how much the journal may hold.
    pub journal_bytes_max: usize,
    /// How long the Raft log may get between two checkpoints, in bytes; one entry may be a quarter of it.
    pub log_bytes_max: usize,
    /// How many writes may wait for their outcome; one more is answered "overloaded".
    pub proposals_max: usize,
    /// For the registry.
    pub naming: naming::Settings,
    /// For the config center.
    pub config: config::Settings,
    /// For access.
    pub access: access::Settings,
}

/// What an earlier life left.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// For the engine.
    pub consensus: consensus::Recovered,
    /// The greatest hybrid time that may have been given out.
    pub clock_high_water: HybridTime,
}

/// Kept from `Recovered` until the state tables are there.
pub(crate) struct Unstarted {
    pub(crate) settings: consensus::Settings,
    pub(crate) recovered: consensus::Recovered,
}

/// Whether the host was asked for the first start's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    NotAsked,
    Asked,
}

/// What is missing before the node may serve.
pub(crate) enum Initialization {
    /// A leader, or an entry.
    Waits,
    /// The secrets, of which nobody was asked yet.
    NeedSecrets,
    /// Nothing.
    Done,
}

/// When this life begins. Two nodes on copies of one data directory may begin at the same moment of its clock, which stands a
/// little ahead of the wall; what tells them apart is within that millisecond.
fn begin_life(clock: &mut HybridClock, now: Now, rng: &mut Rng) -> HybridTime {
    let life = HybridTime(clock.tick(now).0 + rng.below(LIVES_PER_MOMENT));
    clock.raise(life);
    life
}

impl Node {
    /// A node that waits for its state tables: `Restore`, `Hint`, then `Restored`.
    #[must_use]
    pub fn new(settings: Settings, now: Now, mut rng: Rng, recovered: Recovered) -> Self {
        let mut clock = HybridClock::above(recovered.clock_high_water);
        let id = settings.cluster.identity.node;
        let applied = recovered.consensus.applied;
        let consensus = consensus::Settings {
            log_bytes_max: settings.log_bytes_max,
            entry_bytes_max: (settings.log_bytes_max / 4).min(ENTRY_BYTES_MAX),
            ..consensus::Settings::new(id, Vec::new(), rng.next_u64())
        };
        let fork = rng.fork();
        let life = begin_life(&mut clock, now, &mut rng);
        let cluster = cluster::Cluster::new(settings.cluster, now, life, fork)
            .expect("the host checks the settings of the cluster");
        let mut node = Self {
            id,
            life,
            phase: Phase::Restoring,
            serves: false,
            pace: Pace::default(),
            now,
            cause: Cause::Start,
            naming: naming::Naming::new(settings.naming, now, id, clock),
            config: config::Config::new(settings.config),
            access: access::Access::new(settings.access),
            cluster,
            lock: lock::Lock::new(),
            consensus: None,
            unstarted: Some(Unstarted { settings: consensus, recovered: recovered.consensus }),
            secrets: Secrets::NotAsked,
            journal: Journal::new(id, settings.journal_bytes_max),
            clients: BTreeSet::new(),
            peers: BTreeSet::new(),
            ahead: BTreeSet::new(),
            proposals: Proposals::new(settings.proposals_max),
            forwarded: BTreeMap::new(),
            reloading: None,
            reads: Reads::default(),
            gatherings: crate::gather::Gatherings::default(),
            left: BTreeSet::new(),
            loads: BTreeMap::new(),
            next_load: 0,
            standing: Standing::default(),
            confirmed: None,
            join: Join::NotAsked,
            started: now.instant,
            leader: None,
            tally: Tally::default(),
            leaderless_since: Some(now.instant),
            term: Term(0),
            applied,
            applied_term: Term(0),
            tabled: applied,
            disk_full: false,
            rows: Vec::new(),
            outputs: VecDeque::new(),
        };
        node.file(Kind::Started, Subject::Node);
        node
    }

    pub(crate) fn restore(&mut self, rows: Vec<TableRow>) {
        let expected = self.phase == Phase::Restoring || self.reloading.is_some();
        assert!(expected, "rows come before `Restored`, or after `Reload`");
        self.cause = Cause::Start;
        let (mut config, mut access, mut naming) = (Vec::new(), Vec::new(), Vec::new());
        let (mut cluster, mut lock) = (Vec::new(), Vec::new());
        for row in rows {
            let table = row.table;
            match tables::from_disk(row) {
                Some((Plane::Config, row)) => config.push(row),
                Some((Plane::Access, row)) => access.push(row),
                Some((Plane::Naming, row)) => naming.push(row),
                Some((Plane::Cluster, row)) => cluster.push(row),
                Some((Plane::Lock, row)) => lock.push(row),
                None => {
                    return self.halt(format!(
                        "state table {table} is unknown to this build: start the build that wrote it"
                    ));
                }
            }
        }
        self.config.step(self.now, config::Input::Restore(config));
        self.access.step(self.now, access::Input::Restore(access));
        self.naming.step(self.now, naming::Input::Restore(naming));
        self.cluster.step(self.now, cluster::Input::Restore(cluster));
        self.lock.step(self.now, lock::Input::Restore(lock));
    }

    pub(crate) fn restored(&mut self) {
        self.config.step(self.now, config::Input::Restored);
        self.naming.step(self.now, naming::Input::Restored);
        self.lock.step(self.now, lock::Input::Restored);
        if let Some(held) = self.reloading.take() {
            return self.reloaded(held);
        }
        self.phase = Phase::Forming;
        self.cluster.step(self.now, cluster::Input::Restored);
    }

    /// The node belongs to a cluster: the engine starts.
    pub(crate) fn begin(&mut self, voters: Vec<NodeId>) {
        let Unstarted { settings, recovered } =
            self.unstarted.take().expect("the plane says so once, after `Restored`");
        let settings = consensus::Settings { voters, ..settings };
        match consensus::Consensus::recover(settings, self.now, recovered) {
            Ok(consensus) => {
                self.consensus = Some(consensus);
                self.phase = Phase::Joining;
            }
            Err(error) => self.halt(format!("the Raft log on disk cannot be used: {error}")),
        }
    }

    pub(crate) fn initialization(&mut self) -> Initialization {
        if !matches!(self.join, Join::Through(index) if index <= self.applied) {
            return Initialization::Waits;
        }
        if self.access.view().token_key.is_some() {
            return Initialization::Done;
        }
        // A follower waits for the leader's; a leader proposes once.
        if self.leader != Some(self.id) {
            return Initialization::Waits;
        }
        match self.secrets {
            Secrets::Asked => Initialization::Waits,
            Secrets::NotAsked => Initialization::NeedSecrets,
        }
    }

    /// Brings the first start's secrets into the log.
    pub(crate) fn secrets(&mut self, initial: Initial) {
        if self.disk_full {
            self.secrets = Secrets::NotAsked; // asked again when there is room
            return;
        }
        let Initial { token_key, password_hash } = initial;
        let change = access::Change::Initialize { token_key, password_hash };
        let at_ms = self.now.unix_ms;
        let command = Command::Access(access::Command { change, at_ms });
        self.propose(OURSELVES, RequestId(0), command);
    }

    /// The last word of a node that its host stops because of the disk.
    pub fn stop(&mut self, now: Now, reason: &str) -> Option<Output> {
        self.now = now;
        if self.phase == Phase::Halted {
            return None;
        }
        self.outputs.clear();
        self.halt(reason.to_owned());
        self.outputs.pop_front()
    }

    /// The greatest hybrid time given out so far, for the disk.
    pub fn clock_high_water(&mut self) -> HybridTime {
        self.naming.clock_high_water()
    }
}
