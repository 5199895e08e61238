//! The views of a node that holds one service and one config.

use crate::{Check, Filter, NodeState, Page, Views};
use access::{ADMINISTRATOR, ADMINISTRATOR_ROLE, Namespace, Permission, Secret, User, View};
use base::{Consistency, Duration, Freshness, HybridTime, LogIndex, NodeId, Now, Revision};
use config::{ConfigKey, Details, Entry, HistoryRow, Operation};
use journal::{Cause, Event, EventId, Kind, Subject};
use naming::{Instance, ServiceKey, ServiceView};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(super) struct Fake {
    pub(super) state: NodeState,
    pub(super) service: Option<Arc<ServiceView>>,
    pub(super) lock: Option<Arc<lock::View>>,
    pub(super) config: Option<Arc<Entry>>,
    pub(super) access: Arc<View>,
    pub(super) cluster: Option<Arc<cluster::View>>,
    /// A linearizable read must be asked for.
    pub(super) needs_waiting: bool,
    pub(super) remembers: bool,
    pub(super) complete: bool,
}

pub(super) fn key() -> ConfigKey {
    ConfigKey { namespace: "public".into(), group: "DEFAULT_GROUP".into(), data_id: "app".into() }
}

impl Fake {
    /// `nacos` administers, `dev` may read and write in group `dev`, `guest` has no right.
    pub(super) fn new() -> Self {
        let user = || User { password_hash: "$2b$10$hash".into() };
        let permission = Permission { resource: "public:dev:*".into(), action: "rw".into() };
        let roles = |role: &str| BTreeSet::from([Arc::from(role)]);
        let access = View {
            revision: Revision(1),
            token_key: Some(Secret::new(vec![7; 32])),
            users: [ADMINISTRATOR, "dev", "guest"].map(|name| (name.into(), user())).into(),
            roles: [
                (ADMINISTRATOR.into(), roles(ADMINISTRATOR_ROLE)),
                ("dev".into(), roles("developer")),
            ]
            .into(),
            permissions: [("developer".into(), BTreeSet::from([permission]))].into(),
            namespaces: BTreeMap::new(),
        };
        Self {
            state: NodeState::Ready,
            service: None,
            lock: None,
            config: None,
            access: Arc::new(access),
            cluster: None,
            needs_waiting: false,
            remembers: false,
            complete: true,
        }
    }

    pub(super) fn take_rights(&mut self, user: &str) {
        let mut access = View::clone(&self.access);
        access.users.remove(user);
        self.access = Arc::new(access);
    }

    pub(super) fn put_namespace(&mut self, id: &str) {
        let mut access = View::clone(&self.access);
        let namespace = Namespace { name: id.into(), description: "".into() };
        access.namespaces.insert(id.into(), namespace);
        access.revision = access.revision.next();
        self.access = Arc::new(access);
    }

    /// The service `web` with instances at these addresses; `!` before one means unhealthy.
    pub(super) fn put_service(&mut self, version: u64, addresses: &[&str]) -> Arc<ServiceView> {
        let instance = |text: &&str| {
            let (host, port) = text.trim_start_matches('!').split_once(':').expect("an address");
            Arc::new(Instance {
                ip: host.into(),
                port: port.parse().expect("a port"),
                cluster_name: "DEFAULT".into(),
                weight: 1.0,
                healthy: !text.starts_with('!'),
                enabled: true,
                ephemeral: true,
                metadata: BTreeMap::new(),
                instance_id: None,
            })
        };
        let view = Arc::new(ServiceView {
            key: ServiceKey {
                namespace: "public".into(),
                group: "DEFAULT_GROUP".into(),
                name: "web".into(),
            },
            version,
            instances: addresses.iter().map(instance).collect(),
            protect_threshold: 0.0,
            metadata: None,
        });
        self.service = Some(Arc::clone(&view));
        view
    }

