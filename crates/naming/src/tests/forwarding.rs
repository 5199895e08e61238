//! Several registries, HTTP clients that talk to any of them, links that break, and nodes that disagree about who lives.

use crate::{peers::Said, *};
use base::{ConnectionId, Duration, HybridClock, HybridTime, Instant, NodeId, Now, RequestId, Rng};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// How often a client beats.
const BEAT: Duration = Duration::from_secs(5);

/// How long nobody has heard the owner of an orphan.
const ORPHANED: Duration = Duration::from_secs(14);

/// What is on its way on one lane of a link in one direction, each with its arrival.
type Wire = VecDeque<(Instant, Vec<u8>)>;

pub(super) struct Net {
    pub(super) now: Now,
    pub(super) nodes: Vec<Naming>,
    pub(super) views: Vec<BTreeMap<ServiceKey, Arc<ServiceView>>>,
    /// From, to, and whether somebody waits for what is on it.
    wires: BTreeMap<(usize, usize, bool), Wire>,
    latency: Duration,
    /// Of messages that nobody waits for, on top.
    bulk_latency: Duration,
    /// Messages of these links do not arrive, though nobody notices.
    pub(super) swallowed: Vec<(usize, usize)>,
    /// By request: what was answered.
    replies: BTreeMap<u64, Reply>,
    requests: u64,
    /// Forwarded requests so far.
    pub(super) asked: usize,
    /// Checks that were asked for and not answered: by which node, and what.
    pub(super) checks: Vec<(usize, Check)>,
    /// Whether checks are answered, and which addresses are not healthy.
    pub(super) answering: Option<Vec<&'static str>>,
    /// Does not run: what is sent to it waits in its sockets.
    pub(super) stopped: Option<usize>,
    /// How many checks each node has asked for.
    pub(super) checked: Vec<usize>,
    /// Which have left.
    pub(super) left: Vec<bool>,
    /// What each has left on disk.
    pub(super) hints: Vec<Vec<Vec<u8>>>,
    log: u64,
}

pub(super) fn id(index: usize) -> NodeId {
    NodeId(index as u64 + 1)
}

pub(super) fn service() -> ServiceKey {
    super::script::service("shop")
}

pub(super) fn client(number: usize) -> Instance {
    super::script::instance(&[&format!("10.0.0.{number}:80")])
}

fn name(instance: &Instance) -> ClientId {
    ClientId::Address { ip: instance.ip.clone(), port: instance.port }
}

/// Requests of an HTTP client.
pub(super) fn register(one: &Instance) -> Request {
    Request::Register { client: name(one), service: service(), instance: one.clone() }
}

pub(super) fn deregister(one: &Instance) -> Request {
    let Instance { ip, port, cluster_name, .. } = one.clone();
    Request::Deregister { client: name(one), service: service(), ip, port, cluster_name }
}

pub(super) fn beat(one: &Instance) -> Request {
    let Instance { ip, port, cluster_name, .. } = one.clone();
    Request::Beat { client: name(one), service: service(), full: None, ip, port, cluster_name }
}

impl Net {
    pub(super) fn new(count: usize, settings: &Settings) -> Self {
        let now = Now::START.after(Duration::from_secs(1));
        let node = |index| Naming::new(settings.clone(), now, id(index), HybridClock::default());
        let mut net = Self {
            now,
            nodes: (0..count).map(node).collect(),
            views: vec![BTreeMap::new(); count],
            wires: BTreeMap::new(),
            latency: Duration::from_millis(1),
            bulk_latency: Duration::ZERO,
            swallowed: Vec::new(),
            replies: BTreeMap::new(),
            requests: 0,
            asked: 0,
            checks: Vec::new(),
            answering: None,
            stopped: None,
            checked: vec![0; count],
            left: vec![false; count],
            hints: vec![Vec::new(); count],
            log: 0,
        };
        for index in 0..count {
            net.step(index, Input::Restored);
            net.agree(index);
        }
        net.link_all();
        net.wait(Duration::from_secs(3));
        net
    }

