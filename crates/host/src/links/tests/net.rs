//! Some machines with a host each, and pipes between them that carry frames as the hosts hand them out.

use crate::{
    Arrival, Begun, ClusterSettings, DiskWorker, Host, InboundId, KeyName, Lane, LinkId,
    NotAccepted, Planted, Reading, Sending, Settings,
};
use base::{Duration, NodeId, Now, Rng};
use bytes::Bytes;
use cluster::{Address, ClusterId, Formation, Founder, Identity, JoinToken, Secret};
use nacos::CallId;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use storage::{Disk, Place, SimDisk, Survivors};

const LANES: [Lane; 2] = [Lane::Urgent, Lane::Bulk];
/// Time passes in steps of this.
const STEP: Duration = Duration::from_millis(10);

pub(crate) struct Machine {
    pub(crate) disk: SimDisk,
    pub(crate) running: Option<(Arc<Host>, DiskWorker)>,
    settings: Settings,
    lives: u8,
}

/// A link that is up, and where it ends.
struct Pipe {
    from: usize,
    to: usize,
    inbounds: [InboundId; 2],
}

pub(crate) struct Net {
    pub(crate) now: Now,
    pub(crate) machines: Vec<Machine>,
    pipes: BTreeMap<(usize, LinkId), Pipe>,
    /// From whom to whom nothing passes.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// Links that carry nothing, but are not closed.
    pub(crate) stalled: BTreeSet<(usize, usize)>,
    /// How many frames a lane of a link may carry in a step.
    pub(crate) step_frames_max: usize,
    /// What was carried, if it is kept.
    pub(crate) kept: Option<Vec<Bytes>>,
    calls: u64,
}

fn address(machine: usize) -> Address {
    Address::new(&format!("m{machine}:7848")).expect("plain text")
}

fn node(machine: usize) -> NodeId {
    NodeId(machine as u64 + 1)
}

fn settings(machine: usize, count: usize, log_bytes_max: usize) -> Settings {
    let others = (0..count).filter(|other| *other != machine);
    Settings {
        bcrypt_cost: 4,
        disk_kept: true,
        auth: false,
        admin_password: Some("simulated".to_owned()),
        doors: Vec::new(),
        version: "test",
        cluster: ClusterSettings {
            advertise: address(machine),
            seeds: others.map(address).collect(),
            secret: Some(Secret::new(&[7; 32]).expect("long enough")),
            ..ClusterSettings::alone()
        },
        naming: naming::Settings::default(),
        limits: crate::Limits {
            log_bytes_max,
            link_bytes_max: 1 << 20,
            ..crate::Limits::default()
        },
        planted: Planted::Nothing,
    }
}

impl Net {
    /// So many machines whose disks say that they founded a cluster together.
    pub(crate) fn new(count: usize, log_bytes_max: usize) -> Self {
        let founders: Vec<Founder> = (0..count)
            .map(|machine| Founder { node: node(machine), address: Some(address(machine)) })
            .collect();
        let cluster = ClusterId::of_founders(&founders);
        let disks = (0..count).map(|machine| {
            let disk = SimDisk::new(Rng::from_seed([machine as u8; 32]));
            let formation = Formation::Formed { cluster, founders: founders.clone() };
            let identity = Identity { formation, ..Identity::fresh(node(machine)) };
            let (mut opened, _) = Disk::open(Place::Simulated(disk.clone())).expect("empty");
            opened.set_identity(&identity.encode()).expect("room");
            disk
        });
        let mut net = Self::of_disks(disks.collect(), log_bytes_max);
        for machine in 0..count {
            net.start(machine);
        }
        net
    }

    /// So many machines that belong nowhere yet and expect each other.
    pub(crate) fn fresh(count: usize) -> Self {
        let disks = (0..count).map(|machine| SimDisk::new(Rng::from_seed([machine as u8; 32])));
        let mut net = Self::of_disks(disks.collect(), crate::LOG_BYTES_MAX);
        for machine in &mut net.machines {
            machine.settings.cluster.expect = Some(count as u32);
        }
        (0..count).for_each(|machine| net.start(machine));
        net
    }

