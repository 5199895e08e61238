//! The parameter filter: lengths and characters of names, with Nacos's texts.
//!
//! It runs before anything else looks at a request, over all parameters that are there; an absent one passes.

use crate::fault::{ErrorCode, Fault};
use base::Limit;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Characters of a namespace id.
pub(crate) const NAMESPACE_CHARS_MAX: usize = 64;
/// Characters of a data id.
pub(crate) const DATA_ID_CHARS_MAX: usize = 256;
/// Characters of a group.
pub(crate) const GROUP_CHARS_MAX: usize = 128;
/// Characters of a service name.
pub(crate) const SERVICE_CHARS_MAX: usize = 512;
/// Characters of a cluster name.
pub(crate) const CLUSTER_CHARS_MAX: usize = 64;
/// Characters of an address.
pub(crate) const IP_CHARS_MAX: usize = 128;
/// Characters of all keys and values of one instance's metadata, whatever the setting.
pub(crate) const METADATA_CHARS_MAX: usize = naming::METADATA_CHARS_MAX;

fn within(name: &str, value: &str, chars_max: usize, fits: bool) -> Result<(), Fault> {
    if value.chars().count() > chars_max {
        return Err(Fault::filter(format!(
            "Param '{name}' is illegal, the param length should not exceed {chars_max}."
        ))
        .at(Limit::NameLength));
    }
    if !fits {
        return Err(Fault::filter(format!(
            "Param '{name}' is illegal, illegal characters should not appear in the param."
        )));
    }
    Ok(())
}

fn only(value: &str, extra: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

/// No white space, no control characters, no Chinese: what Nacos leaves of Unicode for addresses and service names.
fn printable(value: &str) -> bool {
    !value
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || ('\u{4e00}'..='\u{9fa5}').contains(&c))
}

pub(crate) fn namespace(value: &str) -> Result<(), Fault> {
    within("namespaceId/tenant", value, NAMESPACE_CHARS_MAX, only(value, "_-"))
}

pub(crate) fn data_id(value: &str) -> Result<(), Fault> {
    within("dataId", value, DATA_ID_CHARS_MAX, only(value, "-_:."))
}

pub(crate) fn group(value: &str) -> Result<(), Fault> {
    within("group", value, GROUP_CHARS_MAX, only(value, "-_:."))
}

/// A service name without its group.
pub(crate) fn service(value: &str) -> Result<(), Fault> {
    let fits = printable(value) && !value.starts_with('@') && !value.contains("@@");
    within("serviceName", value, SERVICE_CHARS_MAX, fits)
}

pub(crate) fn cluster(value: &str) -> Result<(), Fault> {
    within("cluster", value, CLUSTER_CHARS_MAX, only(value, "_-"))
}

pub(crate) fn ip(value: &str) -> Result<(), Fault> {
    within("ip", value, IP_CHARS_MAX, printable(value))
}

pub(crate) fn port(value: Option<i64>) -> Result<u16, Fault> {
    value.and_then(|port| u16::try_from(port).ok()).ok_or_else(|| {
        Fault::filter(
            "Param 'port' is illegal, the value should be between 0 and 65535.".to_owned(),
        )
    })
}

pub(crate) fn metadata(map: &BTreeMap<Arc<str>, Arc<str>>) -> Result<(), Fault> {
    let chars: usize = map.iter().map(|(k, v)| k.chars().count() + v.chars().count()).sum();
    if chars > METADATA_CHARS_MAX { Err(metadata_over(METADATA_CHARS_MAX)) } else { Ok(()) }
}

pub(crate) fn metadata_over(chars_max: usize) -> Fault {
    let text =
        format!("Param 'Metadata' is illegal, the param length should not exceed {chars_max}.");
    Fault::filter(text).at(Limit::InstanceMetadata)
}

/// A weight that can be compared and summed: not NaN, not negative, at most 10 000.
pub(crate) fn weight(value: f64) -> Result<f64, Fault> {
    if (0.0..=10_000.0).contains(&value) {
        // Minus zero would be written as `-0.0`.
        Ok(value.abs())
    } else {
        Err(Fault::plain("instance format invalid: The weights range from 0.0 to 10000.0")
            .with(ErrorCode::Weight))
    }
}
