//! What one session, or a node, asks of all sessions: who is connected, and that some go elsewhere. A session is stepped
//! under its own lock and must not take another one's, so it is asked for and done afterwards.
//!
//! Clients that are to go are asked in batches, at moments that differ: each of them comes to another node with all that
//! it has, and those of several nodes may come to the same one. What is left of an earlier wish is forgotten when the next
//! one comes: it was made for other numbers.

use crate::{
    Host,
    drive::Dirty,
    sessions::{Message, Slot, lock},
};
use base::{ConnectionId, Duration, NodeId, Now, RequestId};
use cluster::{Busy, Crowd, Shift, State};
use nacos::{Answer, Connected, Move, NodeState, Place};
use node::{ClientsInquiry, Input, Part};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, atomic::Ordering},
};

/// Clients that are asked to go at once.
const MOVED_CLIENTS_MAX: usize = 50;
/// Between two of these batches, and up to as long again.
const MOVES_INTERVAL: Duration = Duration::from_millis(100);

/// A question to all sessions, and who asks it.
#[derive(Debug)]
pub(crate) enum Asking {
    /// A session of this node.
    Session { connection: ConnectionId, id: RequestId, what: FromSession },
    /// This node, or another one by it.
    Node { asker: NodeId, question: u64, inquiry: ClientsInquiry },
}

/// What sessions ask.
#[derive(Debug)]
pub(crate) enum FromSession {
    /// Who is connected, so many at most.
    Clients { limit: usize },
    /// These are to go elsewhere.
    Move(Move),
}

/// The clients of this node together.
#[derive(Debug, Default)]
pub(crate) struct OwnCrowd {
    /// What is asked of all sessions.
    asked: Mutex<VecDeque<Asking>>,
    /// Clients that are to go elsewhere and were not asked to yet.
    moving: Mutex<VecDeque<Going>>,
    /// How busy the machine is, as the world told last.
    busy: Mutex<Option<Busy>>,
}

/// A client that is to be asked to go.
#[derive(Debug)]
struct Going {
    connection: ConnectionId,
    to: To,
}

#[derive(Clone, Debug)]
enum To {
    /// Where an operator said, if anywhere.
    Place(Option<Place>),
    /// Where that node serves clients by then, if it does.
    Node(NodeId),
}

impl Host {
    /// To be answered once no session is locked.
    pub(crate) fn ask_all(&self, asking: Asking) {
        lock(&self.crowd.asked).push_back(asking);
    }

    /// Answers what was asked. No session is locked.
    pub(crate) fn gather(&self, now: Now, dirty: &mut Dirty) {
        loop {
            // Not in the condition of a `while let`: the lock would be held in its body.
            let asked = lock(&self.crowd.asked).pop_front();
            let Some(asking) = asked else { return };
            let slots: Vec<Arc<Slot>> = lock(&self.slots).values().cloned().collect();
            match asking {
                Asking::Session { connection, id, what } => {
                    let answer = match what {
                        FromSession::Clients { limit } => {
                            let clients = slots.iter().filter_map(|slot| connected(slot));
                            Answer::Clients(clients.take(limit).collect())
                        }
                        FromSession::Move(Move::AllBut { stay, to }) => {
                            Answer::Moved(self.begin_moving(now, all_but(&slots, stay, to), dirty))
                        }
                        FromSession::Move(Move::One { name, to }) => {
                            let moved = move_one(&slots, &name, to).inspect(|slot| {
                                dirty.insert(slot.connection, Arc::clone(slot));
                            });
                            Answer::Moved(usize::from(moved.is_some()))
                        }
                    };
                    if let Some(slot) = self.slot(connection) {
                        slot.post(Message::Nacos(nacos::Input::Answer { id, answer }));
                        dirty.insert(connection, slot);
                    }
                }
                Asking::Node { asker, question, inquiry } => {
                    let part = match inquiry {
                        ClientsInquiry::Count => Part::Crowd(self.crowd(&slots)),
                        ClientsInquiry::Move(shifts) => {
                            let moved = self.begin_moving(now, shifted(&slots, &shifts), dirty);
                            Part::Moved(u32::try_from(moved).unwrap_or(u32::MAX))
                        }
                    };
                    self.push_input(Input::Clients { asker, question, part });
                }
            }
        }
    }

