//! The plane's state and its three verbs.

use crate::{
    Address, Applied, Body, Command, Error, Formation, Founder, Identity, Input, Introduction,
    Message, Output, PROTOCOLS, Refusal, Secret, Settings, View,
    agreed::Agreed,
    asking::Transfer,
    formation::ClusterId,
    founding::{Act, Founding},
    links::Links,
    membership::{Membership, TEND_INTERVAL},
    twins::Heard,
};
use base::{Duration, HybridTime, Instant, LogIndex, NodeId, Now, Rng};
use gossip::Gossip;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// How long a node that leaves waits for another one to lead.
const HAND_OVER_TIME: Duration = Duration::from_secs(2);

/// A node that leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaving {
    /// It waits for another one to lead, until then.
    Leads(Instant),
    /// It says goodbye.
    Goodbye,
    /// It is gone.
    Gone,
}

/// The cluster as one node knows it, and the node's part in it.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) settings: Settings,
    pub(crate) rng: Rng,
    pub(crate) now: Now,
    /// Wall clock of the start, milliseconds since 1970.
    pub(crate) started_ms: u64,
    pub(crate) me: Introduction,
    /// What is on disk.
    pub(crate) identity: Identity,
    /// What is to be.
    pub(crate) wanted: Identity,
    /// What is being written.
    writing: Option<Identity>,
    /// The node took a new id: it stops for this reason, as soon as that is on disk.
    halts: Option<String>,
    restored: bool,
    pub(crate) begun: bool,
    founding: Founding,
    pub(crate) gossip: Option<Gossip>,
    pub(crate) links: Links,
    pub(crate) heard: BTreeMap<NodeId, Heard>,
    pub(crate) twins: BTreeMap<NodeId, HybridTime>,
    /// Of whom the registry knows that they live.
    pub(crate) alive: BTreeMap<NodeId, HybridTime>,
    pub(crate) agreed: Agreed,
    pub(crate) membership: Membership,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) tidied: Option<Instant>,
    tend_at: Instant,
    pub(crate) leaving: Option<Leaving>,
    pub(crate) view: Arc<View>,
    pub(crate) view_is_old: bool,
    pub(crate) links_are_old: bool,
    pub(crate) outputs: VecDeque<Output>,
}

