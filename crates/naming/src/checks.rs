//! How persistent instances are: one node connects to each of them, and tells the others what it found.
//!
//! Which node checks an instance is said by rendezvous over the living nodes, so that all share the work and one that dies is
//! replaced without a word. What was found is no business of the log: it is an opinion of the one that looked, must be had
//! in a minority, too, and changes with every hiccup of a network. So it is a record of its own in a second `Distro`: the
//! checking node owns it, the latest verdict wins, digests bring what was lost. When the checking node dies, its verdicts
//! stand until the next one has looked for itself.
//!
//! ```text
//! due ─► Output::Check ─► (the world connects, or asks) ─► Input::Checked ─► CHECK_TIMES alike ─► record ─► views, pushes
//! ```
//!
//! A verdict is turned by `CHECK_TIMES` checks in a row that contradict what is shown. Times and their adaption are
//! Nacos's: an instance that answers fast is looked at more often than one that does not answer at all.

use crate::{
    Checker, ClusterSettings, Instance, Naming, Output, Place, ServiceKey, Settings, peers::Said,
};
use base::{Duration, Instant, NodeId};
use distro::{Change, Distro, Input, Standing};
use journal::Kind;
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    hash::Hasher,
    sync::Arc,
};

/// How many checks a node may have running. At the limit the others wait.
pub const CHECKS_AT_ONCE_MAX: usize = 256;

/// How long an instance may take to answer: what takes longer is not healthy.
pub const CHECK_TIMEOUT: Duration = Duration::from_millis(500);

/// So many checks in a row have to contradict what is shown.
pub const CHECK_TIMES: u8 = 3;

/// How many instances one `Wake` looks at, at most.
pub const CHECKS_PER_WAKE: usize = 1000;

/// When to look again at an instance that another node checks, or nobody.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A check of which nothing was heard for so long was not done.
const CHECK_LOST: Duration = Duration::from_secs(5);

/// An instance is first looked at between these.
const FIRST_CHECK_MIN: Duration = Duration::from_secs(2);
const FIRST_CHECK_SPREAD_MS: u64 = 5_000;

/// A persistent instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CheckKey {
    pub(crate) service: Arc<ServiceKey>,
    pub(crate) place: Arc<Place>,
}

/// Something to find out about an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// To be named in `Input::Checked`.
    pub id: u64,
    /// Address of the instance: an IP or a host name.
    pub ip: Arc<str>,
    /// Where to connect to.
    pub port: u16,
    /// How; never `Checker::None`.
    pub checker: Checker,
    /// What has not answered by then is not healthy.
    pub timeout: Duration,
}

/// What this node is to look at, and when.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    last_id: u64,
    due: BTreeSet<(Instant, CheckKey)>,
    instances: BTreeMap<CheckKey, Checked>,
    /// By id, and so in the order in which they began.
    running: BTreeMap<u64, (CheckKey, Instant)>,
}

/// One persistent instance.
#[derive(Debug)]
struct Checked {
    /// When it is due; `None` while a check runs.
    next: Option<Instant>,
    interval: Duration,
    /// How many checks in a row have contradicted what is shown.
    contradicted: u8,
}

impl Ord for CheckKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.service.cmp(&other.service).then_with(|| self.place.cmp(&other.place))
    }
}

impl PartialOrd for CheckKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for CheckKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for CheckKey {}

impl distro::Key for CheckKey {
    fn bytes(&self, sink: &mut dyn FnMut(&[u8])) {
        let ServiceKey { namespace, group, name } = &*self.service;
        let Place { ip, port, cluster_name } = &*self.place;
        for part in [namespace, group, name, ip, cluster_name] {
            // With its length, so that no two keys run together.
            sink(&(part.len() as u32).to_le_bytes());
            sink(part.as_bytes());
        }
        sink(&port.to_le_bytes());
    }

    fn heard_only_by(&self) -> Option<NodeId> {
        None
    }
}

impl Checks {
    /// When to look at an instance next, or to give a check up.
    pub(crate) fn deadline(&self, settings: &Settings) -> Option<Instant> {
        let room = self.running.len() < settings.checks_at_once_max;
        let due = self.due.first().filter(|_| room).map(|(at, _)| *at);
        let lost = self.running.first_key_value().map(|(_, (_, began))| began.after(CHECK_LOST));
        [due, lost].into_iter().flatten().min()
    }

