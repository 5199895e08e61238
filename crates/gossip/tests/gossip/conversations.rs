//! Conversations: `tests/scripts/*.txt` hold commands (`> …`) and what the hosts of the nodes are told. With
//! `UPDATE_GOLDENFILES=1` the answers are written down as they are now; read the difference before you believe it.
//!
//! ```text
//! start n1 n2 n3      begin lives; n1 is their seed      run 2.5        let seconds pass
//! stop n3             power off                          leave n3       goodbye
//! cut n1 n2 | n3      no message either way              heal           no cuts
//! cut n1 → n3         one way only                       lose 300       per mille of all messages
//! move n3 b:1         another address                    trace on       show messages, too
//! copy n3 as n3b      another node with n3's id          view n1        whom it lists
//! hang n3 20          no step of it for so long            health n1      0 is well
//! clock 5000          wall clocks at the start, in ms    forge 9 n1 X   a bad message of n9
//! seeds n1 a:1 b:1    other seeds                        count n1 X     a counter
//! ```

use crate::network::{CLUSTER, Faults, Network, show_member};
use base::{Duration, NodeId};
use gossip::{Address, Body, Change, Input, Message, Output, Update};
use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

struct Conversation {
    network: Network,
    /// Label → index.
    nodes: BTreeMap<String, usize>,
}

fn plain(text: &str) -> Address {
    Address::new(text).expect("a script has good addresses")
}

impl Conversation {
    fn new() -> Self {
        let delay = Duration::from_millis(1);
        let faults = Faults { delay_min: delay, delay_max: delay, ..Faults::NONE };
        Self { network: Network::new(1, faults), nodes: BTreeMap::new() }
    }

    fn index(&self, label: &str) -> usize {
        *self.nodes.get(label).unwrap_or_else(|| panic!("no node {label}"))
    }

    fn indexes(&self, labels: &[&str]) -> Vec<usize> {
        labels.iter().map(|label| self.index(label)).collect()
    }

    fn start(&mut self, label: &str) {
        let index = self.nodes.get(label).copied().unwrap_or_else(|| {
            let id = NodeId(label[1..].parse().expect("n and a number"));
            let index = self.network.add(id, plain(&format!("{label}:1")));
            self.nodes.insert(label.to_owned(), index);
            index
        });
        self.network.start(index, vec![plain("n1:1")], |_| {});
    }

    fn copy(&mut self, original: &str, label: &str) {
        let id = self.network.nodes[self.index(original)].id;
        let index = self.network.add(id, plain(&format!("{label}:1")));
        self.nodes.insert(label.to_owned(), index);
        self.network.start(index, vec![plain("n1:1")], |_| {});
    }

    /// A message that somebody else makes up.
    fn forge(&mut self, from: u64, to: &str, what: &str) {
        let (to, from) = (self.index(to), NodeId(from));
        let mut message =
            Message { cluster: CLUSTER, from, body: Body::Gossip, updates: Vec::new() };
        match what {
            "cluster" => message.cluster += 1,
            "suspicion" => {
                let own = self.network.nodes[to].core().own().clone();
                message.updates.push(Update::Suspect {
                    node: own.node(),
                    generation: own.generation(),
                    incarnation: own.incarnation,
                    by: Vec::new(),
                });
            }
            _ => panic!("nothing to forge: {what}"),
        }
        self.network.step(to, Input::Received { from: plain("x:1"), message });
    }