    /// Tells a node that all others live.
    pub(super) fn agree(&mut self, index: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            self.alive(index, other);
        }
    }

    pub(super) fn alive(&mut self, index: usize, other: usize) {
        self.step(index, Input::NodeAlive { node: id(other), life: HybridTime(1) });
    }

    pub(super) fn gone(&mut self, index: usize, other: usize) {
        let heard = self.now.instant;
        self.step(index, Input::NodeGone { node: id(other), heard });
    }

    pub(super) fn link(&mut self, a: usize, b: usize) {
        if self.wires.contains_key(&(a, b, true)) {
            return;
        }
        for (from, to) in [(a, b), (b, a)] {
            self.wires.insert((from, to, false), VecDeque::new());
            self.wires.insert((from, to, true), VecDeque::new());
        }
        self.step(a, Input::PeerUp(id(b)));
        self.step(b, Input::PeerUp(id(a)));
    }

    pub(super) fn link_all(&mut self) {
        for a in 0..self.nodes.len() {
            for b in 0..a {
                self.link(a, b);
            }
        }
    }

    /// What was on its way is lost.
    pub(super) fn cut(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            self.wires.remove(&(from, to, false));
            if self.wires.remove(&(from, to, true)).is_some() {
                self.step(from, Input::PeerDown(id(to)));
            }
        }
    }

    pub(super) fn step(&mut self, index: usize, input: Input) {
        self.nodes[index].step(self.now, input);
        self.collect(index);
    }

    pub(super) fn collect(&mut self, index: usize) {
        while let Some(output) = self.nodes[index].poll() {
            match output {
                Output::Publish(view) => drop(self.views[index].insert(view.key.clone(), view)),
                Output::Retire(key) => drop(self.views[index].remove(&key)),
                Output::Reply { id: RequestId(number), reply, .. } => {
                    assert!(self.replies.insert(number, reply).is_none(), "answered twice");
                }
                Output::Peer { to, message } => self.post(index, to, &message),
                Output::Check(check) => {
                    self.checked[index] += 1;
                    self.checks.push((index, check));
                }
                Output::Halt(why) => panic!("{why}"),
                Output::Left => self.left[index] = true,
                Output::Hint(piece) => {
                    if piece.begins {
                        self.hints[index].clear();
                    }
                    self.hints[index].push(piece.bytes);
                }
                Output::Push { .. }
                | Output::Switches(_)
                | Output::Watched { .. }
                | Output::Propose { .. }
                | Output::Tidy(_)
                | Output::Event(..) => {}
            }
        }
    }

    fn post(&mut self, from: usize, to: NodeId, message: &PeerMessage) {
        self.asked += usize::from(matches!(message.0, Said::Asked(_)));
        let to = to.0 as usize - 1;
        if self.swallowed.contains(&(from, to)) {
            return;
        }
        let awaited = message.is_awaited();
        let bulk = if awaited { Duration::ZERO } else { self.bulk_latency };
        let arrival = self.now.instant.after(self.latency + bulk);
        if let Some(wire) = self.wires.get_mut(&(from, to, awaited)) {
            let bytes = postcard::to_allocvec(message).expect("it encodes");
            let after = wire.back().map_or(arrival, |(last, _)| arrival.max(*last));
            wire.push_back((after, bytes));
        }
    }

    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(due) = self.due().filter(|due| *due <= end.instant) {
            self.now = self.now.after(due.since(self.now.instant));
            let wires: Vec<(usize, usize, bool)> = self.wires.keys().copied().collect();
            for (from, to, lane) in wires {
                if self.stopped == Some(to) {
                    continue;
                }
                while let Some(wire) = self.wires.get_mut(&(from, to, lane))
                    && wire.front().is_some_and(|(at, _)| *at <= self.now.instant)
                {
                    let (_, bytes) = wire.pop_front().expect("looked at above");
                    let message = postcard::from_bytes(&bytes).expect("it reads back");
                    self.step(to, Input::Peer { from: id(from), message });
                }
            }
            for index in 0..self.nodes.len() {
                if self.stopped != Some(index)
                    && self.nodes[index].deadline().is_some_and(|due| due <= self.now.instant)
                {
                    self.step(index, Input::Wake);
                }
            }
            self.answer_checks();
        }
        self.now = end;
    }

    fn answer_checks(&mut self) {
        let Some(down) = self.answering.clone() else { return };
        for (index, Check { id, ip, .. }) in std::mem::take(&mut self.checks) {
            self.step(index, Input::Checked { id, healthy: !down.contains(&&*ip) });
        }
    }

    /// The log reaches all nodes at once.
    pub(super) fn apply(&mut self, command: &Command) {
        self.log += 1;
        for index in 0..self.nodes.len() {
            self.nodes[index].apply(base::LogIndex(self.log), command);
            self.collect(index);
        }
    }

    /// Starts a node again, with nothing. It is told of the others, and they of it, but there is no link yet.
    pub(super) fn restart(&mut self, index: usize, settings: &Settings) {
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            self.cut(index, other);
        }
        let mut clock = HybridClock::default();
        let life = clock.tick(self.now);
        self.nodes[index] = Naming::new(settings.clone(), self.now, id(index), clock);
        self.views[index].clear();
        self.step(index, Input::Restored);
        self.agree(index);
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            self.step(other, Input::NodeAlive { node: id(index), life });
        }
    }

    fn due(&self) -> Option<Instant> {
        let runs = |index: usize| self.stopped != Some(index);
        let wires = self.wires.iter().filter(|((_, to, _), _)| runs(*to));
        let arrivals = wires.filter_map(|(_, wire)| wire.front()).map(|(at, _)| *at);
        let nodes = self.nodes.iter().enumerate().filter(|(index, _)| runs(*index));
        arrivals.chain(nodes.filter_map(|(_, node)| node.deadline())).min()
    }

    /// Begins a request; the answer may come later.
    pub(super) fn ask(&mut self, index: usize, request: Request) -> u64 {
        self.requests += 1;
        let number = self.requests;
        let from = ConnectionId { node: id(index), boot: HybridTime(1), counter: number };
        self.step(index, Input::Request { from, id: RequestId(number), request });
        number
    }

    pub(super) fn forget_replies(&mut self) {
        self.replies.clear();
    }

    pub(super) fn reply(&mut self, number: u64) -> Option<Reply> {
        self.replies.remove(&number)
    }

    /// Does a request and waits for its answer.
    pub(super) fn request(&mut self, index: usize, request: Request) -> Reply {
        let number = self.ask(index, request);
        for _ in 0..1000 {
            if let Some(reply) = self.replies.remove(&number) {
                return reply;
            }
            self.wait(Duration::from_millis(1));
        }
        panic!("a request was not answered within a second");
    }

    /// What a node shows: `ip` by ip, with a mark if it is not healthy.
    pub(super) fn shown(&self, index: usize) -> Vec<String> {
        let view = self.views[index].get(&service());
        let show = |one: &Arc<Instance>| {
            let mark = if one.healthy { "" } else { "!" };
            format!("{}{mark}", one.ip.trim_start_matches("10.0.0."))
        };
        view.map_or_else(Vec::new, |view| view.instances.iter().map(show).collect())
    }

    /// Who owns the offer of a client, in the eyes of a node.
    pub(super) fn owner(&self, index: usize, one: &Instance) -> Option<NodeId> {
        let node = &self.nodes[index];
        let place = Arc::new(Place::of(one));
        let key = node.find(&Arc::new(name(one)), &Arc::new(service()), &place)?;
        Some(node.distro.get(&key)?.version.incarnation.node)
    }

    /// Whom all nodes together make responsible.
    fn responsible(&self, one: &Instance) -> usize {
        let client = format!("{}:{}", one.ip, one.port);
        let all = (0..self.nodes.len()).map(id);
        distro::responsible(client.as_bytes(), all).expect("there are nodes").0 as usize - 1
    }

    /// A client for which this node is responsible.
    pub(super) fn client_of(&self, index: usize) -> Instance {
        let clients = (1..100).map(client);
        clients.into_iter().find(|one| self.responsible(one) == index).expect("each has a share")
    }
}

