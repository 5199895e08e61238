//! Carrying what is queued through the node, in place, on the thread that brought it.

use crate::{
    DiskDone, DiskJob, Host, NodeCell, Planted, Timers, Work, Worked,
    gathering::Asking,
    sessions::{Message, Slot, lock},
    start::{CLOCK_AHEAD_MS, CLOCK_RUNS, clock_ceiling},
    work::{Asker, Task, TaskResult},
};
use base::{ConnectionId, Duration, HybridTime, Instant, Now, Rng};
use node::{Input, Output, RESTORED_TABLES};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, TryLockError, atomic::Ordering},
};

/// How often a full disk is looked at.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Notices that wait to be written to the log.
const NOTICES_MAX: usize = 64;

/// Slots that got messages, in order of their connections.
pub(crate) type Dirty = BTreeMap<ConnectionId, Arc<Slot>>;

impl Host {
    /// The deadline has come.
    pub fn wake(&self, now: Now) {
        let mut dirty = Vec::new();
        let (links, moves);
        {
            let mut timers = lock(&self.timers);
            while let Some(&(at, connection)) = timers.sessions.first()
                && at <= now.instant
            {
                timers.sessions.pop_first();
                dirty.push(connection);
            }
            if timers.udp.is_some_and(|at| at <= now.instant) {
                self.udp.post(nacos::UdpInput::Wake);
            }
            if timers.node.is_some_and(|at| at <= now.instant) {
                timers.node = None;
                self.push_input(Input::Wake);
            }
            links = timers.links.is_some_and(|at| at <= now.instant);
            moves = timers.moves.is_some_and(|at| at <= now.instant);
            if timers.probe.is_some_and(|at| at <= now.instant) {
                timers.probe = Some(now.instant.after(PROBE_INTERVAL));
                self.push_disk_job(DiskJob::Probe);
            }
        }
        if links {
            self.wake_links(now);
        }
        let dirty: Vec<Arc<Slot>> = dirty.into_iter().filter_map(|id| self.slot(id)).collect();
        for slot in &dirty {
            lock(&slot.sessions).deadline = None;
            slot.post(Message::Nacos(nacos::Input::Wake));
            slot.post(Message::Console(console::Input::Wake));
        }
        let moved = if moves { self.move_some(now) } else { Vec::new() };
        self.run(now, &[dirty, moved].concat());
    }

    /// What came of disk jobs.
    pub fn disk_done(&self, now: Now, done: Vec<DiskDone>) {
        for done in done {
            match done {
                DiskDone::IdentityKept => self.push_input(Input::IdentityKept),
                DiskDone::Snapshot(done) => self.snapshot_done(now, done),
                DiskDone::Persisted(id) => self.push_input(Input::Persisted(id)),
                DiskDone::Checkpointed(applied) => self.push_input(Input::Checkpointed(applied)),
                DiskDone::Loaded { id, rows } => self.push_input(Input::Loaded { id, rows }),
                DiskDone::Piece { rows, next } => {
                    self.restored_piece(now, rows, next);
                }
                DiskDone::Full(full) => {
                    lock(&self.timers).probe = full.then(|| now.instant.after(PROBE_INTERVAL));
                    self.timer_signal.raise();
                    self.push_input(Input::DiskFull(full));
                }
                DiskDone::Failed(reason) => self.fail(now, &reason),
            }
        }
        self.run(now, &[]);
    }

    /// What came of work.
    pub fn worked(&self, now: Now, worked: Worked) {
        match worked.asker {
            Asker::Node => {
                if let TaskResult::Secrets(initial) = worked.result {
                    self.push_input(Input::Secrets(initial));
                }
                self.run(now, &[]);
            }
            Asker::Session { connection, door, id } => {
                let Some(slot) = self.slot(connection) else { return };
                slot.post(self.work_answer(door, id, worked.result));
                self.run(now, &[slot]);
            }
        }
    }

    /// Steps the given slots, then the node and the slots it speaks to, until nothing is left to do.
    pub(crate) fn run(&self, now: Now, slots: &[Arc<Slot>]) {
        for slot in slots {
            self.step_slot(now, slot);
        }
        let mut dirty = Dirty::new();
        loop {
            for slot in dirty.values() {
                self.step_slot(now, slot);
            }
            dirty.clear();
            self.step_udp(now);
            self.gather(now, &mut dirty);
            if lock(&self.lanes).is_empty() {
                if dirty.is_empty() {
                    break;
                }
                continue;
            }
            let mut cell = match self.node.try_lock() {
                Ok(cell) => cell,
                // Whoever holds it looks at the lanes again after letting go.
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            };
            if self.halted().is_some() {
                lock(&self.lanes).clear();
                break;
            }
            let stepped = catch_unwind(AssertUnwindSafe(|| self.drive(now, &mut cell, &mut dirty)));
            drop(cell);
            if let Err(panic) = stepped {
                self.halt(panic_text(panic.as_ref()));
                break;
            }
        }
    }