    /// Asks these clients to go, the first of them now.
    fn begin_moving(&self, now: Now, going: VecDeque<Going>, dirty: &mut Dirty) -> usize {
        let count = going.len();
        *lock(&self.crowd.moving) = going;
        dirty.extend(self.move_some(now).into_iter().map(|slot| (slot.connection, slot)));
        count
    }

    /// Asks the next clients to go, and gives their slots.
    pub(crate) fn move_some(&self, now: Now) -> Vec<Arc<Slot>> {
        let (batch, more) = {
            let mut moving = lock(&self.crowd.moving);
            let len = moving.len().min(MOVED_CLIENTS_MAX);
            (moving.drain(..len).collect::<Vec<Going>>(), !moving.is_empty())
        };
        let asked = batch.into_iter().filter_map(|Going { connection, to }| {
            let to = match to {
                To::Place(place) => place,
                To::Node(node) => self.place(node),
            };
            let slot = self.slot(connection)?;
            slot.post(Message::Nacos(nacos::Input::Move(to)));
            Some(slot)
        });
        let asked = asked.collect();
        let wait_us = MOVES_INTERVAL.as_micros() as u64;
        let wait = || Duration::from_micros(wait_us + lock(&self.salts).below(wait_us));
        let next = more.then(|| now.instant.after(wait()));
        self.set_deadline(|timers| &mut timers.moves, next);
        asked
    }

    /// How busy the machine is; for those who want to know who has room.
    pub fn set_busy(&self, busy: Option<Busy>) {
        *lock(&self.crowd.busy) = busy;
    }

    /// Where another node serves clients, if it lives and that is known.
    fn place(&self, node: NodeId) -> Option<Place> {
        let view = self.views.cluster()?;
        let member = view
            .members
            .iter()
            .find(|member| member.node == node && member.state == State::Alive)?;
        Place::read(member.api.as_ref()?.as_str())
    }

    fn crowd(&self, slots: &[Arc<Slot>]) -> Crowd {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Crowd {
            node: self.id,
            connections: count(self.connections_open.load(Ordering::Relaxed)),
            streams: count(slots.iter().filter(|slot| connected(slot).is_some()).count()),
            serves: nacos::Views::state(&self.views) == NodeState::Ready,
            busy: *lock(&self.crowd.busy),
        }
    }
}

fn connected(slot: &Slot) -> Option<Connected> {
    let sessions = lock(&slot.sessions);
    if sessions.closed { None } else { sessions.nacos.connected() }
}

fn all_but(slots: &[Arc<Slot>], stay: usize, to: Option<Place>) -> VecDeque<Going> {
    let streaming = slots.iter().filter(|slot| connected(slot).is_some());
    // The newest go: the oldest have the most to lose.
    let going = streaming.skip(stay).map(|slot| slot.connection);
    going.map(|connection| Going { connection, to: To::Place(to.clone()) }).collect()
}

/// Asks one client to go, if it is here.
fn move_one<'a>(slots: &'a [Arc<Slot>], name: &str, to: Option<Place>) -> Option<&'a Arc<Slot>> {
    let named = |slot: &&Arc<Slot>| connected(slot).is_some_and(|client| client.name == name);
    slots.iter().find(named).inspect(|slot| slot.post(Message::Nacos(nacos::Input::Move(to))))
}

/// The newest clients, so many to each of these nodes.
fn shifted(slots: &[Arc<Slot>], shifts: &[Shift]) -> VecDeque<Going> {
    let to = shifts.iter().flat_map(|shift| std::iter::repeat_n(shift.to, shift.clients as usize));
    let newest = slots.iter().rev().filter(|slot| connected(slot).is_some());
    let going = |(slot, to): (&Arc<Slot>, NodeId)| {
        let connection = slot.connection;
        Going { connection, to: To::Node(to) }
    };
    newest.zip(to).map(going).collect()
}