pub(super) fn three() -> Net {
    Net::new(3, &Settings::default())
}

#[test]
fn a_client_belongs_to_the_responsible_node_wherever_it_registers() {
    let mut net = three();
    for index in 0..3 {
        for at in 0..3 {
            let one = net.client_of(index);
            assert_eq!(net.request(at, register(&one)), Reply::Done);
            assert_eq!(net.owner(at, &one), Some(id(index)), "registered at {at}");
            // It reads its own write.
            let number = one.ip.trim_start_matches("10.0.0.").to_owned();
            assert!(net.shown(at).contains(&number), "registered at {at}");
            assert_eq!(net.request(at, deregister(&one)), Reply::Done);
            assert!(!net.shown(at).contains(&number), "taken back at {at}");
            // Two nodes that do something within one millisecond may not know in which order.
            net.wait(Duration::from_millis(5));
        }
    }
    net.wait(Duration::from_secs(1));
    assert!((0..3).all(|index| net.shown(index).is_empty()));
    assert_eq!(net.asked, 12, "what lands where it belongs is not handed on");
}

#[test]
fn beats_at_any_node_keep_an_instance_alive_and_healthy() {
    let mut net = three();
    let one = net.client_of(0);
    net.request(1, register(&one));
    for round in 0..20 {
        net.wait(BEAT);
        let reply = net.request(1 + round % 2, beat(&one));
        assert!(matches!(reply, Reply::Beat { known: true, .. }), "{reply:?}");
        let shown = vec![one.ip.trim_start_matches("10.0.0.").to_owned()];
        assert!((0..3).all(|index| net.shown(index) == shown), "round {round}");
    }
    net.wait(Duration::from_secs(40));
    assert!((0..3).all(|index| net.shown(index).is_empty()), "it fell silent");
}

