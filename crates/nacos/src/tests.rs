//! Conversations: a script of inputs, and the exact transcript of what the session does with them.
//!
//! `members STATE[*][-] …` are the members from n1 on, this one being the first; `*` leads, `-` told no address for clients.
//!
//! Commands: `http METHOD TARGET [header=value …] [| body]`, `unary TYPE JSON`, `stream TYPE JSON`, `open`, `closed`,
//! `drop CALL`, `answer ID WHAT`, `push …`, `notify …`, `exists KEY`, `gone KEY`, `wait MS` (then wake), `drain`, and what the views show:
//! `service …`, `config …`, `gray beta:ADDRESSES|tag:TAG …` (as `config`), `state …`, `user …`. A `#` begins a comment.

mod apis;
mod auth;
mod bad_input;
mod catalog;
mod configs;
mod details_access;
mod details_config;
mod details_naming;
mod freshness;
mod inquiries;
mod junk;
mod locks;
mod members;
mod naming;
mod operator;
mod registry;
mod search;

mod transfer;
mod udp;
mod watching;
mod watching_services;
mod wrapped;

use super::*;
use ::naming::{ClusterNames, Instance, ServiceKey, ServiceView};
use access::View;
use base::{Consistency, Duration, Freshness, HybridTime, LogIndex, NodeId, Now, RequestId};
use bytes::Bytes;
use config::{ConfigKey, Entry};
use std::{cell::Cell, collections::BTreeMap, fmt::Write, sync::Arc};

/// What the tests' sessions look at.
struct Scene {
    state: NodeState,
    complete: bool,
    services: BTreeMap<ServiceKey, Arc<ServiceView>>,
    configs: BTreeMap<ConfigKey, Arc<Entry>>,
    grays: BTreeMap<ConfigKey, Arc<config::Grays>>,
    access: View,
    switches: ::naming::Switches,
    cluster: Option<Arc<cluster::View>>,
    /// Whether the views are fresh without waiting.
    fresh: bool,
    remembered: Vec<(String, String)>,
    renderings: Cell<usize>,
}

impl Scene {
    fn new() -> Self {
        Self {
            state: NodeState::Ready,
            complete: true,
            services: BTreeMap::new(),
            configs: BTreeMap::new(),
            grays: BTreeMap::new(),
            access: View {
                revision: base::Revision(0),
                token_key: Some(access::Secret::new(vec![7; 32])),
                users: BTreeMap::new(),
                roles: BTreeMap::new(),
                permissions: BTreeMap::new(),
                namespaces: BTreeMap::new(),
            },
            switches: ::naming::Switches::default(),
            cluster: None,
            fresh: true,
            remembered: Vec::new(),
            renderings: Cell::new(0),
        }
    }

    fn user(&mut self, name: &str, role: &str) {
        let user = access::User { password_hash: format!("hash-of-{name}").into() };
        self.access.users.insert(name.into(), user);
        self.access.roles.entry(name.into()).or_default().insert(role.into());
    }
}

fn freshness(level: Consistency) -> Freshness {
    let staleness = (level == Consistency::Linearizable).then_some(Duration::ZERO);
    Freshness { level, staleness, applied: LogIndex(7), served_by: NodeId(1) }
}

