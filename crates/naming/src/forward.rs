//! HTTP clients, and the nodes that are responsible for them.
//!
//! A client that comes over HTTP may talk to any node, and to another one each time. All nodes that know the same living
//! nodes name the same one that is *responsible* for it. What lands elsewhere is handed to that one over the link, and the
//! node that was asked answers its client when it has heard what came of it, and has taken in the records that came with the
//! answer: its client reads its own write.
//!
//! ```text
//! client ─► n1 ── Asked{at} ──► n2, responsible: does it with an incarnation of `at`
//!             ◄── Answered ───    (n1 takes its records in, then replies)
//! no link, no answer within `FORWARD_TIMEOUT`, refused: n1 does it itself, with a later incarnation
//! ```
//!
//! So a registry is writable wherever it can be reached. Who owns a record follows from who heard its client: a beat that
//! comes to a node which does not own the record moves it there. While nodes disagree about who lives, a record may move with
//! each beat; once they agree, the first beat brings it to the responsible node, with a new incarnation, and there it stays.
//! Nobody moves a record without having heard its client: a new owner would wait for beats from then on, and the dead would
//! live longer.
//!
//! An instance expires at its owner, when the owner has heard no beat for long enough. Any other node that hears one takes
//! the record over, or has it taken over, and says so to all at once; so an owner that judges is the one that was to hear.
//! A node that hands a beat on remembers it, too: should the responsible node die, the orphan is listed from then on.
//!
//! What was handed over is never handed on: the receiver does it or refuses. A request that comes late cannot undo what the
//! client did after it, since everything done for it is as old as the question (`distro::Input::WriteAsked`).

use crate::{
    Answer, ClientId, Instance, Naming, Place, Reply, Request, ServiceKey, offer::OfferKey,
    peers::Said,
};
use base::{ConnectionId, Duration, HybridTime, Instant, NodeId, RequestId};
use distro::{HYBRID_TIME_MAX, Record, Version};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    sync::Arc,
};

/// How many requests may wait for the answer of another node. At the limit this node does them itself.
pub const FORWARDS_PENDING_MAX: usize = 10_000;

/// How long another node may take to answer.
pub const FORWARD_TIMEOUT: Duration = Duration::from_millis(300);

/// How many requests that got no answer one `Wake` does at most.
pub const FORWARDS_DONE_PER_WAKE: usize = 1000;

/// How many records an answer carries at most.
const RECORDS_PER_ANSWER_MAX: usize = 64;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Wish {
    Register(Instance),
    Deregister,
    Beat(Option<Instance>),
}

