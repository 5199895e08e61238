//! Whatever happens, in whatever order: the views are those of a model that knows no index, no timer and no core.

use super::script::{Conversation, service};
use crate::*;
use proptest::prelude::*;

const SERVICES: [&str; 2] = ["db", "web"];
const UNHEALTHY_AFTER: u64 = 15;
const REMOVED_AFTER: u64 = 30;
const HIDDEN_AFTER: u64 = 15;

#[derive(Clone, Copy, Debug)]
enum Op {
    Open(u64),
    Close(u64),
    Register { client: Option<u64>, service: usize, place: usize, weight: u8 },
    Batch { connection: u64, service: usize, places: usize },
    Deregister { client: Option<u64>, service: usize, place: usize },
    Beat { service: usize, place: usize, full: bool },
    Subscribe { connection: u64, service: usize },
    Unsubscribe { connection: u64, service: usize },
    Wait(u64),
    Restart,
}

fn ops() -> impl Strategy<Value = Op> {
    let connection = || 1..4u64;
    let client = || prop_oneof![3 => (1..4u64).prop_map(Some), 2 => Just(None)];
    let (service, place) = (|| 0..SERVICES.len(), || 0..4usize);
    prop_oneof![
        3 => connection().prop_map(Op::Open),
        2 => connection().prop_map(Op::Close),
        6 => (client(), service(), place(), 1..3u8).prop_map(|(client, service, place, weight)| {
            Op::Register { client, service, place, weight }
        }),
        2 => (connection(), service(), 0..16usize)
            .prop_map(|(connection, service, places)| Op::Batch { connection, service, places }),
        3 => (client(), service(), place())
            .prop_map(|(client, service, place)| Op::Deregister { client, service, place }),
        4 => (service(), place(), any::<bool>())
            .prop_map(|(service, place, full)| Op::Beat { service, place, full }),
        2 => (connection(), service())
            .prop_map(|(connection, service)| Op::Subscribe { connection, service }),
        1 => (connection(), service())
            .prop_map(|(connection, service)| Op::Unsubscribe { connection, service }),
        5 => (1..20u64).prop_map(Op::Wait),
        1 => Just(Op::Restart),
    ]
}

/// Two addresses, each in two cluster names.
fn place_text(place: usize) -> String {
    format!("10.0.0.{}:80/{}", place / 2, ["a", "b"][place % 2])
}

fn client_text(client: Option<u64>) -> String {
    client.map_or("http".into(), |connection| format!("c{connection}"))
}