    fn plan(&mut self, key: CheckKey, at: Instant) {
        let Some(checked) = self.instances.get_mut(&key) else { return };
        if let Some(former) = checked.next.replace(at) {
            self.due.remove(&(former, key.clone()));
        }
        self.due.insert((at, key));
    }

    fn forget(&mut self, key: &CheckKey) {
        if let Some(Checked { next: Some(at), .. }) = self.instances.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }
}

/// How long to wait for the next check of an instance: the mean of what it took to answer, within limits. `took` is `None`
/// if it did not answer.
fn next_interval(checker: &Checker, interval: Duration, took: Option<Duration>) -> Duration {
    let (min_ms, factor) = match checker {
        Checker::Http { .. } => (500, 85),
        Checker::Tcp | Checker::None => (1_000, 75),
    };
    let took = took.unwrap_or(interval * 2);
    let mean = (interval * factor + took * (100 - factor)) / 100;
    mean.clamp(Duration::from_millis(min_ms), Duration::from_secs(5))
}

impl Naming {
    /// To be called when a persistent instance may have come or gone.
    pub(crate) fn review_check(&mut self, service: &Arc<ServiceKey>, place: &Arc<Place>) {
        if self.settings.checks_at_once_max == 0 {
            return;
        }
        let agreed = self.agreed.get(service);
        let exists = agreed.is_some_and(|agreed| agreed.instances.contains_key(&**place));
        if !exists && self.checks.instances.is_empty() {
            return;
        }
        let key = CheckKey { service: service.clone(), place: place.clone() };
        if !exists {
            self.checks.forget(&key);
            self.forget_verdict(key);
        } else if !self.checks.instances.contains_key(&key) {
            // Spread, and on all nodes alike: no randomness is needed for that.
            let mut hasher = SipHasher13::new();
            hasher.write(&key_bytes(&key));
            let spread = Duration::from_millis(hasher.finish() % FIRST_CHECK_SPREAD_MS);
            let interval = FIRST_CHECK_MIN + spread;
            let at = self.now.instant.after(interval);
            let checked = Checked { next: None, interval, contradicted: 0 };
            self.checks.instances.insert(key.clone(), checked);
            self.checks.plan(key, at);
        }
    }

    /// Begins the checks that are due, for one piece, and gives up those that nobody answers.
    pub(crate) fn check_due(&mut self) {
        let now = self.now.instant;
        while let Some(running) = self.checks.running.first_entry()
            && running.get().1.after(CHECK_LOST) <= now
        {
            let (key, _) = running.remove();
            self.checks.plan(key, now.after(LOOK_AGAIN));
        }
        for _ in 0..CHECKS_PER_WAKE {
            if self.checks.running.len() >= self.settings.checks_at_once_max {
                return;
            }
            match self.checks.due.first() {
                Some((at, _)) if *at <= now => {}
                Some(_) | None => return,
            }
            let (_, key) = self.checks.due.pop_first().expect("looked at above");
            if let Some(checked) = self.checks.instances.get_mut(&key) {
                checked.next = None;
            }
            self.look(key);
        }
    }

    /// What was found out about an instance.
    pub(crate) fn checked(&mut self, id: u64, healthy: bool) {
        let Some((key, began)) = self.checks.running.remove(&id) else { return };
        let now = self.now.instant;
        let settings = self.checked_as(&key);
        let shown = self.verdict(&key);
        let Some(checked) = self.checks.instances.get_mut(&key) else { return };
        let took = healthy.then(|| now.since(began));
        checked.interval = next_interval(&settings.checker, checked.interval, took);
        let next = now.after(checked.interval);
        checked.contradicted = if shown == Some(healthy) { 0 } else { checked.contradicted + 1 };
        let turned = checked.contradicted >= CHECK_TIMES;
        if turned {
            checked.contradicted = 0;
        }
        self.checks.plan(key.clone(), next);
        if settings.checker == Checker::None || !self.checks_here(&key) {
            return;
        }
        if turned {
            let kind = if healthy { Kind::BecameHealthy } else { Kind::BecameUnhealthy };
            self.place_event(kind, &key.service, &key.place);
            self.health(Input::Write { key, value: healthy });
        } else if let Some(entry) = self.health.get(&key)
            && entry.standing != Standing::Living
        {
            // Its owner is gone, and this node looks from now on: otherwise the verdict would be forgotten some day.
            let value = entry.value;
            self.health(Input::Write { key, value });
        }
    }

