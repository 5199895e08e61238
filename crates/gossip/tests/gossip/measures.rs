//! What is measured: detection, spread, false alarms, bytes. Each from one seed, in virtual time.
#![allow(dead_code, reason = "the tests and the measuring program share it, and each uses a part")]

use crate::network::{Faults, Network, Slow, Told, address, description, scattered};
use base::{Duration, Instant};
use gossip::{Change, Exchange, Fact, Input, Output, Settings, State};
use std::collections::BTreeSet;

/// Time for a cluster to get over its start: what everybody says at first is passed on.
const SETTLE_TIME: Duration = Duration::from_secs(4);

pub fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// The value below which this share of the sorted values lies.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * share).ceil() as usize;
    values[rank.max(1) - 1]
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// How long after a node's death …
#[derive(Clone, Copy, Debug)]
pub struct Detection {
    /// … somebody suspects it,
    pub suspected: Duration,
    /// … somebody takes it for down,
    pub down_first: Duration,
    /// … everybody does.
    pub down_all: Duration,
}

fn is_down(told: &Told, of: State) -> bool {
    match &told.output {
        Output::Changed { member, change: Change::State(_) } => member.state == of,
        Output::Changed { .. } | Output::Event(_) | Output::Send { .. } => false,
    }
}

/// One node of many dies at a random moment.
pub fn detection(count: usize, seed: u64, faults: Faults) -> Detection {
    kill_one(&mut Network::formed(seed, faults, count, |_| {}))
}

/// After a while one node dies.
pub fn kill_one(network: &mut Network) -> Detection {
    let count = network.nodes.len();
    let phase = Duration::from_millis(network.rng.below(1000));
    network.run(SETTLE_TIME + phase);
    let victim = network.rng.below(count as u64) as usize;
    network.stop(victim);
    let (died, id) = (network.now, network.nodes[victim].id);
    network.told.clear();
    // Where messages get lost somebody may suspect it already.
    let suspects = |node: &crate::network::Node| {
        let view = node.core.as_ref().and_then(|core| core.member(id));
        view.is_some_and(|member| member.state == State::Suspect)
    };
    let mut suspected = network.nodes.iter().any(suspects).then_some(died);
    let (mut down_first, mut down) = (None, 0);
    let end = died.after(Duration::from_secs(300));
    let all = network.run_until(end, |network| {
        for told in network.told.drain(..) {
            let of_it =
                matches!(&told.output, Output::Changed { member, .. } if member.node() == id);
            if of_it && is_down(&told, State::Suspect) {
                suspected.get_or_insert(told.at);
            }
            if of_it && is_down(&told, State::Down) {
                down_first.get_or_insert(told.at);
                down += 1;
            }
        }
        down == count - 1
    });
    assert!(all, "{down} of {} noticed", count - 1);
    let after = |at: Option<Instant>| at.expect("all noticed").since(died);
    let down_all = network.now.since(died);
    Detection { suspected: after(suspected), down_first: after(down_first), down_all }
}

/// How long a new fact takes to all, by infection; where that misses one, by an exchange.
pub fn spread(count: usize, seed: u64, faults: Faults) -> Duration {
    tell_one(&mut Network::formed(seed, faults, count, |_| {}))
}

/// After a while one node has news.
pub fn tell_one(network: &mut Network) -> Duration {
    let count = network.nodes.len();
    let phase = Duration::from_millis(network.rng.below(1000));
    network.run(SETTLE_TIME + phase);
    network.told.clear();
    let teller = network.rng.below(count as u64) as usize;
    let id = network.nodes[teller].id;
    let version = network.nodes[teller].core().own().record.version;
    let began = network.now;
    let mut says = description(network.nodes[teller].address.clone());
    says.facts.push(Fact { key: 2, value: Box::from(*b"news") });
    network.step(teller, Input::SetLocal(says));
    let mut heard = BTreeSet::new();
    let all = network.run_until(began.after(Duration::from_secs(120)), |network| {
        for told in network.told.drain(..) {
            let new = matches!(&told.output, Output::Changed { member, .. }
                if member.node() == id && member.record.version > version);
            if new {
                heard.insert(told.by);
            }
        }
        heard.len() == count - 1
    });
    assert!(all, "{} of {} heard", heard.len(), count - 1);
    network.now.since(began)
}

/// What a cluster in which nobody dies says of its living.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alarms {
    /// Somebody began to suspect somebody by its own probes.
    pub suspicions: u64,
    /// Somebody that works well was taken for down by somebody that works well.
    pub false_downs: u64,
    /// … by one that is slow.
    pub false_downs_by_slow: u64,
    /// One that is slow was taken for down.
    pub slow_downs: u64,
}

