//! Services: their views, and how long they are kept in the lists.

use crate::{
    ClusterNames, Instance, Naming, Output, Place, ServiceKey, ServiceKind, ServiceMetadata,
    ServiceView, Subscriber,
    model::{compared, share},
    offer::OfferKey,
    push::Round,
};
use base::{ConnectionId, HybridTime, Instant};
use distro::Entry;
use journal::Kind;
use std::{collections::BTreeMap, ops::Bound, sync::Arc};

/// Up to this many changed places are put into the former list; beyond, the list is made anew.
const PLACES_SPLICED_MAX: usize = 16;

/// A service that is in the lists, or that somebody subscribed to.
#[derive(Debug)]
pub(crate) struct Service {
    /// The newest; of a service that is not in the lists, what its subscribers were told.
    pub(crate) view: Arc<ServiceView>,
    /// `group@@name`, for all that is told of it.
    pub(crate) grouped_name: Arc<str>,
    /// Whether it is in the lists. A subscription alone does not bring it there.
    pub(crate) published: bool,
    pub(crate) subscribers: BTreeMap<ConnectionId, Subscription>,
    /// When the next push is due.
    pub(crate) push_at: Option<Instant>,
    /// Version of the view that was the first to show what this one shows.
    pub(crate) changed_at: u64,
    /// When the last push was finished.
    pub(crate) pushed_at: Option<Instant>,
    /// The push that is being done in pieces.
    pub(crate) round: Option<Round>,
    /// Of the instances that it has, or had since it came into the lists.
    pub(crate) kind: Option<ServiceKind>,
    /// Since when it has neither instances nor subscribers.
    pub(crate) idle_since: Option<Instant>,
    /// When this is the round of `Hints`, the service is among those that are to be written.
    pub(crate) hint_round: u64,
}

/// What changed in a service since it was published.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Where.
    pub(crate) places: Vec<Arc<Place>>,
    /// Whether it is what clients offer, and not only what is agreed.
    pub(crate) offers: bool,
}

/// What a connection wants to know about a service.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) clusters: ClusterNames,
    pub(crate) subscriber: Arc<Subscriber>,
    /// Version of the view that was pushed last; 0 before the first push.
    pub(crate) pushed: u64,
    /// Version of the view that it confirmed last.
    pub(crate) acknowledged: u64,
}

impl Naming {
    /// The shared form of a service's name; the service exists afterwards, though it is not in the lists.
    pub(crate) fn intern(&mut self, key: &ServiceKey) -> Arc<ServiceKey> {
        if let Some((shared, _)) = self.services.get_key_value(key) {
            return shared.clone();
        }
        let mut key = key.clone();
        // Neighbours mostly have the same namespace and group.
        let after = (Bound::Excluded(&key), Bound::Unbounded);
        let before = (Bound::Unbounded, Bound::Excluded(&key));
        let next = self.services.range::<ServiceKey, _>(after).next();
        let last = self.services.range::<ServiceKey, _>(before).next_back();
        for (near, _) in next.into_iter().chain(last) {
            let near = near.clone();
            share(&mut key.namespace, &near.namespace);
            share(&mut key.group, &near.group);
        }
        let view = ServiceView {
            key: key.clone(),
            version: self.next_view_version(self.forgotten_version_max),
            instances: Arc::new([]),
            protect_threshold: 0.0,
            metadata: None,
        };
        let service = Service {
            changed_at: view.version,
            view: Arc::new(view),
            grouped_name: key.grouped_name().into(),
            published: false,
            subscribers: BTreeMap::new(),
            push_at: None,
            pushed_at: None,
            round: None,
            kind: None,
            idle_since: None,
            hint_round: 0,
        };
        let shared = Arc::new(key);
        self.services.insert(shared.clone(), service);
        shared
    }

    /// Publishes every service that changed since the last call.
    pub(crate) fn publish_changed(&mut self) {
        self.tell_switches();
        while let Some((key, Changed { mut places, offers })) = self.changed.pop_first() {
            places.sort_unstable();
            places.dedup();
            let key = self.intern(&key);
            if offers {
                self.hint_outdated(&key);
            }
            for place in &places {
                self.review_overlay(&key, place);
                self.review_check(&key, place);
            }
            let former = self.services[&*key].view.clone();
            let instances = if places.len() <= PLACES_SPLICED_MAX {
                self.spliced(&key, &former.instances, &places)
            } else {
                Some(self.listed(&key)).filter(|listed| !alike(listed, &former.instances))
            };
            let metadata = self.agreed.get(&key).and_then(|agreed| agreed.metadata.clone());
            let described = metadata.is_some() && !self.services[&*key].published;
            match instances {
                Some(instances) => self.publish(&key, instances.into(), metadata),
                None if described || metadata != former.metadata => {
                    self.publish(&key, former.instances.clone(), metadata);
                }
                None => self.review(&key),
            }
        }
    }

