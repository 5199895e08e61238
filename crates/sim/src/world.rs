//! The world: machines, their clients, the network between them, and the order in which everything happens.

use crate::{
    beat_client::{BeatClient, BeatHabits},
    client::Client,
    config_client::{ConfigClient, ConfigHabits},
    fault::Fault,
    line::{Heard, Send},
    lock_client::{LockClient, LockHabits},
    machine::Machine,
    naming_client::{NamingClient, NamingHabits},
    network::{Network, NetworkFault, Place, Way},
    note::{Note, Seen},
    payload,
    peers::{PEER_PORT, PeerLink, ToPeer},
    planted::Planted,
    queue::EventQueue,
    serve::address,
    servers::Servers,
    sights::Sight,
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
        /// The machine that it is connected to, or was last.
        machine: usize,
        /// What.
        note: Note,
    },
    /// A connection on which this client had registered instances was cut while the host lived.
    Cut {
        /// Which client.
        client: usize,
        /// With which machine it was.
        machine: usize,
    },
    /// The host died.
    Down {
        /// Whose.
        machine: usize,
        /// Whether everything that it had written to its disk is still there, durable or not.
        kept: bool,
    },
    /// The host began.
    Up {
        /// Whose.
        machine: usize,
    },
    /// The host serves.
    Ready {
        /// Whose.
        machine: usize,
    },
    /// The wall clock was set.
    ClockSet {
        /// Whose.
        machine: usize,
        /// By so many milliseconds.
        by_ms: i64,
    },
    /// The host does nothing for so long.
    Paused {
        /// Whose.
        machine: usize,
        /// How long.
        duration: Duration,
    },
    /// Whether the disk has no room.
    Full {
        /// Whose.
        machine: usize,
        /// Whether it has none.
        full: bool,
    },
    /// The disk went back to what it was at some moment since this one.
    Restored {
        /// Whose.
        machine: usize,
        /// What was durable then is there.
        as_of: Instant,
    },
    /// The machine gets an empty disk: what it had is lost.
    Replaced {
        /// Which.
        machine: usize,
    },
    /// All that the host serves, read at one moment: right after it began to serve, and at the end.
    Scanned {
        /// Which machine's.
        machine: usize,
        /// Content by key, of those that could be read; `None`: there is no such config.
        configs: BTreeMap<String, Option<String>>,
        /// The lists.
        lists: Vec<Seen>,
    },
    /// Bytes pass from one place to another no longer, or again.
    Parted {
        /// From here.
        from: Place,
        /// To there.
        to: Place,
        /// Whether they do not pass.
        cut: bool,
    },
    /// How long bytes take from one machine to another has changed.
    Slowed {
        /// From here.
        from: usize,
        /// To there.
        to: usize,
        /// So long at most, from now on.
        most: Duration,
    },
    /// How a node stands has changed.
    Sighted {
        /// Whose.
        machine: usize,
        /// How it stands now.
        sight: Sight,
    },
    /// A node's state is that of another log index.
    Applied {
        /// Whose.
        machine: usize,
        /// The index.
        applied: u64,
        /// A hash of the state.
        hash: u64,
    },
    /// The host stopped by itself.
    Halted {
        /// Whose.
        machine: usize,
        /// What it said.
        reason: String,
    },
}

pub(crate) type LinkId = u64;

/// One connection between a client and a machine, as the network sees it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) machine: usize,
    pub(crate) life: u64,
    /// `None`: the machine does not know it (yet, any more).
    pub(crate) connection: Option<ConnectionId>,
    /// Instances were registered on it.
    pub(crate) carried: bool,
    /// Nothing overtakes on a connection: the last arrival planned at each end.
    pub(crate) last_up: Instant,
    pub(crate) last_down: Instant,
}

/// On its way to a machine.
#[derive(Debug)]
pub(crate) enum Up {
    Open,
    Arrival(Box<Arrival>),
    Close,
}

/// What happens to a machine.
pub(crate) enum ToMachine {
    Start,
    Wake { life: u64, deadline: Instant },
    DiskRun { life: u64, jobs: Vec<DiskJob>, took: Duration },
    DiskDone { life: u64, done: Vec<DiskDone>, last: bool },
    WorkDone { life: u64, work: Work },
    Arrives { link: LinkId, up: Up },
    Datagram { from: SocketAddr, bytes: Bytes },
    Peer(ToPeer),
    Fault(Fault),
}

pub(crate) enum Event {
    Machine(usize, ToMachine),
    DatagramToClient {
        machine: usize,
        client: usize,
        bytes: Bytes,
    },
    ToClient {
        link: LinkId,
        heard: Heard,
    },
    ClientWake {
        client: usize,
        deadline: Instant,
    },
    Network(NetworkFault),
    /// What was held back on this way may arrive.
    Release(Way),
}

pub(crate) struct Actor {
    pub(crate) client: Client,
    pub(crate) link: Option<LinkId>,
    /// The machine that it is connected to, or was last.
    pub(crate) machine: usize,
    pub(crate) alive: bool,
    wake_for: Option<Instant>,
}

