//! The view store: what sessions read without asking the node. Each view is immutable and replaced as a whole; a lock is
//! held only while a pointer is copied.

use crate::{NamespaceCounts, credentials::Credentials, rendered::RenderedBytes};
use access::View as AccessView;
use base::{Consistency, Duration, Freshness, HybridTime, LogIndex, NodeId, Now};
use bytes::Bytes;
use cluster::Formation;
use config::{ConfigKey, Entry, Grays};
use nacos::{Format, NodeState, Page};
use naming::{ClusterNames, ServiceKey, ServiceView, Switches};
use node::{Standing, View};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Entries that a search looks at before it lets those who publish go on.
const SEARCH_PIECE_ENTRIES_MAX: usize = 512;

type ServiceNames = BTreeMap<(Arc<str>, Arc<str>), BTreeSet<Arc<str>>>;

/// Everything that can be read without the node's lock.
pub(crate) struct ViewStore {
    node: NodeId,
    services: RwLock<BTreeMap<ServiceKey, Arc<ServiceView>>>,
    names: RwLock<ServiceNames>,
    configs: RwLock<BTreeMap<ConfigKey, Arc<Entry>>>,
    config_counts: RwLock<BTreeMap<Arc<str>, usize>>,
    grays: RwLock<BTreeMap<ConfigKey, Arc<Grays>>>,
    locks: RwLock<BTreeMap<Arc<str>, Arc<lock::View>>>,
    access: RwLock<Arc<AccessView>>,
    standing: RwLock<Standing>,
    switches: RwLock<Switches>,
    cluster: RwLock<Option<Arc<cluster::View>>>,
    draining: AtomicBool,
    last_version: AtomicU64,
    rendered: RenderedBytes,
    pub(crate) credentials: Credentials,
}

impl ViewStore {
    pub(crate) fn new(
        node: NodeId,
        boot: HybridTime,
        credentials: Credentials,
        rendered_bytes_max: usize,
    ) -> Self {
        let standing = Standing::default();
        Self {
            node,
            services: RwLock::default(),
            names: RwLock::default(),
            configs: RwLock::default(),
            config_counts: RwLock::default(),
            grays: RwLock::default(),
            locks: RwLock::default(),
            access: RwLock::new(Arc::new(AccessView::empty())),
            standing: RwLock::new(standing),
            switches: RwLock::default(),
            cluster: RwLock::default(),
            draining: AtomicBool::new(false),
            // Above every version of an earlier life: SDKs drop a list that looks older than the one they hold.
            last_version: AtomicU64::new(boot.unix_ms()),
            rendered: RenderedBytes::new(rendered_bytes_max),
            credentials,
        }
    }

    /// Swaps a view in. The caller holds the node's lock, so views come in the order in which the node gave them.
    pub(crate) fn swap(&self, view: View) {
        match view {
            View::Service(view) => self.swap_service(view),
            View::ServiceGone(key) => {
                write(&self.services).remove(&key);
                self.rendered.forget(&key);
                let mut names = write(&self.names);
                let group = (key.namespace, key.group);
                if let Some(set) = names.get_mut(&group) {
                    set.remove(&key.name);
                    if set.is_empty() {
                        names.remove(&group);
                    }
                }
            }
            View::Config(entry) => {
                let key = entry.key.clone();
                let namespace = key.namespace.clone();
                if write(&self.configs).insert(key, entry).is_none() {
                    *write(&self.config_counts).entry(namespace).or_default() += 1;
                }
            }
            View::ConfigGone(key) => {
                if write(&self.configs).remove(&key).is_some()
                    && let Some(count) = write(&self.config_counts).get_mut(&key.namespace)
                {
                    *count -= 1;
                }
            }
            View::Grays(grays) if grays.versions.is_empty() => {
                write(&self.grays).remove(&grays.key);
            }
            View::Grays(grays) => {
                write(&self.grays).insert(grays.key.clone(), grays);
            }
            View::Access(view) => {
                self.credentials.forget_all();
                *write(&self.access) = view;
            }
            View::Standing(standing) => *write(&self.standing) = standing,
            View::Switches(switches) => *write(&self.switches) = switches,
            View::Lock(view) => {
                write(&self.locks).insert(view.key.clone(), view);
            }
            View::LockGone(key) => {
                write(&self.locks).remove(&key);
            }
            View::Cluster(view) => *write(&self.cluster) = Some(view),
        }
    }

