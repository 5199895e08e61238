//! The registry plane: services, instances, clients, health, subscriptions and pushes.
//!
//! # The problem
//!
//! Callers must find who is alive, now, and must not be told that somebody is gone who is not: a registry that forgets
//! a service by mistake stops everything that calls it. So instances end only for a reason that was observed (taken
//! back, connection closed, no beat while we were listening), and a restart of the registry is not such a reason.
//!
//! # From an offer to a push
//!
//! ```text
//! request, close, silence ─► offers (a record each, in Distro) ─► view of the service ─► Publish ─► Reply
//!                                                                       └─► after the push window: Push
//! ```
//!
//! An *offer* is one instance that one client offers at one place (ip, port, cluster name) of one service. Several
//! clients may offer the same place; the view shows each place once, from the greatest incarnation. Views are made in
//! the same step that changed an offer, and published before the reply: a client reads its own write. Pushes are not
//! that urgent: changes within a window share one.
//!
//! # Two entrances
//!
//! Ephemeral instances are this node's business and Distro's. What operators say, and persistent instances, all nodes agree
//! on: `step` makes a `Command` of such a request, `apply` decides it when it comes out of the log, as a pure function of
//! the agreed state and the command. `apply` never looks at an ephemeral instance: other nodes may see others.
//!
//! ```text
//! request ─► Propose(command) ─► the log ─► apply ─► rows ─► state tables
//!                                             └─► view of the service ─► Publish ─► outcome
//! ```
//!
//! A view shows the offers and the persistent instances, each through its *overlay*: what an operator said of that place.
//! A service has instances of one kind. Which one is decided in `step`, where both are known; two nodes that take the
//! first registrations of both kinds at once will show both until one is taken back.
//!
//! # How an instance ends
//!
//! * It is persistent and was taken back. Nothing else ends it.
//!
//! * Its client takes it back, or replaces it.
//! * Its connection closes: the same step, or for many of them the next few. Nothing else ends it: silence of a
//!   connection is the business of its session. A connection that this node asked to go to another one (`Input::Moving`)
//!   leaves its instances until its client has registered them there, but not longer than an orphan is listed.
//! * It came over HTTP and does not beat: unhealthy, then removed. Silence is measured on a clock that stands while the
//!   node does not run (`LATE_MAX`): nobody expires because the node was paused or too busy to hear.
//! * It is an orphan (the node restarted, see `Input::Hint`) and its client was not heard in time. Whoever registers
//!   its place, or takes that back, ends the orphan for good; for an HTTP client any beat will do.
//!
//! # Several nodes
//!
//! ```text
//! offers      `distro`: deltas at once, digests every 2 s         owner: the node that heard the client
//! HTTP clients `forward`: handed to the responsible node          without an answer the receiving node does it itself
//! health      `checks`: a second `distro`, of verdicts            owner: the node that checks the instance
//! start       `converge`: ready when all reachable digests agreed, or after a time
//! stop        `leave`: what HTTP clients offer is handed over, and the hint written to its end
//! ```
//!
//! Each of these may be lost with a link. Offers and verdicts come again by digests; what was handed over is done by the one
//! that handed it over.
//!
//! # Invariants
//!
//! ```text
//! view:      instances(view) = for each place with a persistent instance that one, else the listed offer of the greatest
//!            incarnation; each through the overlay of its place
//! forwarded: each request of a client is answered once, within `FORWARD_TIMEOUT` if another node has to be asked; what was
//!            handed over is not handed on; what is done for another node loses against what that node does later
//! left:      after Left: what HTTP clients offer is owned by others, if any could be asked in time, and hint = lists
//! owner:     nodes agree on who lives ∧ the client was heard since  ⇒  its owner is the responsible node
//! agreed:    apply(i, c) depends on nothing but the agreed state, i and c; restore(all rows) = the agreed state
//! described: a service that somebody created or edited is published until it is removed
//! overlays:  an overlay whose place shows no instance for `OVERLAY_KEPT` is proposed to be forgotten
//! version:   each view of a service has a greater version than all before it, also after it was forgotten
//! order:     Publish(view) comes before the Reply to the request that made it, and before every Push of it (a service
//!            that is not in the lists has an empty view that is pushed to subscribers, and not published)
//! lists:     published ⇔ Publish was sent and no Retire since; Retire only when the view is empty
//! push:      a subscriber's pushed version ≤ the view's; when no push is planned, all were pushed what the view shows
//! stamp:     where there are other nodes, the view that answers a subscription is not older than its connection
//! watch:     a service that came into the lists or left them is told to whoever watches it, after the view
//! switches:  told to readers before the Reply of the one who set them
//! silence:   after Unsubscribe or Closed nothing is pushed to that subscriber
//! indices:   by_client = keys of Distro's entries; the counts are those of the tables
//! ```
//!
//! # At the limits
//!
//! Refused: more than `INSTANCES_PER_CONNECTION_MAX` instances or `SUBSCRIPTIONS_PER_CONNECTION_MAX` subscriptions of a
//! connection; by the log more than `PERSISTENT_INSTANCES_MAX`, `SERVICES_DESCRIBED_MAX` or `OVERLAYS_MAX`. Refused too: a
//! watch over `base::PATTERNS_PER_CONNECTION_MAX` or `base::PATTERNS_MAX`. Done here instead: a request to be handed over when `FORWARDS_PENDING_MAX` wait. Waits: a check over
//! `Settings::checks_at_once_max`. Cut short: a hint of more than `HINT_BYTES_MAX`. Work on many things (a closed connection, silence, a
//! hint, a fan-out, idle services) goes on by `Input::Wake` after a named number of them.
//!
//! # What is left out
//!
//! What selectors select. A limit of ephemeral instances and services of the whole node. A restore is settled in one step.
#![forbid(unsafe_code)]