    /// One more machine, with an empty disk and no secret but this token. It looks for the first one.
    pub(crate) fn add(&mut self, token: JoinToken) -> usize {
        let machine = self.machines.len();
        let disk = SimDisk::new(Rng::from_seed([machine as u8; 32]));
        let mut settings = settings(machine, machine + 1, crate::LOG_BYTES_MAX);
        settings.cluster.seeds = vec![address(0)];
        settings.cluster.secret = None;
        settings.cluster.token = Some(token);
        self.machines.push(Machine { disk, running: None, settings, lives: 0 });
        self.start(machine);
        machine
    }

    /// Machines with these disks, none of which runs.
    pub(crate) fn of_disks(disks: Vec<SimDisk>, log_bytes_max: usize) -> Self {
        let count = disks.len();
        let machines = disks.into_iter().enumerate().map(|(machine, disk)| {
            let settings = settings(machine, count, log_bytes_max);
            Machine { disk, running: None, settings, lives: 0 }
        });
        Self {
            now: Now::START.after(Duration::from_secs(1000)),
            machines: machines.collect(),
            pipes: BTreeMap::new(),
            cut: BTreeSet::new(),
            stalled: BTreeSet::new(),
            step_frames_max: usize::MAX,
            kept: None,
            calls: 0,
        }
    }

    pub(crate) fn start(&mut self, machine: usize) {
        let it = &mut self.machines[machine];
        it.lives += 1;
        let rng = Rng::from_seed([it.lives * 16 + machine as u8; 32]);
        let place = Place::Simulated(it.disk.clone());
        let begun = Host::begin(it.settings.clone(), self.now, rng, place);
        let Begun { host, worker } = begun.expect("the disk is whole");
        it.running = Some((host, worker));
    }

    pub(crate) fn forget_token(&mut self, machine: usize) {
        self.machines[machine].settings.cluster.token = None;
    }

    pub(crate) fn crash(&mut self, machine: usize) {
        self.machines[machine].running = None;
        self.machines[machine].disk.crash(Survivors::None);
        self.break_links(|pipe| pipe.from == machine || pipe.to == machine);
    }

    pub(crate) fn host(&self, machine: usize) -> &Arc<Host> {
        let running = self.machines[machine].running.as_ref();
        &running.expect("it runs").0
    }

    /// Nothing passes between this machine and the others, and its links break.
    pub(crate) fn isolate(&mut self, machine: usize) {
        for other in 0..self.machines.len() {
            self.cut.extend([(machine, other), (other, machine)]);
        }
        self.break_links(|pipe| pipe.from == machine || pipe.to == machine);
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
        self.stalled.clear();
    }

    fn break_links(&mut self, broken: impl Fn(&Pipe) -> bool) {
        let gone: Vec<(usize, LinkId)> =
            self.pipes.iter().filter(|(_, pipe)| broken(pipe)).map(|(key, _)| *key).collect();
        for (from, link) in gone {
            self.close(from, link, true);
        }
    }

    /// Both ends hear of it, if they still run; the one that dialed only when it was not its own wish.
    fn close(&mut self, from: usize, link: LinkId, tell: bool) {
        let Some(pipe) = self.pipes.remove(&(from, link)) else { return };
        if let Some((host, _)) = &self.machines[pipe.to].running {
            pipe.inbounds.into_iter().for_each(|inbound| host.inbound_closed(self.now, inbound));
        }
        if let Some((host, _)) = self.machines[from].running.as_ref().filter(|_| tell) {
            host.link_closed(self.now, link, "broken".to_owned());
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let until = self.now.instant.after(duration);
        while self.now.instant < until {
            self.now = self.now.after(STEP);
            for machine in 0..self.machines.len() {
                if let Some((host, _)) = &self.machines[machine].running
                    && host.deadline().is_some_and(|at| at <= self.now.instant)
                {
                    host.wake(self.now);
                }
            }
            self.step();
        }
    }

    /// Lets time pass until this holds.
    pub(crate) fn run_until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        for _ in 0..6_000 {
            if holds(self) {
                return;
            }
            self.run(STEP);
        }
        let states: Vec<_> = (0..self.machines.len())
            .filter(|machine| self.machines[*machine].running.is_some())
            .map(|machine| (self.host(machine).halted(), self.host(machine).link_states()))
            .collect();
        panic!("not within a minute: {what}; {states:#?}");
    }

