//! A small world: nodes with disks that lose what was not durable, on a network that delays, loses and cuts.

use crate::*;
use base::{Duration, Instant, LogIndex, NodeId, Now, ProposalId, RequestId, Rng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The state machine of these tests is the list of all data applied.
pub type State = Vec<(u64, Vec<u8>)>;

#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub recovered: Recovered,
    pub tables: State,
}

impl Disk {
    pub fn write(&mut self, write: &Write, staged: &mut Option<(u64, State)>) {
        let on_disk = &mut self.recovered;
        if let Some((index, bytes)) = &write.install {
            let (at, rows) = staged.take().expect("an install without staged pieces");
            assert_eq!(at, index.0, "the staged rows belong to another snapshot");
            self.tables = rows;
            on_disk.applied = *index;
            on_disk.entries.clear();
            on_disk.snapshot = Some(bytes.clone());
        }
        if let Some(from) = write.truncate_from {
            on_disk.entries.retain(|(index, _)| *index < from);
        }
        for (index, bytes) in &write.entries {
            on_disk.entries.retain(|(at, _)| at != index);
            on_disk.entries.push((*index, bytes.clone()));
        }
        if let Some((through, bytes)) = &write.compact {
            on_disk.entries.retain(|(index, _)| index > through);
            on_disk.snapshot = Some(bytes.clone());
        }
        if let Some(bytes) = &write.hard_state {
            on_disk.hard_state = Some(bytes.clone());
        }
    }
}

pub struct Node {
    pub life: Option<Consensus>,
    pub disk: Disk,
    pub pending: VecDeque<(WriteId, Write)>,
    pub staged: Option<(u64, State)>,
    pub state: State,
    pub applied: u64,
    pub views: BTreeMap<NodeId, (u64, State)>,
    settings: Settings,
    pub halted: Option<HaltReason>,
}

struct Packet {
    at: Instant,
    from: u64,
    to: u64,
    bytes: Vec<u8>,
    rows: Option<(u64, State)>,
}

pub struct World {
    pub now: Now,
    pub nodes: BTreeMap<u64, Node>,
    rng: Rng,
    network: Vec<Packet>,
    /// Which nodes hear each other; all if empty.
    pub sides: Vec<BTreeSet<u64>>,
    pub loss_percent: u64,
    /// How long a write takes at most.
    pub disk_max: Duration,
    disk_due: BTreeMap<u64, Instant>,
    pub trace: Vec<String>,
    pub outputs: Vec<(u64, Output)>,
    /// What every node that applied an index applied there.
    pub agreed: BTreeMap<u64, Vec<u8>>,
    pub log_bytes_max: usize,
    /// To whom each node gave its vote, by term, over all its lives.
    votes: BTreeMap<(u64, u64), u64>,
    /// Who led, by term.
    leaders: BTreeMap<u64, u64>,
    /// Crash this node when it has asked for so many writes in this life.
    pub crash_at: Option<(u64, u64)>,
}

impl World {
    pub fn new(seed: u8, voters: &[u64]) -> Self {
        let mut world = Self {
            now: Now::START,
            nodes: BTreeMap::new(),
            rng: Rng::from_seed([seed; 32]),
            network: Vec::new(),
            sides: Vec::new(),
            loss_percent: 0,
            disk_max: Duration::from_millis(5),
            disk_due: BTreeMap::new(),
            trace: Vec::new(),
            outputs: Vec::new(),
            agreed: BTreeMap::new(),
            log_bytes_max: 64 << 20,
            votes: BTreeMap::new(),
            leaders: BTreeMap::new(),
            crash_at: None,
        };
        for id in voters {
            world.add(*id, voters);
        }
        world
    }

    pub fn add(&mut self, id: u64, voters: &[u64]) {
        let voters = voters.iter().copied().map(NodeId).collect();
        let mut settings = Settings::new(NodeId(id), voters, 7);
        settings.log_bytes_max = self.log_bytes_max;
        settings.entry_bytes_max = self.log_bytes_max / 4;
        let node = Node {
            life: None,
            disk: Disk::default(),
            pending: VecDeque::new(),
            staged: None,
            state: Vec::new(),
            applied: 0,
            views: BTreeMap::new(),
            settings,
            halted: None,
        };
        self.nodes.insert(id, node);
        self.start(id);
    }

