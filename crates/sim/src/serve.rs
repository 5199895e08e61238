//! The machine's side of the world: starts, arrivals, disk, work, deadlines, and what the host has to send.

use crate::{
    line::Heard,
    machine::DiskRun,
    network::Place,
    payload,
    world::{Event, Happening, LinkId, ToMachine, Up, World},
};
use base::{Duration, Instant};
use host::{Arrival, Chunk, DiskDone, DiskJob, Host, Sending, StartError, StreamId, Work};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    task::{Poll, Waker},
};

/// A timer of a real machine fires late by up to this.
const TIMER_LATE: (Duration, Duration) = (Duration::ZERO, Duration::from_micros(1_000));

impl World {
    pub(crate) fn start(&mut self, machine: usize) {
        if self.machines[machine].running.is_some() {
            return;
        }
        match self.machines[machine].begin(self.now) {
            Ok(()) => {
                self.machines[machine].is_down = false;
                self.happened(Happening::Up { machine });
            }
            Err(_) if self.machines[machine].power_lost() => self.lose_power(machine),
            Err(StartError::Disk(error)) if self.may_fail(machine, &error) => {
                self.trace.line(self.now, format_args!("m{machine} cannot begin: {error}"));
                self.machines[machine].crash(storage::Survivors::All);
                let at = self.now.after(self.draw(self.physics.restart));
                self.queue.push(at, Event::Machine(machine, ToMachine::Start));
            }
            Err(error) if self.is_damaged(machine) => {
                self.trace.line(self.now, format_args!("m{machine} cannot begin: {error}"));
                self.machines[machine].crash(storage::Survivors::All);
                self.put_back(machine);
            }
            Err(error) => {
                let text = format!("the host of m{machine} could not begin: {error}");
                self.trace.line(self.now, format_args!("{text}"));
                if !self.machines[machine].damage_expected {
                    self.violations.push(text);
                }
            }
        }
    }

    /// Whether the disk was made to fail like that.
    fn may_fail(&self, machine: usize, error: &storage::Error) -> bool {
        match error {
            storage::Error::Full { .. } => true,
            storage::Error::SyncFailed { .. } => self.machines[machine].halt_expected,
            storage::Error::Corrupt { .. }
            | storage::Error::InUse { .. }
            | storage::Error::Version { .. }
            | storage::Error::Piece { .. }
            | storage::Error::Io { .. } => false,
        }
    }

    /// The host of this life, if it is still the one.
    pub(crate) fn host_of(&self, machine: usize, life: u64) -> Option<Arc<Host>> {
        self.machines[machine].host().filter(|_| self.machines[machine].life == life).cloned()
    }

    pub(crate) fn wake(&mut self, machine: usize, life: u64, deadline: Instant) {
        let Some(host) = self.host_of(machine, life) else { return };
        let running = self.machines[machine].running.as_mut().expect("it has a host");
        if running.wake_for != Some(deadline) {
            return;
        }
        running.wake_for = None;
        self.trace.line(self.now, format_args!("m{machine} wakes"));
        host.wake(self.machines[machine].now(self.now));
    }

    pub(crate) fn disk_run(
        &mut self,
        machine: usize,
        life: u64,
        jobs: Vec<DiskJob>,
        took: Duration,
    ) {
        if self.host_of(machine, life).is_none() {
            return;
        }
        let before = self.machines[machine].disk.operations();
        let run = self.machines[machine].run_disk(jobs);
        let operations = self.machines[machine].disk.operations() - before;
        match run {
            DiskRun::Done(done) => {
                let at = self.now.after(took);
                self.trace
                    .line(self.now, format_args!("m{machine} disk does {operations} operations"));
                let done = ToMachine::DiskDone { life, done, last: true };
                self.queue.push(at, Event::Machine(machine, done));
            }
            DiskRun::PowerLost => self.lose_power(machine),
        }
    }

    pub(crate) fn disk_done(&mut self, machine: usize, life: u64, done: Vec<DiskDone>, last: bool) {
        let Some(host) = self.host_of(machine, life) else { return };
        if last {
            self.machines[machine].running.as_mut().expect("it has a host").disk_busy = false;
        }
        self.trace.line(self.now, format_args!("m{machine} disk done {}", shown(&done)));
        host.disk_done(self.machines[machine].now(self.now), done);
    }