mod agreed;
mod apply;
mod beat;
mod check;
mod checks;
mod clients;
mod cluster;
mod command;
mod connection;
mod converge;
mod forward;
mod heard;
mod hint;
mod leave;
mod model;
mod offer;
mod overlay;
mod peers;
mod propose;
mod push;
mod register;
mod request;
mod rows;
mod service;
mod settings;
mod subscribe;
mod surface;
mod switches;
#[cfg(test)]
mod tests;
mod verify;
mod watch;

pub use apply::{
    CLUSTERS_DESCRIBED_MAX, OVERLAYS_MAX, PERSISTENT_INSTANCES_MAX, SERVICES_DESCRIBED_MAX,
};
pub use beat::BEATS_JUDGED_PER_WAKE;
pub use check::{INSTANCES_EDITED_MAX, METADATA_CHARS_MAX};
pub use checks::{CHECK_TIMEOUT, CHECK_TIMES, CHECKS_AT_ONCE_MAX, CHECKS_PER_WAKE, Check};
pub use clients::{CLIENTS_OF_SERVICE_MAX, CLIENTS_PER_PIECE, ClientName};
pub use cluster::{Checker, ClusterSettings};
pub use command::{Applied, Command, Edit, Outcome};
pub use connection::CLOSED_PER_WAKE;
pub use converge::{
    CATCH_UP_TIMEOUT, CaughtUp, Convergence, DIGESTS_PER_PIECE, InstanceDigest, ServiceDigest,
    differing,
};
pub use forward::{FORWARD_TIMEOUT, FORWARDS_DONE_PER_WAKE, FORWARDS_PENDING_MAX};
pub use hint::{HINT_BYTES_MAX, HINT_OFFERS_PER_WAKE, HintPiece, hint_high_water};
pub use leave::{HANDED_PER_WAKE, LEAVE_TIME};
pub use model::{
    ClientId, ClusterNames, Instance, Place, Selector, ServiceKey, ServiceKind, ServiceMetadata,
    ServiceView,
};
pub use overlay::{OVERLAY_KEPT, OVERLAYS_FORGOTTEN_PER_WAKE};
pub use peers::{OfferName, PeerMessage};
pub use push::PUSHES_PER_WAKE;
pub use register::INSTANCES_PER_CONNECTION_MAX;
pub use request::{Counts, Refusal, Reply, Request, Subscriber};
pub use settings::Settings;
pub use subscribe::SUBSCRIPTIONS_PER_CONNECTION_MAX;
pub use surface::{Input, Output};
pub use switches::{BEAT_INTERVAL_MS, ServerStatus, Switch, Switches};
pub use verify::{
    DIFFERENCES_PER_PEER_MAX, Difference, PLACES_PER_DIFFERENCE_MAX, VERIFIES_MAX, VERIFY_TIMEOUT,
    Verified,
};
pub use watch::Pattern;