    /// The instance as it was found to be.
    pub(crate) fn with_health(
        &self,
        service: &Arc<ServiceKey>,
        place: &Place,
        instance: &Arc<Instance>,
    ) -> Arc<Instance> {
        if self.health.is_empty() {
            return instance.clone();
        }
        let key = CheckKey { service: service.clone(), place: Arc::new(place.clone()) };
        let found = self.health.get(&key).map_or(instance.healthy, |entry| entry.value);
        if found == instance.healthy || self.checked_as(&key).checker == Checker::None {
            return instance.clone();
        }
        Arc::new(Instance { healthy: found, ..Instance::clone(instance) })
    }

    /// Steps the records of verdicts, and takes note of what they change.
    pub(crate) fn health(&mut self, input: Input<CheckKey, bool>) {
        self.health.step(self.hearing(), input);
        while let Some(output) = self.health.poll() {
            match output {
                distro::Output::Changed { key, change } => match change {
                    Change::Written | Change::Deleted | Change::Dropped => {
                        let service = self.shared(&key.service);
                        self.changed.entry(service).or_default().places.push(key.place);
                    }
                    // The last verdict stands, whatever became of the one who found it.
                    Change::Orphaned | Change::Reclaimed | Change::Hidden => {}
                },
                distro::Output::Send { to, message } => self.say(to, Said::Health(message)),
                distro::Output::Malformed { from, why } => self.malformed(from, &why),
            }
        }
    }

    /// Looks at one instance: has it checked, if that is up to this node.
    fn look(&mut self, key: CheckKey) {
        let now = self.now.instant;
        let settings = self.checked_as(&key);
        if settings.checker == Checker::None {
            self.forget_verdict(key.clone());
        }
        let on = self.agreed.switches.health_check && settings.checker != Checker::None;
        if !on || !self.checks_here(&key) {
            if let Some(checked) = self.checks.instances.get_mut(&key) {
                checked.contradicted = 0;
            }
            return self.checks.plan(key, now.after(LOOK_AGAIN));
        }
        self.checks.last_id += 1;
        let id = self.checks.last_id;
        let port = if settings.checks_instance_port { key.place.port } else { settings.check_port };
        let (ip, checker) = (key.place.ip.clone(), settings.checker.clone());
        self.checks.running.insert(id, (key, now));
        self.outputs.push_back(Output::Check(Check {
            id,
            ip,
            port,
            checker,
            timeout: CHECK_TIMEOUT,
        }));
    }

    /// Nobody looks at it any more.
    fn forget_verdict(&mut self, key: CheckKey) {
        if self.health.get(&key).is_some_and(|entry| self.health.owns(entry)) {
            self.health(Input::Delete { key });
        }
    }

    /// How the instance is, as far as is known.
    fn verdict(&self, key: &CheckKey) -> Option<bool> {
        let found = self.health.get(key).map(|entry| entry.value);
        found.or_else(|| {
            let agreed = self.agreed.get(&key.service)?;
            agreed.instances.get(&*key.place).map(|instance| instance.healthy)
        })
    }

    fn checked_as(&self, key: &CheckKey) -> Arc<ClusterSettings> {
        let agreed = self.agreed.get(&key.service);
        let said = agreed.and_then(|agreed| agreed.clusters.get(&key.place.cluster_name));
        said.cloned().unwrap_or_default()
    }

    fn checks_here(&self, key: &CheckKey) -> bool {
        let living = self.alive.iter().copied().chain([self.node]);
        self.alive.is_empty() || distro::responsible(&key_bytes(key), living) == Some(self.node)
    }
}

fn key_bytes(key: &CheckKey) -> Vec<u8> {
    let mut bytes = Vec::new();
    distro::Key::bytes(key, &mut |part| bytes.extend_from_slice(part));
    bytes
}

/// The verdicts of all nodes.
pub(crate) type Health = Distro<CheckKey, bool>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_fast_is_looked_at_more_often() {
        let http = Checker::Http { path: "/".into(), headers: "".into(), expected_code: 200 };
        let ms = |ms| Duration::from_millis(ms);
        for (checker, interval, took, expected) in [
            (&Checker::Tcp, 4_000, Some(0), 3_000),
            (&Checker::Tcp, 1_000, Some(1), 1_000),
            (&Checker::Tcp, 4_000, None, 5_000),
            (&Checker::Tcp, 2_000, None, 2_500),
            (&http, 2_000, Some(0), 1_700),
            (&http, 500, Some(3), 500),
        ] {
            let next = next_interval(checker, ms(interval), took.map(ms));
            assert_eq!(next, ms(expected), "{checker:?} {interval} {took:?}");
        }
    }
}