    pub(crate) fn work_done(&mut self, machine: usize, life: u64, work: Work) {
        let Some(host) = self.host_of(machine, life) else { return };
        self.trace.line(self.now, format_args!("m{machine} work done {work:?}"));
        host.worked(self.machines[machine].now(self.now), work.run());
    }

    pub(crate) fn arrive(&mut self, machine: usize, id: LinkId, up: Up) {
        let Some(link) = self.links.get(&id) else { return };
        let (client, connection) = (link.client, link.connection);
        let now = self.machines[machine].now(self.now);
        match up {
            Up::Open => match self.machines[machine]
                .host()
                .filter(|host| host.halted().is_none())
                .cloned()
            {
                None => self.tell(id, Heard::Closed),
                Some(host) => {
                    let remote = remote(client, id);
                    let connection = host.open(now, remote, address(machine, 9848), false);
                    self.trace
                        .line(self.now, format_args!("m{machine} opens {connection} of c{client}"));
                    let life = self.machines[machine].life;
                    let link = self.links.get_mut(&id).expect("just looked up");
                    (link.connection, link.life) = (Some(connection), life);
                    self.tell(id, Heard::Connected);
                }
            },
            Up::Arrival(arrival) => {
                let life = link.life;
                let (Some(host), Some(connection)) = (self.host_of(machine, life), connection)
                else {
                    return self.tell(id, Heard::Closed);
                };
                self.trace
                    .line(self.now, format_args!("m{machine} <= c{client} {}", words(&arrival)));
                host.deliver(now, connection, *arrival);
            }
            Up::Close => {
                let life = link.life;
                self.links.remove(&id);
                if let (Some(host), Some(connection)) = (self.host_of(machine, life), connection) {
                    self.trace.line(self.now, format_args!("m{machine} loses c{client}"));
                    host.close(now, connection, "the client hung up");
                }
            }
        }
    }

    /// Sends to a client, behind what was sent to it before.
    pub(crate) fn tell(&mut self, id: LinkId, heard: Heard) {
        let Some(link) = self.links.get(&id) else { return };
        let latency = self.latency(Place::Machine(link.machine), Place::Client(link.client));
        let link = self.links.get_mut(&id).expect("just looked up");
        let at = self.now.after(latency).max(link.last_down);
        link.last_down = at;
        self.queue.push(at, Event::ToClient { link: id, heard });
    }

    /// Takes everything that the host has to say after something happened to it.
    pub(crate) fn after_machine(&mut self, machine: usize) {
        let Some(host) = self.machines[machine].host().cloned() else { return };
        if let Some(reason) = host.halted() {
            return self.halted(machine, reason);
        }
        self.sight(machine, &host);
        self.notice_ready(machine, &host);
        self.take_sendings(machine, &host);
        self.take_datagrams(machine, &host);
        self.take_peers(machine, &host);
        self.take_disk_jobs(machine, &host);
        while let Some(work) = host.take_work() {
            let at = self.now.after(self.draw(self.physics.work));
            let life = self.machines[machine].life;
            self.queue.push(at, Event::Machine(machine, ToMachine::WorkDone { life, work }));
        }
        self.plan_wake(machine, &host);
    }

    fn notice_ready(&mut self, machine: usize, host: &Arc<Host>) {
        let running = self.machines[machine].running.as_mut().expect("its host is at hand");
        if !running.ready && host.is_ready() {
            running.ready = true;
            self.happened(Happening::Ready { machine });
            self.scan(machine, host);
        }
    }

    fn halted(&mut self, machine: usize, reason: String) {
        // Of its own accord it may stop only because an fsync failed.
        let failed =
            self.machines[machine].halt_expected && reason.contains("could not be made durable");
        let found = !failed && self.is_damaged(machine) && !reason.contains("broken invariant");
        if !(failed || found || self.machines[machine].damage_expected) {
            self.violations.push(format!("the host of m{machine} halted: {reason}"));
        }
        self.happened(Happening::Halted { machine, reason });
        // What was sent before it halted still leaves; nothing more does.
        self.go_down(machine);
        if found {
            self.put_back(machine);
        }
    }