    pub fn start(&mut self, id: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        assert!(node.life.is_none());
        let life = Consensus::recover(node.settings.clone(), self.now, node.disk.recovered.clone())
            .unwrap();
        node.life = Some(life);
        node.state = node.disk.tables.clone();
        node.applied = node.disk.recovered.applied.0;
        self.drain(id);
    }

    /// Power loss: what the disk had not confirmed is gone.
    pub fn crash(&mut self, id: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.life = None;
        node.pending.clear();
        node.staged = None;
        node.views.clear();
        self.disk_due.remove(&id);
    }

    pub fn step(&mut self, id: u64, input: Input) {
        if let Some(life) = &mut self.nodes.get_mut(&id).unwrap().life {
            life.step(self.now, input);
            self.drain(id);
        }
    }

    pub fn propose(&mut self, id: u64, proposal: u64, text: &str) {
        self.step(id, Input::Propose { id: ProposalId(proposal), data: text.into() });
    }

    fn drain(&mut self, id: u64) {
        loop {
            let node = self.nodes.get_mut(&id).unwrap();
            let Some(life) = &mut node.life else { return };
            let Some(output) = life.poll() else { return };
            self.trace.push(format!("{} n{id} {output:?}", self.now.instant));
            self.execute(id, output.clone());
            self.outputs.push((id, output));
        }
    }

    fn execute(&mut self, id: u64, output: Output) {
        let delay = Duration::from_micros(self.rng.below(self.disk_max.as_micros() as u64 + 1));
        let node = self.nodes.get_mut(&id).unwrap();
        match output {
            Output::Persist { id: write_id, write } => {
                node.pending.push_back((write_id, write));
                self.disk_due.insert(id, self.now.instant.after(delay));
                if self.crash_at.is_some_and(|(who, at)| who == id && at == write_id.0) {
                    self.crash_at = None;
                    self.crash(id);
                }
            }
            Output::Send { to, message } => {
                if message.kind() == MessageKind::VoteReply && !message.reject {
                    let to = to.0;
                    let voted = *self.votes.entry((id, message.term)).or_insert(to);
                    assert_eq!(voted, to, "n{id} voted twice in term {}", message.term);
                }
                self.send(id, to.0, &message, None);
            }
            Output::SnapshotWanted { to } => {
                node.views.insert(to, (node.applied, node.state.clone()));
                let index = LogIndex(node.applied);
                self.step(id, Input::SnapshotReady { to, index });
            }
            Output::SendSnapshot { to, index, message } => {
                let rows = node.views.remove(&to).map(|(_, rows)| (index.0, rows));
                self.send(id, to.0, &message, rows);
                self.step(id, Input::SnapshotSent { to, ok: true });
            }
            Output::Apply { index, data, .. } => {
                assert!(index.0 > node.applied, "applied twice, or backwards");
                node.applied = index.0;
                node.state.push((index.0, data.clone()));
                let agreed = self.agreed.entry(index.0).or_insert_with(|| data.clone());
                assert_eq!(*agreed, data, "two nodes applied different data at {index}");
            }
            Output::Advance { index, term: _ } => node.applied = index.0,
            Output::Restore { index } => {
                node.state = node.disk.tables.clone();
                node.applied = index.0;
            }
            Output::Checkpoint => self.checkpoint(id),
            Output::Halt(reason) => node.halted = Some(reason),
            Output::Leader { term, is_self: true, .. } => {
                let leads = *self.leaders.entry(term.0).or_insert(id);
                assert_eq!(leads, id, "two leaders in {term}");
            }
            Output::Leader { is_self: false, .. } => {}
            Output::Refused { .. }
            | Output::Lost { .. }
            | Output::Unknown { .. }
            | Output::ReadReady { .. }
            | Output::ReadFailed { .. }
            | Output::MembersChanged { .. }
            | Output::MessageRefused { .. } => {}
        }
    }

    pub fn checkpoint(&mut self, id: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.disk.tables = node.state.clone();
        node.disk.recovered.applied = LogIndex(node.applied);
        let applied = LogIndex(node.applied);
        self.step(id, Input::Checkpointed { applied });
    }