    /// The lock `job`, held by `alice`.
    pub(super) fn put_lock(&mut self) {
        let asker = lock::Asker { connection: super::CONNECTION, id: base::RequestId(1) };
        let lease = lock::Lease {
            owner: "alice".into(),
            token: lock::Token(41),
            renewed: LogIndex(43),
            ttl_ms: 10_000,
            asker,
            granted_ms: 1_795_232_690_000,
            renewed_ms: 1_795_232_691_000,
        };
        self.lock = Some(Arc::new(lock::View { key: "job".into(), lease, waiters: 2 }));
    }

    /// The config `app`; gives its md5.
    pub(super) fn put_config(&mut self, revision: u64, content: &str) -> Arc<str> {
        let md5: Arc<str> = config::md5_hex(content).into();
        self.config = Some(Arc::new(entry(revision, content)));
        md5
    }
}

/// Three nodes, of which this one leads, the second is doubted and the third is gone and was never heard of; and one
/// open invitation.
pub(super) fn three_nodes() -> cluster::View {
    use cluster::{
        Address, Cluster, ClusterId, Formation, Identity, Member, Role, Secret, Settings, State,
        Token, TokenId,
    };
    let address = |text: &str| Address::new(text).expect("plain");
    let member = |number: u64, state, role| Member {
        node: NodeId(number),
        peer: (number < 3).then(|| address(&format!("10.0.0.{number}:7848"))),
        api: (number < 3).then(|| address(&format!("10.0.0.{number}:8848"))),
        life: (number < 3).then(|| HybridTime::from_unix_ms(1_795_232_660_000)),
        started_ms: (number < 3).then_some(1_795_232_600_000),
        state,
        role,
        is_self: number == 1,
        is_leader: number == 1,
        is_linked: number == 1,
    };
    let settings = Settings::alone(Identity::fresh(NodeId(1)), address("10.0.0.1:7848"));
    let rng = base::Rng::from_seed([1; 32]);
    let plane = Cluster::new(settings, Now::START, HybridTime(0), rng).expect("alone");
    let mut view = cluster::View::clone(plane.view());
    view.formation = Formation::Formed { cluster: ClusterId(0xc1), founders: Vec::new() };
    view.members = vec![
        member(1, State::Alive, Role::Voter),
        member(2, State::Suspect, Role::Voter),
        member(3, State::Down, Role::Learner),
    ];
    let key = Secret::new(&[7; 32]).expect("long enough");
    view.tokens = [(TokenId(5), Token { key, expires_ms: 1_795_236_295_824 })].into();
    view
}

fn entry(revision: u64, content: &str) -> Entry {
    Entry {
        key: key(),
        content: content.into(),
        md5: config::md5_hex(content).into(),
        details: Details { content_type: "text".into(), ..Details::default() },
        revision: Revision(revision),
        created: Revision(7),
        created_ms: 1_795_232_600_000,
        modified_ms: 1_795_232_690_000,
        author: config::Author { user: "nacos".into(), address: "10.0.0.9".into() },
    }
}

pub(super) fn rows() -> Vec<HistoryRow> {
    let row = |revision, operation, content| HistoryRow {
        revision: Revision(revision),
        operation,
        entry: entry(revision, content),
        gray: None,
    };
    vec![row(12, Operation::Update, "b"), row(7, Operation::Insert, "a")]
}

pub(super) fn event(seconds_ago: u64, cause: Cause, kind: Kind, subject: Subject) -> Event {
    let unix_ms = 1_795_232_695_824 - seconds_ago * 1_000;
    let id = EventId { at: HybridTime::from_unix_ms(unix_ms), node: NodeId(1) };
    Event { id, unix_ms, cause, kind, subject }
}

pub(super) fn subject() -> Subject {
    Subject::Instance {
        namespace: "public".into(),
        service: "DEFAULT_GROUP@@web".into(),
        address: "10.0.0.1:8080".into(),
    }
}

pub(super) fn events() -> Vec<Event> {
    let by = Cause::Connection(super::CONNECTION);
    vec![
        event(60, Cause::Start, Kind::Started, Subject::Node),
        event(30, by, Kind::Registered, subject()),
        event(3, by, Kind::ConnectionLost, subject()),
        event(3, by, Kind::Closed("reset by peer".into()), Subject::Connection(super::CONNECTION)),
    ]
}

