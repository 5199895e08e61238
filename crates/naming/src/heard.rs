//! What other nodes' clients offer, in the form in which this node keeps names and texts already.
//!
//! A record that was read from a message has a copy of its own of each of its texts. Of what is registered here most are
//! shared: the name of a service by all that is offered in it, an address by all that a client offers. So without this a
//! record of another node would cost twice what one of this node does, and two keys would be told apart by reading.

use crate::{
    Instance, Naming, Place,
    model::share,
    offer::{ByClient, OfferKey},
};
use distro::{Message, Record};
use std::sync::Arc;

impl Naming {
    /// Gives the records in a message the forms that are kept here.
    pub(crate) fn share_heard(&mut self, message: &mut Message<OfferKey, Arc<Instance>>) {
        match message {
            Message::Delta { records, .. } => self.share_records(records),
            // What is in these is not kept.
            Message::DeltaTaken { .. }
            | Message::Digest { .. }
            | Message::Buckets { .. }
            | Message::Versions { .. }
            | Message::More { .. }
            | Message::Wanted { .. } => {}
        }
    }

    /// Neighbours have most in common: records come in the order of their keys.
    pub(crate) fn share_records(&mut self, records: &mut [Record<OfferKey, Arc<Instance>>]) {
        let mut last = None;
        for Record { key, value, .. } in records {
            self.share_key(key, last.as_ref(), value.is_some());
            if let Some(instance) = value.as_mut().and_then(Arc::get_mut) {
                share(&mut instance.ip, &key.place.ip);
                share(&mut instance.cluster_name, &key.place.cluster_name);
            }
            last = Some(key.clone());
        }
    }

    fn share_key(&mut self, key: &mut OfferKey, last: Option<&OfferKey>, is_living: bool) {
        match last.filter(|last| last.service == key.service) {
            Some(last) => key.service = last.service.clone(),
            None if is_living => {
                key.service = self.intern(&key.service);
                // Should nothing come of the record, the service is not kept for it.
                self.changed.entry(key.service.clone()).or_default();
            }
            None => key.service = self.shared(&key.service),
        }
        if let Some((known, _)) = self.distro.from(key).next().filter(|(known, _)| *known == key) {
            *key = known.clone();
            return;
        }
        let near = last.filter(|last| last.client == key.client).cloned();
        let near = near.or_else(|| self.offered_by(key));
        if let Some(near) = &near {
            key.client = near.client.clone();
        }
        for place in near.iter().chain(last).map(|near| &near.place) {
            if *place == key.place {
                key.place = place.clone();
            }
            let Some(Place { ip, cluster_name, .. }) = Arc::get_mut(&mut key.place) else { return };
            share(ip, &place.ip);
            share(cluster_name, &place.cluster_name);
        }
        if let Some(place) = Arc::get_mut(&mut key.place) {
            share(&mut place.cluster_name, &self.default_cluster);
        }
    }

    /// Something that the same client offers elsewhere.
    fn offered_by(&self, key: &OfferKey) -> Option<OfferKey> {
        let first = ByClient::first_of(key.client.clone());
        let offer = self.by_client.range(first..).next();
        offer.filter(|offer| offer.is_of(&key.client)).map(|offer| offer.clone().into())
    }
}