    fn command(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let mut answer = String::new();
        match words[..] {
            ["start", ..] => words[1..].iter().for_each(|label| self.start(label)),
            ["run", seconds] => {
                let seconds = seconds.parse().expect("seconds");
                self.network.run(Duration::from_secs_f64(seconds));
            }
            ["stop", label] => self.network.stop(self.index(label)),
            ["leave", label] => self.network.step(self.index(label), Input::Leave),
            ["cut", from, "→", to] => {
                self.network.cut_one_way(self.index(from), self.index(to));
            }
            ["cut", ..] => {
                let mut sides = words[1..].split(|word| *word == "|");
                let mut side = || self.indexes(sides.next().expect("two sides"));
                let (ones, others) = (side(), side());
                self.network.part(&ones, &others);
            }
            ["hang", label, seconds] => {
                let index = self.index(label);
                let seconds = Duration::from_secs_f64(seconds.parse().expect("seconds"));
                self.network.nodes[index].stands_until = Some(self.network.now.after(seconds));
            }
            ["clock", unix_ms] => self.network.wall_ms = unix_ms.parse().expect("milliseconds"),
            ["heal"] => self.network.heal(),
            ["lose", per_mille] => {
                self.network.faults.lost_per_mille = per_mille.parse().expect("a number");
            }
            ["move", label, address] => self.network.rename(self.index(label), plain(address)),
            ["copy", original, "as", label] => self.copy(original, label),
            ["seeds", label, ..] => {
                let seeds = words[2..].iter().map(|seed| plain(seed)).collect();
                self.network.step(self.index(label), Input::Join { seeds });
            }
            ["forge", from, label, what] => {
                self.forge(from.parse().expect("an id"), label, what);
            }
            ["health", label] => {
                answer = format!("{}\n", self.network.nodes[self.index(label)].core().health());
            }
            ["trace", on] => self.network.traces = on == "on",
            ["view", label] => answer = self.view(label),
            ["count", label, name] => {
                let counters =
                    format!("{:?}", self.network.nodes[self.index(label)].core().counters());
                let found = counters
                    .split([' ', ','])
                    .skip_while(|word| word.trim_end_matches(':') != name);
                answer = format!("{}\n", found.take(2).collect::<Vec<_>>().join(" "));
            }
            _ => panic!("unknown command {line}"),
        }
        self.told() + &answer
    }

    fn view(&self, label: &str) -> String {
        let mut answer = String::new();
        for member in self.network.nodes[self.index(label)].core().members() {
            let line = format!("{} at {}", show_member(member), member.record.address());
            writeln!(answer, "{line}").expect("a string takes all");
        }
        answer
    }

    /// What hosts were told, and messages if they are traced, by time.
    fn told(&mut self) -> String {
        let labels: BTreeMap<usize, &String> =
            self.nodes.iter().map(|(label, index)| (*index, label)).collect();
        let mut lines = std::mem::take(&mut self.network.trace);
        for told in self.network.told.drain(..) {
            let what = match told.output {
                Output::Send { .. } => continue,
                Output::Event(event) => format!("{event:?}"),
                Output::Changed { member, change: Change::State(before) } => {
                    format!("{} (was {before:?})", show_member(&member))
                }
                Output::Changed { member, change } => {
                    format!("{} ({change:?})", show_member(&member))
                }
            };
            lines.push((told.at, format!("{}: {what}", labels[&told.by])));
        }
        lines.sort_by_key(|(at, _)| *at);
        for node in &self.network.nodes {
            node.core.iter().for_each(gossip::Gossip::check);
        }
        lines.iter().map(|(at, line)| format!("{at} {line}\n")).collect()
    }
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name);
    let expected = fs::read_to_string(&path).expect("the script is checked in");
    let mut conversation = Conversation::new();
    let mut transcript = String::new();
    for line in expected.lines() {
        if line.starts_with('#') || line.is_empty() {
            transcript += &format!("{line}\n");
        } else if let Some(command) = line.strip_prefix("> ") {
            transcript += &format!("{line}\n{}", conversation.command(command));
        }
    }
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &transcript).expect("the script can be written");
    }
    assert!(transcript == expected, "{name} went differently:\n{transcript}");
}

macro_rules! conversations {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"));
        }
    )* };
}

conversations! {
    a_probe_is_answered
    a_lost_probe_goes_through_others
    a_suspect_refutes
    a_dead_node_is_noticed
    a_node_leaves_and_comes_back
    a_node_moves
    a_restart_is_a_later_life
    an_isolated_node_finds_its_way_back
    two_nodes_have_one_id
    a_clock_that_was_set_back
    a_stopped_node_takes_nobody_down
    a_deaf_node_doubts_itself
    a_silent_node_is_asked_by_others
    a_partition_heals
    halves_that_never_met_find_each_other
    bad_messages_change_nothing
}