    fn take_sendings(&mut self, machine: usize, host: &Arc<Host>) {
        let life = self.machines[machine].life;
        let open: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.machine == machine && link.life == life)
            .filter_map(|(id, link)| Some((*id, link.connection?)))
            .collect();
        let now = self.machines[machine].now(self.now);
        for (id, connection) in open {
            while let Some(sending) = host.take_sending(connection) {
                match sending {
                    Sending::Unary { call, payload } => {
                        self.tell(id, Heard::Unary { call, payload });
                    }
                    Sending::Http { call, response } => {
                        self.tell(id, Heard::Http { call, response });
                    }
                    Sending::Events { .. } => {
                        unreachable!("no simulated client asks for events")
                    }
                    Sending::Close => {
                        let client = self.links[&id].client;
                        self.trace.line(self.now, format_args!("m{machine} closes c{client}"));
                        self.cut(id);
                        self.tell(id, Heard::Closed);
                        host.close(now, connection, "closed by the session");
                        self.links.get_mut(&id).expect("it is open").connection = None;
                    }
                }
            }
            let waker = Waker::noop();
            while let Poll::Ready(Some(chunk)) =
                host.poll_stream(now, connection, StreamId::Grpc, waker)
            {
                match chunk {
                    Chunk::Payload(payload) => self.tell(id, Heard::Stream(payload)),
                    Chunk::Bytes(_) => unreachable!("the gRPC stream carries payloads"),
                }
            }
        }
    }

    fn take_disk_jobs(&mut self, machine: usize, host: &Arc<Host>) {
        let running = self.machines[machine].running.as_mut().expect("its host is at hand");
        if running.disk_busy {
            return;
        }
        let jobs = host.take_disk_jobs();
        if jobs.is_empty() {
            return;
        }
        running.disk_busy = true;
        let life = self.machines[machine].life;
        let early = self.machines[machine].early_answers(&jobs);
        if !early.is_empty() {
            let done = ToMachine::DiskDone { life, done: early, last: false };
            self.queue.push(self.now, Event::Machine(machine, done));
        }
        // A crash may come before the jobs are done, or after, but before anyone is told.
        let wait = self.draw(self.physics.disk) / 2;
        let took = self.draw(self.physics.disk) / 2;
        let run = ToMachine::DiskRun { life, jobs, took };
        self.queue.push(self.now.after(wait), Event::Machine(machine, run));
    }

    fn plan_wake(&mut self, machine: usize, host: &Arc<Host>) {
        let deadline = host.deadline();
        let running = self.machines[machine].running.as_mut().expect("its host is at hand");
        if deadline == running.wake_for {
            return;
        }
        running.wake_for = deadline;
        if let Some(deadline) = deadline {
            let late = self.draw(TIMER_LATE);
            let at = self.machines[machine].world_time(deadline).max(self.now).after(late);
            let life = self.machines[machine].life;
            self.queue.push(at, Event::Machine(machine, ToMachine::Wake { life, deadline }));
        }
    }
}

/// An address of a machine.
pub(crate) fn address(machine: usize, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, 0, machine as u8 + 1)), port)
}

/// Every connection of a client comes from a port of its own.
fn remote(client: usize, link: LinkId) -> SocketAddr {
    let ip = Ipv4Addr::new(10, 0, client as u8, 1);
    SocketAddr::new(ip.into(), 40_000 + (link % 20_000) as u16)
}

fn words(arrival: &Arrival) -> String {
    match arrival {
        Arrival::Http { call, request } => {
            format!("{} {} {}", call.0, request.method(), request.uri())
        }
        Arrival::Unary { call, payload } => format!("{} {}", call.0, payload::shown(payload)),
        Arrival::StreamOpened => "opens its stream".to_owned(),
        Arrival::StreamPayload(payload) => format!("~ {}", payload::shown(payload)),
        Arrival::StreamClosed => "ends its stream".to_owned(),
        Arrival::Dropped(call) => format!("{} dropped", call.0),
    }
}

fn shown(done: &[DiskDone]) -> String {
    let words: Vec<String> = done
        .iter()
        .map(|done| match done {
            DiskDone::Persisted(id) => format!("persisted {id:?}"),
            DiskDone::IdentityKept => "identity kept".to_owned(),
            DiskDone::Snapshot(done) => format!("{done:?}"),
            DiskDone::Checkpointed(index) => format!("checkpointed {index}"),
            DiskDone::Loaded { id, rows } => {
                format!("loaded {id}: {:?}", rows.as_ref().map(Vec::len))
            }
            DiskDone::Piece { rows, next } => {
                format!("{} rows of the tables, last {}", rows.len(), next.is_none())
            }
            DiskDone::Full(full) => format!("full {full}"),
            DiskDone::Failed(why) => format!("failed: {why}"),
        })
        .collect();
    words.join(", ")
}