    fn swap_service(&self, view: Arc<ServiceView>) {
        self.last_version.fetch_max(view.version, Ordering::Relaxed);
        let key = view.key.clone();
        if write(&self.services).insert(key.clone(), view).is_none() {
            let group = (key.namespace, key.group);
            write(&self.names).entry(group).or_default().insert(key.name);
        }
    }

    /// `None` before the node has said who belongs to it.
    pub(crate) fn cluster(&self) -> Option<Arc<cluster::View>> {
        read(&self.cluster).clone()
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn standing(&self) -> Standing {
        *read(&self.standing)
    }

    /// What is listed, by namespace: the first ones by name, then all others as `other`. In pieces, so that nobody who
    /// publishes waits for one who counts.
    pub(crate) fn namespaces(&self, len_max: usize) -> BTreeMap<Arc<str>, NamespaceCounts> {
        let mut all: BTreeMap<Arc<str>, NamespaceCounts> = BTreeMap::new();
        for (namespace, configs) in read(&self.config_counts).iter().filter(|(_, n)| **n > 0) {
            all.entry(namespace.clone()).or_default().configs = *configs;
        }
        let mut from = Bound::Unbounded;
        loop {
            let piece: Vec<Arc<ServiceView>> = {
                let services = read(&self.services);
                let views = services.range((from, Bound::Unbounded)).map(|(_, view)| view);
                views.take(SEARCH_PIECE_ENTRIES_MAX).cloned().collect()
            };
            let Some(last) = piece.last() else { break };
            from = Bound::Excluded(last.key.clone());
            for view in piece {
                let counts = all.entry(view.key.namespace.clone()).or_default();
                let healthy = view.instances.iter().filter(|instance| instance.healthy).count();
                counts.services += 1;
                counts.healthy += healthy;
                counts.unhealthy += view.instances.len() - healthy;
            }
        }
        let mut others = NamespaceCounts::default();
        while all.len() > len_max {
            let (_, counts) = all.pop_last().expect("longer than a limit");
            others.services += counts.services;
            others.healthy += counts.healthy;
            others.unhealthy += counts.unhealthy;
            others.configs += counts.configs;
        }
        if others != NamespaceCounts::default() {
            all.insert("other".into(), others);
        }
        all
    }

    /// All configs, by key.
    pub(crate) fn all_configs(&self) -> Vec<Arc<Entry>> {
        read(&self.configs).values().cloned().collect()
    }

    /// How many configs there are, of all namespaces.
    pub(crate) fn configs_len(&self) -> usize {
        read(&self.configs).len()
    }
}

impl console::Views for ViewStore {
    fn state(&self) -> console::NodeState {
        match nacos::Views::state(self) {
            NodeState::Starting => console::NodeState::Starting,
            NodeState::Ready => console::NodeState::Ready,
            NodeState::Draining => console::NodeState::Draining,
        }
    }

    fn is_complete(&self) -> bool {
        self.standing().complete
    }

    fn checks(&self) -> Vec<console::Check> {
        let standing = self.standing();
        let check = |name, passed, good: &str, bad: &str| console::Check {
            name,
            passed,
            detail: if passed { good } else { bad }.to_owned(),
        };
        let draining = self.draining.load(Ordering::Relaxed);
        let cluster = Self::cluster(self);
        let waits = match cluster.as_ref().map(|view| &view.formation) {
            None => Some("its disk is not read yet"),
            Some(Formation::Fresh) => Some("waits for other nodes to form a cluster with"),
            Some(Formation::Adopted { .. }) => Some("waits until all founders agree"),
            Some(Formation::Joining { .. }) if !standing.ready => {
                Some("waits to be taken into the cluster, and for its state")
            }
            Some(Formation::Joining { .. } | Formation::Formed { .. }) => None,
        };
        vec![
            check("cluster", waits.is_none(), "belongs to one", waits.unwrap_or_default()),
            check(
                "state",
                standing.ready,
                "read and current",
                "still being read from disk, or brought up to date by the leader",
            ),
            check("draining", !draining, "no", "the node is about to stop"),
        ]
    }

