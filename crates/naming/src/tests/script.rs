//! The one place that knows the surface: commands in, text out.

use crate::*;
use base::{HybridTime, RequestId};
use std::fmt::Write;

pub(super) struct Conversation {
    pub(super) naming: Naming,
    pub(super) now: Now,
    boot: HybridTime,
    /// The hint.
    disk: Vec<Vec<u8>>,
    /// A hint that does not list everything yet.
    fresh: Option<Vec<Vec<u8>>>,
    /// The state tables.
    pub(super) tables: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    log: u64,
    /// Commands that are on their way, while the log is held.
    held: Option<Vec<(bool, Command)>>,
    requests: u64,
    /// Whether events are shown; they tell the same story at length.
    events: bool,
    /// What a reader would find.
    pub(super) views: BTreeMap<ServiceKey, Arc<ServiceView>>,
    /// The views that each subscriber got, oldest first.
    pub(super) pushed: BTreeMap<(ConnectionId, ServiceKey), Vec<Arc<ServiceView>>>,
}

fn naming(now: Now, clock: HybridClock) -> Naming {
    Naming::new(Settings::default(), now, NodeId(1), clock)
}

pub(super) fn service(name: &str) -> ServiceKey {
    let (group, name) = name.split_once('@').unwrap_or(("g", name));
    ServiceKey { namespace: "public".into(), group: group.into(), name: name.into() }
}

/// `key=value` words; `-key` words are keys to be taken away.
fn metadata(words: &[&str]) -> BTreeMap<Arc<str>, Arc<str>> {
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    let own = pairs.filter(|(key, _)| !matches!(*key, "weight" | "enabled" | "threshold" | "kind"));
    own.map(|(key, value)| (key.into(), value.into())).collect()
}

fn value<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name).map(|p| p.1)
}

/// `threshold=0.5`, `kind=persistent`, and metadata.
fn described(words: &[&str]) -> ServiceMetadata {
    ServiceMetadata {
        protect_threshold: value(words, "threshold").map_or(0.0, |text| text.parse().unwrap()),
        metadata: metadata(words),
        selector: Selector::default(),
        kind: value(words, "kind").map(|kind| match kind {
            "persistent" => ServiceKind::Persistent,
            _ => ServiceKind::Ephemeral,
        }),
    }
}

/// `replace`, `patch`, `add` or `remove`, and what.
fn edit(words: &[&str]) -> Edit {
    let enabled = value(words, "enabled").map(|text| text == "true");
    let weight = value(words, "weight").map(|text| text.parse().expect("a weight"));
    let metadata = metadata(words);
    match words[0] {
        "replace" => Edit::Replace {
            enabled: enabled.unwrap_or(true),
            weight: weight.unwrap_or(1.0),
            metadata,
        },
        "patch" => {
            let metadata = Some(metadata).filter(|metadata| !metadata.is_empty());
            Edit::Patch { enabled, weight, metadata }
        }
        "add" => Edit::AddMetadata(metadata),
        "remove" => Edit::RemoveMetadata(words[1..].iter().map(|key| (*key).into()).collect()),
        other => panic!("unknown edit {other}"),
    }
}

/// `ip:port`, `ip:port/cluster`; then words `key=value` for metadata, `weight=`, `persistent`.
pub(super) fn instance(words: &[&str]) -> Instance {
    let (address, cluster) = words[0].split_once('/').unwrap_or((words[0], "DEFAULT"));
    let (ip, port) = address.rsplit_once(':').expect("ip:port");
    let mut instance = Instance {
        ip: ip.into(),
        port: port.parse().expect("a port"),
        cluster_name: cluster.into(),
        weight: 1.0,
        healthy: true,
        enabled: true,
        ephemeral: true,
        metadata: BTreeMap::new(),
        instance_id: None,
    };
    for word in &words[1..] {
        match word.split_once('=') {
            Some(("weight", weight)) => instance.weight = weight.parse().expect("a weight"),
            Some((key, value)) => drop(instance.metadata.insert(key.into(), value.into())),
            None => instance.ephemeral = *word != "persistent",
        }
    }
    instance
}

fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(ms) => Duration::from_millis(ms.parse().expect("milliseconds")),
        None => Duration::from_secs(text.trim_end_matches('s').parse().expect("seconds")),
    }
}