    /// What is to be shown of a service: each place once, from the greatest incarnation.
    pub(crate) fn listed(&self, service: &Arc<ServiceKey>) -> Vec<Arc<Instance>> {
        let offered = self.offered(service);
        let Some(agreed) = self.agreed.get(service) else { return offered };
        let offered = offered.into_iter().map(|instance| (Place::of(&instance), instance));
        let mut all: BTreeMap<Place, Arc<Instance>> = offered.collect();
        all.extend(
            agreed
                .instances
                .iter()
                .map(|(place, one)| (place.clone(), self.with_health(service, place, one))),
        );
        for (place, overlay) in &agreed.overlays {
            if let Some(instance) = all.get_mut(place) {
                *instance = overlay.over(instance);
            }
        }
        all.into_values().collect()
    }

    /// What is shown at a place. A persistent instance comes before an offer: it is the same on every node.
    pub(crate) fn shown(
        &self,
        service: &Arc<ServiceKey>,
        place: &Arc<Place>,
    ) -> Option<Arc<Instance>> {
        let agreed = self.agreed.get(service);
        let persistent = agreed.and_then(|agreed| agreed.instances.get(&**place));
        let persistent = persistent.map(|instance| self.with_health(service, place, instance));
        let instance = persistent.or_else(|| greatest(self.offers_at(service, place)))?;
        let overlay = agreed.and_then(|agreed| agreed.overlays.get(&**place));
        Some(overlay.map_or_else(|| instance.clone(), |overlay| overlay.over(&instance)))
    }

    /// The ephemeral instances of a service, as their clients registered them.
    fn offered(&self, service: &Arc<ServiceKey>) -> Vec<Arc<Instance>> {
        let first = OfferKey::first_of(service.clone());
        let mut offers =
            self.distro.from(&first).take_while(|(key, _)| key.is_of(service)).peekable();
        let mut listed = Vec::new();
        while let Some((key, _)) = offers.peek() {
            let place = &key.place;
            let same_place = std::iter::from_fn(|| offers.next_if(|(key, _)| key.place == *place));
            listed.extend(greatest(same_place));
        }
        listed
    }

    /// The former list with only these places looked at anew; `None` if that changes nothing. A change of one instance
    /// among many must not cost a walk over all of them.
    fn spliced(
        &self,
        service: &Arc<ServiceKey>,
        former: &[Arc<Instance>],
        places: &[Arc<Place>],
    ) -> Option<Vec<Arc<Instance>>> {
        let mut list: Option<Vec<Arc<Instance>>> = None;
        for place in places {
            let instance = self.shown(service, place);
            let found = list.as_deref().unwrap_or(former).binary_search_by(|listed| {
                compared(&listed.ip, &place.ip)
                    .then_with(|| listed.port.cmp(&place.port))
                    .then_with(|| compared(&listed.cluster_name, &place.cluster_name))
            });
            match (found, instance) {
                (Ok(at), Some(instance))
                    if alike(
                        &list.as_deref().unwrap_or(former)[at..=at],
                        std::slice::from_ref(&instance),
                    ) => {}
                (Ok(at), Some(instance)) => {
                    list.get_or_insert_with(|| former.to_vec())[at] = instance
                }
                (Ok(at), None) => drop(list.get_or_insert_with(|| former.to_vec()).remove(at)),
                (Err(at), Some(instance)) => {
                    list.get_or_insert_with(|| former.to_vec()).insert(at, instance);
                }
                (Err(_), None) => {}
            }
        }
        list
    }