    pub(crate) fn run_until_ready(&mut self) {
        self.run_until("all serve", |net| {
            (0..net.machines.len()).all(|machine| net.host(machine).is_ready())
        });
    }

    /// Carries everything that there is to carry now.
    fn step(&mut self) {
        let mut carried = BTreeMap::new();
        for _ in 0..3 {
            for machine in 0..self.machines.len() {
                self.serve(machine);
            }
            let links: Vec<(usize, LinkId)> = self.pipes.keys().copied().collect();
            for (from, link) in links {
                self.carry(from, link, &mut carried);
            }
        }
    }

    /// Disk, workers and dials of one machine.
    fn serve(&mut self, machine: usize) {
        let now = self.now;
        let Some((host, worker)) = &mut self.machines[machine].running else { return };
        let host = host.clone();
        loop {
            let jobs = host.take_disk_jobs();
            if jobs.is_empty() {
                break;
            }
            host.disk_done(now, worker.run(jobs));
        }
        while let Some(work) = host.take_work() {
            host.worked(now, work.run());
        }
        for dial in host.take_dials() {
            let to = (0..self.machines.len()).find(|to| address(*to) == dial.address);
            self.connect(machine, to, dial.link, dial.key);
        }
        for link in host.take_hangups() {
            self.close(machine, link, false);
        }
    }

    fn connect(&mut self, from: usize, to: Option<usize>, link: LinkId, key: KeyName) {
        let now = self.now;
        let dialer = self.host(from).clone();
        let reached = to.filter(|to| {
            self.machines[*to].running.is_some()
                && !self.cut.contains(&(from, *to))
                && !self.cut.contains(&(*to, from))
        });
        let Some(to) = reached else {
            return dialer.link_closed(now, link, "nobody answers".to_owned());
        };
        let acceptor = self.host(to).clone();
        let (mine, theirs) = (dialer.peer_key(now, key), acceptor.peer_key(now, key));
        let (Some(me), Some(other)) = (dialer.introduction(), acceptor.introduction()) else {
            return dialer.link_closed(now, link, "not there yet".to_owned());
        };
        assert!(mine.is_some() && mine == theirs, "both know the key");
        match LANES.map(|lane| acceptor.accept(&me, lane)) {
            [Ok(urgent), Ok(bulk)] => {
                self.pipes.insert((from, link), Pipe { from, to, inbounds: [urgent, bulk] });
                let by_token = matches!(key, KeyName::Token(_));
                let welcome = by_token.then(|| acceptor.peer_key(now, KeyName::Cluster));
                dialer.link_opened(now, link, other, welcome.flatten());
            }
            [Err(NotAccepted::Refused(why)), _] => dialer.link_refused(now, link, why),
            other => dialer.link_closed(now, link, format!("{other:?}")),
        }
    }

    fn carry(
        &mut self,
        from: usize,
        link: LinkId,
        carried: &mut BTreeMap<(usize, LinkId, usize), usize>,
    ) {
        let now = self.now;
        for (at, lane) in LANES.into_iter().enumerate() {
            let frames = carried.entry((from, link, at)).or_default();
            loop {
                let Some(pipe) = self.pipes.get(&(from, link)) else { return };
                if self.stalled.contains(&(from, pipe.to)) || *frames >= self.step_frames_max {
                    break;
                }
                let (to, inbound) = (self.host(pipe.to).clone(), pipe.inbounds[at]);
                match to.reading(inbound) {
                    Reading::Go => {}
                    Reading::Pause => break,
                    Reading::Closed => return self.close(from, link, true),
                }
                let Some(frame) = self.host(from).take_frame(link, lane) else { break };
                *frames += 1;
                self.kept.iter_mut().for_each(|kept| kept.push(frame.clone()));
                if to.peer_frame(now, inbound, frame).is_err() {
                    return self.close(from, link, true);
                }
            }
        }
    }

