//! Offering instances and taking them back.

use crate::{
    ClientId, Instance, Naming, Place, Refusal, Reply, ServiceKey, ServiceKind,
    model::share,
    offer::{ByClient, OfferKey},
};
use distro::{Input, Standing, Version};
use journal::Kind;
use std::sync::Arc;

/// How many instances one connection may offer, in all services together. At the limit a registration is refused.
pub const INSTANCES_PER_CONNECTION_MAX: usize = 10_000;

impl Naming {
    /// Replaces all that the client offers in the service.
    pub(crate) fn register(
        &mut self,
        client: &Arc<ClientId>,
        service: &Arc<ServiceKey>,
        mut instances: Vec<Instance>,
    ) -> Result<Reply, Refusal> {
        if instances.iter().any(|instance| !instance.ephemeral) {
            return Err(Refusal::NotEphemeral);
        }
        if !instances.is_empty() {
            self.check_kind(service, ServiceKind::Ephemeral)?;
        }
        self.share_cluster_names(service, &mut instances);
        let former = self.offers_in(client, service);
        let of_former = |place: &Place| former.binary_search_by(|key| (*key.place).cmp(place)).ok();
        let places: Vec<Arc<Place>> = instances
            .iter()
            .map(Place::of)
            .map(|place| match of_former(&place) {
                Some(at) => former[at].place.clone(),
                None => self.shared_place(client, place),
            })
            .collect();
        let mut wanted = places.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let added = wanted.iter().filter(|place| of_former(place).is_none()).count();
        self.check_room(client, added, former.len(), wanted.len())?;
        let service = self.intern(service);
        for key in former {
            if wanted.binary_search(&key.place).is_err() {
                self.take_back(key, Kind::Deregistered);
            }
        }
        for (instance, place) in instances.into_iter().zip(places) {
            self.offer(&service, place, client, instance);
        }
        // Nothing may have been offered; then the service is not kept for it.
        self.changed.entry(service).or_default();
        Ok(Reply::Done)
    }

    pub(crate) fn deregister(
        &mut self,
        client: &Arc<ClientId>,
        service: &Arc<ServiceKey>,
        place: &Arc<Place>,
    ) -> Reply {
        if let Some(key) = self.find(client, service, place) {
            self.take_back(key, Kind::Deregistered);
        }
        // A client that came back under another name and leaves before it registered means its orphan.
        self.end_orphans(service, place, client, Kind::Deregistered);
        Reply::Done
    }

    /// Offers one instance, whatever else the client offers.
    fn offer(
        &mut self,
        service: &Arc<ServiceKey>,
        place: Arc<Place>,
        client: &Arc<ClientId>,
        mut instance: Instance,
    ) {
        // What the key says is not kept a second time.
        (instance.ip, instance.cluster_name) = (place.ip.clone(), place.cluster_name.clone());
        let key = OfferKey { service: service.clone(), place, client: client.clone() };
        let former = self.distro.get(&key);
        let owned = former.is_some_and(|entry| self.distro.owns(entry));
        let covered = former.is_some_and(|entry| self.is_covered(&key, entry.version));
        let kind = match former.map(|entry| entry.standing) {
            Some(Standing::Orphan | Standing::Hidden) => Kind::Adopted,
            Some(Standing::Living) | None => Kind::Registered,
        };
        if former.is_some_and(|entry| owned && !covered && *entry.value == instance) {
            self.distro(Input::Heard { key: key.clone() });
        } else {
            self.instance_event(kind, &key);
            let (key, value) = (key.clone(), Arc::new(instance));
            // The reply promises that the view shows it, also where another client is at the same place.
            self.distro(match self.forwards.asked_at() {
                Some(at) => Input::WriteAsked { key, value, at },
                None if covered => Input::Claim { key, value },
                None => Input::Write { key, value },
            });
        }
        self.end_orphans(&key.service, &key.place, &key.client, Kind::Adopted);
        self.watch_beats(key);
    }

