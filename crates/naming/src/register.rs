//! Offering instances and taking them back.

use crate::{
    ClientId, Instance, Naming, Place, Refusal, Reply, ServiceKey, ServiceKind,
    offer::{ByClient, OfferKey},
};
use distro::{Input, Standing, Version};
use journal::Kind;
use std::{collections::BTreeSet, sync::Arc};

/// How many instances one connection may offer, in all services together. At the limit a registration is refused.
pub const INSTANCES_PER_CONNECTION_MAX: usize = 10_000;

impl Naming {
    /// Replaces all that the client offers in the service.
    pub(crate) fn register(
        &mut self,
        client: &ClientId,
        service: &ServiceKey,
        instances: Vec<Instance>,
    ) -> Result<Reply, Refusal> {
        if instances.iter().any(|instance| !instance.ephemeral) {
            return Err(Refusal::NotEphemeral);
        }
        if !instances.is_empty() {
            self.check_kind(service, ServiceKind::Ephemeral)?;
        }
        let service = self.shared(service);
        let former = self.offers_in(client, &service);
        let places: BTreeSet<Place> = instances.iter().map(Place::of).collect();
        let added = places.iter().filter(|place| former.iter().all(|key| key.place != **place));
        self.check_room(client, added.count(), former.len(), places.len())?;
        let service = self.intern(&service);
        for key in former {
            if !places.contains(&key.place) {
                self.take_back(key, Kind::Deregistered);
            }
        }
        for instance in instances {
            self.offer(&service, client, instance);
        }
        // Nothing may have been offered; then the service is not kept for it.
        self.changed.entry(service).or_default();
        Ok(Reply::Done)
    }

    pub(crate) fn deregister(
        &mut self,
        client: &ClientId,
        service: &ServiceKey,
        place: Place,
    ) -> Reply {
        let service = self.shared(service);
        if let Some(key) = self.find(client, &service, &place) {
            self.take_back(key, Kind::Deregistered);
        }
        // A client that came back under another name and leaves before it registered means its orphan.
        self.end_orphans(&service, &place, client, Kind::Deregistered);
        Reply::Done
    }

    /// Offers one instance, whatever else the client offers.
    fn offer(&mut self, service: &Arc<ServiceKey>, client: &ClientId, mut instance: Instance) {
        self.share_cluster_name(service, &mut instance);
        let (service, place) = (service.clone(), Place::of(&instance));
        let key = OfferKey { service, place, client: client.clone() };
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
            self.distro(if covered {
                Input::Claim { key, value }
            } else {
                Input::Write { key, value }
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
        place: &Place,
        client: &ClientId,
        kind: Kind,
    ) {
        let orphans: Vec<OfferKey> = self
            .offers_at(service, place)
            .filter(|(key, entry)| entry.standing != Standing::Living && key.client != *client)
            .map(|(key, _)| key.clone())
            .collect();
        for key in orphans {
            self.take_back(key, kind.clone());
        }
    }

    /// The offer that the client means. An HTTP client has one per service, so its cluster name need not be exact.
    pub(crate) fn find(
        &self,
        client: &ClientId,
        service: &Arc<ServiceKey>,
        place: &Place,
    ) -> Option<OfferKey> {
        let (service, place) = (service.clone(), place.clone());
        let exact = OfferKey { service, place, client: client.clone() };
        if self.distro.get(&exact).is_some() {
            return Some(exact);
        }
        match client {
            ClientId::Connection(_) => None,
            ClientId::Address { .. } => self.offers_in(client, &exact.service).into_iter().next(),
        }
    }

    pub(crate) fn take_back(&mut self, key: OfferKey, kind: Kind) {
        self.instance_event(kind, &key);
        self.distro(Input::Delete { key });
    }

    /// All offers of a client in a service.
    fn offers_in(&self, client: &ClientId, service: &Arc<ServiceKey>) -> Vec<OfferKey> {
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
    fn share_cluster_name(&self, service: &ServiceKey, instance: &mut Instance) {
        let service = self.services.get(service).expect("the caller interned it");
        if let Some(other) = service.view.instances.first()
            && other.cluster_name == instance.cluster_name
        {
            instance.cluster_name = other.cluster_name.clone();
        }
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