impl Views for Scene {
    fn state(&self) -> NodeState {
        self.state
    }
    fn is_complete(&self) -> bool {
        self.complete
    }
    fn service(&self, key: &ServiceKey) -> Option<Arc<ServiceView>> {
        self.services.get(key).cloned()
    }
    fn service_names(
        &self,
        namespace: &str,
        group: &str,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<str>> {
        let all: Vec<Arc<str>> = self
            .services
            .keys()
            .filter(|key| *key.namespace == *namespace && *key.group == *group)
            .map(|key| key.name.clone())
            .collect();
        Page { count: all.len(), items: all.into_iter().skip(offset).take(limit).collect() }
    }
    fn services(
        &self,
        namespace: Option<&str>,
        wanted: &dyn Fn(&ServiceView) -> bool,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<ServiceView>> {
        let all = self.services.values();
        let all = all.filter(|v| namespace.is_none_or(|n| *v.key.namespace == *n) && wanted(v));
        let all: Vec<Arc<ServiceView>> = all.cloned().collect();
        Page { count: all.len(), items: all.into_iter().skip(offset).take(limit).collect() }
    }
    fn switches(&self) -> ::naming::Switches {
        self.switches
    }
    fn config(&self, key: &ConfigKey) -> Option<Arc<Entry>> {
        self.configs.get(key).cloned()
    }
    fn configs(
        &self,
        namespace: Option<&str>,
        wanted: &dyn Fn(&Entry) -> bool,
        offset: usize,
        limit: usize,
    ) -> Page<Arc<Entry>> {
        let all = self.configs.values();
        let all = all.filter(|e| namespace.is_none_or(|n| *e.key.namespace == *n) && wanted(e));
        let all: Vec<Arc<Entry>> = all.cloned().collect();
        Page { count: all.len(), items: all.into_iter().skip(offset).take(limit).collect() }
    }
    fn grays(&self, key: &ConfigKey) -> Option<Arc<config::Grays>> {
        self.grays.get(key).cloned()
    }
    fn config_count(&self, namespace: &str) -> usize {
        self.configs.keys().filter(|key| *key.namespace == *namespace).count()
    }
    fn access(&self) -> Arc<View> {
        Arc::new(self.access.clone())
    }
    fn cluster(&self) -> Option<Arc<cluster::View>> {
        self.cluster.clone()
    }
    fn freshness(&self, _: Now, wanted: Consistency, seen: LogIndex) -> Option<Freshness> {
        if self.fresh {
            return Some(freshness(wanted));
        }
        let staleness = Some(Duration::from_millis(1_500));
        Freshness { staleness, ..freshness(Consistency::Stale) }.meeting(wanted, seen)
    }
    fn registry_freshness(&self) -> Freshness {
        freshness(Consistency::Stale)
    }
    fn remembered(&self, user: &str, password: &str) -> bool {
        self.remembered.iter().any(|(u, p)| u == user && p == password)
    }
    fn rendered(
        &self,
        _: &Arc<ServiceView>,
        _: Format,
        _: &ClusterNames,
        make: &mut dyn FnMut() -> Bytes,
    ) -> Bytes {
        self.renderings.set(self.renderings.get() + 1);
        make()
    }
    fn last_version(&self) -> u64 {
        self.services.values().map(|view| view.version).max().unwrap_or(1)
    }
}

/// A session, its scene and its clock.
struct Stage {
    session: Session,
    scene: Scene,
    now: Now,
    calls: u64,
}

fn facts(login: Login) -> Facts {
    Facts {
        connection: base::ConnectionId { node: NodeId(1), boot: HybridTime(0), counter: 4 },
        remote: "10.0.0.9:5000".parse().unwrap(),
        local: "10.0.0.1:8848".parse().unwrap(),
        login,
        limits: Limits::default(),
    }
}

/// The moment every script begins at: what time texts show.
const BEGIN: Now = Now { instant: base::Instant::START, unix_ms: 1_795_232_693_996 };

impl Stage {
    fn new(login: Login) -> Self {
        let session = Session::new(BEGIN, facts(login));
        Self { session, scene: Scene::new(), now: BEGIN, calls: 0 }
    }

    fn step(&mut self, input: Input) {
        self.session.step(self.now, &self.scene, input);
    }

    fn next_call(&mut self) -> CallId {
        self.calls += 1;
        CallId(self.calls)
    }

    fn command(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "http" => {
                let call = self.next_call();
                self.step(Input::Http { call, request: request(rest) });
            }
            "unary" => {
                let call = self.next_call();
                self.step(Input::Unary { call, payload: payload(rest) });
            }
            "stream" => self.step(Input::StreamPayload(payload(rest))),
            "open" => self.step(Input::StreamOpened),
            "closed" => self.step(Input::StreamClosed),
            "drop" => self.step(Input::Dropped(CallId(rest.parse().unwrap()))),
            "drain" => self.step(Input::Drain),
            "move" => self.step(Input::Move(Place::read(rest))),
            "members" => self.scene.cluster = Some(members(rest).into()),
            "answer" => {
                let (id, what) = rest.split_once(' ').unwrap();
                let id = RequestId(id.trim_start_matches('q').parse().unwrap());
                self.step(Input::Answer { id, answer: answer(what) });
            }
            "wait" => {
                self.now = self.now.after(Duration::from_millis(rest.parse().unwrap()));
                self.step(Input::Wake);
            }
            "setup" => {
                self.step(Input::StreamOpened);
                let setup = "ConnectionSetupRequest {\"clientVersion\":\"Test:1\"}";
                self.step(Input::StreamPayload(payload(setup)));
                while self.session.poll().is_some() {}
            }
            "service" => {
                let view = Arc::new(service(rest));
                self.scene.services.insert(view.key.clone(), view);
            }
            "push" => {
                let view = Arc::new(service(rest));
                self.scene.services.insert(view.key.clone(), view.clone());
                self.step(Input::Push { clusters: Arc::from([]), view });
            }
            "config" => {
                let entry = Arc::new(entry(rest));
                self.scene.configs.insert(entry.key.clone(), entry);
            }
            "gray" => {
                let (rule, rest) = rest.split_once(' ').unwrap();
                let gray = config::Gray { rule: gray_rule(rule), entry: entry(rest) };
                let key = gray.entry.key.clone();
                let none = || config::Grays { key: key.clone(), versions: BTreeMap::new() };
                let grays = self.scene.grays.entry(key.clone()).or_insert_with(|| none().into());
                Arc::make_mut(grays).versions.insert(gray.rule.name(), gray.into());
            }
            "notify" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let (listener, key) = (words[0].parse().unwrap(), config_key(words[1]));
                self.step(Input::Notify { listener, key, md5: words[2].into() });
            }
            "exists" => {
                self.command(&format!("config {rest} 1 text x"));
                self.step(Input::Existence { key: config_key(rest), exists: true });
            }
            "gone" => {
                self.scene.configs.remove(&config_key(rest));
                self.step(Input::Existence { key: config_key(rest), exists: false });
            }
            "state" => {
                self.scene.state = match rest {
                    "behind" => {
                        self.scene.complete = false;
                        NodeState::Ready
                    }
                    "starting" => NodeState::Starting,
                    "ready" => NodeState::Ready,
                    _ => NodeState::Draining,
                }
            }
            "user" => {
                let (name, role) = rest.split_once(' ').unwrap();
                self.scene.user(name, role);
            }
            "remember" => {
                let (user, password) = rest.split_once(' ').unwrap();
                self.scene.remembered.push((user.into(), password.into()));
            }
            "fresh" => self.scene.fresh = rest == "yes",
            other => panic!("unknown command {other}"),
        }
    }
}

