//! The world: one machine, its clients, the network between them, and the order in which everything happens.

use crate::{
    beat_client::{BeatClient, BeatHabits},
    client::Client,
    config_client::{ConfigClient, ConfigHabits},
    fault::Fault,
    line::{Heard, Send},
    machine::Machine,
    naming_client::{NamingClient, NamingHabits},
    note::{Note, Seen},
    operator::Copy,
    payload,
    planted::Planted,
    queue::EventQueue,
    trace::Trace,
};
use base::{ConnectionId, Duration, Instant, Rng};
use bytes::Bytes;
use host::{Arrival, DiskDone, DiskJob, Settings, Work};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};
use storage::{SimDisk, Survivors};

/// How long things take, and what is wrong from the beginning.
#[derive(Clone, Debug)]
pub struct Physics {
    /// One way through the network, at least and at most.
    pub latency: (Duration, Duration),
    /// One batch of disk jobs.
    pub disk: (Duration, Duration),
    /// One piece of work.
    pub work: (Duration, Duration),
    /// From a crash to the next start.
    pub restart: (Duration, Duration),
    /// A bug that is put in.
    pub planted: Planted,
}

impl Default for Physics {
    fn default() -> Self {
        let micros = Duration::from_micros;
        Self {
            latency: (micros(100), micros(2_000)),
            disk: (micros(100), micros(8_000)),
            work: (micros(10_000), micros(60_000)),
            restart: (micros(200_000), micros(3_000_000)),
            planted: Planted::Nothing,
        }
    }
}

/// Something for the checkers.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A client noted this.
    Noted {
        /// Which client.
        client: usize,
        /// What.
        note: Note,
    },
    /// A connection on which this client had registered instances was cut while the host lived.
    Cut {
        /// Which client.
        client: usize,
    },
    /// The host died.
    Down {
        /// Whether everything that it had written to its disk is still there, durable or not.
        kept: bool,
    },
    /// The host began.
    Up,
    /// The host serves.
    Ready,
    /// The wall clock was set, by so many milliseconds.
    ClockSet(i64),
    /// The host does nothing for so long.
    Paused(Duration),
    /// Whether the disk has no room.
    Full(bool),
    /// The disk went back to what it was at some moment since this one.
    Restored {
        /// What was durable then is there.
        as_of: Instant,
    },
    /// All that the host serves, read at one moment: right after it began to serve, and at the end.
    Scanned {
        /// Content by key, of those that could be read; `None`: there is no such config.
        configs: BTreeMap<String, Option<String>>,
        /// The lists.
        lists: Vec<Seen>,
    },
    /// The host stopped by itself.
    Halted(String),
}

pub(crate) type LinkId = u64;

/// One connection between a client and the machine, as the network sees it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) life: u64,
    /// `None`: the machine does not know it (yet, any more).
    pub(crate) connection: Option<ConnectionId>,
    /// Instances were registered on it.
    pub(crate) carried: bool,
    /// Nothing overtakes on a connection: the last arrival planned at each end.
    pub(crate) last_up: Instant,
    pub(crate) last_down: Instant,
}

/// On its way to the machine.
#[derive(Debug)]
pub(crate) enum Up {
    Open,
    Arrival(Box<Arrival>),
    Close,
}

pub(crate) enum Event {
    Start,
    Wake { life: u64, deadline: Instant },
    DiskRun { life: u64, jobs: Vec<DiskJob>, took: Duration },
    DiskDone { life: u64, done: Vec<DiskDone>, last: bool },
    WorkDone { life: u64, work: Work },
    ToHost { link: LinkId, up: Up },
    DatagramToHost { from: SocketAddr, bytes: Bytes },
    DatagramToClient { client: usize, bytes: Bytes },
    ToClient { link: LinkId, heard: Heard },
    ClientWake { client: usize, deadline: Instant },
    Fault(Fault),
}

pub(crate) struct Actor {
    pub(crate) client: Client,
    pub(crate) link: Option<LinkId>,
    pub(crate) alive: bool,
    wake_for: Option<Instant>,
}