#[test]
fn the_receiving_node_takes_the_client_when_there_is_no_answer_and_gives_it_back_later() {
    let mut net = three();
    let one = net.client_of(2);
    // Nobody notices that nothing arrives at n3.
    net.swallowed = vec![(0, 2)];
    let began = net.now.instant;
    assert_eq!(net.request(0, register(&one)), Reply::Done);
    let took = net.now.instant.since(began);
    assert!((FORWARD_TIMEOUT..FORWARD_TIMEOUT * 2).contains(&took), "{took:?}");
    net.wait(Duration::from_millis(1));
    assert_eq!((net.owner(0, &one), net.owner(1, &one)), (Some(id(0)), Some(id(0))));
    net.swallowed.clear();
    net.wait(BEAT);
    net.request(0, beat(&one));
    net.wait(Duration::from_secs(1));
    assert!((0..3).all(|index| net.owner(index, &one) == Some(id(2))), "claimed by its beat");
    assert!((0..3).all(|index| net.shown(index).len() == 1));
}

/// A beat that says all of its instance.
fn full_beat(one: &Instance) -> Request {
    let Instance { ip, port, cluster_name, .. } = one.clone();
    let full = Some(one.clone());
    Request::Beat { client: name(one), service: service(), full, ip, port, cluster_name }
}

/// A client takes its instance back while the node that owns it, or one that does not, is stopped with a beat in its sockets.
fn an_old_beat_at(index: usize, registered_at: usize, before_its_peers: bool) {
    let mut net = three();
    let one = net.client_of(2);
    net.request(registered_at, register(&one));
    net.wait(Duration::from_secs(1));
    net.stopped = Some(index);
    let at = (index + 1) % 3;
    assert_eq!(net.request(at, deregister(&one)), Reply::Done);
    for other in (0..3).filter(|other| *other != index) {
        net.wait(Duration::from_secs(4));
        net.gone(other, index);
    }
    net.wait(Duration::from_secs(4));
    net.stopped = None;
    if !before_its_peers {
        net.wait(Duration::from_millis(1));
    }
    let late = net.ask(index, full_beat(&one));
    for other in (0..3).filter(|other| *other != index) {
        net.alive(other, index);
    }
    for _ in 0..100 {
        net.wait(Duration::from_millis(50));
        let shown: Vec<usize> = (0..3).map(|index| net.shown(index).len()).collect();
        assert_eq!(shown[at], 0, "at {index}, registered at {registered_at}: {shown:?}");
    }
    assert!(matches!(net.reply(late), Some(Reply::Beat { .. })));
    assert!((0..3).all(|index| net.shown(index).is_empty()));
    // It has settled: who beats now is there.
    net.request(index, full_beat(&one));
    net.wait(Duration::from_millis(10));
    assert!((0..3).all(|index| net.shown(index).len() == 1));
}

#[test]
fn an_old_beat_that_a_stopped_node_finds_brings_nobody_back() {
    for index in 0..3 {
        for registered_at in 0..3 {
            for before_its_peers in [true, false] {
                an_old_beat_at(index, registered_at, before_its_peers);
            }
        }
    }
}