    /// All offers at one place of a service, hidden ones too.
    pub(crate) fn offers_at<'a>(
        &'a self,
        service: &'a Arc<ServiceKey>,
        place: &'a Arc<Place>,
    ) -> impl Iterator<Item = (&'a OfferKey, &'a Entry<Arc<Instance>>)> {
        let first = OfferKey::first_at(service.clone(), place.clone());
        self.distro.from(&first).take_while(move |(key, _)| key.is_at(service, place))
    }

    /// Takes a service that was removed out of the lists, unless it has got instances meanwhile.
    pub(crate) fn retire_empty(&mut self, key: &ServiceKey) {
        if let Some((shared, service)) = self.services.get_key_value(key)
            && service.published
            && service.view.instances.is_empty()
        {
            let key = shared.clone();
            self.retire(&key);
        }
    }

    /// Retires the services that were idle for long enough, at most `count_max` of them.
    pub(crate) fn retire_idle(&mut self, count_max: usize) {
        for _ in 0..count_max {
            match self.idle.first() {
                Some((at, _)) if *at <= self.now.instant => {}
                Some(_) | None => return,
            }
            let (_, key) = self.idle.pop_first().expect("looked at above");
            self.retire(&key);
        }
    }

    /// To be called whenever a service may have become idle or busy.
    pub(crate) fn review(&mut self, key: &Arc<ServiceKey>) {
        let Some(service) = self.services.get_mut(key) else { return };
        let described = service.view.metadata.is_some();
        let empty = service.view.instances.is_empty();
        let idle = empty && !described && service.subscribers.is_empty();
        if !idle {
            if let Some(since) = service.idle_since.take() {
                self.idle.remove(&(since.after(self.settings.empty_service_kept), key.clone()));
            }
        } else if !service.published {
            self.forget(key);
        } else if service.idle_since.is_none() {
            service.idle_since = Some(self.now.instant);
            let at = self.now.instant.after(self.settings.empty_service_kept);
            self.idle.insert((at, key.clone()));
        }
    }

    fn publish(
        &mut self,
        key: &Arc<ServiceKey>,
        instances: Arc<[Arc<Instance>]>,
        metadata: Option<Arc<ServiceMetadata>>,
    ) {
        let former = self.services[&**key].view.clone();
        let version = self.next_view_version(former.version);
        let count = instances.len();
        self.listed_count = self.listed_count + count - former.instances.len();
        let view = Arc::new(ServiceView {
            key: former.key.clone(),
            version,
            instances,
            protect_threshold: metadata.as_ref().map_or(0.0, |said| said.protect_threshold),
            metadata,
        });
        let service = self.services.get_mut(key).expect("read above");
        let persistent = view.instances.iter().any(|instance| !instance.ephemeral);
        let kind = if persistent { ServiceKind::Persistent } else { ServiceKind::Ephemeral };
        service.kind = if count > 0 { Some(kind) } else { service.kind };
        service.view = view.clone();
        service.changed_at = version;
        let comes = !std::mem::replace(&mut service.published, true);
        self.published_count += usize::from(comes);
        self.outputs.push_back(Output::Publish(view));
        if comes {
            self.tell_watchers(key);
        }
        let instances = u32::try_from(count).unwrap_or(u32::MAX);
        self.service_event(Kind::Listed { version, instances }, key);
        self.schedule_push(key);
        self.review(key);
    }

    /// Gives the view of a service a version of now. Clients drop a list that looks older than the one they hold, and one that
    /// comes from another node may hold one of a moment that this node has not heard of: it would hold on to that for as long
    /// as nothing changes here.
    pub(crate) fn stamp_anew(&mut self, key: &Arc<ServiceKey>) {
        let former = self.services[&**key].view.clone();
        let version = self.next_view_version(former.version);
        let view = Arc::new(ServiceView { version, ..ServiceView::clone(&former) });
        let service = self.services.get_mut(key).expect("read above");
        service.view = view.clone();
        if service.published {
            self.outputs.push_back(Output::Publish(view));
        }
    }

    fn retire(&mut self, key: &Arc<ServiceKey>) {
        let service = self.services.get_mut(key).expect("the caller looked it up");
        assert!(service.published && service.view.instances.is_empty(), "{key} is in use");
        service.published = false;
        service.kind = None;
        if service.view.metadata.is_some() {
            let gone = ServiceView {
                protect_threshold: 0.0,
                metadata: None,
                ..ServiceView::clone(&service.view)
            };
            service.view = Arc::new(gone);
        }
        self.published_count -= 1;
        self.outputs.push_back(Output::Retire((**key).clone()));
        self.tell_watchers(key);
        self.review(key);
    }

    fn forget(&mut self, key: &Arc<ServiceKey>) {
        let Some(service) = self.services.remove(key) else { return };
        // Should it come back, its views must look newer than these.
        self.forgotten_version_max = self.forgotten_version_max.max(service.view.version);
        if let Some(at) = service.push_at {
            self.pushes.remove(&(at, key.clone()));
        }
        if let Some(since) = service.idle_since {
            self.idle.remove(&(since.after(self.settings.empty_service_kept), key.clone()));
        }
    }

    /// A version for a view that replaces one of version `former`. The clock is moved along, so that its high water
    /// also covers the versions of views.
    fn next_view_version(&mut self, former: u64) -> u64 {
        let now = self.now;
        let clock = self.distro.clock();
        let version = clock.tick(now).unix_ms().max(former + 1);
        clock.raise(HybridTime::from_unix_ms(version));
        version
    }
}

/// The offer that is shown among those at one place.
fn greatest<'a>(
    offers: impl Iterator<Item = (&'a OfferKey, &'a Entry<Arc<Instance>>)>,
) -> Option<Arc<Instance>> {
    offers
        .filter(|(_, entry)| entry.listed())
        .max_by_key(|(_, entry)| entry.version.incarnation)
        .map(|(_, entry)| entry.value.clone())
}

fn alike(a: &[Arc<Instance>], b: &[Arc<Instance>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b) || a == b)
}