/// Runs a script on an open door.
fn run(script: &str) -> String {
    play(&mut Stage::new(Login::Open), script)
}

/// Runs a script on a door that asks for a login.
fn run_locked(script: &str) -> String {
    play(&mut Stage::new(Login::Required), script)
}

fn play(stage: &mut Stage, script: &str) -> String {
    let mut transcript = String::new();
    for line in script.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        stage.command(line);
        while let Some(output) = stage.session.poll() {
            writeln!(transcript, "{}", shown(&output)).unwrap();
        }
    }
    transcript
}

/// A script and what must come of it, compared line by line.
fn check(transcript: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let got: Vec<&str> = transcript.lines().collect();
    for (got, expected) in got.iter().zip(&expected) {
        assert_eq!(got, expected, "\nwhole transcript:\n{transcript}");
    }
    assert_eq!(got.len(), expected.len(), "\nwhole transcript:\n{transcript}");
}

fn shown(output: &Output) -> String {
    match output {
        Output::Http { call, response } => {
            let header = |name| response.headers().get(name).map(|v| v.to_str().unwrap());
            let kind = header("content-type").unwrap_or("-");
            let body = String::from_utf8_lossy(response.body()).replace('\n', "\\n");
            let mut text = format!("http {} {} {kind}", call.0, response.status().as_u16());
            if let Some(level) = header("x-trine-consistency") {
                write!(text, " {level}@{}", header("x-trine-index").unwrap()).unwrap();
            }
            if !body.is_empty() {
                write!(text, " | {body}").unwrap();
            }
            text
        }
        Output::Unary { call, payload } => format!("unary {} {}", call.0, payload_shown(payload)),
        Output::Stream(payload) => format!("stream {}", payload_shown(payload)),
        Output::Ask { id, ask } => format!("ask {id} {}", ask_shown(ask)),
        Output::Tell(tell) => format!("tell {tell:?}"),
        Output::Close(why) => format!("close {why}"),
    }
}

