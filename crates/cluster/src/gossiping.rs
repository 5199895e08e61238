//! Driving gossip: its messages go over the links, and what it finds out goes to the other planes.

use crate::{Address, Body, Cluster, ClusterId, Message, Output};
use base::{Duration, HybridTime, Instant, NodeId};
use gossip::{Change, Description, Event, Fact, Generation, Gossip, Roles, State};
use journal::{Kind, Subject};

/// A suspect has at least `PROBE_INTERVAL` times this to say that it lives: 3 s, of which an unlucky pause of a busy
/// machine takes one or two. A dead node is suspected after 1 s, and down everywhere after about 4 s.
const SUSPICION_FACTOR: u32 = 6;
const PROBE_INTERVAL: Duration = Duration::from_millis(500);
const PROBE_TIMEOUT: Duration = Duration::from_millis(250);
/// However lonely the accuser: not longer than twice the shortest.
const SUSPICION_MAX_FACTOR: u32 = 2;
const GOSSIP_INTERVAL: Duration = Duration::from_millis(100);
const RECONNECT_INTERVAL: Duration = Duration::from_secs(2);
const EXCHANGE_INTERVAL: Duration = Duration::from_secs(10);
/// How long a goodbye may take.
const GOODBYE_TIME: Duration = Duration::from_secs(1);
/// A node that nobody here has heard itself was heard by others this long before it was down.
const DOWN_AFTER: Duration = Duration::from_secs(4);

/// The number by which gossip of another cluster is refused.
fn short(cluster: ClusterId) -> u32 {
    (cluster.0 ^ (cluster.0 >> 32)) as u32
}

/// When the node was started, by its wall clock: milliseconds in 8 bytes, little-endian.
const STARTED_FACT: u16 = 1;

fn started_fact(started_ms: u64) -> Fact {
    Fact { key: STARTED_FACT, value: started_ms.to_le_bytes().into() }
}

/// When a node that describes itself so was started; `None` if it does not say.
pub(crate) fn started_ms(description: &Description) -> Option<u64> {
    let fact = description.facts.iter().find(|fact| fact.key == STARTED_FACT)?;
    Some(u64::from_le_bytes((*fact.value).try_into().ok()?))
}

impl Cluster {
    /// The node belongs to a cluster: it looks for the others from now on.
    pub(crate) fn begin_gossip(&mut self, cluster: ClusterId) {
        let generation = Generation(self.me.life.0);
        let settings = gossip::Settings {
            probe_interval: PROBE_INTERVAL,
            probe_timeout: PROBE_TIMEOUT,
            suspicion_factor: SUSPICION_FACTOR,
            suspicion_max_factor: SUSPICION_MAX_FACTOR,
            gossip_interval: GOSSIP_INTERVAL,
            reconnect_interval: RECONNECT_INTERVAL,
            exchange_interval: EXCHANGE_INTERVAL,
            leave_time: GOODBYE_TIME,
            ..gossip::Settings::new(self.me.node, generation, short(cluster))
        };
        let mut addresses = vec![self.settings.advertise.clone()];
        addresses.extend(self.settings.api.clone());
        let description = Description {
            addresses,
            roles: Roles(0),
            protocols: self.me.protocols,
            facts: vec![started_fact(self.started_ms)],
        };
        let rng = self.rng.fork();
        let gossip = Gossip::new(self.now, settings, description, Vec::new(), rng)
            .expect("the settings are ours, and an address is checked where it is made");
        self.gossip = Some(gossip);
        // Without seeds there is nothing to wait for: a node that is alone is not woken.
        self.gossip_step(gossip::Input::Wake);
        let linked: Vec<Address> =
            self.links.up.values().map(|linked| linked.peer.address.clone()).collect();
        for address in linked {
            self.contact(address);
        }
    }

    /// Somebody may be there whom gossip does not know.
    pub(crate) fn contact(&mut self, address: Address) {
        if self.leaving.is_none() {
            self.gossip_step(gossip::Input::Join { seeds: vec![address] });
        }
    }

    pub(crate) fn gossip_step(&mut self, input: gossip::Input) {
        if let Some(gossip) = &mut self.gossip {
            gossip.step(self.now, input);
        }
        self.pump_gossip();
    }