    fn service(&self, key: &ServiceKey) -> Option<Arc<ServiceView>> {
        nacos::Views::service(self, key)
    }

    fn services(
        &self,
        namespace: &str,
        filter: &console::Filter,
        offset: usize,
        limit: usize,
    ) -> console::Page<Arc<ServiceView>> {
        let services = read(&self.services);
        let first = ServiceKey { namespace: namespace.into(), group: "".into(), name: "".into() };
        let wanted = services
            .range(first..)
            .take_while(|(key, _)| &*key.namespace == namespace)
            .filter(|(key, _)| filter.wants(&key.group, &key.name))
            .map(|(_, view)| view);
        page(wanted, offset, limit)
    }

    fn config(&self, key: &ConfigKey) -> Option<Arc<Entry>> {
        nacos::Views::config(self, key)
    }

    fn configs(
        &self,
        namespace: &str,
        filter: &console::Filter,
        offset: usize,
        limit: usize,
    ) -> console::Page<Arc<Entry>> {
        let configs = read(&self.configs);
        let first = ConfigKey { namespace: namespace.into(), group: "".into(), data_id: "".into() };
        let wanted = configs
            .range(first..)
            .take_while(|(key, _)| &*key.namespace == namespace)
            .filter(|(key, _)| filter.wants(&key.group, &key.data_id))
            .map(|(_, entry)| entry);
        page(wanted, offset, limit)
    }

    fn lock(&self, key: &str) -> Option<Arc<lock::View>> {
        read(&self.locks).get(key).cloned()
    }

    fn locks(&self, contains: &str, offset: usize, limit: usize) -> console::Page<Arc<lock::View>> {
        let locks = read(&self.locks);
        let wanted = locks.iter().filter(|(key, _)| key.contains(contains)).map(|(_, view)| view);
        page(wanted, offset, limit)
    }

    fn access(&self) -> Arc<AccessView> {
        nacos::Views::access(self)
    }

    fn cluster(&self) -> Option<Arc<cluster::View>> {
        Self::cluster(self)
    }

    fn freshness(&self, now: Now, wanted: Consistency, seen: LogIndex) -> Option<Freshness> {
        nacos::Views::freshness(self, now, wanted, seen)
    }

    fn registry_freshness(&self) -> Freshness {
        nacos::Views::registry_freshness(self)
    }

    fn remembered(&self, user: &str, password: &str) -> bool {
        nacos::Views::remembered(self, user, password)
    }
}

/// One page of what is wanted, with the number of all of it.
fn page<'a, T: 'a>(
    wanted: impl Iterator<Item = &'a Arc<T>>,
    offset: usize,
    limit: usize,
) -> console::Page<Arc<T>> {
    let mut page = console::Page { count: 0, items: Vec::new() };
    for item in wanted {
        page.count += 1;
        if page.count > offset && page.items.len() < limit {
            page.items.push(item.clone());
        }
    }
    page
}

impl nacos::Views for ViewStore {
    fn state(&self) -> NodeState {
        if self.draining.load(Ordering::Relaxed) {
            NodeState::Draining
        } else if self.standing().ready {
            NodeState::Ready
        } else {
            NodeState::Starting
        }
    }

    fn is_complete(&self) -> bool {
        self.standing().complete
    }

    fn service(&self, key: &ServiceKey) -> Option<Arc<ServiceView>> {
        read(&self.services).get(key).cloned()
    }