    /// Gives a frame of our own making to the bulk lane of the link between these two.
    pub(crate) fn inject(&mut self, from: usize, to: usize, frame: Bytes) -> Option<String> {
        let (host, inbound) = self.inbound(from, to);
        let bad = host.peer_frame(self.now, inbound, frame).err()?;
        assert_eq!(host.reading(inbound), Reading::Closed);
        let mut links = self.pipes.iter();
        let ended = links.find(|(_, pipe)| pipe.inbounds[1] == inbound && pipe.to == to);
        let (&(from, link), _) = ended.expect("just used");
        self.close(from, link, true);
        Some(bad.to_string())
    }

    /// The host at the end of the link between these two, and what it calls the bulk lane of it.
    pub(crate) fn inbound(&self, from: usize, to: usize) -> (Arc<Host>, InboundId) {
        let pipe = self.pipes.values().find(|pipe| (pipe.from, pipe.to) == (from, to));
        (self.host(to).clone(), pipe.expect("they are linked").inbounds[1])
    }

    pub(crate) fn are_linked(&self, from: usize, to: usize) -> bool {
        self.pipes.values().any(|pipe| (pipe.from, pipe.to) == (from, to))
    }

    pub(crate) fn leader(&self) -> Option<usize> {
        (0..self.machines.len())
            .filter(|machine| self.machines[*machine].running.is_some())
            .find(|machine| self.host(*machine).gauges(self.now).leads)
    }

    /// Some machine that runs and does not lead.
    pub(crate) fn follower(&self) -> usize {
        let leader = self.leader().expect("somebody leads");
        let follower = (0..self.machines.len())
            .find(|machine| *machine != leader && self.machines[*machine].running.is_some());
        follower.expect("there are several")
    }

    /// Asks a host over HTTP and waits for the answer.
    pub(crate) fn ask(&mut self, machine: usize, method: &str, uri: &str) -> (u16, String) {
        self.ask_with(machine, method, uri, String::new())
    }

    pub(crate) fn ask_with(
        &mut self,
        machine: usize,
        method: &str,
        uri: &str,
        form: String,
    ) -> (u16, String) {
        self.calls += 1;
        let call = CallId(self.calls);
        let host = self.host(machine).clone();
        let local = ([10, 0, 0, 1], 8848).into();
        let remote = ([10, 0, 1, 1], 40_000).into();
        let connection = host.open(self.now, remote, local, false);
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.into())
            .expect("a request");
        host.deliver(self.now, connection, Arrival::Http { call, request });
        let mut answer = None;
        self.run_until(&format!("{method} {uri} is answered"), |_| {
            while let Some(sending) = host.take_sending(connection) {
                if let Sending::Http { response, .. } = sending {
                    let text = String::from_utf8_lossy(response.body()).into_owned();
                    answer = Some((response.status().as_u16(), text));
                }
            }
            answer.is_some()
        });
        host.close(self.now, connection, "done");
        answer.expect("just seen")
    }

    pub(crate) fn publish(&mut self, machine: usize, data_id: &str, content: &str) {
        let uri = format!("/nacos/v1/cs/configs?dataId={data_id}&group=g");
        let answer = self.ask_with(machine, "POST", &uri, format!("content={content}"));
        assert_eq!(answer, (200, "true".to_owned()), "{data_id}");
    }

    /// Publishes, and does not wait for the answer.
    pub(crate) fn try_publish(&mut self, machine: usize, data_id: &str, content: &str) {
        self.calls += 1;
        let call = CallId(self.calls);
        let host = self.host(machine).clone();
        let local = ([10, 0, 0, 1], 8848).into();
        let connection = host.open(self.now, ([10, 0, 1, 1], 40_000).into(), local, false);
        let request = http::Request::builder()
            .method("POST")
            .uri(format!("/nacos/v1/cs/configs?dataId={data_id}&group=g"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("content={content}").into())
            .expect("a request");
        host.deliver(self.now, connection, Arrival::Http { call, request });
    }

    /// In the lives that are.
    pub(crate) fn snapshots_sent(&self) -> u64 {
        let running = self.machines.iter().filter_map(|machine| machine.running.as_ref());
        running.map(|(host, _)| host.tally.links.counts().snapshots_sent).sum()
    }

    pub(crate) fn config(&mut self, machine: usize, data_id: &str) -> Option<String> {
        let uri = format!("/nacos/v1/cs/configs?dataId={data_id}&group=g");
        let (status, body) = self.ask(machine, "GET", &uri);
        (status == 200).then_some(body)
    }
}