#[test]
fn a_broken_link_is_as_good_as_an_answer() {
    let mut net = three();
    let one = net.client_of(2);
    let number = net.ask(0, register(&one));
    assert!(net.replies.is_empty());
    net.cut(0, 2);
    net.wait(Duration::from_millis(1));
    assert_eq!(net.replies.remove(&number), Some(Reply::Done));
    assert_eq!(net.owner(0, &one), Some(id(0)));
    let asked = net.asked;
    net.request(0, beat(&one));
    assert_eq!(net.asked, asked, "without a link nobody is asked");
}

#[test]
fn what_comes_late_does_not_bring_back_what_was_taken_back() {
    let mut net = three();
    let one = net.client_of(2);
    // The registration reaches n3 two seconds later; the client has long left again, and the link with it.
    net.latency = Duration::from_secs(2);
    net.request(0, register(&one));
    net.wait(Duration::from_millis(1_500));
    net.latency = Duration::from_millis(1);
    net.swallowed = vec![(0, 2), (1, 2)];
    net.request(0, deregister(&one));
    net.wait(Duration::from_secs(3));
    assert_eq!(net.shown(0), Vec::<String>::new());
    net.swallowed.clear();
    net.wait(Duration::from_secs(5));
    assert!((0..3).all(|index| net.shown(index).is_empty()), "{:?}", net.views);
}

#[test]
fn nothing_is_handed_on_twice() {
    let mut net = three();
    let one = net.client_of(2);
    // n3 thinks that n1 is responsible, as it is, of those two that n3 believes in.
    net.gone(2, 2);
    net.gone(2, 0);
    net.gone(2, 1);
    net.alive(2, 1);
    let before = net.asked;
    net.request(0, register(&one));
    net.wait(Duration::from_secs(1));
    assert_eq!(net.asked, before + 1);
}

#[test]
fn a_light_beat_at_a_node_that_has_just_come_does_not_send_the_client_back() {
    let mut net = three();
    let one = net.client_of(2);
    net.swallowed = vec![(0, 2), (1, 2), (2, 0), (2, 1)];
    net.request(0, register(&one));
    // n3 can be asked now, and knows nothing yet.
    net.swallowed = vec![(1, 2)];
    let reply = net.request(0, beat(&one));
    assert!(matches!(reply, Reply::Beat { known: true, .. }), "{reply:?}");
}

#[test]
fn the_instances_of_a_responsible_node_that_dies_go_on_with_their_beats() {
    let mut net = three();
    let one = net.client_of(2);
    net.request(0, register(&one));
    net.wait(BEAT);
    net.request(0, beat(&one));
    net.cut(0, 2);
    net.cut(1, 2);
    for round in 0..10 {
        if round == 1 {
            net.gone(0, 2);
            net.gone(1, 2);
        }
        net.wait(BEAT);
        net.request(round % 2, beat(&one));
        net.wait(Duration::from_millis(100));
        assert_eq!((net.shown(0).len(), net.shown(1).len()), (1, 1), "round {round}");
    }
    let new = net.owner(0, &one);
    assert!(new == net.owner(1, &one) && new != Some(id(2)));
}

#[test]
fn an_answer_brings_the_records_that_are_still_on_their_way() {
    let mut net = three();
    net.bulk_latency = Duration::from_millis(500);
    let one = net.client_of(2);
    net.request(0, register(&one));
    assert_eq!((net.shown(0).len(), net.shown(1).len(), net.owner(0, &one)), (1, 0, Some(id(2))));
    net.wait(Duration::from_millis(5));
    net.request(0, deregister(&one));
    assert_eq!(net.shown(0).len(), 0);
    net.wait(Duration::from_secs(2));
    assert!((0..3).all(|index| net.shown(index).is_empty()));
}

#[test]
fn a_beat_that_was_handed_on_is_remembered_if_its_owner_dies() {
    let mut net = three();
    let one = net.client_of(2);
    net.request(0, register(&one));
    net.wait(Duration::from_secs(10));
    net.request(0, beat(&one));
    // Nobody but its clients has heard n3 for 14 s.
    net.cut(0, 2);
    let heard = Instant::START.after(net.now.instant.since(Instant::START.after(ORPHANED)));
    net.step(0, Input::NodeGone { node: id(2), heard });
    net.wait(Duration::from_secs(10));
    assert_eq!(net.shown(0).len(), 1);
    net.wait(Duration::from_secs(6));
    assert_eq!(net.shown(0).len(), 0);
}