/// `slow` of `count` nodes hang again and again for this long.
pub fn alarms(
    (count, slow): (usize, usize),
    pattern: Slow,
    seed: u64,
    faults: Faults,
    duration: Duration,
    adapt: impl Fn(&mut Settings),
) -> Alarms {
    let mut network = Network::formed(seed, faults, count, adapt);
    for node in &mut network.nodes[..slow] {
        node.slow = Some(pattern);
    }
    network.run(duration);
    let mut alarms = Alarms::default();
    for told in &network.told {
        if !is_down(told, State::Down) {
            continue;
        }
        let Output::Changed { member, .. } = &told.output else { continue };
        let of_slow = network.nodes[..slow].iter().any(|node| node.id == member.node());
        if of_slow {
            alarms.slow_downs += 1;
        } else if told.by < slow {
            alarms.false_downs_by_slow += 1;
        } else {
            alarms.false_downs += 1;
        }
    }
    alarms.suspicions =
        network.nodes.iter().map(|node| node.core().counters().suspected).sum::<u64>();
    alarms
}

/// Per node and second.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    pub bytes: f64,
    pub bytes_of_busiest: f64,
    pub bulk_bytes: f64,
    pub messages: f64,
}

/// What nodes do while traffic is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Churn {
    /// Nothing.
    Idle,
    /// Each second one of all changes its description, and every ten seconds one dies and comes back five seconds later.
    Busy,
}

/// What `duration` of running costs.
pub fn traffic(
    count: usize,
    seed: u64,
    exchange: Exchange,
    churn: Churn,
    duration: Duration,
) -> Traffic {
    let adapt = move |settings: &mut Settings| settings.exchange = exchange;
    let mut network = Network::formed(seed, Faults::NONE, count, adapt);
    network.records = false;
    network.run(SETTLE_TIME * 2);
    for node in &mut network.nodes {
        node.sent = Default::default();
    }
    let mut down = None;
    for second in 0..duration.as_secs() {
        if churn == Churn::Busy {
            let talker = network.rng.below(count as u64) as usize;
            let mut says = description(network.nodes[talker].address.clone());
            let value = Box::from(second.to_be_bytes());
            says.facts.push(Fact { key: 2, value });
            network.step(talker, Input::SetLocal(says));
            if second % 10 == 0 {
                let victim = network.rng.below(count as u64) as usize;
                network.stop(victim);
                down = Some(victim);
            }
            if second % 10 == 5 {
                let back = down.take().expect("one died five seconds ago");
                let seeds = (1..4).map(|step| address((back + step) % count)).collect();
                network.start(back, seeds, adapt);
            }
        }
        network.run(Duration::from_secs(1));
    }
    let per_second = |total: u64| total as f64 / duration.as_secs_f64();
    let per_node = |total: u64| per_second(total) / count as f64;
    let sum = |of: fn(&crate::network::Sent) -> u64| {
        network.nodes.iter().map(|node| of(&node.sent)).sum::<u64>()
    };
    Traffic {
        bytes: per_node(sum(|sent| sent.bytes)),
        bytes_of_busiest: per_second(
            network.nodes.iter().map(|node| node.sent.bytes).max().expect("there are nodes"),
        ),
        bulk_bytes: per_node(sum(|sent| sent.bulk_bytes)),
        messages: per_node(sum(|sent| sent.messages)),
    }
}

/// All start at once and know only three seeds. How long until everybody knows everybody, and what it cost.
pub fn formation(count: usize, seed: u64) -> (Duration, u64) {
    let mut network = Network::new(seed, Faults::NONE);
    network.records = false;
    for index in 0..count {
        network.add(scattered(index), address(index));
    }
    for index in 0..count {
        let seeds = (0..count.min(3)).map(address).collect();
        network.start(index, seeds, |_| {});
    }
    let step = Duration::from_millis(100);
    let complete =
        |network: &Network| network.nodes.iter().all(|n| n.core().present_len() == count);
    while !complete(&network) {
        assert!(network.now < Instant::START.after(Duration::from_secs(300)), "seed {seed}");
        network.run(step);
    }
    let bytes = network.nodes.iter().map(|node| node.sent.bytes).sum::<u64>() / count as u64;
    (network.now.since(Instant::START), bytes)
}

/// Halves of the cluster take each other for down; then the cut is healed. How long until everybody is alive again in all
/// views.
pub fn healing(count: usize, seed: u64, cut_for: Duration) -> Duration {
    let mut network = Network::formed(seed, Faults::NONE, count, |_| {});
    network.records = false;
    network.run(SETTLE_TIME);
    let (ones, others): (Vec<usize>, Vec<usize>) = (0..count).partition(|index| index % 2 == 0);
    network.part(&ones, &others);
    network.run(cut_for);
    assert!(
        network.nodes.iter().all(|n| n.core().present_len() <= count.div_ceil(2)),
        "seed {seed}"
    );
    network.heal();
    let healed = network.now;
    let whole = |network: &Network| {
        let mut cores = network.nodes.iter().map(|node| node.core());
        cores.all(|core| core.members().filter(|m| m.state == State::Alive).count() == count - 1)
    };
    while !whole(&network) {
        let lasts = network.now.since(healed);
        assert!(lasts < Duration::from_secs(300), "seed {seed}: not healed after {lasts:?}");
        network.run(Duration::from_millis(100));
    }
    network.now.since(healed)
}
