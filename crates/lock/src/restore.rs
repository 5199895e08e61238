//! How the state comes back from its rows, at start and when a snapshot takes its place.

use crate::{Asker, Lock, Outcome, Output, Reply, rows};
use base::Row;
use std::sync::Arc;

impl Lock {
    pub(crate) fn reset(&mut self) {
        self.restoring = true;
        self.before_reset.extend(std::mem::take(&mut self.leases).into_keys());
        self.queues.clear();
        self.waiters_len = 0;
        self.forget_times();
    }

    pub(crate) fn restore(&mut self, piece: &[Row]) {
        self.restoring = true;
        for row in piece {
            match rows::read(row) {
                Ok(rows::Read::Lease(key, lease)) => {
                    self.before_reset.remove(&key);
                    self.leases.insert(key, lease);
                }
                Ok(rows::Read::Waiter(key, ticket, waiter)) => {
                    self.queues.entry(key).or_default().insert(ticket, waiter);
                    self.waiters_len += 1;
                }
                Err(why) => {
                    self.outputs.push_back(Output::Halt(why));
                    return;
                }
            }
        }
    }

    /// Ends a restore: readers see the new state, and whoever waited here is told what it came to meanwhile.
    pub(crate) fn settle(&mut self) {
        if !std::mem::take(&mut self.restoring) {
            return;
        }
        if let Some(key) = self.queues.keys().find(|key| !self.leases.contains_key(*key)) {
            let why =
                format!("lock {key} has waiters and no holder: restore this node from its peers");
            return self.outputs.push_back(Output::Halt(why));
        }
        let held: Vec<Arc<str>> = self.leases.keys().cloned().collect();
        for key in held.into_iter().chain(std::mem::take(&mut self.before_reset)) {
            self.show(&key);
        }
        for (asker, key) in self.asked.in_queues() {
            if !self.stands(&key, &asker) {
                self.catch_up(&key, asker);
            }
        }
    }

    /// A request that stood in a queue before the snapshot and does not any more.
    fn catch_up(&mut self, key: &Arc<str>, asker: Asker) {
        match self.leases.get(key) {
            Some(lease) if lease.asker == asker => {
                let (token, ttl_ms, at_ms) = (lease.token, lease.ttl_ms, lease.renewed_ms);
                self.tell(key, asker, Outcome::Granted { token, ttl_ms }, at_ms);
            }
            Some(_) | None => {
                let asked = self.asked.remove(&asker);
                if asked.is_some_and(|asked| !asked.abandoned) {
                    let Asker { connection: to, id } = asker;
                    self.outputs.push_back(Output::Reply { to, id, reply: Reply::Unknown });
                }
            }
        }
    }
}