#[test]
fn requests_over_the_limit_are_done_here() {
    let mut net = Net::new(2, &Settings::default());
    let one = net.client_of(1);
    net.swallowed = vec![(0, 1)];
    for _ in 0..FORWARDS_PENDING_MAX {
        net.ask(0, beat(&one));
    }
    assert_eq!((net.nodes[0].forwards_pending(), net.replies.len()), (FORWARDS_PENDING_MAX, 0));
    net.ask(0, register(&one));
    assert_eq!(net.replies.len(), 1);
    net.wait(FORWARD_TIMEOUT);
    assert_eq!((net.nodes[0].forwards_pending(), net.replies.len()), (0, FORWARDS_PENDING_MAX + 1));
}

#[test]
fn junk_from_a_peer_changes_nothing() {
    use crate::forward::{Answered, Asked};
    let mut net = three();
    let one = net.client_of(0);
    net.request(0, register(&one));
    let before = net.shown(0);
    for at in [HybridTime(0), HybridTime(u64::MAX)] {
        let asked = Asked::of(7, at, &one, &service());
        net.step(0, Input::Peer { from: id(1), message: PeerMessage(Said::Asked(asked.into())) });
        let answered = Answered::of(7, at);
        net.step(0, Input::Peer { from: id(1), message: PeerMessage(Said::Answered(answered)) });
    }
    net.wait(Duration::from_secs(3));
    assert_eq!(net.shown(0), before);
    assert!(net.nodes[0].clock_high_water() < HybridTime::from_unix_ms(3_600_000));
}

/// One HTTP client, as an SDK would be.
#[derive(Clone)]
struct Life {
    instance: Instance,
    next_beat: Instant,
    /// `None`: it is not there. Otherwise whether it registered.
    living: Option<bool>,
    /// Waits for this answer of this node.
    waits: Option<(usize, u64)>,
    /// When it came or went.
    since: Instant,
}

struct Play {
    net: Net,
    rng: Rng,
    lives: Vec<Life>,
    /// Links may break, and messages be lost with them.
    cuts: bool,
}

impl Play {
    fn new(seed: u8, cuts: bool) -> Self {
        let net = three();
        let life = |number| Life {
            instance: client(number),
            next_beat: net.now.instant,
            living: None,
            waits: None,
            since: net.now.instant,
        };
        let lives = (1..=8).map(life).collect();
        Self { net, rng: Rng::from_seed([seed; 32]), lives, cuts }
    }

    fn node(&mut self) -> usize {
        self.rng.below(3) as usize
    }

    fn step(&mut self) {
        match self.rng.below(20) {
            0..4 => {
                let number = self.rng.below(8) as usize;
                self.come_or_go(number);
            }
            // Somebody changes its mind about somebody.
            4 => {
                let (a, b) = (self.node(), self.node());
                if a != b {
                    self.net.gone(a, b);
                    if !self.cuts {
                        self.pass(Duration::from_secs(3));
                        self.net.alive(a, b);
                    }
                }
            }
            5..8 => {
                let (a, b) = (self.node(), self.node());
                if a != b {
                    self.net.alive(a, b);
                }
            }
            8 if self.cuts => {
                let (a, b) = (self.node(), self.node());
                self.net.cut(a, b);
            }
            9..11 => {
                let (a, b) = (self.node(), self.node());
                if a != b {
                    self.net.link(a, b);
                }
            }
            11 => {
                self.net.latency = Duration::from_millis(1 + self.rng.below(400));
                self.net.bulk_latency = Duration::from_millis(self.rng.below(400));
            }
            12 if self.cuts => {
                let (a, b) = (self.node(), self.node());
                self.net.swallowed = vec![(a, b)];
            }
            13 => self.net.swallowed.clear(),
            _ => {}
        }
        let time = Duration::from_millis(self.rng.below(1500));
        self.pass(time);
    }