/// Everything that one run consists of.
pub struct World {
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) physics: Physics,
    pub(crate) queue: EventQueue<Event>,
    pub(crate) machine: Machine,
    pub(crate) actors: Vec<Actor>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    next_link: LinkId,
    pub(crate) trace: Trace,
    pub(crate) history: Vec<(Instant, Happening)>,
    /// What must never happen, and did.
    pub(crate) violations: Vec<String>,
    /// The host may stop by itself: its disk was made to fail.
    pub(crate) halt_expected: bool,
    /// What a scan looks at.
    pub(crate) keys: BTreeSet<String>,
    pub(crate) services: BTreeSet<String>,
    /// Kept from before the disk was damaged.
    pub(crate) copy: Option<Copy>,
    /// The hint may be unreadable.
    pub(crate) hint_damaged: bool,
    pub(crate) syncs_lost_since: Option<Instant>,
    /// A start that the disk does not allow is no violation: the disk was damaged.
    pub(crate) damage_expected: bool,
    /// From a crash to the next start.
    pub(crate) is_down: bool,
    /// No start is planned after a crash.
    pub(crate) stays_down: bool,
}

/// The settings that a simulated host has.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        bcrypt_cost: 4,
        disk_kept: true,
        auth: false,
        admin_password: Some("simulated".to_owned()),
        doors: Vec::new(),
        version: "simulated",
        cluster: host::ClusterSettings::alone(),
        naming: naming::Settings::default(),
        // So short that a run of large configs has several checkpoints.
        limits: host::Limits { log_bytes_max: 512 * 1024, ..host::Limits::default() },
        planted: host::Planted::Nothing,
    }
}

impl World {
    /// A world with an empty disk, in which nothing has happened yet.
    #[must_use]
    pub fn new(seed: u64, physics: Physics, keep_trace: bool) -> Self {
        let mut rng = seeded(seed);
        let disk = SimDisk::new(rng.fork());
        Self::with_disk(rng, disk, physics, keep_trace)
    }

    /// A world that begins with this disk.
    #[must_use]
    pub fn with_disk(mut rng: Rng, disk: SimDisk, physics: Physics, keep_trace: bool) -> Self {
        let machine = Machine::new(disk, settings(), rng.fork(), physics.planted);
        let mut world = Self {
            now: Instant::START,
            rng,
            physics,
            queue: EventQueue::default(),
            machine,
            actors: Vec::new(),
            links: BTreeMap::new(),
            next_link: 0,
            trace: Trace::new(keep_trace),
            history: Vec::new(),
            violations: Vec::new(),
            halt_expected: false,
            keys: BTreeSet::new(),
            services: BTreeSet::new(),
            copy: None,
            hint_damaged: false,
            syncs_lost_since: None,
            damage_expected: false,
            is_down: false,
            stays_down: false,
        };
        world.queue.push(world.now, Event::Start);
        world
    }