    /// Steps one batch and hands on what follows. The node is locked.
    fn drive(&self, now: Now, cell: &mut NodeCell, dirty: &mut Dirty) {
        let now = later(now, cell.latest);
        cell.latest = now;
        for input in lock(&self.lanes).batch() {
            cell.offered |= crate::links::offers_snapshot(&input);
            if cell.planting.is(Planted::Nothing) {
                cell.node.step(now, input);
            } else {
                let status = cell.node.status();
                cell.planting.note_leader(status.leader == Some(status.node));
                for input in cell.planting.input(&self.views, input) {
                    cell.node.step(now, input);
                }
            }
        }
        for output in cell.planting.late() {
            self.hand_on(now, output, dirty);
        }
        let mut halted = None;
        while let Some(output) = cell.node.poll() {
            if let Output::Halt(reason) = output {
                halted = Some(reason);
                break;
            }
            if matches!(output, Output::NeedSecrets) {
                self.make_secrets(&mut cell.rng);
            } else if cell.planting.is(Planted::Nothing) {
                self.hand_on(now, output, dirty);
            } else {
                for output in cell.planting.output(output) {
                    self.hand_on(now, output, dirty);
                }
            }
        }
        if cell.offered && !cell.node.installs() {
            cell.offered = false;
            self.stage_decided();
        }
        self.raise_ceiling(now, cell);
        self.set_deadline(|timers| &mut timers.node, cell.node.deadline());
        self.resume_inbounds();
        if let Some(reason) = halted {
            self.halt(reason);
        }
    }

    fn hand_on(&self, now: Now, output: Output, dirty: &mut Dirty) {
        match output {
            Output::Publish(view) => self.publish(view, dirty),
            Output::Reply { to, id, reply } => {
                if let Some(limit) = reply.limit() {
                    self.tally.reject(limit);
                }
                if let Some(slot) = self.slot(to) {
                    slot.post(self.answer(id, reply));
                    dirty.insert(to, slot);
                } else {
                    self.answer_udp(to, id, reply);
                }
            }
            Output::Push { to, clusters, view } => {
                self.push(to, clusters, view, dirty);
            }
            Output::Watched { to, service } => {
                if let Some(slot) = self.slot(to) {
                    slot.post(Message::Nacos(nacos::Input::Watched { service }));
                    dirty.insert(to, slot);
                }
            }
            Output::Notify { to, listener, key, md5 } => {
                if let Some(slot) = self.slot(to) {
                    let (same, alike) = (key.clone(), md5.clone());
                    let input = nacos::Input::Notify { listener, key: same, md5: alike };
                    slot.post(Message::Nacos(input));
                    slot.post(Message::Console(console::Input::Notify { listener, key, md5 }));
                    dirty.insert(to, slot);
                }
            }
            Output::Existence { to, key, exists } => {
                if let Some(slot) = self.slot(to) {
                    slot.post(Message::Nacos(nacos::Input::Existence { key, exists }));
                    dirty.insert(to, slot);
                }
            }
            Output::Persist { id, write } => self.push_disk_job(DiskJob::Persist { id, write }),
            Output::Tables { applied, rows } => {
                self.push_disk_job(DiskJob::Tables { applied, rows });
            }
            Output::Checkpoint => self.push_disk_job(DiskJob::Checkpoint),
            Output::Load { id, table, from, until, limit } => {
                self.push_disk_job(DiskJob::Load { id, table, from, until, limit });
            }
            Output::Notice(what) => self.notice(what),
            Output::Hint(piece) => self.push_disk_job(DiskJob::Hint(piece)),
            Output::Check(check) => self.want_check(check),
            Output::KeepIdentity(bytes) => self.push_disk_job(DiskJob::Identity(bytes)),
            Output::Links(addresses) => self.want_links(now, addresses),
            Output::Clients { asker, question, inquiry } => {
                self.ask_all(Asking::Node { asker, question, inquiry });
            }
            Output::Left => {
                self.left.store(true, Ordering::Relaxed);
                self.state_signal.raise();
            }
            Output::Peer { to, message } => self.say(now, to, &message),
            Output::OpenSnapshot { to } => self.open_snapshot(to),
            Output::SendSnapshot { to, through, message } => {
                self.send_snapshot(to, through, message);
            }
            Output::Reload => {
                let table = RESTORED_TABLES.start;
                self.push_disk_job(DiskJob::Restore { table, after: None });
            }
            Output::NeedSecrets | Output::Halt(_) => unreachable!("taken by `drive`"),
        }
    }

    /// Hands a view to a subscriber, whichever way it came.
    fn push(
        &self,
        to: ConnectionId,
        clusters: naming::ClusterNames,
        view: Arc<naming::ServiceView>,
        dirty: &mut Dirty,
    ) {
        if let Some(slot) = self.slot(to) {
            let (same, alike) = (clusters.clone(), view.clone());
            slot.post(Message::Nacos(nacos::Input::Push { clusters: same, view: alike }));
            slot.post(Message::Console(console::Input::Push { clusters, view }));
            dirty.insert(to, slot);
        } else {
            self.udp.post(nacos::UdpInput::Push { connection: to, view });
        }
    }

