//! Bugs that are put in, to see whether they are found.

use base::Duration;
use host::{DiskDone, DiskJob, Settings};

/// A bug that is put in: between the host and its disk, into its settings, or between the host and its node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// None.
    #[default]
    Nothing,
    /// A log write is reported as durable before it is written.
    EarlyPersisted,
    /// A failed fsync is reported as a success.
    IgnoredSyncFailure,
    /// The hint is thrown away.
    LostHint,
    /// Of the hint only what lists everything is kept, and none of the changes that follow.
    OldHint,
    /// Every fourth time, the rows for the state tables are thrown away.
    LostRows,
    /// A row that was flipped on the disk is passed on as it is.
    UncheckedRow,
    /// Of a log write the vote and the term are not written.
    ForgottenVote,
    /// Rows are durable in the state tables before the log has what they follow from.
    TablesFirst,
    /// Every third config of a snapshot that was installed is not read.
    LostInstall,
    /// Who the node is, and how far it has come into a cluster, is not written.
    ForgottenIdentity,
    /// Each machine founds a cluster of its own.
    LoneFounder,
    /// Nobody is judged by the beats that do not come.
    EndlessBeats,
    /// One between the host and its node.
    Node(host::Planted),
}

/// All bugs by name.
pub const PLANTED: [(&str, Planted); 38] = [
    ("early-persisted", Planted::EarlyPersisted),
    ("ignored-sync-failure", Planted::IgnoredSyncFailure),
    ("lost-hint", Planted::LostHint),
    ("old-hint", Planted::OldHint),
    ("lost-rows", Planted::LostRows),
    ("unchecked-row", Planted::UncheckedRow),
    ("endless-beats", Planted::EndlessBeats),
    ("early-condition", Planted::Node(host::Planted::EarlyCondition)),
    ("late-view", Planted::Node(host::Planted::LateView)),
    ("lost-notification", Planted::Node(host::Planted::LostNotification)),
    ("old-push", Planted::Node(host::Planted::OldPush)),
    ("lost-push", Planted::Node(host::Planted::LostPush)),
    ("deaf-to-close", Planted::Node(host::Planted::DeafToClose)),
    ("no-tombstone", Planted::Node(host::Planted::NoTombstone)),
    ("late-hint", Planted::Node(host::Planted::LateHint)),
    ("forgotten-clock", Planted::Node(host::Planted::ForgottenClock)),
    ("forgotten-vote", Planted::ForgottenVote),
    ("lease-without-time", Planted::Node(host::Planted::LeaseWithoutTime)),
    ("follower-reads", Planted::Node(host::Planted::FollowerReads)),
    ("unmarked-reads", Planted::Node(host::Planted::UnmarkedReads)),
    ("early-ack", Planted::Node(host::Planted::EarlyAck)),
    ("no-digests", Planted::Node(host::Planted::NoDigests)),
    ("dropped-tombstones", Planted::Node(host::Planted::DroppedTombstones)),
    ("own-overwritten", Planted::Node(host::Planted::OwnOverwritten)),
    ("lost-follower-view", Planted::Node(host::Planted::LostFollowerView)),
    ("deaf-followers", Planted::Node(host::Planted::DeafFollowers)),
    ("lost-peer-push", Planted::Node(host::Planted::LostPeerPush)),
    ("absence-deletes", Planted::Node(host::Planted::AbsenceDeletes)),
    ("empty-push", Planted::Node(host::Planted::EmptyPush)),
    ("early-ready", Planted::Node(host::Planted::EarlyReady)),
    ("always-stale", Planted::Node(host::Planted::AlwaysStale)),
    ("refused-votes", Planted::Node(host::Planted::RefusedVotes)),
    ("lost-renewal", Planted::Node(host::Planted::LostRenewal)),
    ("own-tokens", Planted::Node(host::Planted::OwnTokens)),
    ("tables-first", Planted::TablesFirst),
    ("lost-install", Planted::LostInstall),
    ("forgotten-identity", Planted::ForgottenIdentity),
    ("lone-founder", Planted::LoneFounder),
];

/// A bug at work on a machine.
pub(crate) struct Planting {
    planted: Planted,
    tables: u64,
    /// In this life of the host a row was damaged already.
    damaged: bool,
    /// A snapshot was installed, and is not read yet.
    installed: bool,
    /// Log writes that wait for their rows.
    held: Vec<DiskJob>,
    /// Those whose rows are durable.
    due: Vec<DiskJob>,
}

impl Planting {
    pub(crate) fn new(planted: Planted) -> Self {
        Self {
            planted,
            tables: 0,
            damaged: false,
            installed: false,
            held: Vec::new(),
            due: Vec::new(),
        }
    }

    /// A host begins.
    pub(crate) fn begin(&mut self) {
        (self.damaged, self.installed) = (false, false);
        self.held.clear();
        self.due.clear();
    }

    /// The settings of a host.
    pub(crate) fn settings(&self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        match self.planted {
            Planted::Node(planted) => settings.planted = planted,
            Planted::LoneFounder => {
                settings.cluster.seeds.clear();
                settings.cluster.expect = None;
            }
            Planted::EndlessBeats => settings.naming.removed_after = Duration::from_secs(3_600),
            Planted::Nothing
            | Planted::EarlyPersisted
            | Planted::IgnoredSyncFailure
            | Planted::LostHint
            | Planted::OldHint
            | Planted::LostRows
            | Planted::UncheckedRow
            | Planted::TablesFirst
            | Planted::LostInstall
            | Planted::ForgottenIdentity
            | Planted::ForgottenVote => {}
        }
        settings
    }