    fn pump_gossip(&mut self) {
        while let Some(output) = self.gossip.as_mut().and_then(Gossip::poll) {
            match output {
                gossip::Output::Send { to, address, message, lane: _, large: _ } => {
                    if let Some(to) = to.or_else(|| self.links.at(&address)) {
                        self.say(to, Body::Gossip(message));
                    }
                }
                gossip::Output::Changed { member, change } => self.member_changed(&member, change),
                gossip::Output::Event(event) => self.gossip_event(event),
            }
        }
    }

    fn member_changed(&mut self, member: &gossip::Member, change: Change) {
        self.view_is_old = true;
        self.links_are_old = true;
        let node = member.node();
        match change {
            Change::Forgotten => {}
            Change::Added | Change::Record | Change::State(_) => {
                if member.state.is_present() {
                    self.node_is_alive(node, HybridTime(member.generation().0));
                } else {
                    self.node_is_gone(node);
                }
            }
        }
        if !matches!(change, Change::State(State::Alive | State::Suspect)) {
            self.note_peers();
        }
    }

    fn node_is_alive(&mut self, node: NodeId, life: HybridTime) {
        if self.alive.insert(node, life) != Some(life) {
            self.outputs.push_back(Output::NodeAlive { node, life });
        }
    }

    fn node_is_gone(&mut self, node: NodeId) {
        if self.alive.remove(&node).is_some() {
            let latest = Instant::from_nanos(
                self.now.instant.as_nanos().saturating_sub(DOWN_AFTER.as_nanos() as u64),
            );
            let heard = self.heard.get(&node).map_or(latest, |heard| heard.at);
            self.outputs.push_back(Output::NodeGone { node, heard });
        }
    }

    fn gossip_event(&mut self, event: Event) {
        match event {
            Event::Twin { generation, address } => {
                let place = address.map_or_else(String::new, |address| format!(" at {address}"));
                self.file(format!(
                    "another node{place} has this node's id, in life {}: is its data directory a copy?",
                    generation.0
                ));
            }
            Event::Refused { from, error } => {
                let from = from.map_or_else(|| "here".to_owned(), |from| from.to_string());
                self.file(format!("gossip from {from} was not taken: {error}"));
            }
            Event::LeaveDone => self.left(),
            Event::Overflowed => self.look_at_all_members(),
            Event::Isolated | Event::Joined | Event::Refuted { .. } => {}
        }
    }

    /// News was dropped: the list itself says what is.
    fn look_at_all_members(&mut self) {
        let members: Vec<gossip::Member> =
            self.gossip.iter().flat_map(Gossip::members).cloned().collect();
        let gone = self.alive.keys().filter(|node| members.iter().all(|m| m.node() != **node));
        let gone: Vec<NodeId> = gone.copied().collect();
        for node in gone {
            self.node_is_gone(node);
        }
        for member in &members {
            self.member_changed(member, Change::Record);
        }
    }

    pub(crate) fn file(&mut self, why: String) {
        self.outputs.push_back(Output::Event(Kind::Refused(why.into()), Subject::Node));
    }

    /// Sends to a node, if there is a link to it.
    pub(crate) fn say(&mut self, to: NodeId, body: Body) {
        if self.links.up.contains_key(&to) {
            let message = Message { life: self.me.life, address: self.me.address.clone(), body };
            self.outputs.push_back(Output::Peer { to, message });
        }
    }

    /// Whether gossip takes a node for present.
    pub(crate) fn is_alive(&self, node: NodeId) -> bool {
        node == self.me.node
            || self
                .gossip
                .as_ref()
                .and_then(|gossip| gossip.member(node))
                .is_some_and(|member| member.state.is_present())
    }

    /// Where the others are, for the next start.
    fn note_peers(&mut self) {
        let members = self.gossip.iter().flat_map(Gossip::members);
        let mut peers: Vec<Address> = members
            .filter(|member| member.state != State::Left)
            .map(|member| member.record.address().clone())
            .filter(|address| *address != self.settings.advertise)
            .collect();
        peers.sort();
        peers.dedup();
        peers.truncate(crate::links::LINKS_MAX);
        if !peers.is_empty() && peers != self.wanted.peers {
            self.wanted.peers = peers;
            self.keep();
        }
    }
}