pub(super) fn show(instances: &[Arc<Instance>]) -> String {
    let mut text = String::new();
    for instance in instances {
        let cluster = match &*instance.cluster_name {
            "DEFAULT" => String::new(),
            other => format!("/{other}"),
        };
        let unhealthy = if instance.healthy { "" } else { "!" };
        let weight =
            if instance.weight == 1.0 { String::new() } else { format!("×{}", instance.weight) };
        let kind = if instance.ephemeral { "" } else { "°" };
        let disabled = if instance.enabled { "" } else { "-" };
        write!(
            text,
            " {}:{}{cluster}{weight}{unhealthy}{disabled}{kind}",
            instance.ip, instance.port
        )
        .expect("a string takes all");
        let own = instance.metadata.iter().filter(|(key, _)| !key.starts_with("preserved."));
        for (key, value) in own {
            write!(text, ",{key}={value}").expect("a string takes all");
        }
    }
    if text.is_empty() { " (empty)".into() } else { text }
}

impl Conversation {
    pub(super) fn new() -> Self {
        let now = Now::START;
        let naming = naming(now, HybridClock::default());
        Self {
            naming,
            now,
            boot: HybridTime(0),
            disk: Vec::new(),
            fresh: None,
            tables: BTreeMap::new(),
            log: 0,
            held: None,
            requests: 0,
            events: false,
            views: BTreeMap::new(),
            pushed: BTreeMap::new(),
        }
    }

    pub(super) fn connection(&self, name: &str) -> ConnectionId {
        let counter = name.trim_start_matches('c').parse().expect("c and a number");
        ConnectionId { node: NodeId(1), boot: self.boot, counter }
    }

    fn client(&self, name: &str, instance: &Instance) -> ClientId {
        match name {
            "http" => ClientId::Address { ip: instance.ip.clone(), port: instance.port },
            name => ClientId::Connection(self.connection(name)),
        }
    }

