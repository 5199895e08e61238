//! The form of what enters the log: what can be refused without looking at the state.

use crate::{Edit, Instance, Place, Refusal, ServiceKey, ServiceMetadata};
use std::{collections::BTreeMap, sync::Arc};

/// Characters of all keys and values of one instance's or service's metadata in the log. Edges take less: Nacos's 1 024, or
/// what an operator chose below this.
pub const METADATA_CHARS_MAX: usize = 65_536;
/// Instances that one edit may name. With the limits below an edit stays within 11 MiB, and so within an entry of the log.
pub const INSTANCES_EDITED_MAX: usize = 10_000;
/// Characters of a selector's expression.
const SELECTOR_CHARS_MAX: usize = 4_096;
/// Characters of an address or a cluster name, as in Nacos.
const PLACE_CHARS_MAX: usize = 128;
/// Characters of any other name: no shorter than what edges let pass.
const NAME_CHARS_MAX: usize = 512;
/// Of a weight.
const WEIGHT_MAX: f64 = 10_000.0;

pub(crate) fn service(service: &ServiceKey) -> Result<(), Refusal> {
    let ServiceKey { namespace, group, name } = service;
    [namespace, group, name].into_iter().try_for_each(|part| name_fits("service name", part))
}

pub(crate) fn instance(instance: &Instance) -> Result<(), Refusal> {
    place(&Place::of(instance))?;
    name_fits("instance id", instance.instance_id.as_deref().unwrap_or_default())?;
    metadata(&instance.metadata)?;
    weight(instance.weight)
}

pub(crate) fn service_metadata(given: &ServiceMetadata) -> Result<(), Refusal> {
    if !(0.0..=1.0).contains(&given.protect_threshold) {
        return Err(Refusal::OutOfRange { what: "protectThreshold", min: 0, max: 1 });
    }
    metadata(&given.metadata)?;
    within("selector type", &given.selector.kind, NAME_CHARS_MAX)?;
    within("selector", given.selector.expression.as_deref().unwrap_or_default(), SELECTOR_CHARS_MAX)
}

pub(crate) fn edit(places: &[Place], edit: &Edit) -> Result<(), Refusal> {
    if places.len() > INSTANCES_EDITED_MAX {
        return Err(Refusal::TooManyEdited { limit: INSTANCES_EDITED_MAX });
    }
    places.iter().try_for_each(place)?;
    match edit {
        Edit::Replace { enabled: _, weight, metadata } => {
            self::weight(*weight).and_then(|()| self::metadata(metadata))
        }
        Edit::Patch { enabled: _, weight, metadata } => {
            weight.map_or(Ok(()), self::weight)?;
            metadata.as_ref().map_or(Ok(()), self::metadata)
        }
        Edit::AddMetadata(metadata) => self::metadata(metadata),
        Edit::RemoveMetadata(keys) => metadata_fits(keys.iter().map(|key| key.chars().count())),
    }
}

pub(crate) fn ip(ip: &str) -> Result<(), Refusal> {
    within("ip", ip, PLACE_CHARS_MAX)
}

pub(crate) fn place(place: &Place) -> Result<(), Refusal> {
    ip(&place.ip)?;
    within("cluster name", &place.cluster_name, PLACE_CHARS_MAX)
}

fn name_fits(what: &'static str, text: &str) -> Result<(), Refusal> {
    within(what, text, NAME_CHARS_MAX)
}

pub(crate) fn within(what: &'static str, text: &str, limit: usize) -> Result<(), Refusal> {
    if text.chars().count() > limit { Err(Refusal::TooLong { what, limit }) } else { Ok(()) }
}

pub(crate) fn metadata(metadata: &BTreeMap<Arc<str>, Arc<str>>) -> Result<(), Refusal> {
    metadata_fits(metadata.iter().map(|(k, v)| k.chars().count() + v.chars().count()))
}

fn metadata_fits(chars: impl Iterator<Item = usize>) -> Result<(), Refusal> {
    if chars.sum::<usize>() > METADATA_CHARS_MAX {
        return Err(Refusal::TooLong { what: "metadata", limit: METADATA_CHARS_MAX });
    }
    Ok(())
}

/// NaN is in no range.
fn weight(weight: f64) -> Result<(), Refusal> {
    if (0.0..=WEIGHT_MAX).contains(&weight) {
        return Ok(());
    }
    Err(Refusal::OutOfRange { what: "weight", min: 0, max: WEIGHT_MAX as u32 })
}
