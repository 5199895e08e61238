//! What a name may be: the rules that Nacos's own parameter check has, so that whatever comes in here can be read by
//! its clients.

use crate::problem::Problem;
use base::NodeId;
use std::{collections::BTreeMap, sync::Arc};

/// The group of a service or config that names none.
pub(crate) const DEFAULT_GROUP: &str = "DEFAULT_GROUP";
/// The cluster name of an instance that names none.
pub(crate) const DEFAULT_CLUSTER: &str = "DEFAULT";
const NAMESPACE_CHARS_MAX: usize = 64;
const GROUP_CHARS_MAX: usize = 128;
const SERVICE_CHARS_MAX: usize = 512;
const DATA_ID_CHARS_MAX: usize = 256;
const CLUSTER_CHARS_MAX: usize = 64;
const IP_CHARS_MAX: usize = 128;
/// Characters of all keys and values of one instance's metadata.
const METADATA_CHARS_MAX: usize = naming::METADATA_CHARS_MAX;
const WEIGHT_MAX: f64 = 10_000.0;

fn checked(what: &str, text: &str, chars_max: usize, fits: bool) -> Result<Arc<str>, Problem> {
    let why = if text.is_empty() {
        "it is empty".to_owned()
    } else if text.chars().count() > chars_max {
        format!("it is longer than {chars_max} characters")
    } else if !fits {
        "it has a character that is not allowed there".to_owned()
    } else {
        return Ok(text.into());
    };
    Err(Problem::invalid(format!("`{text:.80}` is no {what}"), why, "use another name"))
}

fn plain(text: &str, extra: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

/// No white space, no control characters, no Chinese: what Nacos leaves of Unicode for addresses and service names.
fn printable(text: &str) -> bool {
    let refused =
        |c: char| c.is_whitespace() || c.is_control() || ('\u{4e00}'..='\u{9fa5}').contains(&c);
    !text.chars().any(refused)
}

pub(crate) fn namespace(text: &str) -> Result<Arc<str>, Problem> {
    checked("namespace id", text, NAMESPACE_CHARS_MAX, plain(text, "_-"))
}

pub(crate) fn group(text: &str) -> Result<Arc<str>, Problem> {
    checked("group", text, GROUP_CHARS_MAX, plain(text, "-_:."))
}

pub(crate) fn service(text: &str) -> Result<Arc<str>, Problem> {
    let fits = printable(text) && !text.starts_with('@') && !text.contains("@@");
    checked("service name", text, SERVICE_CHARS_MAX, fits)
}

pub(crate) fn data_id(text: &str) -> Result<Arc<str>, Problem> {
    checked("data id", text, DATA_ID_CHARS_MAX, plain(text, "-_:."))
}

pub(crate) fn cluster(text: &str) -> Result<Arc<str>, Problem> {
    checked("cluster name", text, CLUSTER_CHARS_MAX, plain(text, "_-"))
}

pub(crate) fn ip(text: &str) -> Result<Arc<str>, Problem> {
    checked("address", text, IP_CHARS_MAX, printable(text))
}

/// Cluster names, separated by commas; none means all.
pub(crate) fn clusters(text: &str) -> Result<Arc<[Arc<str>]>, Problem> {
    text.split(',').filter(|name| !name.is_empty()).map(cluster).collect()
}

/// `ip:port`; an IPv6 address may stand in brackets.
pub(crate) fn address(text: &str) -> Result<(Arc<str>, u16), Problem> {
    let wrong = || {
        Problem::invalid(
            format!("`{text:.80}` is no address of an instance"),
            "it must be `ip:port` with a port from 0 to 65535",
            "e.g. 10.0.0.1:8080 or [2001:db8::1]:8080",
        )
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    Ok((ip(host)?, port.parse().map_err(|_| wrong())?))
}

/// A node as it is shown, or its number alone.
pub(crate) fn node(text: &str) -> Result<NodeId, Problem> {
    let digits = text.strip_prefix('n').unwrap_or(text);
    // `parse` would take a sign.
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain).map(NodeId).ok_or_else(|| {
        Problem::invalid(
            format!("`{text:.80}` is no node"),
            "it must be `n` and a number",
            "`trine cluster members` shows all of them",
        )
    })
}

/// A weight that can be compared and summed.
pub(crate) fn weight(weight: f64) -> Result<f64, Problem> {
    if (0.0..=WEIGHT_MAX).contains(&weight) {
        // Minus zero would be written as `-0.0`.
        return Ok(weight.abs());
    }
    Err(Problem::invalid(
        format!("weight {weight} is out of range"),
        format!("it must be from 0 to {WEIGHT_MAX}"),
        "0 means no traffic",
    ))
}

pub(crate) fn metadata(metadata: &BTreeMap<Arc<str>, Arc<str>>) -> Result<(), Problem> {
    let chars: usize = metadata.iter().map(|(k, v)| k.chars().count() + v.chars().count()).sum();
    if chars <= METADATA_CHARS_MAX {
        return Ok(());
    }
    Err(Problem::invalid(
        "the metadata is too long",
        format!("its keys and values have {chars} characters; {METADATA_CHARS_MAX} are allowed"),
        "keep long values in a config",
    ))
}
