//! Probing: is the next one there, by this node's own eyes or by those of others?

use crate::{Address, Body, Gossip, Seq, State};
use alloc::{collections::BTreeMap, vec::Vec};
use base::{Instant, NodeId, Now};

/// The most probes that are made for others at one time. One more is not taken on: the prober asked others as well.
pub const RELAYS_LEN_MAX: usize = 256;

/// A nack is sent when this many tenths of the probe timeout are over, so that it comes before the prober's patience ends.
const NACK_TENTHS: u32 = 8;

/// The probe of the current interval.
#[derive(Debug)]
pub(crate) struct Probe {
    seq: Seq,
    target: NodeId,
    acked: bool,
    /// When others are asked; `None` once they are.
    ask_others_at: Option<Instant>,
    helpers: Vec<NodeId>,
    nacks: Vec<NodeId>,
}

/// A probe made for another node.
#[derive(Debug)]
struct Relay {
    origin: NodeId,
    address: Address,
    seq: Seq,
    target: NodeId,
    nack_at: Option<Instant>,
    forget_at: Instant,
}

impl Relay {
    fn due(&self) -> Instant {
        self.nack_at.unwrap_or(self.forget_at)
    }
}

/// What is being probed.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    current: Option<Probe>,
    relays: BTreeMap<Seq, Relay>,
    seq: u32,
}

impl Probes {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let ask = self.current.as_ref().filter(|p| !p.acked).and_then(|p| p.ask_others_at);
        ask.into_iter().chain(self.relays.values().map(Relay::due)).min()
    }

    /// All is forgotten, as after a pause: who answered in the meantime was not heard.
    pub(crate) fn abandon(&mut self) {
        self.current = None;
        self.relays.clear();
    }

    fn next_seq(&mut self) -> Seq {
        self.seq = self.seq.wrapping_add(1);
        Seq(self.seq)
    }
}

impl Gossip {
    /// One interval is over: judge the last probe, begin the next.
    pub(crate) fn probe_tick(&mut self, now: Now) {
        if let Some(probe) = self.probes.current.take() {
            self.judge(now, probe);
        }
        let interval = self.health.scale(self.settings.probe_interval);
        self.timers.probe = (self.table.present_len() > 0).then(|| now.instant.after(interval));
        let Some(target) = self.table.next_target(&mut self.rng) else { return };
        let seq = self.probes.next_seq();
        let timeout = self.health.scale(self.settings.probe_timeout);
        self.probes.current = Some(Probe {
            seq,
            target,
            acked: false,
            ask_others_at: Some(now.instant.after(timeout)),
            helpers: Vec::new(),
            nacks: Vec::new(),
        });
        self.counters.probes += 1;
        self.send_to(target, Body::Probe { seq, target });
    }

    fn judge(&mut self, now: Now, probe: Probe) {
        if probe.acked {
            self.health.improve();
            return;
        }
        let present = self.table.get(probe.target).is_some_and(|member| member.state.is_present());
        if !present {
            return;
        }
        self.counters.probes_failed += 1;
        // Others were asked and none of them was heard: it is likely this node that is deaf. With nobody to ask, one
        // silent probe says as much about this node as about the other.
        let missing = probe.helpers.len() - probe.nacks.len();
        self.health.worsen(if probe.helpers.is_empty() { 1 } else { missing });
        let own = self.own.node();
        self.suspect_present(now, probe.target, own);
    }

    /// What is due: asking others, nacks, forgetting.
    pub(crate) fn probe_wake(&mut self, now: Now) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now.instant);
        if let Some(probe) = &mut self.probes.current
            && !probe.acked
            && due(probe.ask_others_at)
        {
            probe.ask_others_at = None;
            let (seq, target) = (probe.seq, probe.target);
            self.ask_others(seq, target);
        }
        let relays = self.probes.relays.iter().filter(|(_, relay)| relay.due() <= now.instant);
        let relays: Vec<Seq> = relays.map(|(seq, _)| *seq).collect();
        for seq in relays {
            let relay = self.probes.relays.get_mut(&seq).expect("it was just found");
            if relay.nack_at.take().is_some() {
                let (to, address, seq) = (relay.origin, relay.address.clone(), relay.seq);
                self.send(Some(to), address, Body::Nack { seq });
            }
        }
        self.probes.relays.retain(|_, relay| relay.forget_at > now.instant);
    }

    fn ask_others(&mut self, seq: Seq, target: NodeId) {
        let Some(member) = self.table.get(target) else { return };
        let address = member.record.address().clone();
        let suits =
            |member: &crate::Member| member.state == State::Alive && member.node() != target;
        let helpers = self.table.pick(&mut self.rng, self.settings.indirect_probes, suits);
        for helper in &helpers {
            self.counters.indirect_probes += 1;
            let address = address.clone();
            self.send_to(*helper, Body::IndirectProbe { seq, target, address });
        }
        let probe = self.probes.current.as_mut().expect("it is this one that asks");
        probe.helpers = helpers;
    }

    pub(crate) fn probed(&mut self, from: NodeId, address: Address, seq: Seq, target: NodeId) {
        if target != self.own.node() {
            self.counters.misdirected += 1;
            return;
        }
        self.send(Some(from), address, Body::Ack { seq });
    }

    pub(crate) fn acked(&mut self, from: NodeId, seq: Seq) {
        if let Some(probe) = &mut self.probes.current
            && probe.seq == seq
            && (probe.target == from || probe.helpers.contains(&from))
        {
            probe.acked = true;
            return;
        }
        if self.probes.relays.get(&seq).is_some_and(|relay| relay.target == from) {
            let relay = self.probes.relays.remove(&seq).expect("it was just found");
            self.send(Some(relay.origin), relay.address, Body::Ack { seq: relay.seq });
        }
    }

    pub(crate) fn nacked(&mut self, from: NodeId, seq: Seq) {
        if let Some(probe) = &mut self.probes.current
            && probe.seq == seq
            && probe.helpers.contains(&from)
            && !probe.nacks.contains(&from)
        {
            probe.nacks.push(from);
        }
    }

    /// `from` at `address` asks this node to probe `target` at `target_address`.
    pub(crate) fn asked(
        &mut self,
        now: Now,
        (from, address): (NodeId, Address),
        seq: Seq,
        (target, target_address): (NodeId, Address),
    ) {
        if target == self.own.node() {
            // The prober has a wrong address or cannot reach this one; whoever it is, it is alive.
            self.send(Some(from), address, Body::Ack { seq });
            return;
        }
        if self.probes.relays.len() == RELAYS_LEN_MAX {
            self.counters.relays_refused += 1;
            return;
        }
        let relay_seq = self.probes.next_seq();
        let relay = Relay {
            origin: from,
            address,
            seq,
            target,
            nack_at: Some(now.instant.after(self.settings.probe_timeout * NACK_TENTHS / 10)),
            forget_at: now.instant.after(self.health.scale(self.settings.probe_interval)),
        };
        self.probes.relays.insert(relay_seq, relay);
        self.send(Some(target), target_address, Body::Probe { seq: relay_seq, target });
    }
}