    /// Runs one command and returns what the registry says to it.
    pub(super) fn command(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["wait", time] => return self.wait(duration(time)),
            ["freeze", time] => {
                self.now = self.now.after(duration(time));
                return String::new();
            }
            ["wake"] => self.input(Input::Wake),
            ["hold"] => self.held = Some(Vec::new()),
            ["release"] => return self.release(),
            ["tables"] => {
                return self
                    .tables
                    .keys()
                    .map(|(table, key)| format!("{table} {}\n", key.escape_ascii()))
                    .collect();
            }
            ["spoil", table, key, value] => {
                let value = Some(value).filter(|value| *value != "-");
                let value = value.map(|value| vec![value.parse().expect("a byte")]);
                let table = table.parse().expect("a table");
                self.input(Input::Restore(vec![base::Row { table, key: key.into(), value }]));
            }
            ["reset"] => self.input(Input::Reset),
            ["restore"] => self.restore(),
            ["restored"] => self.input(Input::Restored),
            ["lose", table] => {
                let table: u8 = table.parse().expect("a table");
                self.tables.retain(|(one, _), _| *one != table);
            }
            ["events"] => self.events = true,
            ["restart"] => self.restart(),
            ["open", name] => self.input(Input::Opened(self.connection(name))),
            ["close", name] => self.input(Input::Closed(self.connection(name))),
            ["ack", name, key, version] => self.input(Input::Acknowledged {
                connection: self.connection(name),
                service: service(key),
                version: version.parse().expect("a version"),
            }),
            ["acked", name, key] => {
                let version =
                    self.naming.acknowledged_version(self.connection(name), &service(key));
                return format!("{version:?}\n");
            }
            _ => {
                let (from, request) = self.request(&words);
                self.requests += 1;
                let id = RequestId(self.requests);
                self.input(Input::Request { from, id, request });
            }
        }
        self.said()
    }

    /// What those ask who look after the registry.
    fn asked(&self, words: &[&str]) -> Option<Request> {
        let named = || service(words[2]);
        let on = |word: &str| word == "on";
        Some(match words {
            ["cluster", _, _, name, checker, said @ ..] => Request::UpdateCluster {
                service: named(),
                cluster_name: (*name).into(),
                settings: ClusterSettings {
                    checker: match *checker {
                        "none" => Checker::None,
                        "tcp" => Checker::Tcp,
                        path => Checker::Http {
                            path: path.into(),
                            headers: "".into(),
                            expected_code: 200,
                        },
                    },
                    metadata: metadata(said),
                    ..ClusterSettings::default()
                },
            },
            ["clusters", ..] => Request::Clusters { service: named() },
            ["health", _, _, at, healthy] => Request::SetHealth {
                service: named(),
                place: Place::of(&instance(&[*at])),
                healthy: *healthy == "up",
            },
            ["switch", _, name, to] => Request::Switch(match *name {
                "status" => Switch::Status(on(to).then_some(ServerStatus::Down)),
                "push" => Switch::Push(on(to)),
                "health_check" => Switch::HealthCheck(on(to)),
                "auto" => Switch::AutoChangeHealthCheck(on(to)),
                "light" => Switch::LightBeat(on(to)),
                _ => Switch::BeatInterval(to.parse().expect("milliseconds")),
            }),
            ["clients", ..] => {
                Request::Clients { after: words.get(2).map(|name| self.client_name(name)) }
            }
            ["published", _, client, after @ ..] => Request::PublishedBy {
                client: self.client_name(client),
                after: after.first().map(|name| service(name)),
            },
            ["subscribed", _, client] => Request::SubscribedBy { client: self.client_name(client) },
            ["publishers", ..] => Request::PublishersOf { service: named() },
            ["subscribing", ..] => Request::SubscribingClients { service: named() },
            [verb @ ("watch" | "unwatch"), _, pattern] => {
                let (group, name) = pattern.split_once('@').expect("group@name");
                let pattern =
                    Pattern { namespace: "public".into(), group: group.into(), name: name.into() };
                match *verb {
                    "watch" => Request::Watch { pattern },
                    _ => Request::Unwatch { pattern },
                }
            }
            _ => return None,
        })
    }

    /// `c1`, `ip:port` or `ip:port°`.
    fn client_name(&self, name: &str) -> ClientName {
        let Some((ip, port)) = name.trim_end_matches('°').rsplit_once(':') else {
            return ClientName::Connection(self.connection(name));
        };
        let (ip, port) = (ip.into(), port.parse().expect("a port"));
        if name.ends_with('°') {
            ClientName::Persistent { ip, port }
        } else {
            ClientName::Address { ip, port }
        }
    }

    fn request(&self, words: &[&str]) -> (ConnectionId, Request) {
        let from = match words[1] {
            "http" => self.connection("c0"),
            name => self.connection(name),
        };
        if let Some(request) = self.asked(words) {
            return (from, request);
        }
        let service = service(words.get(2).copied().unwrap_or_default());
        let offered = words
            .get(3)
            .filter(|_| !matches!(words[0], "subscribe" | "batch" | "create" | "update" | "edit"));
        let instance = offered.map(|_| instance(&words[3..]));
        let client = |instance: &Instance| self.client(words[1], instance);
        let request = match (words[0], instance) {
            ("register", Some(instance)) if !instance.ephemeral => {
                Request::RegisterPersistent { service, instance }
            }
            ("register", Some(instance)) => {
                Request::Register { client: client(&instance), service, instance }
            }
            ("batch", None) => Request::RegisterBatch {
                client: ClientId::Connection(from),
                service,
                instances: words[3..].iter().map(|word| self::instance(&[*word])).collect(),
            },
            ("deregister", Some(Instance { ip, port, ephemeral: false, .. })) => {
                Request::DeregisterPersistent { service, ip, port }
            }
            ("deregister", Some(Instance { ip, port, cluster_name, .. })) => {
                let client = self.client(words[1], &self::instance(&words[3..]));
                Request::Deregister { client, service, ip, port, cluster_name }
            }
            (beat @ ("beat" | "fullbeat"), Some(instance)) => Request::Beat {
                client: client(&instance),
                service,
                ip: instance.ip.clone(),
                port: instance.port,
                cluster_name: instance.cluster_name.clone(),
                full: (beat == "fullbeat").then_some(instance),
            },
            ("edit", None) => Request::EditInstances {
                service,
                places: words[3].split(',').map(|one| Place::of(&self::instance(&[one]))).collect(),
                edit: edit(&words[4..]),
            },
            ("subscribe", None) => Request::Subscribe {
                service,
                clusters: words[3..].iter().map(|word| (*word).into()).collect(),
                subscriber: Subscriber { address: words[1].into(), ..Subscriber::default() },
            },
            ("unsubscribe", None) => Request::Unsubscribe { service },
            ("create", None) => {
                Request::CreateService { service, metadata: described(&words[3..]) }
            }
            ("update", None) => {
                Request::UpdateService { service, metadata: described(&words[3..]) }
            }
            ("remove", None) => Request::RemoveService { service },
            ("subscribers", None) => Request::Subscribers { service },
            ("count", None) => Request::Count,
            _ => panic!("unknown command {words:?}"),
        };
        (from, request)
    }

    pub(super) fn input(&mut self, input: Input) {
        self.naming.step(self.now, input);
    }

    /// Lets time pass and wakes the registry whenever it asks for it.
    fn wait(&mut self, time: Duration) -> String {
        let end = self.now.after(time);
        let mut said = String::new();
        let mut wakes_in_place = 0;
        while let Some(due) = self.naming.deadline().filter(|due| *due <= end.instant) {
            let passed = due.since(self.now.instant);
            wakes_in_place = if passed.is_zero() { wakes_in_place + 1 } else { 0 };
            assert!(wakes_in_place < 1000, "it asks to be woken again and again");
            self.now = self.now.after(passed);
            self.input(Input::Wake);
            let heard = self.said();
            if !heard.is_empty() {
                said += &format!("{}\n{heard}", self.now.instant);
            }
        }
        self.now = end;
        said
    }

    fn restart(&mut self) {
        let hint = self.disk.clone();
        self.fresh = None;
        let mut clock = HybridClock::default();
        if let Some(high_water) = hint_high_water(&hint) {
            clock.raise(high_water);
        }
        self.boot = clock.tick(self.now);
        self.naming = naming(self.now, clock);
        self.held = None;
        self.restore();
        self.input(Input::Restored);
        self.views.clear();
        self.pushed.clear();
        if !hint.is_empty() {
            self.input(Input::Hint(hint));
        }
    }

    /// As a disk keeps a hint.
    fn keep(&mut self, piece: HintPiece) {
        if piece.begins {
            self.fresh = Some(Vec::new());
        }
        self.fresh.as_mut().unwrap_or(&mut self.disk).push(piece.bytes);
        if piece.completes {
            self.disk = self.fresh.take().expect("it began");
        }
    }

    fn restore(&mut self) {
        let row = |((table, key), value): (&(u8, Vec<u8>), &Vec<u8>)| base::Row {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        };
        let rows: Vec<base::Row> = self.tables.iter().map(row).collect();
        // In pieces, as from a disk.
        for piece in rows.chunks(2) {
            self.input(Input::Restore(piece.to_vec()));
        }
    }

    /// The log takes a command; it is applied at once unless it is held.
    fn logged(&mut self, asked: bool, command: Command) -> String {
        if let Some(held) = &mut self.held {
            held.push((asked, command));
            return "held\n".into();
        }
        self.log += 1;
        let applied = self.naming.apply(base::LogIndex(self.log), &command);
        for base::Row { table, key, value } in applied.rows {
            match value {
                Some(value) => self.tables.insert((table, key), value),
                None => self.tables.remove(&(table, key)),
            };
        }
        let mut text = self.said();
        match applied.outcome {
            Outcome::Done if asked => text += "done\n",
            Outcome::Edited(places) => {
                let places = places.iter().map(|place| format!(" {}:{}", place.ip, place.port));
                text += &format!("edited{}\n", places.collect::<String>());
            }
            Outcome::Done => text += "tidied\n",
            Outcome::Refused(refusal) => text += &format!("refused: {refusal}\n"),
        }
        text
    }

    fn release(&mut self) -> String {
        let held = self.held.take().unwrap_or_default();
        held.into_iter().map(|(asked, command)| self.logged(asked, command)).collect()
    }

    fn note(&mut self, output: &Output) {
        match output {
            Output::Publish(view) => {
                let former = self.views.insert(view.key.clone(), view.clone());
                assert!(former.is_none_or(|former| former.version < view.version), "{view:?}");
            }
            Output::Retire(key) => {
                let former = self.views.remove(key).expect("only what was published is retired");
                assert!(former.instances.is_empty(), "{key} was retired with instances");
            }
            Output::Push { to, view, .. } => {
                let pushed = self.pushed.entry((*to, view.key.clone())).or_default();
                pushed.push(view.clone());
            }
            Output::Reply { .. }
            | Output::Switches(_)
            | Output::Watched { .. }
            | Output::Propose { .. }
            | Output::Tidy(_)
            | Output::Peer { .. }
            | Output::Check(_)
            | Output::Hint(_)
            | Output::Halt(_)
            | Output::Left
            | Output::Event(..) => {}
        }
    }

    pub(super) fn said(&mut self) -> String {
        let mut text = String::new();
        while let Some(output) = self.naming.poll() {
            self.note(&output);
            let line = match output {
                Output::Publish(view) => {
                    let said = view.metadata.as_ref().map_or_else(String::new, |said| {
                        let pairs =
                            said.metadata.iter().map(|(key, value)| format!(" {key}={value}"));
                        format!(" [{}{}]", said.protect_threshold, pairs.collect::<String>())
                    });
                    assert_eq!(
                        view.protect_threshold,
                        view.metadata.as_ref().map_or(0.0, |said| said.protect_threshold)
                    );
                    let shown = show(&view.instances);
                    format!("publish {} v{}{said}{shown}", view.key.name, view.version)
                }
                Output::Retire(key) => format!("retire {}", key.name),
                Output::Push { to, clusters, view } => format!(
                    "push c{} {}{} v{}{}",
                    to.counter,
                    view.key.name,
                    clusters.iter().map(|name| format!("/{name}")).collect::<String>(),
                    view.version,
                    show(&view.instances)
                ),
                Output::Switches(switches) => format!("{switches:?}"),
                Output::Watched { to, service } => {
                    let listed = self.views.contains_key(&service);
                    let is = if listed { "there" } else { "gone" };
                    format!("c{} watches {}: {is}", to.counter, service.grouped_name())
                }
                Output::Reply { reply, .. } => show_reply(reply),
                Output::Propose { command, .. } => {
                    text += &self.logged(true, command);
                    continue;
                }
                Output::Tidy(command) => {
                    text += &self.logged(false, command);
                    continue;
                }
                Output::Peer { to, .. } => format!("to {to}"),
                Output::Check(Check { id, ip, port, checker, timeout }) => {
                    format!("check {id}: {checker:?} {ip}:{port} within {timeout:?}")
                }
                Output::Halt(reason) => format!("halt: {reason}"),
                Output::Left => "left".to_owned(),
                Output::Hint(piece) => {
                    self.keep(piece);
                    "hint".into()
                }
                Output::Event(..) if !self.events => continue,
                Output::Event(kind, subject) => format!("· {kind:?} {subject}"),
            };
            writeln!(text, "{line}").expect("a string takes all");
        }
        text
    }
}