    /// Swaps a view in, and tells those who wait for a change of it.
    fn publish(&self, view: node::View, dirty: &mut Dirty) {
        let of_access = matches!(view, node::View::Access(_));
        let of_cluster =
            if let node::View::Cluster(view) = &view { Some(view.clone()) } else { None };
        let turned = matches!(&view, node::View::Standing(new)
            if new.ready != self.views.standing().ready);
        self.views.swap(view);
        if of_access {
            self.tell_access_watchers(dirty);
        }
        if turned {
            self.state_signal.raise();
        }
        if let Some(view) = of_cluster {
            self.review_inbounds(&view);
            // There may be a secret now that others can prove.
            self.link_signal.raise();
        }
    }

    /// Notes a higher ceiling of the hybrid clock before the present one is reached. The next life begins above it,
    /// whatever the wall clock says then: subscribers drop lists that look older than what they have.
    fn raise_ceiling(&self, now: Now, cell: &mut NodeCell) {
        let near = HybridTime::from_unix_ms(cell.node.clock_high_water().unix_ms() + 500);
        if near > cell.ceiling && !cell.planting.is(Planted::ForgottenClock) {
            // One that runs although it is ahead of the wall follows the clock of another node, as fast as that goes.
            let runs = now.instant.since(cell.ceiling_raised) < CLOCK_RUNS;
            let reached = if runs { near.unix_ms() + CLOCK_AHEAD_MS } else { near.unix_ms() };
            cell.ceiling = clock_ceiling(HybridTime::from_unix_ms(reached), now);
            cell.ceiling_raised = now.instant;
            self.push_disk_job(DiskJob::Clock(cell.ceiling));
        }
    }

    /// At the limit nothing is told: who reads the log has enough, and the journal has it all.
    fn notice(&self, what: Arc<str>) {
        let mut notices = lock(&self.notices);
        if notices.len() < NOTICES_MAX {
            notices.push_back(what);
            self.notice_signal.raise();
        }
    }

    /// What operators should read, oldest first.
    pub fn take_notices(&self) -> Vec<Arc<str>> {
        lock(&self.notices).drain(..).collect()
    }

    fn tell_access_watchers(&self, dirty: &mut Dirty) {
        for connection in lock(&self.access_watchers).iter() {
            if let Some(slot) = self.slot(*connection) {
                slot.post(Message::Console(console::Input::AccessChanged));
                dirty.insert(*connection, slot);
            }
        }
    }

    /// The first start: a token key, and the first administrator's password as given or a new one.
    fn make_secrets(&self, rng: &mut Rng) {
        let (mut token_key, mut salt) = (vec![0; 32], [0; 16]);
        rng.fill(&mut token_key);
        rng.fill(&mut salt);
        let password = self.settings.admin_password.clone().unwrap_or_else(|| {
            let generated = crate::start::password(rng);
            *lock(&self.generated_password) = Some(generated.clone());
            generated
        });
        let token_key = access::Secret::new(token_key);
        let cost = self.settings.bcrypt_cost;
        let task = Task::Secrets { token_key, password, cost, salt };
        let taken = self.push_work(None, Work { asker: Asker::Node, task });
        assert!(taken.is_ok(), "the node's own work is always taken");
    }

    pub(crate) fn push_work(&self, source: Option<IpAddr>, work: Work) -> Result<(), ()> {
        lock(&self.work).push(source, work)?;
        self.work_signal.raise();
        Ok(())
    }

    pub(crate) fn push_input(&self, input: Input) {
        let taken = lock(&self.lanes).push(input);
        assert!(taken.is_ok(), "only requests are given back at the limit");
    }

    pub(crate) fn push_disk_job(&self, job: DiskJob) {
        lock(&self.disk_jobs).push_back(job);
        self.disk_signal.raise();
    }

    pub(crate) fn set_deadline(
        &self,
        of: impl FnOnce(&mut Timers) -> &mut Option<Instant>,
        deadline: Option<Instant>,
    ) {
        let mut timers = lock(&self.timers);
        let before = timers.first();
        *of(&mut timers) = deadline;
        let closer = timers.first() < before || before.is_none();
        drop(timers);
        if closer {
            self.timer_signal.raise();
        }
    }

    /// The disk cannot be trusted any more.
    fn fail(&self, now: Now, reason: &str) {
        let mut cell = lock(&self.node);
        let last = cell.node.stop(now, reason);
        drop(cell);
        if let Some(Output::Halt(reason)) = last {
            self.halt(reason);
        }
    }
}

fn later(a: Now, b: Now) -> Now {
    if a.instant >= b.instant { a } else { b }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!("broken invariant: {}", text.unwrap_or_else(|| "unknown".to_owned()))
}