    fn send(&mut self, from: u64, to: u64, message: &Message, rows: Option<(u64, State)>) {
        let lost = self.rng.below(100) < self.loss_percent;
        let delay = Duration::from_micros(200 + self.rng.below(4000));
        if !lost {
            let at = self.now.instant.after(delay);
            self.network.push(Packet { at, from, to, bytes: message.encode(), rows });
        }
    }

    fn hears(&self, from: u64, to: u64) -> bool {
        self.sides.is_empty()
            || self.sides.iter().any(|side| side.contains(&from) && side.contains(&to))
    }

    /// Completes the write that is on its way, if there is one.
    pub fn fsync(&mut self, id: u64) -> bool {
        self.disk_due.remove(&id);
        let node = self.nodes.get_mut(&id).unwrap();
        let Some((write_id, write)) = node.pending.pop_front() else { return false };
        node.disk.write(&write, &mut node.staged);
        self.step(id, Input::Persisted(write_id));
        true
    }

    fn deliver(&mut self, packet: Packet) {
        if !self.hears(packet.from, packet.to) || !self.nodes.contains_key(&packet.to) {
            return;
        }
        let node = self.nodes.get_mut(&packet.to).unwrap();
        let message = Message::decode(&packet.bytes).unwrap();
        if let Some(rows) = packet.rows {
            node.staged = Some(rows);
        }
        self.step(packet.to, Input::Message { from: NodeId(packet.from), message });
    }

    /// Lets time pass until nothing happens before `until`.
    pub fn run_until(&mut self, until: Instant) {
        loop {
            let wakes = self
                .nodes
                .iter()
                .filter_map(|(id, node)| node.life.as_ref()?.deadline().map(|at| (at, 2, *id)));
            let disks = self.disk_due.iter().map(|(id, at)| (*at, 1, *id));
            let packets = self.network.iter().enumerate().map(|(n, p)| (p.at, 0, n as u64));
            let Some((at, kind, which)) = wakes.chain(disks).chain(packets).min() else { break };
            if at > until {
                break;
            }
            self.advance_to(at);
            match kind {
                0 => {
                    let packet = self.network.swap_remove(which as usize);
                    self.deliver(packet);
                }
                1 => {
                    self.fsync(which);
                }
                _ => self.step(which, Input::Wake),
            }
        }
        self.advance_to(until);
    }

    fn advance_to(&mut self, at: Instant) {
        let passed = at.since(self.now.instant);
        self.now = self.now.after(passed);
    }

    pub fn run(&mut self, ms: u64) {
        self.run_until(self.now.instant.after(Duration::from_millis(ms)));
    }

    pub fn leader(&self) -> Option<u64> {
        let mut leaders: Vec<_> = self
            .nodes
            .iter()
            .filter_map(|(id, node)| node.life.as_ref().map(|life| (life, *id)))
            .filter(|(life, _)| life.is_leader())
            .collect();
        leaders.sort_by_key(|(life, _)| life.term());
        leaders.last().map(|(_, id)| *id)
    }

    pub fn texts(&self, id: u64) -> Vec<String> {
        let state = &self.nodes[&id].state;
        state.iter().map(|(_, data)| String::from_utf8_lossy(data).into_owned()).collect()
    }

    pub fn cut(&mut self, sides: &[&[u64]]) {
        self.sides = sides.iter().map(|side| side.iter().copied().collect()).collect();
    }

    pub fn heal(&mut self) {
        self.sides.clear();
    }

    pub fn applied_proposals(&self) -> BTreeSet<u64> {
        self.outputs
            .iter()
            .filter_map(|(_, output)| match output {
                Output::Apply { proposal: Some(id), .. } => Some(id.0),
                _ => None,
            })
            .collect()
    }

    pub fn read(&mut self, id: u64, request: u64) {
        self.step(id, Input::ReadIndex { id: RequestId(request) });
    }
}

impl World {
    pub fn start_dead(&mut self) {
        let dead: Vec<_> =
            self.nodes.iter().filter(|(_, n)| n.life.is_none()).map(|(id, _)| *id).collect();
        for id in dead {
            self.start(id);
        }
    }

    pub fn checkpoint_if_alive(&mut self, id: u64) {
        if self.nodes[&id].life.is_some() {
            self.checkpoint(id);
        }
    }
}