    /// Adds a client of the registry; its number.
    pub fn add_naming_client(&mut self, habits: NamingHabits) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        self.services.extend(habits.services.iter().chain(&habits.watched).cloned());
        let client = NamingClient::new(index, self.now, rng, habits);
        self.add(Client::Naming(Box::new(client)))
    }

    /// Adds a client of the config center; its number.
    pub fn add_config_client(&mut self, habits: ConfigHabits) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        self.keys.extend(habits.keys.iter().cloned());
        let client = ConfigClient::new(index, self.now, rng, habits);
        self.add(Client::Config(Box::new(client)))
    }

    /// Adds a client of the registry over HTTP; its number.
    pub fn add_beat_client(&mut self, habits: BeatHabits) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        self.services.extend(habits.services.iter().chain(&habits.persistent).cloned());
        let client = BeatClient::new(index, self.now, rng, habits);
        self.add(Client::Beat(Box::new(client)))
    }

    fn add(&mut self, client: Client) -> usize {
        self.actors.push(Actor { client, link: None, alive: true, wake_for: None });
        let index = self.actors.len() - 1;
        self.after_client(index);
        index
    }

    /// Lets this happen at that time.
    pub fn plan(&mut self, at: Instant, fault: Fault) {
        self.queue.push(at, Event::Fault(fault));
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The trace so far.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What happened, for the checkers.
    #[must_use]
    pub fn history(&self) -> &[(Instant, Happening)] {
        &self.history
    }

    /// What must never happen and was seen at once, without a checker.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The power goes after so many more disk operations, of which this survives; also while the host begins.
    pub fn arm_power_loss(&mut self, operations: u64, survivors: Survivors) {
        self.machine.arm(operations, survivors);
    }

    /// From now on the host need not begin or go on: its disk was damaged.
    pub fn expect_damage(&mut self) {
        self.damage_expected = true;
        self.stays_down = true;
    }

    /// From now on the host stays down when it dies.
    pub fn stay_down(&mut self) {
        self.stays_down = true;
    }

    /// The machine is switched on again.
    pub fn power_on(&mut self) {
        self.stays_down = false;
        self.queue.push(self.now, Event::Start);
    }

    /// Whether this config client has done all that it meant to do.
    #[must_use]
    pub fn is_finished(&self, client: usize) -> bool {
        match &self.actors[client].client {
            Client::Config(client) => client.finished(),
            Client::Naming(_) | Client::Beat(_) => false,
        }
    }

    /// The machine's disk.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.machine.disk
    }

    /// One more look at everything, if the host serves.
    pub fn look(&mut self) {
        if let Some(host) = self.machine.host().filter(|host| host.is_ready()).cloned() {
            self.scan(&host);
        }
    }

    /// Whether the host serves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.machine.host().is_some_and(|host| host.is_ready())
    }

    /// Lets `duration` pass.
    pub fn run(&mut self, duration: Duration) {
        let until = self.now.after(duration);
        while self.queue.first().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = until;
    }

    /// Lets time pass until this is so; false if it is not after `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now.after(limit);
        loop {
            if done(self) {
                return true;
            }
            if self.queue.first().is_none_or(|at| at > until) {
                self.now = until;
                return done(self);
            }
            self.step();
        }
    }

    fn step(&mut self) {
        let Some((at, event)) = self.queue.pop() else { return };
        self.now = self.now.max(at);
        if self.is_for_machine(&event) && self.machine.paused_until > self.now {
            return self.queue.push(self.machine.paused_until, event);
        }
        match event {
            Event::Start => self.start(),
            Event::Wake { life, deadline } => self.wake(life, deadline),
            Event::DiskRun { life, jobs, took } => self.disk_run(life, jobs, took),
            Event::DiskDone { life, done, last } => self.disk_done(life, done, last),
            Event::WorkDone { life, work } => self.work_done(life, work),
            Event::ToHost { link, up } => self.arrive(link, up),
            Event::DatagramToHost { from, bytes } => self.datagram_arrives(from, bytes),
            Event::DatagramToClient { client, bytes } => self.hear_datagram(client, &bytes),
            Event::ToClient { link, heard } => self.hear(link, heard),
            Event::ClientWake { client, deadline } => self.wake_client(client, deadline),
            Event::Fault(fault) => self.inject(fault),
        }
        self.after_machine();
    }

    fn is_for_machine(&self, event: &Event) -> bool {
        match event {
            Event::Wake { .. }
            | Event::DiskRun { .. }
            | Event::DiskDone { .. }
            | Event::WorkDone { .. }
            | Event::DatagramToHost { .. }
            | Event::ToHost { .. } => true,
            Event::Start
            | Event::DatagramToClient { .. }
            | Event::ToClient { .. }
            | Event::ClientWake { .. }
            | Event::Fault(_) => false,
        }
    }

    pub(crate) fn draw(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let range = most.saturating_sub(least).as_nanos() as u64;
        least + Duration::from_nanos(self.rng.below(range + 1))
    }

    pub(crate) fn happened(&mut self, happening: Happening) {
        self.trace.line(self.now, format_args!("{happening:?}"));
        self.history.push((self.now, happening));
    }

    // Clients.

    /// Makes a client do something of its own.
    pub(crate) fn with_client(&mut self, index: usize, f: impl FnOnce(&mut Client, Instant)) {
        f(&mut self.actors[index].client, self.now);
        self.after_client(index);
    }

    fn wake_client(&mut self, index: usize, deadline: Instant) {
        if self.actors[index].wake_for != Some(deadline) {
            return;
        }
        self.actors[index].wake_for = None;
        self.with_client(index, Client::wake);
    }

    fn hear(&mut self, id: LinkId, heard: Heard) {
        let Some(link) = self.links.get(&id) else { return };
        let client = link.client;
        if self.actors[client].link != Some(id) || !self.actors[client].alive {
            return;
        }
        match &heard {
            Heard::Connected => self.trace.line(self.now, format_args!("c{client} connected")),
            Heard::Closed => self.trace.line(self.now, format_args!("c{client} closed")),
            Heard::Unary { call, payload } => {
                let shown = payload::shown(payload);
                self.trace.line(self.now, format_args!("c{client} <= {} {shown}", call.0));
            }
            Heard::Http { call, response } => {
                let (status, body) = (response.status(), String::from_utf8_lossy(response.body()));
                self.trace.line(self.now, format_args!("c{client} <= {} {status} {body}", call.0));
            }
            Heard::Stream(payload) => {
                let shown = payload::shown(payload);
                self.trace.line(self.now, format_args!("c{client} <~ {shown}"));
            }
        }
        if matches!(heard, Heard::Closed) {
            self.actors[client].link = None;
            self.links.remove(&id);
        }
        self.with_client(client, |client, now| client.hear(now, heard));
    }

    fn after_client(&mut self, index: usize) {
        while let Some(note) = self.actors[index].client.next_note() {
            self.happened(Happening::Noted { client: index, note });
        }
        while let Some(send) = self.actors[index].client.next_send() {
            self.send(index, send);
        }
        let deadline = self.actors[index].client.deadline();
        let actor = &mut self.actors[index];
        if deadline != actor.wake_for {
            actor.wake_for = deadline;
            if let Some(deadline) = deadline {
                let at = deadline.max(self.now);
                self.queue.push(at, Event::ClientWake { client: index, deadline });
            }
        }
    }

    fn send(&mut self, client: usize, send: Send) {
        let arrival = |arrival| Up::Arrival(Box::new(arrival));
        let up = match send {
            Send::Connect => {
                self.next_link += 1;
                let link = Link {
                    client,
                    life: 0,
                    connection: None,
                    carried: false,
                    last_up: self.now,
                    last_down: self.now,
                };
                self.links.insert(self.next_link, link);
                self.actors[client].link = Some(self.next_link);
                Up::Open
            }
            Send::Hangup => Up::Close,
            Send::Unary { call, payload } => {
                if payload::kind(&payload) == "InstanceRequest"
                    && let Some(id) = self.actors[client].link
                    && let Some(link) = self.links.get_mut(&id)
                {
                    link.carried = true;
                }
                arrival(Arrival::Unary { call, payload })
            }
            Send::OpenStream => arrival(Arrival::StreamOpened),
            Send::Stream(payload) => arrival(Arrival::StreamPayload(payload)),
            Send::Http { call, request } => arrival(Arrival::Http { call, request }),
            Send::Datagram(bytes) => return self.send_datagram(client, bytes),
        };
        let Some(id) = self.actors[client].link else { return };
        if matches!(up, Up::Close) {
            self.actors[client].link = None;
            self.cut(id);
        }
        let latency = self.draw(self.physics.latency);
        let Some(link) = self.links.get_mut(&id) else { return };
        let at = self.now.after(latency).max(link.last_up);
        link.last_up = at;
        self.queue.push(at, Event::ToHost { link: id, up });
    }

    /// Notes that instances may go because a connection was cut while the host that knew it lives.
    pub(crate) fn cut(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let lives = self.machine.running.is_some() && link.life == self.machine.life;
        if link.carried && lives && link.connection.is_some() {
            let client = link.client;
            self.happened(Happening::Cut { client });
        }
    }
}

/// The generator of a run.
#[must_use]
pub fn seeded(seed: u64) -> Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Rng::from_seed(bytes)
}