/// A request of a client, on its way to the node that is responsible for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asked {
    number: u64,
    /// By the asker's hybrid clock.
    at: HybridTime,
    client: (Arc<str>, u16),
    service: ServiceKey,
    place: Place,
    wish: Wish,
    /// Which state of the client's offer the asker has.
    known: Option<Version>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answered {
    number: u64,
    came: Came,
    /// The answerer's hybrid clock: a question as of an earlier time is refused, so the next one had better be later.
    clock: HybridTime,
    /// What the asker may not know yet.
    records: Vec<Record<OfferKey, Arc<Instance>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Came {
    Done,
    Beat { known: bool, interval: Duration },
    Refused,
}

#[cfg(test)]
impl Asked {
    /// A registration, as no node of ours would ask for it.
    pub(crate) fn of(number: u64, at: HybridTime, one: &Instance, service: &ServiceKey) -> Self {
        let wish = Wish::Register(Instance { weight: 9.0, ..one.clone() });
        let (client, place) = ((one.ip.clone(), one.port), Place::of(one));
        Self { number, at, client, service: service.clone(), place, wish, known: None }
    }
}

#[cfg(test)]
impl Answered {
    pub(crate) fn of(number: u64, clock: HybridTime) -> Self {
        Self { number, came: Came::Done, clock, records: Vec::new() }
    }
}

/// A request that another node was asked to do.
#[derive(Debug)]
struct Pending {
    to: NodeId,
    due: Instant,
    from: ConnectionId,
    id: RequestId,
    request: Request,
}

/// Requests that wait for the answers of other nodes.
#[derive(Debug, Default)]
pub(crate) struct Forwards {
    last_number: u64,
    pending: BTreeMap<u64, Pending>,
    due: BTreeSet<(Instant, u64)>,
    /// While this node does what another one asked: when that was, and what changed.
    doing: Option<Doing>,
}

#[derive(Debug)]
pub(crate) struct Doing {
    at: HybridTime,
    changed: Vec<OfferKey>,
}

impl Forwards {
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// As of when this node is writing, if it does so for another one.
    pub(crate) fn asked_at(&self) -> Option<HybridTime> {
        self.doing.as_ref().map(|doing| doing.at)
    }

    pub(crate) fn note(&mut self, key: &OfferKey) {
        if let Some(doing) = &mut self.doing {
            doing.changed.push(key.clone());
        }
    }

    /// This node will not answer.
    pub(crate) fn give_up(&mut self, now: Instant, node: NodeId) {
        for (number, pending) in self.pending.iter_mut().filter(|(_, one)| one.to == node) {
            self.due.remove(&(pending.due, *number));
            pending.due = now;
            self.due.insert((now, *number));
        }
    }

    fn take(&mut self, number: u64) -> Option<Pending> {
        let pending = self.pending.remove(&number)?;
        self.due.remove(&(pending.due, number));
        Some(pending)
    }
}

/// What may be handed over.
fn wished(request: &Request) -> Option<(&ClientId, &ServiceKey, Place, Wish)> {
    let place = |ip: &Arc<str>, port: &u16, cluster_name: &Arc<str>| Place {
        ip: ip.clone(),
        port: *port,
        cluster_name: cluster_name.clone(),
    };
    if let Request::Register { client, service, instance } = request {
        Some((client, service, Place::of(instance), Wish::Register(instance.clone())))
    } else if let Request::Deregister { client, service, ip, port, cluster_name } = request {
        Some((client, service, place(ip, port, cluster_name), Wish::Deregister))
    } else if let Request::Beat { client, service, full, ip, port, cluster_name } = request {
        Some((client, service, place(ip, port, cluster_name), Wish::Beat(full.clone())))
    } else {
        None
    }
}

impl Naming {
    /// How many requests wait for the node that is responsible for their client.
    #[must_use]
    pub fn forwards_pending(&self) -> usize {
        self.forwards.pending.len()
    }

    /// Hands a request to the node that is responsible for its client; gives it back if that is this one, or cannot be asked.
    pub(crate) fn forward(
        &mut self,
        from: ConnectionId,
        id: RequestId,
        request: Request,
    ) -> Option<Request> {
        let Some((to, number)) = self.ask(&request) else { return Some(request) };
        let due = self.now.instant.after(FORWARD_TIMEOUT);
        self.forwards.due.insert((due, number));
        self.forwards.pending.insert(number, Pending { to, due, from, id, request });
        None
    }

    fn ask(&mut self, request: &Request) -> Option<(NodeId, u64)> {
        let full = self.forwards.pending.len() >= FORWARDS_PENDING_MAX;
        if self.alive.is_empty()
            || full
            || !request.metadata_within(self.settings.metadata_chars_max)
        {
            return None;
        }
        let (client, service, place, wish) = wished(request)?;
        let to = self.responsible_elsewhere(client)?;
        let ClientId::Address { ip, port } = client else { return None };
        let (known, beats) = (
            self.find(&Arc::new(client.clone()), &self.shared(service), &Arc::new(place.clone())),
            matches!(wish, Wish::Beat(_)),
        );
        let version = known.as_ref().and_then(|key| self.distro.get(key)).map(|one| one.version);
        if let Some(key) = known.filter(|_| beats) {
            self.distro(distro::Input::Heard { key });
        }
        self.forwards.last_number += 1;
        let number = self.forwards.last_number;
        let now = self.now;
        let asked = Asked {
            number,
            at: self.distro.clock().tick(now),
            client: (ip.clone(), *port),
            service: service.clone(),
            place,
            wish,
            known: version,
        };
        self.say(to, Said::Asked(Box::new(asked)));
        Some((to, number))
    }

    /// The node that is responsible for the client, if it is another one and there is a link to it.
    pub(crate) fn responsible_elsewhere(&self, client: &ClientId) -> Option<NodeId> {
        let ClientId::Address { ip, port } = client else { return None };
        // Nothing is to come back to a node that is about to stop.
        let this = (!self.leaves()).then_some(self.node);
        let living = self.alive.iter().copied().chain(this);
        let to = distro::responsible(format!("{ip}:{port}").as_bytes(), living)?;
        (to != self.node && self.linked.contains(&to)).then_some(to)
    }

    /// Does what another node asks for its client, or refuses.
    pub(crate) fn asked(&mut self, from: NodeId, asked: Asked) {
        let Asked { number, at, client: (ip, port), service, place, wish, known } = asked;
        let client = Arc::new(ClientId::Address { ip, port });
        let (service, place) = (self.shared(&service), Arc::new(place));
        let outdated = self.is_outdated(&client, &service, &place, &wish, at);
        let came = if outdated || self.leaves() {
            Came::Refused
        } else {
            self.forwards.doing = Some(Doing { at, changed: Vec::new() });
            self.grant(&client, &service, &place, wish)
        };
        let changed = self.forwards.doing.take().map_or_else(Vec::new, |doing| doing.changed);
        // Whatever was shown before the answer arrives there is at least as new as here.
        self.publish_changed();
        let of_client = self.offers_in(&client, &service);
        let news = of_client
            .into_iter()
            .filter(|key| self.distro.get(key).is_some_and(|entry| Some(entry.version) != known));
        let keys: BTreeSet<OfferKey> = news.chain(changed).collect();
        let records = keys.iter().filter_map(|key| self.distro.state(key));
        let records = records.take(RECORDS_PER_ANSWER_MAX).collect();
        let clock = self.distro.clock().last();
        self.say(from, Said::Answered(Answered { number, came, clock, records }));
    }

    /// What a request of an earlier time could undo.
    fn is_outdated(
        &self,
        client: &Arc<ClientId>,
        service: &Arc<ServiceKey>,
        place: &Arc<Place>,
        wish: &Wish,
        at: HybridTime,
    ) -> bool {
        let of_client = self.offers_in(client, service);
        let well = of_client.first().and_then(|key| self.distro.get(key));
        let well = well.is_some_and(|entry| self.distro.owns(entry) && entry.value.healthy);
        if well && matches!(wish, Wish::Beat(_)) {
            return false; // it changes nothing
        }
        let exact =
            OfferKey { service: service.clone(), place: place.clone(), client: client.clone() };
        let there = self.offers_at(service, place).map(|(key, _)| key);
        iter::once(&exact)
            .chain(&of_client)
            .chain(there)
            .any(|key| self.distro.is_outdated(self.now, key, at))
    }

    fn grant(
        &mut self,
        client: &Arc<ClientId>,
        service: &Arc<ServiceKey>,
        place: &Arc<Place>,
        wish: Wish,
    ) -> Came {
        let reply = match wish {
            Wish::Register(instance) if Place::of(&instance) == **place => {
                self.register(client, service, vec![instance])
            }
            Wish::Register(_) => return Came::Refused,
            Wish::Deregister => Ok(self.deregister(client, service, place)),
            Wish::Beat(full) => Ok(self.beat(client, service, place, full)),
        };
        match reply {
            Ok(Reply::Done) => Came::Done,
            Ok(Reply::Beat { known, interval }) => Came::Beat { known, interval },
            // The asker finds the same reason, or a way.
            Ok(_) | Err(_) => Came::Refused,
        }
    }

    /// Takes in what came of a request, and answers the client.
    pub(crate) fn answered(&mut self, from: NodeId, answered: Answered) {
        let Answered { number, came, clock, mut records } = answered;
        if clock > HYBRID_TIME_MAX || records.len() > RECORDS_PER_ANSWER_MAX {
            return self.refuse_junk(from, "an answer");
        }
        self.distro.clock().observe(self.now, clock);
        self.share_records(&mut records);
        for record in records {
            self.distro(distro::Input::Learned { from, record });
        }
        if self.forwards.pending.get(&number).is_none_or(|pending| pending.to != from) {
            return; // too late: it is done
        }
        let Some(pending) = self.forwards.take(number) else { return };
        match came {
            Came::Done => self.answer(pending.from, pending.id, Ok(Answer::Reply(Reply::Done))),
            Came::Beat { known: true, interval } => {
                let reply = Reply::Beat { known: true, interval };
                self.answer(pending.from, pending.id, Ok(Answer::Reply(reply)));
            }
            // A node that has just come may not know what this one does.
            Came::Beat { known: false, .. } | Came::Refused => self.do_ourselves(pending),
        }
    }

    /// Does the requests that got no answer, for one piece.
    pub(crate) fn forwards_due(&mut self) {
        for _ in 0..FORWARDS_DONE_PER_WAKE {
            match self.forwards.due.first() {
                Some((at, _)) if *at <= self.now.instant => {}
                Some(_) | None => return,
            }
            let (_, number) = self.forwards.due.pop_first().expect("looked at above");
            let pending = self.forwards.pending.remove(&number).expect("what is due is pending");
            self.do_ourselves(pending);
        }
    }

    fn do_ourselves(&mut self, pending: Pending) {
        let answer = self.request(pending.from, pending.request);
        self.answer(pending.from, pending.id, answer);
    }
}
