//! What one session asks of all of them: who is connected, and that some go elsewhere. A session is stepped under its own
//! lock and must not take another one's, so it is asked for and done afterwards.

use crate::{
    Host,
    drive::Dirty,
    sessions::{Message, Slot, lock},
};
use base::{ConnectionId, RequestId};
use nacos::{Answer, Connected, Input, Move};
use std::sync::Arc;

/// What is asked.
#[derive(Debug)]
pub(crate) enum Gathering {
    /// Who is connected, and the names of so many.
    Clients { limit: usize },
    /// These are to go elsewhere.
    Move(Move),
}

/// A question, and who asks it.
#[derive(Debug)]
pub(crate) struct Asked {
    connection: ConnectionId,
    id: RequestId,
    what: Gathering,
}

impl Host {
    /// To be answered once no session is locked.
    pub(crate) fn ask_all(&self, connection: ConnectionId, id: RequestId, what: Gathering) {
        lock(&self.gatherings).push_back(Asked { connection, id, what });
    }

    /// Answers what was asked. No session is locked.
    pub(crate) fn gather(&self, dirty: &mut Dirty) {
        loop {
            // Not in the condition of a `while let`: the lock would be held in its body.
            let asked = lock(&self.gatherings).pop_front();
            let Some(Asked { connection, id, what }) = asked else { return };
            let slots: Vec<Arc<Slot>> = lock(&self.slots).values().cloned().collect();
            let answer = match what {
                Gathering::Clients { limit } => clients(&slots, limit),
                Gathering::Move(Move::AllBut { stay, to }) => {
                    let streaming: Vec<&Arc<Slot>> =
                        slots.iter().filter(|slot| connected(slot).is_some()).collect();
                    // The newest go: the oldest have the most to lose.
                    let going = streaming.into_iter().skip(stay).inspect(|slot| {
                        slot.post(Message::Nacos(Input::Move(to.clone())));
                        dirty.insert(slot.connection, Arc::clone(slot));
                    });
                    Answer::Moved(going.count())
                }
                Gathering::Move(Move::One { name, to }) => {
                    let named = |slot: &&Arc<Slot>| connected(slot).is_some_and(|c| c.name == name);
                    let found = slots.iter().find(named).inspect(|slot| {
                        slot.post(Message::Nacos(Input::Move(to)));
                        dirty.insert(slot.connection, Arc::clone(slot));
                    });
                    Answer::Moved(usize::from(found.is_some()))
                }
            };
            if let Some(slot) = self.slot(connection) {
                slot.post(Message::Nacos(Input::Answer { id, answer }));
                dirty.insert(connection, slot);
            }
        }
    }
}

fn connected(slot: &Slot) -> Option<Connected> {
    let sessions = lock(&slot.sessions);
    if sessions.closed { None } else { sessions.nacos.connected() }
}

fn clients(slots: &[Arc<Slot>], limit: usize) -> Answer {
    let (mut streams, mut named) = (0, Vec::new());
    for client in slots.iter().filter_map(|slot| connected(slot)) {
        streams += 1;
        if named.len() < limit {
            named.push(client);
        }
    }
    Answer::Clients { connections: slots.len(), streams, named }
}