impl Cluster {
    /// A node with what its disk says of it.
    ///
    /// # Errors
    /// If the settings contradict themselves.
    pub fn new(settings: Settings, now: Now, life: HybridTime, rng: Rng) -> Result<Self, Error> {
        settings.check()?;
        let identity = settings.identity.clone();
        let me = Introduction {
            node: identity.node,
            life,
            cluster: identity.formation.cluster(),
            address: settings.advertise.clone(),
            protocols: PROTOCOLS,
        };
        let founder = Founder { node: identity.node, address: Some(settings.advertise.clone()) };
        let formation = identity.formation.clone();
        let founding =
            Founding::new(now.instant, founder, formation, &settings.seeds, settings.expect);
        let view = Arc::new(View::of_nobody(me.clone(), identity.formation.clone()));
        // Kept beside the rest, so that a restart needs no settings.
        let secret = settings.secret.clone().or_else(|| identity.secret.clone());
        let wanted = Identity { secret, ..identity.clone() };
        let mut cluster = Self {
            settings,
            rng,
            now,
            started_ms: now.unix_ms,
            me,
            wanted,
            identity,
            writing: None,
            halts: None,
            restored: false,
            begun: false,
            founding,
            gossip: None,
            links: Links::default(),
            heard: BTreeMap::new(),
            twins: BTreeMap::new(),
            alive: BTreeMap::new(),
            agreed: Agreed::default(),
            membership: Membership::default(),
            transfers: Vec::new(),
            tidied: None,
            tend_at: now.instant,
            leaving: None,
            view,
            view_is_old: true,
            links_are_old: true,
            outputs: VecDeque::new(),
        };
        if cluster.is_to_be_alone() {
            cluster.found_alone();
        }
        if cluster.identity.formation != Formation::Fresh {
            cluster.keep();
        }
        Ok(cluster)
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Restored => {
                self.restored = true;
                self.begin();
            }
            Input::PeerUp { address, peer } => self.peer_up(address, peer),
            Input::PeerDown(node) => self.peer_down(node),
            Input::PeerRefused { address, why } => self.peer_refused(address, why),
            Input::Peer { from, message } => self.peer_said(from, message),
            Input::Heard(node) => self.heard(node),
            Input::Welcome(secret) => self.welcomed(secret),
            Input::IdentityKept => self.kept(),
            Input::Leader { leader, is_self } => self.led_by(leader, is_self),
            Input::Members { voters, learners } => self.members_changed(voters, learners),
            Input::Applied(index) => self.membership.applied = index,
            Input::Request { from, id, request } => self.request(from, id, request),
            Input::Restore(rows) => self.restore(&rows),
            Input::Reset => self.agreed = Agreed::default(),
            Input::Unfit(why) => self.hand_over(why),
            Input::Leave => self.leave(),
            Input::Wake => self.wake(),
        }
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            if std::mem::take(&mut self.links_are_old) {
                self.refresh_links();
            }
            self.refresh_view();
        }
        self.outputs.pop_front()
    }

    /// When `Input::Wake` is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let hand_over = match self.leaving {
            Some(Leaving::Leads(until)) => Some(until),
            Some(Leaving::Goodbye | Leaving::Gone) | None => None,
        };
        [
            self.founding.deadline(),
            self.gossip.as_ref().and_then(Gossip::deadline),
            self.has_to_tend().then_some(self.tend_at),
            self.transfers_deadline(),
            hand_over,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Applies a command: a pure function of what is agreed and of the command.
    pub fn apply(&mut self, _index: LogIndex, command: &Command) -> Applied {
        let applied = self.agreed.apply(command);
        self.view_is_old = true;
        self.links_are_old = true;
        if let Command::Remove(node) = command
            && self.is_removed(*node)
        {
            self.say(*node, Body::Removed);
            self.look_at_self();
        }
        self.tend_members();
        applied
    }

    /// What this node says of itself on every link.
    #[must_use]
    pub fn introduction(&self) -> &Introduction {
        &self.me
    }

    /// What readers see.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// What nodes of the cluster prove to each other.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.settings.secret.as_ref().or(self.identity.secret.as_ref())
    }

    fn wake(&mut self) {
        let acts = self.founding.wake(self.now.instant);
        self.act(acts);
        self.gossip_step(gossip::Input::Wake);
        self.end_transfers();
        self.go_on_leaving();
        if self.tend_at <= self.now.instant {
            self.tend_at = self.now.instant.after(TEND_INTERVAL);
            self.ask_to_join();
            self.tend_members();
            self.tidy_tokens();
        }
    }

    fn peer_up(&mut self, address: Address, peer: Introduction) {
        let (node, life) = (peer.node, peer.life);
        let acts = self.founding.linked(self.now.instant, &address, &peer);
        let contact = peer.address.clone();
        self.links.opened(address, peer);
        self.heard_life(node, life);
        self.act(acts);
        if self.alive.get(&node) != Some(&life) {
            self.contact(contact);
        }
        self.ask_to_join();
        self.links_are_old = true;
        self.view_is_old = true;
    }

    fn peer_down(&mut self, node: NodeId) {
        self.links.up.remove(&node);
        self.founding.unlinked(node);
        self.links_are_old = true;
        self.view_is_old = true;
    }

    fn peer_refused(&mut self, address: Address, why: Refusal) {
        match why {
            Refusal::Itself => self.links_are_old = true,
            Refusal::Removed => self.expelled(),
            Refusal::Twin => self.is_copy(),
            Refusal::OtherCluster => {
                self.file(format!("whoever answers at {address} belongs to another cluster"));
            }
            Refusal::Protocols => self.file(format!(
                "whoever answers at {address} is of a build that this one cannot talk with"
            )),
        }
        self.links.refused(address, why);
    }

    fn peer_said(&mut self, from: NodeId, Message { life, address, body }: Message) {
        if self.is_removed(from) {
            return self.say(from, Body::Removed);
        }
        self.heard_life(from, life);
        self.note_place(from, &address);
        match body {
            Body::Gossip(message) => {
                self.gossip_step(gossip::Input::Received { from: address, message });
            }
            Body::Forming(forming) => {
                let acts = self.founding.heard(self.now.instant, from, &address, forming);
                self.act(acts);
            }
            Body::Join { applied } => self.asked_to_join(from, applied),
            Body::TransferLeader(next) => self.asked_to_hand_over(next),
            Body::Removed => self.expelled(),
            Body::Twin { copy } => self.told_of_twin(copy),
        }
    }

    fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Keep(formation) => {
                    self.wanted.formation = formation;
                    self.keep();
                }
                Act::Say(to) => self.say(to, Body::Forming(self.founding.words())),
                Act::GiveUp(why) => {
                    // 32 bits are enough to tell the nodes of a cluster apart, and short enough to be read aloud.
                    let node = NodeId(1 + self.rng.below(u64::from(u32::MAX)));
                    let secret = self.wanted.secret.clone();
                    self.wanted = Identity { secret, ..Identity::fresh(node) };
                    self.halts = Some(why);
                    self.keep();
                }
            }
        }
    }

    fn is_to_be_alone(&self) -> bool {
        let others = self.settings.seeds.iter().any(|seed| *seed != self.settings.advertise);
        let expected = self.settings.expect.is_some_and(|expect| expect > 1);
        self.identity.formation == Formation::Fresh && !others && !expected
    }

    fn found_alone(&mut self) {
        let address = Some(self.settings.advertise.clone());
        let founders = vec![Founder { node: self.me.node, address }];
        let cluster = ClusterId::random(&mut self.rng);
        self.wanted.formation = Formation::Formed { cluster, founders };
        self.keep();
    }

    fn welcomed(&mut self, secret: Secret) {
        if self.settings.secret.is_none() {
            self.wanted.secret = Some(secret);
            self.keep();
        }
    }

    /// Writes what is to be on disk, one record at a time.
    pub(crate) fn keep(&mut self) {
        if self.writing.is_none() && self.wanted != self.identity {
            self.writing = Some(self.wanted.clone());
            self.outputs.push_back(Output::KeepIdentity(self.wanted.clone()));
        }
    }

    fn kept(&mut self) {
        let Some(written) = self.writing.take() else { return };
        if written.node != self.me.node {
            let why = self.halts.take().unwrap_or_else(|| "this node took a new id".to_owned());
            self.outputs.push_back(Output::Halt(why));
            return;
        }
        let formed = written.formation != self.identity.formation;
        self.identity = written;
        self.view_is_old = true;
        self.keep();
        if formed {
            self.me.cluster = self.identity.formation.cluster();
            let acts = self.founding.kept(self.now.instant, &self.identity.formation);
            self.act(acts);
            self.begin();
        }
    }

    /// Starts the engine and gossip, once the tables are there and the node belongs to a cluster.
    fn begin(&mut self) {
        if self.begun || !self.restored {
            return;
        }
        let (cluster, voters) = match &self.identity.formation {
            Formation::Formed { cluster, founders } => {
                (*cluster, founders.iter().map(|founder| founder.node).collect())
            }
            Formation::Joining { cluster } => (*cluster, Vec::new()),
            Formation::Fresh | Formation::Adopted { .. } => return,
        };
        self.begun = true;
        self.outputs.push_back(Output::Begin { voters });
        self.begin_gossip(cluster);
        self.ask_to_join();
    }

    fn restore(&mut self, rows: &[base::Row]) {
        for row in rows {
            if let Err(error) = self.agreed.restore(row) {
                self.outputs.push_back(Output::Halt(error.to_string()));
                return;
            }
        }
        self.view_is_old = true;
    }

    fn leave(&mut self) {
        if self.leaving.is_none() {
            self.leaving = Some(Leaving::Leads(self.now.instant.after(HAND_OVER_TIME)));
            if self.membership.leads
                && let Some(next) = self.successor()
            {
                self.outputs.push_back(Output::TransferLeader(next));
            }
            self.go_on_leaving();
        }
    }

    /// Says goodbye once somebody else leads, or nobody can.
    pub(crate) fn go_on_leaving(&mut self) {
        let Some(Leaving::Leads(until)) = self.leaving else { return };
        let waits = self.membership.leads && self.successor().is_some();
        if waits && self.now.instant < until {
            return;
        }
        self.leaving = Some(Leaving::Goodbye);
        if self.gossip.is_some() {
            self.gossip_step(gossip::Input::Leave);
        } else {
            self.left();
        }
    }

    pub(crate) fn left(&mut self) {
        if matches!(self.leaving, Some(Leaving::Goodbye)) {
            self.leaving = Some(Leaving::Gone);
            self.outputs.push_back(Output::Left);
        }
    }
}