    /// Ends what others than `client` left at a place where it now is, or was. For good: a later deregistration must not
    /// bring an orphan back to light.
    pub(crate) fn end_orphans(
        &mut self,
        service: &Arc<ServiceKey>,
        place: &Arc<Place>,
        client: &ClientId,
        kind: Kind,
    ) {
        let orphans: Vec<OfferKey> = self
            .offers_at(service, place)
            .filter(|(key, entry)| entry.standing != Standing::Living && *key.client != *client)
            .map(|(key, _)| key.clone())
            .collect();
        for key in orphans {
            self.take_back(key, kind.clone());
        }
    }

    /// The offer that the client means. An HTTP client has one per service, so its cluster name need not be exact.
    pub(crate) fn find(
        &self,
        client: &Arc<ClientId>,
        service: &Arc<ServiceKey>,
        place: &Arc<Place>,
    ) -> Option<OfferKey> {
        let (service, place) = (service.clone(), place.clone());
        let exact = OfferKey { service, place, client: client.clone() };
        // The form in which it is kept, so that nothing is kept twice.
        if let Some((known, _)) = self.distro.from(&exact).next().filter(|(key, _)| **key == exact)
        {
            return Some(known.clone());
        }
        match &**client {
            ClientId::Connection(_) => None,
            ClientId::Address { .. } => self.offers_in(client, &exact.service).into_iter().next(),
        }
    }

    pub(crate) fn take_back(&mut self, key: OfferKey, kind: Kind) {
        self.instance_event(kind, &key);
        self.distro(match self.forwards.asked_at() {
            Some(at) => Input::DeleteAsked { key, at },
            None => Input::Delete { key },
        });
    }

    /// All offers of a client in a service.
    pub(crate) fn offers_in(
        &self,
        client: &Arc<ClientId>,
        service: &Arc<ServiceKey>,
    ) -> Vec<OfferKey> {
        self.by_client
            .range(ByClient::first_in(client.clone(), service.clone())..)
            .take_while(|offer| offer.is_in(client, service))
            .map(|offer| offer.clone().into())
            .collect()
    }

    /// Whether an offer of another client is shown at its place instead of this one.
    fn is_covered(&self, key: &OfferKey, version: Version) -> bool {
        self.offers_at(&key.service, &key.place).any(|(other, entry)| {
            other.client != key.client
                && entry.listed()
                && entry.version.incarnation > version.incarnation
        })
    }

    /// Most instances of a service name the same cluster; the text is kept once.
    fn share_cluster_names(&self, service: &Arc<ServiceKey>, instances: &mut [Instance]) {
        let shown = self.services.get(service).and_then(|known| known.view.instances.first());
        let mut shared = shown.map(|instance| instance.cluster_name.clone());
        for instance in instances {
            let known = shared.get_or_insert_with(|| instance.cluster_name.clone());
            share(&mut instance.cluster_name, &self.default_cluster);
            share(&mut instance.cluster_name, known);
        }
    }

    /// A place, with what it has in common with the last one of the client.
    fn shared_place(&mut self, client: &ClientId, mut place: Place) -> Arc<Place> {
        let ClientId::Connection(id) = client else { return Arc::new(place) };
        let Some(connection) = self.connections.get_mut(id) else { return Arc::new(place) };
        if *connection.place != place {
            share(&mut place.ip, &connection.place.ip);
            connection.place = Arc::new(place);
        }
        connection.place.clone()
    }

    fn check_room(
        &self,
        client: &ClientId,
        added: usize,
        former: usize,
        wanted: usize,
    ) -> Result<(), Refusal> {
        let ClientId::Connection(id) = client else { return Ok(()) };
        let connection = self.connections.get(id).ok_or(Refusal::UnknownClient)?;
        let others = connection.offers_count - former;
        let limit = self.settings.instances_per_connection_max;
        if added > 0 && others + wanted > limit {
            return Err(Refusal::TooMany { what: "instances", limit });
        }
        Ok(())
    }
}
