//! Who wants to be told of which key, the md5 that each one is known to hold, and which version of it each one sees.

use crate::{Audience, ConfigKey, KeyListener, Refusal};
use base::ConnectionId;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Keys that one connection may listen to, over all its listeners; as in Nacos. At the limit the whole request is
/// refused.
pub const LISTENERS_MAX: usize = 10_000;

/// Keys that are shown of one address.
pub const LISTENERS_SHOWN_MAX: usize = 10_000;

/// A listener: the connection and its number within it.
pub(crate) type Listener = (ConnectionId, u64);

/// What is known of a listener and a key.
#[derive(Debug)]
struct Held {
    md5: Arc<str>,
    /// As of its latest `Listen` for this key.
    audience: Arc<Audience>,
}

/// Invariant: `by_key` is the inverse of `by_listener`, and neither has an empty set.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    by_listener: BTreeMap<Listener, BTreeMap<ConfigKey, Held>>,
    by_key: BTreeMap<ConfigKey, BTreeSet<Listener>>,
}

impl Listeners {
    /// Listens to all of `keys`, or to none of those that are new.
    pub fn listen(
        &mut self,
        listener: Listener,
        keys: BTreeMap<ConfigKey, Arc<str>>,
        audience: Audience,
        limit: usize,
    ) -> Result<(), Refusal> {
        let connection = listener.0;
        let held: usize = self.of(connection).map(|(_, keys)| keys.len()).sum();
        let own = self.by_listener.get(&listener);
        let new = keys.keys().filter(|key| own.is_none_or(|own| !own.contains_key(key))).count();
        if held + new > limit {
            return Err(Refusal::TooManyListeners { limit });
        }
        let audience = Arc::new(audience);
        for (key, md5) in keys {
            let held = Held { md5, audience: Arc::clone(&audience) };
            let known = self.by_key.get_key_value(&key).map(|(key, _)| key.clone());
            let key = known.unwrap_or(key);
            self.by_key.entry(key.clone()).or_default().insert(listener);
            self.by_listener.entry(listener).or_default().insert(key, held);
        }
        Ok(())
    }

    /// Ends these keys of a listener, or all of them.
    pub fn unlisten(&mut self, listener: Listener, keys: &[ConfigKey]) {
        let Some(own) = self.by_listener.get_mut(&listener) else { return };
        let ended: Vec<ConfigKey> = if keys.is_empty() {
            std::mem::take(own).into_keys().collect()
        } else {
            keys.iter().filter(|key| own.remove(key).is_some()).cloned().collect()
        };
        if own.is_empty() {
            self.by_listener.remove(&listener);
        }
        for key in ended {
            let listeners = self.by_key.get_mut(&key).expect("the inverse of by_listener");
            listeners.remove(&listener);
            if listeners.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }

    /// Ends all listeners of a connection.
    pub fn close(&mut self, connection: ConnectionId) {
        let numbers: Vec<Listener> = self.of(connection).map(|(&listener, _)| listener).collect();
        for listener in numbers {
            self.unlisten(listener, &[]);
        }
    }

    /// The listeners of a key that hold another md5 than the one they see now, with that one. They hold it from now on:
    /// each is told once.
    pub fn told(
        &mut self,
        key: &ConfigKey,
        seen_by: impl Fn(&Audience) -> Arc<str>,
    ) -> Vec<(Listener, Arc<str>)> {
        let Some(listeners) = self.by_key.get(key) else { return Vec::new() };
        let mut told = Vec::new();
        for &listener in listeners {
            let own = self.by_listener.get_mut(&listener).expect("the inverse of by_key");
            let held = own.get_mut(key).expect("the inverse of by_key");
            let md5 = seen_by(&held.audience);
            if held.md5 != md5 {
                held.md5 = Arc::clone(&md5);
                told.push((listener, md5));
            }
        }
        told
    }

    /// Who listens to a key, with the md5 held.
    pub fn to(&self, key: &ConfigKey) -> Vec<KeyListener> {
        let listeners = self.by_key.get(key).into_iter().flatten();
        listeners
            .map(|listener| {
                let held = &self.by_listener[listener][key];
                let address = held.audience.addresses.first().cloned().unwrap_or_default();
                KeyListener { connection: listener.0, address, md5: Arc::clone(&held.md5) }
            })
            .collect()
    }

    /// What the clients at an address listen to, with the md5 held; of a key that several hold, what the first one does.
    /// A connection has one address, so its first key tells: this costs by the listeners, not by what each one hears.
    pub fn at(&self, address: &str) -> Vec<(ConfigKey, Arc<str>)> {
        let mut shown = BTreeMap::new();
        for keys in self.by_listener.values() {
            let first = keys.values().next().expect("no listener has an empty set");
            if !first.audience.addresses.iter().any(|own| **own == *address) {
                continue;
            }
            for (key, held) in keys {
                if shown.len() >= LISTENERS_SHOWN_MAX {
                    break;
                }
                shown.entry(key).or_insert_with(|| Arc::clone(&held.md5));
            }
        }
        shown.into_iter().map(|(key, md5)| (key.clone(), md5)).collect()
    }

    fn of(
        &self,
        connection: ConnectionId,
    ) -> impl Iterator<Item = (&Listener, &BTreeMap<ConfigKey, Held>)> {
        self.by_listener.range((connection, 0)..=(connection, u64::MAX))
    }
}
