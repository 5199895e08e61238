//! Overlays: what an operator says of an instance, shown over what its client registered.
//!
//! An overlay survives the instance, so that a restart of the application does not undo what the operator did. When the
//! instance stays away, a command removes it: which overlays it means, and as of which edit, is in the command, so every
//! node removes the same, whatever it has heard of the instance.

use crate::{Command, Edit, Instance, METADATA_CHARS_MAX, Naming, Output, Place, ServiceKey};
use base::{Duration, Instant, Revision};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// How long the overlay of an instance that is gone is kept.
pub const OVERLAY_KEPT: Duration = Duration::from_secs(60);
/// How many overlays one `Wake` proposes to forget at most.
pub const OVERLAYS_FORGOTTEN_PER_WAKE: usize = 1000;

/// What is shown instead of what the client registered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Overlay {
    pub(crate) enabled: Option<bool>,
    pub(crate) weight: Option<f64>,
    pub(crate) metadata: BTreeMap<Arc<str>, Arc<str>>,
    /// Of the last edit.
    pub(crate) revision: Revision,
}

/// Overlays without an instance.
#[derive(Debug, Default)]
pub(crate) struct Absent {
    /// When to forget each.
    at: BTreeMap<(ServiceKey, Place), Instant>,
    due: BTreeSet<(Instant, ServiceKey, Place)>,
}

impl Overlay {
    /// The instance as it is shown.
    pub(crate) fn over(&self, instance: &Arc<Instance>) -> Arc<Instance> {
        let mut shown = Instance::clone(instance);
        shown.enabled = self.enabled.unwrap_or(shown.enabled);
        shown.weight = self.weight.unwrap_or(shown.weight);
        for (key, value) in &self.metadata {
            shown.metadata.insert(key.clone(), value.clone());
        }
        Arc::new(shown)
    }

    /// The overlay after an edit.
    pub(crate) fn edited(&self, edit: &Edit, revision: Revision) -> Self {
        let mut overlay = Self { revision, ..self.clone() };
        match edit.clone() {
            Edit::Replace { enabled, weight, metadata } => {
                (overlay.enabled, overlay.weight) = (Some(enabled), Some(weight));
                overlay.metadata = metadata;
            }
            Edit::Patch { enabled, weight, metadata } => {
                overlay.enabled = enabled.or(overlay.enabled);
                overlay.weight = weight.or(overlay.weight);
                overlay.metadata = metadata.unwrap_or(overlay.metadata);
            }
            Edit::AddMetadata(metadata) => overlay.metadata.extend(metadata),
            Edit::RemoveMetadata(keys) => keys.iter().for_each(|key| {
                overlay.metadata.remove(key);
            }),
        }
        overlay
    }

    /// Whether it shows anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.enabled.is_none() && self.weight.is_none() && self.metadata.is_empty()
    }

    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let Self { enabled, weight, metadata, revision: _ } = self;
        *enabled == other.enabled && *weight == other.weight && *metadata == other.metadata
    }

    pub(crate) fn fits(&self) -> bool {
        let chars = |text: &Arc<str>| text.chars().count();
        let metadata = self.metadata.iter();
        metadata.map(|(key, value)| chars(key) + chars(value)).sum::<usize>() <= METADATA_CHARS_MAX
    }
}

impl Absent {
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.first().map(|(at, ..)| *at)
    }

    fn set(&mut self, service: &ServiceKey, place: &Place, at: Option<Instant>) {
        let key = (service.clone(), place.clone());
        let former = match at {
            Some(at) => self.at.insert(key, at),
            None => self.at.remove(&key),
        };
        let timer = |at| (at, service.clone(), place.clone());
        if let Some(former) = former {
            self.due.remove(&timer(former));
        }
        self.due.extend(at.map(timer));
    }
}

impl Naming {
    /// To be called when an instance may have come or gone, or its overlay.
    pub(crate) fn review_overlay(&mut self, service: &Arc<ServiceKey>, place: &Arc<Place>) {
        let agreed = self.agreed.get(service);
        let overlaid = agreed.is_some_and(|agreed| agreed.overlays.contains_key(&**place));
        if !overlaid && self.absent.at.is_empty() {
            return;
        }
        let key = (ServiceKey::clone(service), Place::clone(place));
        let waits = self.absent.at.contains_key(&key);
        let absent = overlaid && self.shown(service, place).is_none();
        if absent != waits {
            let at = absent.then(|| self.now.instant.after(OVERLAY_KEPT));
            self.absent.set(service, place, at);
        }
    }

    /// Proposes to forget the overlays whose instances are gone for long enough. Should the command be lost, it is
    /// proposed again.
    pub(crate) fn forget_absent(&mut self) {
        let mut forgotten: BTreeMap<ServiceKey, Vec<(Place, Revision)>> = BTreeMap::new();
        for _ in 0..OVERLAYS_FORGOTTEN_PER_WAKE {
            let Some((at, service, place)) = self.absent.due.first().cloned() else { break };
            if at > self.now.instant {
                break;
            }
            let overlay = self.agreed.get(&service).and_then(|agreed| agreed.overlays.get(&place));
            let overlay = overlay.expect("an overlay that is gone is not waited for");
            let revision = overlay.revision;
            self.absent.set(&service, &place, Some(self.now.instant.after(OVERLAY_KEPT)));
            forgotten.entry(service).or_default().push((place, revision));
        }
        for (service, overlays) in forgotten {
            self.outputs.push_back(Output::Tidy(Command::ForgetOverlays { service, overlays }));
        }
    }
}