    fn service_names(
        &self,
        namespace: &str,
        group: &str,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<str>> {
        let names = read(&self.names);
        let Some(set) = names.get(&(Arc::from(namespace), Arc::from(group))) else {
            return Page::default();
        };
        Page { count: set.len(), items: set.iter().skip(offset).take(limit).cloned().collect() }
    }

    fn services(
        &self,
        namespace: Option<&str>,
        wanted: &dyn Fn(&ServiceView) -> bool,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<ServiceView>> {
        let mut page = Page { count: 0, items: Vec::new() };
        let none = || Arc::from("");
        let first = ServiceKey {
            namespace: namespace.map_or_else(none, Arc::from),
            group: none(),
            name: none(),
        };
        let mut from = Bound::Included(first);
        loop {
            let piece: Vec<Arc<ServiceView>> = {
                let services = read(&self.services);
                let views = services.range((from, Bound::Unbounded)).map(|(_, view)| view);
                views.take(SEARCH_PIECE_ENTRIES_MAX).cloned().collect()
            };
            let Some(last) = piece.last() else { return page };
            from = Bound::Excluded(last.key.clone());
            for view in piece {
                if namespace.is_some_and(|namespace| *view.key.namespace != *namespace) {
                    return page;
                }
                if wanted(&view) {
                    page.count += 1;
                    if page.count > offset && page.items.len() < limit {
                        page.items.push(view);
                    }
                }
            }
        }
    }

    fn switches(&self) -> Switches {
        *read(&self.switches)
    }

    fn config(&self, key: &ConfigKey) -> Option<Arc<Entry>> {
        read(&self.configs).get(key).cloned()
    }

    fn configs(
        &self,
        namespace: Option<&str>,
        wanted: &dyn Fn(&Entry) -> bool,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<Entry>> {
        let mut page = Page { count: 0, items: Vec::new() };
        let none = || Arc::from("");
        let first = ConfigKey {
            namespace: namespace.map_or_else(none, Arc::from),
            group: none(),
            data_id: none(),
        };
        let mut from = Bound::Included(first);
        loop {
            let piece: Vec<Arc<Entry>> = {
                let configs = read(&self.configs);
                let entries = configs.range((from, Bound::Unbounded)).map(|(_, entry)| entry);
                entries.take(SEARCH_PIECE_ENTRIES_MAX).cloned().collect()
            };
            let Some(last) = piece.last() else { return page };
            from = Bound::Excluded(last.key.clone());
            for entry in piece {
                if namespace.is_some_and(|namespace| *entry.key.namespace != *namespace) {
                    return page;
                }
                if wanted(&entry) {
                    page.count += 1;
                    if page.count > offset && page.items.len() < limit {
                        page.items.push(entry);
                    }
                }
            }
        }
    }

    fn grays(&self, key: &ConfigKey) -> Option<Arc<Grays>> {
        read(&self.grays).get(key).cloned()
    }

    fn config_count(&self, namespace: &str) -> usize {
        read(&self.config_counts).get(namespace).copied().unwrap_or(0)
    }

    fn access(&self) -> Arc<AccessView> {
        read(&self.access).clone()
    }

    fn cluster(&self) -> Option<Arc<cluster::View>> {
        Self::cluster(self)
    }

    fn freshness(&self, now: Now, wanted: Consistency, seen: LogIndex) -> Option<Freshness> {
        let Standing { sole_voter, applied, confirmed, .. } = self.standing();
        let (level, staleness) = if sole_voter {
            (Consistency::Linearizable, Some(Duration::ZERO))
        } else {
            (Consistency::Stale, confirmed.map(|at| now.instant.since(at)))
        };
        Freshness { level, staleness, applied, served_by: self.node }.meeting(wanted, seen)
    }

    fn registry_freshness(&self) -> Freshness {
        let others = |view: Arc<cluster::View>| {
            let mut others = view.members.iter().filter(|member| !member.is_self);
            others.any(|member| member.state != cluster::State::Left)
        };
        let (level, staleness) = if Self::cluster(self).is_none_or(others) {
            (Consistency::Stale, None)
        } else {
            (Consistency::Linearizable, Some(Duration::ZERO))
        };
        let applied = self.standing().applied;
        Freshness { level, staleness, applied, served_by: self.node }
    }

    fn remembered(&self, user: &str, password: &str) -> bool {
        self.credentials.remembers(read(&self.access).revision, user, password)
    }

    fn rendered(
        &self,
        view: &Arc<ServiceView>,
        format: Format,
        clusters: &ClusterNames,
        make: &mut dyn FnMut() -> Bytes,
    ) -> Bytes {
        self.rendered.get(view, format, clusters, make)
    }

    fn last_version(&self) -> u64 {
        self.last_version.load(Ordering::Relaxed)
    }
}

/// A thread that panicked while it swapped a pointer left a whole pointer behind: the store stays readable.
fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