    /// Answers that are given before the jobs are run.
    pub(crate) fn early_answers(&self, jobs: &[DiskJob]) -> Vec<DiskDone> {
        let mut early = persists(jobs);
        early.retain(|done| matches!(done, DiskDone::Persisted(_)));
        let is_early = [Planted::EarlyPersisted, Planted::TablesFirst].contains(&self.planted);
        if is_early { early } else { Vec::new() }
    }

    /// What the disk is told instead of these.
    pub(crate) fn jobs(&mut self, mut jobs: Vec<DiskJob>) -> Vec<DiskJob> {
        match self.planted {
            Planted::LostHint => jobs.retain(|job| !matches!(job, DiskJob::Hint(_))),
            Planted::OldHint => {
                let follows = |piece: &naming::HintPiece| !piece.begins && !piece.completes;
                jobs.retain(|job| !matches!(job, DiskJob::Hint(piece) if follows(piece)));
            }
            Planted::LostRows => {
                for job in &mut jobs {
                    if let DiskJob::Tables { rows, .. } = job {
                        self.tables += 1;
                        if self.tables.is_multiple_of(4) {
                            rows.clear();
                        }
                    }
                }
            }
            Planted::ForgottenVote => {
                for job in &mut jobs {
                    if let DiskJob::Persist { write, .. } = job {
                        write.hard_state = None;
                    }
                }
            }
            Planted::LostInstall => {
                let installs = |job: &DiskJob| matches!(job, DiskJob::Persist { write, .. } if write.install.is_some());
                self.installed |= jobs.iter().any(installs);
            }
            Planted::ForgottenIdentity => jobs.retain(|job| !matches!(job, DiskJob::Identity(_))),
            Planted::TablesFirst => jobs = self.tables_first(jobs),
            Planted::Nothing
            | Planted::EarlyPersisted
            | Planted::IgnoredSyncFailure
            | Planted::UncheckedRow
            | Planted::EndlessBeats
            | Planted::LoneFounder
            | Planted::Node(_) => {}
        }
        jobs
    }

    /// What the host is told instead of this; `asked` are the answers that it waits for.
    pub(crate) fn done(&mut self, asked: Vec<DiskDone>, mut done: Vec<DiskDone>) -> Vec<DiskDone> {
        match self.planted {
            Planted::EarlyPersisted | Planted::TablesFirst => {
                done.retain(|done| !matches!(done, DiskDone::Persisted(_)));
            }
            Planted::IgnoredSyncFailure => {
                if done.iter().any(|done| matches!(done, DiskDone::Failed(_))) {
                    return asked;
                }
            }
            Planted::LostInstall => {
                for done in &mut done {
                    self.lose_rows(done);
                }
            }
            Planted::ForgottenIdentity => {
                done.extend(
                    asked.into_iter().filter(|done| matches!(done, DiskDone::IdentityKept)),
                );
            }
            Planted::UncheckedRow => {
                for done in &mut done {
                    self.damage(done);
                }
            }
            Planted::Nothing
            | Planted::LostHint
            | Planted::OldHint
            | Planted::LostRows
            | Planted::EndlessBeats
            | Planted::ForgottenVote
            | Planted::LoneFounder
            | Planted::Node(_) => {}
        }
        done
    }

    fn lose_rows(&mut self, done: &mut DiskDone) {
        let DiskDone::Piece { rows, next } = done else { return };
        if self.installed {
            rows.retain(|row| {
                self.tables += u64::from(row.value.as_ref().is_some_and(|value| value.len() > 200));
                !self.tables.is_multiple_of(3)
            });
            self.installed = next.is_some();
        }
    }

    /// Log writes wait until the rows that follow from them are durable.
    fn tables_first(&mut self, jobs: Vec<DiskJob>) -> Vec<DiskJob> {
        let is_log = |job: &DiskJob| matches!(job, DiskJob::Persist { .. });
        let (log, mut rest): (Vec<_>, Vec<_>) = jobs.into_iter().partition(is_log);
        let mut jobs = std::mem::take(&mut self.due);
        if rest.iter().any(|job| matches!(job, DiskJob::Tables { .. })) {
            rest.push(DiskJob::Checkpoint);
            self.due = std::mem::take(&mut self.held);
        }
        jobs.append(&mut rest);
        self.held.extend(log);
        jobs
    }

    /// Flips a bit in the middle of the first long row: that is in the text of a config.
    fn damage(&mut self, done: &mut DiskDone) {
        let DiskDone::Piece { rows, .. } = done else { return };
        let long = rows.iter_mut().filter_map(|row| row.value.as_mut());
        if let Some(value) = long.into_iter().find(|value| value.len() > 200)
            && !std::mem::replace(&mut self.damaged, true)
        {
            let middle = value.len() / 2;
            value[middle] ^= 1;
        }
    }
}

pub(crate) fn persists(jobs: &[DiskJob]) -> Vec<DiskDone> {
    jobs.iter()
        .filter_map(|job| match job {
            DiskJob::Persist { id, .. } => Some(DiskDone::Persisted(*id)),
            DiskJob::Identity(_) => Some(DiskDone::IdentityKept),
            DiskJob::Tables { .. }
            | DiskJob::Checkpoint
            | DiskJob::Load { .. }
            | DiskJob::Restore { .. }
            | DiskJob::Snapshot(_)
            | DiskJob::Clock(_)
            | DiskJob::Hint(_)
            | DiskJob::Probe => None,
        })
        .collect()
}