use agreed::Agreed;
use base::{
    ConnectionId, Duration, HybridClock, HybridTime, Instant, NodeId, Now, RequestId, Watchers,
};
use checks::Checks;
use connection::{Closing, Connection};
use converge::Start;
use distro::{Change, Distro, Standing};
use forward::Forwards;
use hint::{Hints, Restoring};
use journal::{Kind, Subject};
use leave::Leave;
use offer::{ByClient, OfferKey};
use overlay::Absent;
use peers::Said;
use service::{Changed, Service};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use verify::Verifies;

/// How many idle services one `Wake` retires at most.
pub const RETIRED_PER_WAKE: usize = 1000;

/// A step that comes this much after the deadline shows that the node was not running: nobody could be heard.
pub const LATE_MAX: Duration = Duration::from_secs(5);

/// For so long after the node was not running it may be given what was sent to it long before: sockets keep what arrives.
pub const SETTLE_TIME: Duration = Duration::from_secs(5);

/// What becomes of a request.
enum Answer {
    /// It is answered.
    Reply(Reply),
    /// The log decides.
    Propose(Command),
}

/// The registry of one node.
#[derive(Debug)]
pub struct Naming {
    node: NodeId,
    settings: Settings,
    /// The cluster name that most instances have; its text is kept once.
    default_cluster: Arc<str>,
    distro: Distro<OfferKey, Arc<Instance>>,
    /// How persistent instances were found to be.
    health: checks::Health,
    checks: Checks,
    /// Other nodes that live, as far as this one was told.
    alive: BTreeSet<NodeId>,
    /// Those with which there is a link.
    linked: BTreeSet<NodeId>,
    forwards: Forwards,
    verifies: Verifies,
    start: Start,
    by_client: BTreeSet<ByClient>,
    services: BTreeMap<Arc<ServiceKey>, Service>,
    connections: BTreeMap<ConnectionId, Connection>,
    closing: VecDeque<Closing>,
    /// Closed connections that were asked to go, and until when their clients are expected on another node.
    moved: VecDeque<(Instant, ConnectionId)>,
    /// What changed since the last publishing, by service.
    changed: BTreeMap<Arc<ServiceKey>, Changed>,
    /// When to judge which instance by its beats, on the clock of `hearing`.
    judgements: BTreeSet<(Instant, OfferKey)>,
    pushes: BTreeSet<(Instant, Arc<ServiceKey>)>,
    /// When a service that is idle since then is retired.
    idle: BTreeSet<(Instant, Arc<ServiceKey>)>,
    agreed: Agreed,
    /// What comes from a snapshot, until all of it is there.
    incoming: Option<Agreed>,
    absent: Absent,
    /// As they were told to readers last.
    switches_told: Switches,
    /// No push before this: they were off until then.
    pushes_since: Instant,
    watchers: Watchers<Pattern>,
    hints: Hints,
    restoring: Option<Restoring>,
    /// Since it is about to stop.
    leave: Option<Leave>,
    now: Now,
    /// How long the node did not run, all pauses together.
    paused: Duration,
    /// What clients say may be old until then.
    unsettled_until: Instant,
    /// No forgotten service had a view with a greater version.
    forgotten_version_max: u64,
    published_count: usize,
    listed_count: usize,
    subscriptions_count: usize,
    address_clients_count: usize,
    outputs: VecDeque<Output>,
}