impl Views for Fake {
    fn state(&self) -> NodeState {
        self.state
    }

    fn is_complete(&self) -> bool {
        self.complete
    }

    fn checks(&self) -> Vec<Check> {
        let read = self.state != NodeState::Starting;
        let detail = if read { "read" } else { "still being read" };
        vec![
            Check { name: "disk", passed: true, detail: "has room".to_owned() },
            Check { name: "state", passed: read, detail: detail.to_owned() },
        ]
    }

    fn service(&self, key: &ServiceKey) -> Option<Arc<ServiceView>> {
        self.service.clone().filter(|view| view.key == *key)
    }

    fn services(
        &self,
        namespace: &str,
        filter: &Filter,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<ServiceView>> {
        let wanted = |view: &&Arc<ServiceView>| {
            &*view.key.namespace == namespace && filter.wants(&view.key.group, &view.key.name)
        };
        let all: Vec<_> = self.service.iter().filter(wanted).cloned().collect();
        Page { count: all.len(), items: all.into_iter().skip(offset).take(limit).collect() }
    }

    fn config(&self, key: &ConfigKey) -> Option<Arc<Entry>> {
        self.config.clone().filter(|entry| entry.key == *key)
    }

    fn configs(
        &self,
        namespace: &str,
        filter: &Filter,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<Entry>> {
        let wanted = |entry: &&Arc<Entry>| {
            &*entry.key.namespace == namespace && filter.wants(&entry.key.group, &entry.key.data_id)
        };
        let all: Vec<_> = self.config.iter().filter(wanted).cloned().collect();
        Page { count: all.len(), items: all.into_iter().skip(offset).take(limit).collect() }
    }

    fn lock(&self, key: &str) -> Option<Arc<lock::View>> {
        self.lock.clone().filter(|view| &*view.key == key)
    }

    fn locks(&self, contains: &str, offset: usize, limit: usize) -> Page<Arc<lock::View>> {
        let all: Vec<_> =
            self.lock.iter().filter(|view| view.key.contains(contains)).cloned().collect();
        Page { count: all.len(), items: all.into_iter().skip(offset).take(limit).collect() }
    }

    fn access(&self) -> Arc<View> {
        Arc::clone(&self.access)
    }

    fn cluster(&self) -> Option<Arc<cluster::View>> {
        self.cluster.clone()
    }

    fn freshness(&self, _now: Now, wanted: Consistency, seen: LogIndex) -> Option<Freshness> {
        let served_by = NodeId(1);
        let (level, staleness) = if self.needs_waiting {
            (Consistency::Stale, Some(Duration::from_millis(1_500)))
        } else {
            (wanted, Some(Duration::ZERO))
        };
        Freshness { level, staleness, applied: LogIndex(9), served_by }.meeting(wanted, seen)
    }

    fn registry_freshness(&self) -> Freshness {
        let (level, served_by) = (Consistency::Stale, NodeId(1));
        Freshness { level, staleness: None, applied: LogIndex(9), served_by }
    }

    fn remembered(&self, _user: &str, _password: &str) -> bool {
        self.remembers
    }
}

/// One service differs at n2, and there are more services.
pub(super) fn verified() -> naming::Verified {
    let service = |name: &str| ServiceKey {
        namespace: "public".into(),
        group: "DEFAULT_GROUP".into(),
        name: name.into(),
    };
    let place = naming::Place { ip: "10.0.0.1".into(), port: 8080, cluster_name: "DEFAULT".into() };
    naming::Verified {
        services: 1000,
        differences: vec![naming::Difference {
            peer: NodeId(2),
            service: service("web"),
            places_count: 1,
            places: vec![place],
        }],
        more_differences: false,
        answered: vec![NodeId(2)],
        silent: vec![NodeId(3)],
        last: Some(service("z@1")),
    }
}