fn ask_shown(ask: &Ask) -> String {
    let text = format!("{ask:?}");
    text.replace(
        "Connection(ConnectionId { node: NodeId(1), boot: HybridTime(0), counter: 4 })",
        "me",
    )
}

fn payload_shown(payload: &Payload) -> String {
    let body = &payload.body.as_ref().unwrap().value;
    format!("{} {}", grpc::kind(payload), std::str::from_utf8(body).unwrap())
}

/// `TYPE JSON`, with `@name=value` headers between them.
fn payload(text: &str) -> Payload {
    let (kind, mut json) = text.split_once(' ').unwrap_or((text, ""));
    let mut headers = BTreeMap::new();
    while let Some(rest) = json.strip_prefix('@') {
        let (header, after) = rest.split_once(' ').unwrap();
        let (name, value) = header.split_once('=').unwrap();
        headers.insert(name.to_owned(), value.to_owned());
        json = after;
    }
    let metadata = Metadata { r#type: kind.into(), headers, client_ip: String::new() };
    let value = Bytes::copy_from_slice(json.as_bytes());
    Payload { metadata: Some(metadata), body: Some(Any { type_url: String::new(), value }) }
}

fn request(text: &str) -> http::Request<Bytes> {
    let (head, body) = text.split_once(" | ").unwrap_or((text, ""));
    let mut words = head.split(' ');
    let mut builder =
        http::Request::builder().method(words.next().unwrap()).uri(words.next().unwrap());
    if !body.is_empty() {
        builder = builder.header("content-type", "application/x-www-form-urlencoded");
    }
    for header in words {
        let (name, value) = header.split_once('=').unwrap();
        builder = builder.header(name, value.replacen("Bearer_", "Bearer ", 1));
    }
    builder.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// `NAME@VERSION [threshold=0.5] [key=value] [ip:port[/cluster][!|-|°]…]`: `!` is unhealthy, `-` disabled, `°` persistent;
/// metadata of the service comes with a label selector.
fn service(text: &str) -> ServiceView {
    let mut words = text.split(' ');
    let (name, version) = words.next().unwrap().split_once('@').unwrap();
    let key =
        ServiceKey { namespace: "public".into(), group: "DEFAULT_GROUP".into(), name: name.into() };
    let (mut instances, mut protect_threshold) = (Vec::new(), 0.0);
    let mut metadata = None;
    for word in words {
        if let Some(threshold) = word.strip_prefix("threshold=") {
            protect_threshold = threshold.parse().unwrap();
            continue;
        }
        if let Some((key, value)) = word.split_once('=') {
            let said = ::naming::ServiceMetadata {
                protect_threshold,
                metadata: BTreeMap::from([(key.into(), value.into())]),
                selector: ::naming::Selector {
                    kind: "label".into(),
                    expression: Some("CONSUMER.label.A=PROVIDER.label.A".into()),
                },
                kind: None,
            };
            metadata = Some(Arc::new(said));
            continue;
        }
        let address = word.trim_end_matches(['!', '-', '°']);
        let (address, cluster) = address.split_once('/').unwrap_or((address, "DEFAULT"));
        let (ip, port) = address.split_once(':').unwrap();
        instances.push(Arc::new(Instance {
            ip: ip.into(),
            port: port.parse().unwrap(),
            cluster_name: cluster.into(),
            weight: 8.0,
            healthy: !word.contains('!'),
            enabled: !word.contains('-'),
            ephemeral: !word.contains('°'),
            metadata: BTreeMap::new(),
            instance_id: None,
        }));
    }
    ServiceView {
        key,
        version: version.parse().unwrap(),
        instances: instances.into(),
        protect_threshold,
        metadata,
    }
}

/// `alive suspect down left`, with `*` for the leader and `-` for one whose address for clients is not known.
fn members(text: &str) -> cluster::View {
    use cluster::{Address, Cluster, Identity, Member, Role, Settings, State};
    let address = |text: String| Address::new(&text).unwrap();
    let settings = Settings::alone(Identity::fresh(NodeId(1)), address("10.0.0.1:7848".into()));
    let rng = base::Rng::from_seed([1; 32]);
    let plane = Cluster::new(settings, BEGIN, HybridTime(0), rng).unwrap();
    let mut view = cluster::View::clone(plane.view());
    let member = |(at, word): (usize, &str)| Member {
        node: NodeId(at as u64 + 1),
        peer: Some(address(format!("10.0.0.{}:7848", at + 1))),
        api: (!word.ends_with('-')).then(|| address(format!("10.0.0.{}:8848", at + 1))),
        life: None,
        started_ms: None,
        state: match word.trim_end_matches(['*', '-']) {
            "alive" => State::Alive,
            "suspect" => State::Suspect,
            "down" => State::Down,
            "left" => State::Left,
            other => panic!("unknown state {other}"),
        },
        role: Role::Voter,
        is_self: at == 0,
        is_leader: word.contains('*'),
        is_linked: at < 2,
    };
    view.members = text.split(' ').enumerate().map(member).collect();
    view
}

fn config_key(text: &str) -> ConfigKey {
    let parts: Vec<&str> = text.split('/').collect();
    ConfigKey { namespace: parts[0].into(), group: parts[1].into(), data_id: parts[2].into() }
}

/// `[#ID] NAMESPACE/GROUP/DATAID MD5 TYPE CONTENT`
fn entry(text: &str) -> Entry {
    let (created, text) = match text.strip_prefix('#').and_then(|text| text.split_once(' ')) {
        Some((id, rest)) => (id.parse().unwrap(), rest),
        None => (9, text),
    };
    let words: Vec<&str> = text.splitn(4, ' ').collect();
    Entry {
        key: config_key(words[0]),
        content: words[3].into(),
        md5: words[1].into(),
        details: config::Details { content_type: words[2].into(), ..config::Details::default() },
        revision: base::Revision(9),
        created: base::Revision(created),
        created_ms: BEGIN.unix_ms,
        modified_ms: BEGIN.unix_ms,
        author: config::Author::default(),
    }
}

fn gray_rule(text: &str) -> config::GrayRule {
    match text.split_once(':').unwrap() {
        ("beta", addresses) => config::GrayRule::Beta(addresses.into()),
        (_, tag) => config::GrayRule::Tag(tag.into()),
    }
}

/// Rows between `;`: `I|U|D`, revision, rule or nothing, the entry as in `config`, with `|` between.
fn history(text: &str) -> Vec<config::HistoryRow> {
    let row = |text: &str| {
        let words: Vec<&str> = text.split('|').collect();
        config::HistoryRow {
            revision: base::Revision(words[1].parse().unwrap()),
            operation: match words[0] {
                "I" => config::Operation::Insert,
                "U" => config::Operation::Update,
                _ => config::Operation::Delete,
            },
            entry: entry(words[3]),
            gray: Some(words[2]).filter(|rule| !rule.is_empty()).map(gray_rule),
        }
    };
    text.split(';').filter(|text| !text.is_empty()).map(row).collect()
}

/// `ip:port/cluster`.
fn place(text: &str) -> ::naming::Place {
    let (address, cluster) = text.split_once('/').unwrap_or((text, "DEFAULT"));
    let (ip, port) = address.split_once(':').unwrap();
    ::naming::Place { ip: ip.into(), port: port.parse().unwrap(), cluster_name: cluster.into() }
}

fn connected(name: &str) -> Connected {
    let Facts { remote, local, .. } = facts(Login::Open);
    let (agent, since_ms) = ("Nacos-Java-Client:v2.5.1".into(), BEGIN.unix_ms);
    Connected { name: name.into(), agent, application: "shop".into(), remote, local, since_ms }
}

fn outcome_refused(refusal: ::naming::Refusal) -> Answer {
    Answer::Naming(::naming::Reply::Outcome(::naming::Outcome::Refused(refusal)))
}

fn locked(outcome: lock::Outcome) -> Answer {
    Answer::Lock(lock::Reply::Outcome(outcome))
}

/// `1=8` is a node and its clients with a stream, `1=8*` says how busy its machine is, and `1` does not answer.
fn crowds(text: &str) -> (Vec<cluster::Crowd>, Vec<NodeId>) {
    let node = |text: &str| NodeId(text.parse().unwrap());
    let (told, silent): (Vec<&str>, _) =
        text.split_whitespace().partition(|part| part.contains('='));
    let crowd = |part: &str| {
        let (name, count) = part.split_once('=').unwrap();
        let streams = count.trim_end_matches('*').parse().unwrap();
        let busy = count.ends_with('*').then_some(cluster::Busy { load: 651, cpu: 0 });
        cluster::Crowd { node: node(name), connections: streams + 3, streams, serves: true, busy }
    };
    let silent: Vec<&str> = silent;
    (told.into_iter().map(crowd).collect(), silent.into_iter().map(node).collect())
}

fn answer(text: &str) -> Answer {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let keys = || rest.split(' ').filter(|k| !k.is_empty()).map(config_key).collect();
    match word {
        "granted" => locked(lock::Outcome::Granted { token: lock::Token(4), ttl_ms: 1 }),
        "lock-held" => locked(lock::Outcome::Held { owner: "x".into(), token: lock::Token(4) }),
        "released" => locked(lock::Outcome::Released),
        "not-held" => locked(lock::Outcome::NotHeld { current: None }),
        "locks-full" => locked(lock::Outcome::Full { what: "locks", limit: 100_000 }),
        "lock-unknown" => Answer::Lock(lock::Reply::Unknown),
        "lock-refused" => Answer::Lock(lock::Reply::Refused(lock::Refusal::Empty { what: "key" })),
        "done" => Answer::Naming(::naming::Reply::Done),
        "known" => Answer::Naming(::naming::Reply::Beat {
            known: rest == "yes",
            interval: Duration::from_secs(5),
        }),
        "clusters" => {
            let names = rest.split(' ').filter(|name| !name.is_empty());
            let settings = |name: &str| ::naming::ClusterSettings {
                checker: match name.trim_start_matches(char::is_alphanumeric) {
                    "!" => ::naming::Checker::None,
                    "/" => ::naming::Checker::Http {
                        path: "/alive".into(),
                        headers: "".into(),
                        expected_code: 204,
                    },
                    _ => ::naming::Checker::Tcp,
                },
                ..::naming::ClusterSettings::default()
            };
            let all =
                names.map(|name| (name.trim_end_matches(['!', '/']).into(), settings(name).into()));
            Answer::Naming(::naming::Reply::Clusters(all.collect()))
        }
        "health-checked" => outcome_refused(::naming::Refusal::HealthIsChecked {
            service: rest.into(),
            cluster_name: "DEFAULT".into(),
        }),
        "no-such-instance" => outcome_refused(::naming::Refusal::NoSuchInstance),
        "counts" => Answer::Naming(::naming::Reply::Counts(::naming::Counts {
            services: 3,
            ..::naming::Counts::default()
        })),
        "agreed" => Answer::Naming(::naming::Reply::Outcome(::naming::Outcome::Done)),
        "edited" => Answer::Naming(::naming::Reply::Outcome(::naming::Outcome::Edited(
            rest.split(' ').filter(|word| !word.is_empty()).map(place).collect(),
        ))),
        "persistent-service" => outcome_refused(::naming::Refusal::PersistentService(rest.into())),
        "ephemeral-service" => Answer::Naming(::naming::Reply::Refused(
            ::naming::Refusal::EphemeralService(rest.into()),
        )),
        "service-exists" => outcome_refused(::naming::Refusal::ServiceExists(rest.into())),
        "service-unknown" => outcome_refused(::naming::Refusal::ServiceUnknown(rest.into())),
        "no-such-service" => outcome_refused(::naming::Refusal::NoSuchService(ServiceKey {
            namespace: "public".into(),
            group: "DEFAULT_GROUP".into(),
            name: rest.into(),
        })),
        "full" => outcome_refused(::naming::Refusal::Full { what: "edited instances", limit: 9 }),
        "not-empty" => Answer::Naming(::naming::Reply::Refused(
            ::naming::Refusal::ServiceNotEmpty(rest.into()),
        )),
        "listening" => Answer::Config(config::Reply::Listening(keys())),
        "watching" => Answer::Config(config::Reply::Watching),
        "too-many-patterns" => {
            let refusal = config::Refusal::TooManyPatterns { limit: 20 };
            Answer::Config(config::Reply::Refused(refusal))
        }
        "published" => {
            Answer::Config(config::Reply::Outcome(config::Outcome::Published(base::Revision(9))))
        }
        "removed" => {
            Answer::Config(config::Reply::Outcome(config::Outcome::Removed { existed: true }))
        }
        "conflict" => Answer::Config(config::Reply::Outcome(config::Outcome::CasConflict {
            current_md5: "x".into(),
        })),
        "history" => Answer::Config(config::Reply::History(history(rest))),
        "page" => {
            let (count, rest) = rest.split_once(' ').unwrap();
            let (count, rows) = (count.parse().unwrap(), history(rest));
            Answer::Config(config::Reply::HistoryPage { count, rows })
        }
        "listeners" => {
            let listener = |text: &str| {
                let parts: Vec<&str> = text.split('=').collect();
                let counter = parts[0].parse().unwrap();
                let connection =
                    base::ConnectionId { node: NodeId(1), boot: HybridTime(0), counter };
                config::KeyListener { connection, address: parts[1].into(), md5: parts[2].into() }
            };
            let listeners = rest.split(' ').map(listener).collect();
            Answer::Config(config::Reply::Listeners(listeners))
        }
        "held" => {
            let held = rest.split(' ').map(|text| {
                let (key, md5) = text.split_once('=').unwrap();
                (config_key(key), md5.into())
            });
            Answer::Config(config::Reply::ListenersAt(held.collect()))
        }
        "unknown-account" => {
            let outcome = access::Outcome::Unknown("user");
            Answer::Access(access::Reply::Outcome(outcome))
        }
        "too-many-versions" => {
            let outcome = config::Outcome::TooManyVersions { limit: 10 };
            Answer::Config(config::Reply::Outcome(outcome))
        }
        "too-large" => Answer::Config(config::Reply::Refused(config::Refusal::ContentTooLarge {
            bytes: 11,
            bytes_max: 10,
        })),
        "no-leader" => Answer::Unavailable(Unavailable::NoLeader),
        "unknown-outcome" => Answer::Unavailable(Unavailable::OutcomeUnknown),
        "fresh" => Answer::Fresh(freshness(Consistency::Linearizable)),
        "stale" => Answer::Fresh(freshness(Consistency::Stale)),
        "proceed" => Answer::Access(access::Reply::Proceed),
        "wait" => Answer::Access(access::Reply::TooManyFailures {
            retry_after: Duration::from_millis(1500),
        }),
        "noted" => Answer::Access(access::Reply::Noted),
        "clients" => Answer::Clients(rest.split(' ').map(connected).collect()),
        "crowds" => {
            let (crowds, silent) = crowds(rest);
            Answer::Crowds { crowds, silent }
        }
        "shifted" => Answer::Shifted { clients: 1, silent: crowds(rest).1 },
        "moved" => Answer::Moved(rest.parse().unwrap()),
        "new-id" => Answer::NewId(rest.into()),
        "changed" => Answer::Access(access::Reply::Outcome(access::Outcome::Changed)),
        "exists" => Answer::Access(access::Reply::Outcome(access::Outcome::Exists("namespace"))),
        "verified" => Answer::Verified(rest == "yes"),
        "packed" => Answer::Packed(Bytes::copy_from_slice(rest.as_bytes())),
        "hashed" => Answer::Hashed("hash".into()),
        other => panic!("unknown answer {other}"),
    }
}