/// Everything that one run consists of.
pub struct World {
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) physics: Physics,
    pub(crate) queue: EventQueue<Event>,
    pub(crate) machines: Vec<Machine>,
    pub(crate) network: Network,
    pub(crate) actors: Vec<Actor>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    next_link: LinkId,
    pub(crate) peer_links: BTreeMap<u64, PeerLink>,
    pub(crate) next_peer_link: u64,
    pub(crate) trace: Trace,
    pub(crate) history: Vec<(Instant, Happening)>,
    /// What must never happen, and did.
    pub(crate) violations: Vec<String>,
    /// What a scan looks at.
    pub(crate) keys: BTreeSet<String>,
    pub(crate) services: BTreeSet<String>,
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

/// How one of so many machines finds the others.
fn one_of(machine: usize, machines: usize) -> host::ClusterSettings {
    let name = |machine, port| {
        let text = address(machine, port).to_string();
        cluster::Address::new(&text).expect("an address is plain text")
    };
    host::ClusterSettings {
        advertise: name(machine, PEER_PORT),
        api: Some(name(machine, 8848)),
        seeds: (0..machines).map(|machine| name(machine, PEER_PORT)).collect(),
        expect: Some(machines as u32),
        secret: Some(cluster::Secret::new(&[7; 32]).expect("32 bytes are enough")),
        token: None,
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
        let mut world = Self::of(rng, vec![machine], physics, keep_trace);
        world.queue.push(world.now, Event::Machine(0, ToMachine::Start));
        world
    }

    /// A world of so many machines with empty disks, which found one cluster: each is told the addresses of all.
    #[must_use]
    pub fn cluster(rng: Rng, machines: usize, physics: Physics, keep_trace: bool) -> Self {
        let mut world = Self::unstarted(rng, machines, physics, keep_trace);
        for machine in 0..machines {
            world.start_at(machine, world.now);
        }
        world
    }

    /// The same, and nothing is switched on yet.
    #[must_use]
    pub fn unstarted(mut rng: Rng, machines: usize, physics: Physics, keep_trace: bool) -> Self {
        let all = (0..machines)
            .map(|machine| {
                let settings = Settings { cluster: one_of(machine, machines), ..settings() };
                Machine::new(SimDisk::new(rng.fork()), settings, rng.fork(), physics.planted)
            })
            .collect();
        Self::of(rng, all, physics, keep_trace)
    }

    /// Switches a machine on at that time.
    pub fn start_at(&mut self, machine: usize, at: Instant) {
        self.queue.push(at, Event::Machine(machine, ToMachine::Start));
    }

    fn of(rng: Rng, machines: Vec<Machine>, physics: Physics, keep_trace: bool) -> Self {
        Self {
            now: Instant::START,
            rng,
            physics,
            queue: EventQueue::default(),
            machines,
            network: Network::default(),
            actors: Vec::new(),
            links: BTreeMap::new(),
            next_link: 0,
            peer_links: BTreeMap::new(),
            next_peer_link: 0,
            trace: Trace::new(keep_trace),
            history: Vec::new(),
            violations: Vec::new(),
            keys: BTreeSet::new(),
            services: BTreeSet::new(),
        }
    }

    /// Adds a client of the registry; its number.
    pub fn add_naming_client(&mut self, habits: NamingHabits) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        self.services.extend(habits.services.iter().chain(&habits.watched).cloned());
        let servers = self.servers(index);
        let client = NamingClient::new(index, self.now, rng, servers, habits);
        self.add(Client::Naming(Box::new(client)))
    }

    /// Adds a client of the config center; its number.
    pub fn add_config_client(&mut self, habits: ConfigHabits) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        self.keys.extend(habits.keys.iter().cloned());
        let servers = self.servers(index);
        let client = ConfigClient::new(index, self.now, rng, servers, habits);
        self.add(Client::Config(Box::new(client)))
    }

    /// Adds a client of the registry over HTTP; its number.
    pub fn add_beat_client(&mut self, habits: BeatHabits) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        self.services.extend(habits.services.iter().chain(&habits.persistent).cloned());
        let servers = self.servers(index);
        let client = BeatClient::new(index, self.now, rng, servers, habits);
        self.add(Client::Beat(Box::new(client)))
    }

    /// Adds a client of locks; its number.
    pub fn add_lock_client(&mut self, habits: LockHabits) -> usize {
        let (index, rng) = (self.actors.len(), self.rng.fork());
        let client = LockClient::new(index, self.now, rng, self.servers(index), habits);
        self.add(Client::Lock(Box::new(client)))
    }

    /// All machines, each client beginning with another one.
    fn servers(&self, client: usize) -> Servers {
        Servers::new(self.machines.len(), client)
    }

    fn add(&mut self, client: Client) -> usize {
        self.add_at(self.actors.len() % self.machines.len(), client)
    }

    pub(crate) fn add_at(&mut self, machine: usize, client: Client) -> usize {
        self.actors.push(Actor { client, link: None, machine, alive: true, wake_for: None });
        let index = self.actors.len() - 1;
        self.after_client(index);
        index
    }

    /// Lets this happen to the first machine at that time.
    pub fn plan(&mut self, at: Instant, fault: Fault) {
        self.plan_on(0, at, fault);
    }

    /// Lets this happen to a machine at that time.
    pub fn plan_on(&mut self, machine: usize, at: Instant, fault: Fault) {
        self.queue.push(at, Event::Machine(machine, ToMachine::Fault(fault)));
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

    /// The power of the first machine goes after so many more disk operations, of which this survives; also while the host begins.
    pub fn arm_power_loss(&mut self, operations: u64, survivors: Survivors) {
        self.machines[0].arm(operations, survivors);
    }

    /// From now on the first machine's host need not begin or go on: its disk was damaged.
    pub fn expect_damage(&mut self) {
        self.machines[0].damage_expected = true;
        self.machines[0].stays_down = true;
    }

    /// From now on this machine's host stays down when it dies.
    pub fn stay_down(&mut self, machine: usize) {
        self.machines[machine].stays_down = true;
    }

    /// The machine is switched on again.
    pub fn power_on(&mut self, machine: usize) {
        self.machines[machine].stays_down = false;
        self.queue.push(self.now, Event::Machine(machine, ToMachine::Start));
    }

    /// Whether this config client has done all that it meant to do.
    #[must_use]
    pub fn is_finished(&self, client: usize) -> bool {
        match &self.actors[client].client {
            Client::Config(client) => client.finished(),
            Client::Naming(_) | Client::Beat(_) | Client::Lock(_) => false,
        }
    }

    /// The first machine's disk.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.machines[0].disk
    }

    /// Whether all hosts serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        (0..self.machines.len()).all(|machine| self.serves(machine))
    }

    /// Whether this machine's host serves.
    #[must_use]
    pub fn serves(&self, machine: usize) -> bool {
        self.machines[machine].host().is_some_and(|host| host.is_ready())
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
        if let Some(event) = self.hold_back(event) {
            self.dispatch(event);
        }
    }

    pub(crate) fn dispatch(&mut self, event: Event) {
        match event {
            Event::Machine(machine, what) => self.step_machine(machine, what),
            Event::DatagramToClient { machine, client, bytes } => {
                self.hear_datagram(machine, client, &bytes);
            }
            Event::ToClient { link, heard } => self.hear(link, heard),
            Event::ClientWake { client, deadline } => self.wake_client(client, deadline),
            Event::Network(fault) => self.inject_network(fault),
            Event::Release(way) => self.release(way),
        }
    }

    fn step_machine(&mut self, machine: usize, what: ToMachine) {
        let paused_until = self.machines[machine].paused_until;
        if what.waits_for_the_host() && paused_until > self.now {
            return self.queue.push(paused_until, Event::Machine(machine, what));
        }
        match what {
            ToMachine::Start => self.start(machine),
            ToMachine::Wake { life, deadline } => self.wake(machine, life, deadline),
            ToMachine::DiskRun { life, jobs, took } => self.disk_run(machine, life, jobs, took),
            ToMachine::DiskDone { life, done, last } => self.disk_done(machine, life, done, last),
            ToMachine::WorkDone { life, work } => self.work_done(machine, life, work),
            ToMachine::Arrives { link, up } => self.arrive(machine, link, up),
            ToMachine::Datagram { from, bytes } => self.datagram_arrives(machine, from, bytes),
            ToMachine::Peer(what) => self.peer_happens(machine, what),
            ToMachine::Fault(fault) => self.inject(machine, fault),
        }
        self.after_machine(machine);
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
            let machine = self.actors[index].machine;
            self.happened(Happening::Noted { client: index, machine, note });
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
            Send::Connect { machine } => {
                self.next_link += 1;
                self.actors[client].machine = machine;
                let link = Link {
                    client,
                    machine,
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
        let Some(link) = self.links.get(&id) else { return };
        let latency = self.latency(Place::Client(client), Place::Machine(link.machine));
        let link = self.links.get_mut(&id).expect("just looked up");
        let at = self.now.after(latency).max(link.last_up);
        link.last_up = at;
        let machine = link.machine;
        self.queue.push(at, Event::Machine(machine, ToMachine::Arrives { link: id, up }));
    }

    /// Notes that instances may go because a connection was cut while the host that knew it lives.
    pub(crate) fn cut(&mut self, id: LinkId) {
        let Some(link) = self.links.get(&id) else { return };
        let (client, machine) = (link.client, link.machine);
        let server = &self.machines[machine];
        let lives = server.running.is_some() && link.life == server.life;
        if link.carried && lives && link.connection.is_some() {
            self.happened(Happening::Cut { client, machine });
        }
    }
}

impl ToMachine {
    /// Whether a host that stands still takes it later.
    fn waits_for_the_host(&self) -> bool {
        match self {
            Self::Wake { .. }
            | Self::DiskRun { .. }
            | Self::DiskDone { .. }
            | Self::WorkDone { .. }
            | Self::Datagram { .. }
            | Self::Peer(_)
            | Self::Arrives { .. } => true,
            Self::Start | Self::Fault(_) => false,
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