fn command(op: Op) -> String {
    match op {
        Op::Open(connection) => format!("open c{connection}"),
        Op::Close(connection) => format!("close c{connection}"),
        Op::Register { client, service, place, weight } => format!(
            "register {} {} {} weight={weight}",
            client_text(client),
            SERVICES[service],
            place_text(place)
        ),
        Op::Batch { connection, service, places } => {
            let mut line = format!("batch c{connection} {}", SERVICES[service]);
            for place in (0..4).filter(|place| places >> place & 1 == 1) {
                line += &format!(" {}", place_text(place));
            }
            line
        }
        Op::Deregister { client, service, place } => format!(
            "deregister {} {} {}",
            client_text(client),
            SERVICES[service],
            place_text(place)
        ),
        Op::Beat { service, place, full } => {
            let beat = if full { "fullbeat" } else { "beat" };
            format!("{beat} http {} {}", SERVICES[service], place_text(place))
        }
        Op::Subscribe { connection, service } => {
            format!("subscribe c{connection} {}", SERVICES[service])
        }
        Op::Unsubscribe { connection, service } => {
            format!("unsubscribe c{connection} {}", SERVICES[service])
        }
        Op::Wait(seconds) => format!("wait {seconds}s"),
        Op::Restart => "restart".into(),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Owner {
    Connection { life: u64, number: u64 },
    Address(usize),
}

#[derive(Clone, Debug)]
struct Offer {
    service: usize,
    place: usize,
    owner: Owner,
    weight: u8,
    healthy: bool,
    /// Counts beginnings of ownership.
    since: u64,
    heard: u64,
    orphan: bool,
    hidden: bool,
}

#[derive(Debug, Default)]
struct Model {
    now: u64,
    life: u64,
    begun: u64,
    open: BTreeSet<u64>,
    offers: Vec<Offer>,
    subscriptions: BTreeSet<(u64, usize)>,
}

impl Model {
    fn owner(&self, client: Option<u64>, place: usize) -> Option<Owner> {
        match client {
            None => Some(Owner::Address(place / 2)),
            Some(number) if self.open.contains(&number) => {
                Some(Owner::Connection { life: self.life, number })
            }
            Some(_) => None,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Open(connection) => drop(self.open.insert(connection)),
            Op::Close(number) => {
                self.open.remove(&number);
                let owner = Owner::Connection { life: self.life, number };
                self.offers.retain(|offer| offer.owner != owner);
                self.subscriptions.retain(|(connection, _)| *connection != number);
            }
            Op::Register { client, service, place, weight } => {
                if let Some(owner) = self.owner(client, place) {
                    self.offers.retain(|offer| {
                        offer.owner != owner || offer.service != service || offer.place == place
                    });
                    self.offer(false, owner, service, place, weight);
                }
            }
            Op::Batch { connection, service, places } => {
                let Some(owner) = self.owner(Some(connection), 0) else { return };
                self.offers.retain(|offer| {
                    offer.owner != owner
                        || offer.service != service
                        || places >> offer.place & 1 == 1
                });
                for place in (0..4).filter(|place| places >> place & 1 == 1) {
                    self.offer(false, owner.clone(), service, place, 1);
                }
            }
            Op::Deregister { client, service, place } => self.deregister(client, service, place),
            Op::Beat { service, place, full } => self.beat(service, place, full),
            Op::Subscribe { connection, service } => {
                if self.open.contains(&connection) {
                    self.subscriptions.insert((connection, service));
                }
            }
            Op::Unsubscribe { connection, service } => {
                self.subscriptions.remove(&(connection, service));
            }
            Op::Wait(seconds) => self.wait(seconds),
            Op::Restart => self.restart(),
        }
    }

    fn offer(&mut self, beat: bool, owner: Owner, service: usize, place: usize, weight: u8) {
        let is_it = |offer: &Offer| {
            offer.owner == owner && offer.service == service && offer.place == place
        };
        self.begun += 1;
        let mut since = self.begun;
        let covering = |since: u64| {
            self.offers.iter().any(|offer| {
                let same = offer.service == service && offer.place == place;
                same && offer.owner != owner && !offer.hidden && offer.since > since
            })
        };
        if let Some(former) = self.offers.iter().find(|offer| is_it(offer) && !offer.orphan)
            && (beat || !covering(former.since))
        {
            since = former.since;
        }
        self.offers.retain(|offer| {
            let orphan = offer.orphan && offer.service == service && offer.place == place;
            !is_it(offer) && !orphan
        });
        let (healthy, heard) = (true, self.now);
        let (orphan, hidden) = (false, false);
        self.offers.push(Offer {
            service,
            place,
            owner,
            weight,
            healthy,
            since,
            heard,
            orphan,
            hidden,
        });
    }

    fn deregister(&mut self, client: Option<u64>, service: usize, place: usize) {
        // A closed connection has nothing to take back, but what it means by it is clear.
        let owner = self.owner(client, place);
        let exact = self.offers.iter().any(|offer| {
            Some(&offer.owner) == owner.as_ref() && offer.service == service && offer.place == place
        });
        self.offers.retain(|offer| {
            let its = Some(&offer.owner) == owner.as_ref()
                && offer.service == service
                && (offer.place == place || client.is_none() && !exact);
            let orphan = offer.orphan && offer.service == service && offer.place == place;
            !its && !orphan
        });
    }

    fn beat(&mut self, service: usize, place: usize, full: bool) {
        let owner = Owner::Address(place / 2);
        let known = self
            .offers
            .iter()
            .find(|offer| offer.owner == owner && offer.service == service)
            .cloned();
        match known {
            Some(known) => self.offer(true, owner, service, known.place, known.weight),
            None if full => self.offer(false, owner, service, place, 1),
            None => {}
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now += seconds;
        let now = self.now;
        let address = |offer: &Offer| !offer.orphan && matches!(offer.owner, Owner::Address(_));
        self.offers.retain(|offer| !address(offer) || now - offer.heard < REMOVED_AFTER);
        for offer in &mut self.offers {
            if address(offer) && now - offer.heard >= UNHEALTHY_AFTER {
                offer.healthy = false;
            }
            if offer.orphan && now - offer.heard >= HIDDEN_AFTER {
                offer.hidden = true;
            }
        }
    }

    fn restart(&mut self) {
        self.life += 1;
        self.open.clear();
        self.subscriptions.clear();
        self.offers.retain(|offer| !offer.hidden);
        for offer in &mut self.offers {
            offer.orphan = true;
            offer.heard = self.now;
        }
    }

    fn listed(&self, service: usize) -> Vec<String> {
        (0..4)
            .filter_map(|place| {
                self.offers
                    .iter()
                    .filter(|offer| {
                        offer.service == service && offer.place == place && !offer.hidden
                    })
                    .max_by_key(|offer| offer.since)
            })
            .map(|offer| {
                let unhealthy = if offer.healthy { "" } else { "!" };
                format!("{}×{}{unhealthy}", place_text(offer.place), offer.weight)
            })
            .collect()
    }
}

fn shown(view: &ServiceView) -> Vec<String> {
    let show = |instance: &Arc<Instance>| {
        let Instance { ip, port, cluster_name, weight, healthy, .. } = &**instance;
        format!("{ip}:{port}/{cluster_name}×{weight}{}", if *healthy { "" } else { "!" })
    };
    view.instances.iter().map(show).collect()
}

fn check_views(conversation: &Conversation, model: &Model) {
    for (number, name) in SERVICES.iter().enumerate() {
        let view = conversation.views.get(&service(name));
        let shown = view.map(|view| shown(view)).unwrap_or_default();
        assert_eq!(shown, model.listed(number), "{name}; {model:?}");
    }
}

/// After things have been quiet: each subscriber has the view that a reader would find.
fn check_pushes(conversation: &Conversation, model: &Model) {
    for (number, index) in &model.subscriptions {
        let connection = conversation.connection(&format!("c{number}"));
        let key = service(SERVICES[*index]);
        let pushed = &conversation.pushed[&(connection, key)];
        assert_eq!(shown(pushed.last().expect("never empty")), model.listed(*index), "{model:?}");
        let versions: Vec<u64> = pushed.iter().map(|view| view.version).collect();
        assert!(versions.is_sorted(), "a subscriber drops what looks older: {versions:?}");
    }
}

/// Everything that is kept twice agrees.
fn check_books(naming: &Naming) {
    let offers: BTreeSet<ByClient> =
        naming.distro.after(None).map(|(key, _)| ByClient::from(key.clone())).collect();
    assert_eq!(naming.by_client, offers);
    let (mut listed, mut subscriptions) = (0, 0);
    for (key, service) in &naming.services {
        let fresh = naming.listed(key);
        assert_eq!(*service.view.instances, *fresh, "{key}");
        listed += fresh.len();
        subscriptions += service.subscribers.len();
        let up_to_date = service.subscribers.values().all(|s| s.pushed == service.view.version);
        assert!(service.push_at.is_some() || up_to_date, "{key}: nobody will push the newest view");
        let idle = fresh.is_empty() && service.subscribers.is_empty();
        assert_eq!(idle, service.idle_since.is_some(), "{key}");
        assert!(service.published || !service.subscribers.is_empty(), "{key} is kept for nothing");
    }
    let addresses: BTreeSet<&ClientId> = offers
        .iter()
        .map(ByClient::client)
        .filter(|client| matches!(client, ClientId::Address { .. }))
        .collect();
    let owned = naming.distro.after(None).filter(|(_, entry)| naming.distro.owns(entry)).count();
    let counts = naming.counts();
    assert_eq!(counts.instances, listed);
    assert_eq!(counts.subscriptions, subscriptions);
    assert_eq!(counts.address_clients, addresses.len());
    assert_eq!(counts.responsible_instances, owned);
    assert_eq!(counts.services, naming.services.values().filter(|s| s.published).count());
    let opened = naming.connections.values().map(|c| c.offers_count).sum::<usize>();
    let by_open = offers.iter().filter(
        |offer| matches!(offer.client(), ClientId::Connection(id) if naming.connections.contains_key(id)),
    );
    assert_eq!(opened, by_open.count());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_views_are_those_of_a_naive_model(ops in prop::collection::vec(ops(), 1..60)) {
        let mut conversation = Conversation::new();
        let mut model = Model::default();
        for op in ops {
            // A hint lags behind; what a restart makes of an old one is told elsewhere.
            while matches!(op, Op::Restart) && conversation.naming.hints.due().is_some() {
                conversation.command("wait 1s");
                model.wait(1);
            }
            conversation.command(&command(op));
            model.apply(op);
            check_views(&conversation, &model);
            check_books(&conversation.naming);
        }
        // Longer than any push window, and not until the next full second, when somebody may fall silent.
        conversation.command("wait 900ms");
        check_pushes(&conversation, &model);
    }
}