    fn come_or_go(&mut self, number: usize) {
        let at = self.node();
        let life = &mut self.lives[number];
        if life.waits.is_some() {
            return; // one thing after the other
        }
        match life.living {
            None => {
                life.living = Some(false);
                life.next_beat = self.net.now.instant;
            }
            Some(registered) => {
                (life.living, life.since) = (None, self.net.now.instant);
                // Half of them die without a word.
                if registered && number.is_multiple_of(2) {
                    let request = deregister(&life.instance);
                    life.waits = Some((at, self.net.ask(at, request)));
                }
            }
        }
    }

    /// Lets time pass in small steps, in which clients do what they have to do.
    fn pass(&mut self, time: Duration) {
        let end = self.net.now.instant.after(time);
        while self.net.now.instant < end {
            for number in 0..self.lives.len() {
                self.live(number);
            }
            self.net.wait(Duration::from_millis(100));
        }
    }

    fn live(&mut self, number: usize) {
        let at = self.node();
        let life = &mut self.lives[number];
        if let Some((asked, request)) = life.waits {
            let Some(reply) = self.net.replies.remove(&request) else { return };
            life.waits = None;
            match reply {
                Reply::Done if life.living == Some(false) => {
                    (life.living, life.since) = (Some(true), self.net.now.instant);
                    let key = super::script::show(&[Arc::new(life.instance.clone())]);
                    let view = self.net.views[asked].get(&service()).expect("it was registered");
                    let shown = super::script::show(&view.instances);
                    assert!(shown.contains(&key), "it does not read its own write: {shown}");
                }
                Reply::Beat { known: false, .. } if life.living.is_some() => {
                    assert!(self.cuts, "{number} was forgotten though it beat");
                    life.living = Some(false);
                    life.next_beat = self.net.now.instant;
                }
                _ => {}
            }
        }
        let life = &mut self.lives[number];
        let Some(registered) = life.living else { return };
        if life.next_beat <= self.net.now.instant {
            let request = if registered { beat(&life.instance) } else { register(&life.instance) };
            life.waits = Some((at, self.net.ask(at, request)));
            life.next_beat = self.net.now.instant.after(BEAT);
        }
    }

    fn heal(&mut self) {
        self.net.swallowed.clear();
        self.net.latency = Duration::from_millis(1);
        self.net.bulk_latency = Duration::ZERO;
        self.net.link_all();
        for index in 0..3 {
            self.net.agree(index);
        }
    }

    /// All nodes show the living and nobody else; each is owned by the one that is responsible.
    fn check(&self, seed: u8) {
        let number = |life: &Life| life.instance.ip.trim_start_matches("10.0.0.").to_owned();
        let living: Vec<String> =
            self.lives.iter().filter(|life| life.living == Some(true)).map(number).collect();
        for index in 0..3 {
            assert_eq!(self.net.shown(index), living, "seed {seed}, n{}", index + 1);
            for life in self.lives.iter().filter(|life| life.living == Some(true)) {
                let expected = id(self.net.responsible(&life.instance));
                let owner = self.net.owner(index, &life.instance);
                assert_eq!(owner, Some(expected), "seed {seed}, n{}", index + 1);
            }
        }
    }
}

#[test]
fn after_cuts_and_losses_the_living_are_listed_and_the_dead_are_not() {
    for seed in 0..20 {
        let mut play = Play::new(seed, true);
        for _ in 0..120 {
            play.step();
        }
        play.heal();
        // Who has just died without a word is listed until its beats are missed.
        play.pass(Duration::from_secs(45));
        play.check(seed);
    }
}

#[test]
fn without_cuts_nobody_who_beats_is_ever_missing() {
    for seed in 0..20 {
        let mut play = Play::new(seed, false);
        for _ in 0..120 {
            play.step();
            let known = |life: &&Life| {
                let long = play.net.now.instant.since(life.since) > Duration::from_secs(3);
                life.living == Some(true) && long
            };
            for life in play.lives.iter().filter(known) {
                let number = life.instance.ip.trim_start_matches("10.0.0.").to_owned();
                for index in 0..3 {
                    let shown = play.net.shown(index);
                    assert!(shown.contains(&number), "seed {seed}: {number} at n{}", index + 1);
                }
            }
        }
        play.heal();
        play.pass(Duration::from_secs(45));
        play.check(seed);
    }
}
