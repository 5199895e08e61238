//! A node without a host: for what it reads from its disk.

use base::{ConnectionId, Duration, HybridTime, LogIndex, NodeId, Now, RequestId, Rng};
use cluster::{Address, Identity};
use node::{Input, Node, Output, Recovered, Reply, Request, Settings, TableRow, consensus};

const ID: NodeId = NodeId(1);
const ASKER: ConnectionId = ConnectionId { node: ID, boot: HybridTime(1), counter: 1 };
/// More than an election takes.
const WAKES_MAX: usize = 32;

/// A node that believes that it is the only one of its cluster.
pub struct LoneNode {
    node: Node,
    now: Now,
    applied: LogIndex,
    /// Every log write so far.
    pub writes: Vec<consensus::Write>,
    /// What answers when it reads rows.
    history: Vec<TableRow>,
    halted: bool,
}

impl LoneNode {
    /// Starts it on what a disk gave back, and waits until it serves or has halted.
    #[must_use]
    pub fn start(recovered: consensus::Recovered, rows: Vec<TableRow>) -> Self {
        // As nodes wrote it that knew no others: a cluster of its own.
        let identity = Identity::decode(&[&[1], &ID.0.to_be_bytes()[..]].concat());
        let identity = identity.expect("a record of version 1");
        let address = Address::new("10.0.0.2:7848").expect("plain text");
        let settings = Settings {
            cluster: cluster::Settings::alone(identity, address),
            journal_bytes_max: 1 << 20,
            log_bytes_max: host::LOG_BYTES_MAX,
            proposals_max: node::PROPOSALS_MAX,
            naming: naming::Settings::default(),
            config: config::Settings::default(),
            access: access::Settings::default(),
        };
        let now = Now { unix_ms: 1_790_000_000_000, ..Now::START };
        let clock_high_water = HybridTime::from_unix_ms(now.unix_ms);
        let recovered = Recovered { consensus: recovered, clock_high_water };
        let node = Node::new(settings, now, Rng::from_seed([7; 32]), recovered);
        let history = rows.clone();
        let mut lone =
            Self { node, now, applied: LogIndex(0), writes: Vec::new(), history, halted: false };
        lone.step(Input::Restore(rows));
        lone.step(Input::Restored);
        for _ in 0..WAKES_MAX {
            if lone.halted {
                break;
            }
            let Some(due) = lone.node.deadline() else { break };
            lone.now = lone.now.after(due.since(lone.now.instant)).after(Duration::from_nanos(1));
            lone.step(Input::Wake);
        }
        lone
    }

    /// Whether it stopped over what it read, which is a good answer to damage.
    #[must_use]
    pub fn halted(&self) -> bool {
        self.halted
    }

    /// Asks it something.
    pub fn ask(&mut self, request: Request) -> Vec<Reply> {
        self.step(Input::Request { from: ASKER, id: RequestId(1), request })
    }

    fn step(&mut self, input: Input) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            if self.halted {
                break;
            }
            self.node.step(self.now, input);
            while let Some(output) = self.node.poll() {
                match output {
                    Output::Persist { id, write } => {
                        self.writes.push(write);
                        inputs.insert(0, Input::Persisted(id));
                    }
                    Output::Tables { applied, rows: _ } => self.applied = applied,
                    Output::Checkpoint => inputs.insert(0, Input::Checkpointed(self.applied)),
                    Output::Load { id, table, from, until, limit } => {
                        let mut rows: Vec<_> = self
                            .history
                            .iter()
                            .filter(|row| row.table == table && row.key >= until && row.key <= from)
                            .map(|row| (row.key.clone(), row.value.clone().unwrap_or_default()))
                            .collect();
                        rows.sort_by(|a, b| b.cmp(a));
                        rows.truncate(limit);
                        inputs.insert(0, Input::Loaded { id, rows: Ok(rows) });
                    }
                    Output::KeepIdentity(_) => inputs.insert(0, Input::IdentityKept),
                    Output::Reply { reply, .. } => replies.push(reply),
                    Output::Halt(_) => self.halted = true,
                    Output::Publish(_)
                    | Output::Push { .. }
                    | Output::Watched { .. }
                    | Output::Check(_)
                    | Output::Notify { .. }
                    | Output::Existence { .. }
                    | Output::Peer { .. }
                    | Output::Links(_)
                    | Output::Left
                    | Output::OpenSnapshot { .. }
                    | Output::SendSnapshot { .. }
                    | Output::Reload
                    | Output::Hint(_)
                    | Output::Clients { .. }
                    | Output::Notice(_)
                    | Output::NeedSecrets => {}
                }
            }
        }
        replies
    }
}