fn show_reply(reply: Reply) -> String {
    match reply {
        Reply::Done => "done".into(),
        Reply::Outcome(outcome) => unreachable!("{outcome:?}: the node reports outcomes"),
        Reply::Beat { known: true, interval } => format!("beat again in {interval:?}"),
        Reply::Beat { known: false, .. } => "unknown: register again".into(),
        Reply::Counts(counts) => format!("{counts:?}"),
        Reply::Subscribers(subscribers) => {
            format!("subscribers {:?}", subscribers.iter().map(|s| &*s.address).collect::<Vec<_>>())
        }
        Reply::Clusters(clusters) => format!("{clusters:?}"),
        Reply::Clients { clients, more } => {
            let clients: Vec<String> = clients.iter().map(show_client).collect();
            format!("clients {}{}", clients.join(" "), if more { " …" } else { "" })
        }
        Reply::Published { offers, last } => {
            let offers = offers.iter().map(|(service, place)| {
                format!(" {}={}:{}/{}", service.name, place.ip, place.port, place.cluster_name)
            });
            let more = last.map_or_else(String::new, |last| format!(" … {}", last.name));
            format!("published{}{more}", offers.collect::<String>())
        }
        Reply::SubscribedBy(services) => {
            let services =
                services.iter().map(|(service, who)| format!(" {}:{}", service.name, who.address));
            format!("subscribed{}", services.collect::<String>())
        }
        Reply::Publishers(clients) => {
            let clients = clients.iter().map(|(client, place)| {
                format!(" {}={}:{}", show_client(client), place.ip, place.port)
            });
            format!("publishers{}", clients.collect::<String>())
        }
        Reply::SubscribingClients(clients) => {
            let clients =
                clients.iter().map(|(id, who)| format!(" c{}={}", id.counter, who.address));
            format!("subscribing{}", clients.collect::<String>())
        }
        Reply::Digests { services, more } => {
            let services =
                services.iter().map(|one| format!(" {}×{}", one.service.name, one.instances));
            format!("digests{}{}", services.collect::<String>(), if more { " …" } else { "" })
        }
        Reply::Verified(found) => format!("{found:?}"),
        Reply::Digest(instances) => format!("digest of {}", instances.len()),
        Reply::Refused(refusal) => format!("refused: {refusal}"),
    }
}

fn show_client(client: &ClientName) -> String {
    match client {
        ClientName::Connection(id) => format!("c{}", id.counter),
        ClientName::Address { ip, port } => format!("{ip}:{port}"),
        ClientName::Persistent { ip, port } => format!("{ip}:{port}°"),
    }
}