impl Naming {
    /// An empty registry. `clock` must be above all that an earlier life of the node may have given out (see
    /// `hint_high_water`).
    #[must_use]
    pub fn new(settings: Settings, now: Now, node: NodeId, clock: HybridClock) -> Self {
        Self {
            node,
            settings,
            default_cluster: "DEFAULT".into(),
            health: Distro::new(now, node, clock.clone()),
            distro: Distro::new(now, node, clock),
            checks: Checks::default(),
            alive: BTreeSet::new(),
            linked: BTreeSet::new(),
            forwards: Forwards::default(),
            verifies: Verifies::default(),
            start: Start::new(now.instant),
            by_client: BTreeSet::new(),
            services: BTreeMap::new(),
            connections: BTreeMap::new(),
            closing: VecDeque::new(),
            moved: VecDeque::new(),
            changed: BTreeMap::new(),
            judgements: BTreeSet::new(),
            pushes: BTreeSet::new(),
            idle: BTreeSet::new(),
            agreed: Agreed::default(),
            incoming: None,
            absent: Absent::default(),
            switches_told: Switches::default(),
            pushes_since: Instant::START,
            watchers: Watchers::default(),
            hints: Hints::default(),
            restoring: None,
            leave: None,
            now,
            paused: Duration::ZERO,
            unsettled_until: now.instant,
            forgotten_version_max: 0,
            published_count: 0,
            listed_count: 0,
            subscriptions_count: 0,
            address_clients_count: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Takes one input.
    pub fn step(&mut self, now: Now, input: Input) {
        self.notice_pause(now);
        self.now = now;
        match input {
            Input::Opened(id) => self.opened(id),
            Input::Closed(id) => self.closed(id),
            // A silent connection is closed by its session; until then its instances live.
            Input::Heard(_) => {}
            Input::Acknowledged { connection, service, version } => {
                self.acknowledged(connection, &service, version);
            }
            Input::Request { from, id, request: Request::Verify { after } } => {
                if let Some(refusal) = self.verify(from, id, after) {
                    self.answer(from, id, Err(refusal));
                }
            }
            Input::Request { from, id, request } => {
                let request = self.unless_old(request);
                if let Some(request) = self.forward(from, id, request) {
                    let answer = self.request(from, request);
                    self.answer(from, id, answer);
                }
            }
            Input::Checked { id, healthy } => self.checked(id, healthy),
            Input::Hint(pieces) => self.hint(pieces),
            Input::Restore(piece) => self.restore(&piece),
            Input::Reset => self.reset(),
            Input::Restored => self.settle(),
            Input::PeerUp(peer) => self.peer_up(peer),
            Input::PeerDown(peer) => self.peer_down(peer),
            Input::Peer { from, message } => self.peer_said(from, message),
            Input::NodeAlive { node, life } => self.node_alive(node, life),
            Input::NodeGone { node, heard } => self.node_gone(node, heard),
            Input::Moving(id) => self.moving(id),
            Input::Leave => self.leave(),
            Input::Wake => self.wake(),
        }
        self.publish_changed();
        self.review_start();
    }

    /// Answers a request. Whoever reads after the reply must find what it says.
    fn answer(&mut self, to: ConnectionId, id: RequestId, answer: Result<Answer, Refusal>) {
        self.publish_changed();
        self.outputs.push_back(match answer {
            Ok(Answer::Reply(reply)) => Output::Reply { to, id, reply },
            Ok(Answer::Propose(command)) => Output::Propose { to, id, command },
            Err(refusal) => Output::Reply { to, id, reply: Reply::Refused(refusal) },
        });
    }

    /// The next thing to be done, in the order in which it must be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to step `Wake` at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let unfinished =
            !self.closing.is_empty() || self.restoring.is_some() || self.hints.is_writing();
        let judgement = self.judgements.first().map(|(at, _)| at.after(self.paused));
        let records = [self.distro.deadline(), self.health.deadline()].into_iter().flatten().min();
        let records = records.map(|at| at.after(self.paused));
        let (push, hint) = if self.restoring.is_some() {
            (None, None)
        } else {
            (self.push_deadline(), self.hints.due())
        };
        let idle = self.idle.first().map(|(at, _)| *at);
        let unfinished = unfinished.then_some(self.now.instant);
        let absent = self.absent.due();
        let (forward, start) = (self.forwards.deadline(), self.start.deadline());
        let forward = forward.into_iter().chain(self.verifies.deadline()).min();
        let check = self.checks.deadline(&self.settings);
        let leave = self.leave.as_ref().and_then(Leave::deadline);
        let moved = self.moved.front().map(|(at, _)| at.after(self.paused));
        let last = [leave, moved].into_iter().flatten().min();
        let all =
            [unfinished, judgement, records, push, hint, idle, absent, forward, start, check, last];
        all.into_iter().flatten().min()
    }

    fn wake(&mut self) {
        self.restore_piece();
        self.moved_due();
        self.close_piece();
        self.distro(distro::Input::Wake);
        self.health(distro::Input::Wake);
        self.forwards_due();
        self.verifies_due();
        self.judge_due();
        self.check_due();
        self.publish_changed();
        self.retire_idle(RETIRED_PER_WAKE);
        self.forget_absent();
        if self.restoring.is_none() {
            // An empty list that is not true would make callers forget everybody.
            self.push_due();
        }
        self.write_hint();
        self.go_on_leaving();
    }

    fn request(&mut self, from: ConnectionId, request: Request) -> Result<Answer, Refusal> {
        if !request.metadata_within(self.settings.metadata_chars_max) {
            let limit = self.settings.metadata_chars_max;
            return Err(Refusal::TooLong { what: "metadata", limit });
        }
        let reply = match request {
            Request::Register { client, service, instance } => {
                let (client, service) = (self.client(client), self.shared(&service));
                self.register(&client, &service, vec![instance])?
            }
            Request::RegisterBatch { client, service, instances } => {
                let (client, service) = (self.client(client), self.shared(&service));
                self.register(&client, &service, instances)?
            }
            Request::Deregister { client, service, ip, port, cluster_name } => {
                let (client, service) = (self.client(client), self.shared(&service));
                self.deregister(&client, &service, &Arc::new(Place { ip, port, cluster_name }))
            }
            Request::Beat { client, service, full, ip, port, cluster_name } => {
                let (client, service) = (self.client(client), self.shared(&service));
                self.beat(&client, &service, &Arc::new(Place { ip, port, cluster_name }), full)
            }
            Request::Subscribe { service, clusters, subscriber } => {
                self.subscribe(from, &service, clusters, subscriber)?
            }
            Request::Unsubscribe { service } => self.unsubscribe(from, &service),
            Request::Count => Reply::Counts(self.counts()),
            Request::Subscribers { service } => self.subscribers(&service),
            Request::RemoveService { service } => {
                return self.propose_remove(service).map(Answer::Propose);
            }
            Request::CreateService { service, metadata } => {
                return self.propose_create(service, metadata).map(Answer::Propose);
            }
            Request::UpdateService { service, metadata } => {
                return self.propose_update(service, metadata).map(Answer::Propose);
            }
            Request::RegisterPersistent { service, instance } => {
                return self.propose_register(service, instance).map(Answer::Propose);
            }
            Request::DeregisterPersistent { service, ip, port } => {
                return Self::propose_deregister(service, ip, port).map(Answer::Propose);
            }
            Request::EditInstances { service, places, edit } => {
                return self.propose_edit(service, places, edit).map(Answer::Propose);
            }
            Request::UpdateCluster { service, cluster_name, settings } => {
                return Self::propose_cluster(service, cluster_name, settings).map(Answer::Propose);
            }
            Request::SetHealth { service, place, healthy } => {
                return Self::propose_health(service, place, healthy).map(Answer::Propose);
            }
            Request::Switch(switch) => {
                return Self::propose_switch(switch).map(Answer::Propose);
            }
            Request::Clusters { service } => self.cluster_settings(&service),
            Request::Clients { after } => self.clients(after),
            Request::PublishedBy { client, after } => self.published_by(&client, after)?,
            Request::SubscribedBy { client } => self.subscribed_by(&client)?,
            Request::PublishersOf { service } => self.publishers_of(&service),
            Request::SubscribingClients { service } => self.subscribing_clients(&service),
            Request::Digests { after } => self.digests(after.as_ref()),
            Request::Digest { service } => Reply::Digest(self.digest_of(&service)),
            Request::Verify { .. } => unreachable!("answered when others have answered"),
            Request::Repair { peer } => self.repair(peer)?,
            Request::Watch { pattern } => self.watch(from, pattern)?,
            Request::Unwatch { pattern } => self.unwatch(from, &pattern),
        };
        Ok(Answer::Reply(reply))
    }

    /// Steps the owned core and takes note of what it changed.
    fn distro(&mut self, input: distro::Input<OfferKey, Arc<Instance>>) {
        use distro::Input;
        let one = matches!(
            input,
            Input::Write { .. }
                | Input::WriteAsked { .. }
                | Input::Claim { .. }
                | Input::Amend { .. }
        );
        let before = self.distro.len();
        self.distro.step(self.hearing(), input);
        // Another state of an offer that was there: it is where it was.
        let known = one && self.distro.len() == before;
        let mut came_late = Vec::new();
        while let Some(output) = self.distro.poll() {
            let (key, change) = match output {
                distro::Output::Changed { key, change } => (key, change),
                distro::Output::Send { to, message } => {
                    self.say(to, Said::Offers(message));
                    continue;
                }
                distro::Output::Malformed { from, why } => {
                    self.malformed(from, &why);
                    continue;
                }
            };
            self.forwards.note(&key);
            if !known {
                self.index(&key);
            }
            match change {
                Change::Orphaned => {
                    self.instance_event(Kind::Orphaned, &key);
                    if self.is_followed(&key) {
                        came_late.push(key.clone());
                    }
                }
                Change::Hidden => self.instance_event(Kind::OrphanHidden, &key),
                Change::Written => came_late.extend(self.moved_to(&key)),
                Change::Deleted | Change::Reclaimed | Change::Dropped => {}
            }
            let changed = self.changed.entry(key.service).or_default();
            changed.places.push(key.place);
            changed.offers = true;
        }
        for key in came_late {
            self.end_followed(key, Kind::Adopted);
        }
    }

    /// Ends an offer in whose place a client on another node is now. The others may hear of the end first, and from the other
    /// node later: so they are told of both, or the place would be empty in between.
    pub(crate) fn end_followed(&mut self, key: OfferKey, kind: Kind) {
        let followers: Vec<OfferKey> = self.followers(&key).cloned().collect();
        for key in followers {
            self.distro(distro::Input::Spread { key });
        }
        self.take_back(key, kind);
    }

    fn is_followed(&self, orphan: &OfferKey) -> bool {
        self.followers(orphan).next().is_some()
    }

    /// Who lives at the place of this orphan since later than it. Who is there since earlier may be what this node has not yet
    /// heard the end of: the client went to another node and is the orphan.
    fn followers<'a>(&'a self, orphan: &'a OfferKey) -> impl Iterator<Item = &'a OfferKey> {
        let since = self.distro.get(orphan).map(|entry| entry.version.incarnation);
        self.offers_at(&orphan.service, &orphan.place)
            .filter(move |(_, entry)| {
                entry.standing == Standing::Living && Some(entry.version.incarnation) > since
            })
            .map(|(key, _)| key)
    }

    /// Makes the index by client agree with the core about one offer.
    fn index(&mut self, key: &OfferKey) {
        let exists = self.distro.get(key).is_some();
        let offer = ByClient::from(key.clone());
        let changed =
            if exists { self.by_client.insert(offer) } else { self.by_client.remove(&offer) };
        if !changed {
            return;
        }
        match &*key.client {
            ClientId::Connection(id) => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.offers_count =
                        connection.offers_count + usize::from(exists) - usize::from(!exists);
                }
            }
            ClientId::Address { .. } => {
                let now = self
                    .by_client
                    .range(ByClient::first_of(key.client.clone())..)
                    .take_while(|offer| offer.is_of(&key.client))
                    .take(2)
                    .count();
                let first = exists && now == 1;
                let last = !exists && now == 0;
                self.address_clients_count =
                    self.address_clients_count + usize::from(first) - usize::from(last);
            }
        }
    }

    /// The time on a clock that stands while the node does not run. What expires by silence is measured on it, so that
    /// nobody expires because the node was paused or too busy to listen.
    fn hearing(&self) -> Now {
        Now { instant: self.on_hearing_clock(self.now.instant), unix_ms: self.now.unix_ms }
    }

    fn on_hearing_clock(&self, instant: Instant) -> Instant {
        let paused = Instant::START.after(self.paused);
        Instant::START.after(instant.since(paused))
    }

    fn notice_pause(&mut self, now: Now) {
        if self.deadline().is_some_and(|due| now.instant.since(due) > LATE_MAX) {
            self.paused += now.instant.since(self.now.instant);
            self.unsettled_until = now.instant.after(SETTLE_TIME);
        }
    }

    /// The shared form of a client's name if there is one.
    fn client(&self, client: ClientId) -> Arc<ClientId> {
        match &client {
            ClientId::Connection(id) => match self.connections.get(id) {
                Some(connection) => connection.client.clone(),
                None => Arc::new(client),
            },
            ClientId::Address { .. } => Arc::new(client),
        }
    }

    /// The shared form of a service's name if there is one.
    fn shared(&self, key: &ServiceKey) -> Arc<ServiceKey> {
        let known = self.services.get_key_value(key);
        known.map_or_else(|| Arc::new(key.clone()), |(shared, _)| shared.clone())
    }

    /// The greatest hybrid time given out so far, in versions of services and of records.
    pub fn clock_high_water(&mut self) -> HybridTime {
        self.distro.clock().last().max(self.health.clock().last())
    }

    /// The hybrid clock that versions of services and of clients' records are read from, for what else must be ordered with them.
    pub fn clock(&mut self) -> &mut HybridClock {
        self.distro.clock()
    }

    /// The time at which something is said to another node: later than all that was given out.
    pub fn time_to_say(&mut self, now: Now) -> HybridTime {
        let (health, clock) = (self.health.clock().last(), self.distro.clock());
        clock.raise(health);
        clock.tick(now)
    }

    /// Another node said something at this time: views and records that follow are later. False if it is too far ahead to be
    /// followed ([`HybridClock::observe`]).
    pub fn observe(&mut self, now: Now, at: HybridTime) -> bool {
        self.health.clock().observe(now, at);
        self.distro.clock().observe(now, at)
    }

    /// When a linked node's records last agreed with those of this one, and how many it has still to be sent.
    #[must_use]
    pub fn peer_standing(&self, peer: NodeId) -> (Option<Instant>, usize) {
        (self.distro.agreed_at(peer), self.distro.unsent_count(peer))
    }

    /// What this node holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let connection_clients = self.connections.len();
        let persistent_clients = self.agreed.clients_count();
        let clients = connection_clients + self.address_clients_count + persistent_clients;
        Counts {
            services: self.published_count,
            instances: self.listed_count,
            responsible_instances: self.distro.owned_count() + self.agreed.instances_count,
            subscriptions: self.subscriptions_count,
            clients,
            connection_clients,
            address_clients: self.address_clients_count,
            persistent_clients,
            responsible_clients: clients,
        }
    }

    fn grouped_name(&self, key: &ServiceKey) -> Arc<str> {
        let known = self.services.get(key).map(|service| service.grouped_name.clone());
        known.unwrap_or_else(|| key.grouped_name().into())
    }

    fn service_event(&mut self, kind: Kind, key: &ServiceKey) {
        let namespace = key.namespace.clone();
        let subject = Subject::Service { namespace, service: self.grouped_name(key) };
        self.outputs.push_back(Output::Event(kind, subject));
    }

    fn instance_event(&mut self, kind: Kind, key: &OfferKey) {
        self.place_event(kind, &key.service, &key.place);
    }

    fn place_event(&mut self, kind: Kind, service: &ServiceKey, place: &Place) {
        let subject = Subject::Instance {
            namespace: service.namespace.clone(),
            service: self.grouped_name(service),
            address: format!("{}:{}", place.ip, place.port).into(),
        };
        self.outputs.push_back(Output::Event(kind, subject));
    }
}
