//! The state tables: how what is agreed becomes bytes, and back.
//!
//! | table | key | value: version byte, then postcard of |
//! |---|---|---|
//! | 0 | namespace, group, name (`base::push_part` each) | the key, `ServiceMetadata` |
//! | 1 | the same, ip, port in 2 bytes, cluster name | the key, persistent `Instance` |
//! | 2 | as 1 | the key, place, `Overlay` |
//! | 3 | nothing | `Switches` |
//! | 4 | as 0, cluster name | the key, cluster name, `ClusterSettings` |

use crate::{Instance, Place, ServiceKey, agreed::Change};
use base::{Row, push_part};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

const METADATA: u8 = 0;
const INSTANCES: u8 = 1;
const OVERLAYS: u8 = 2;
const SWITCHES: u8 = 3;
const CLUSTERS: u8 = 4;

/// Of all values' formats.
const VERSION: u8 = 1;

/// The row that a change comes to.
pub(crate) fn row(change: &Change) -> Row {
    match change {
        Change::PutMetadata(service, metadata) => {
            let value = Some(encoded(&(service, metadata)));
            Row { table: METADATA, key: service_key(service), value }
        }
        Change::DropMetadata(service) => {
            Row { table: METADATA, key: service_key(service), value: None }
        }
        Change::PutInstance(service, instance) => {
            let key = place_key(service, &Place::of(instance));
            Row { table: INSTANCES, key, value: Some(encoded(&(service, instance))) }
        }
        Change::DropInstance(service, place) => {
            Row { table: INSTANCES, key: place_key(service, place), value: None }
        }
        Change::PutOverlay(service, place, overlay) => {
            let value = Some(encoded(&(service, place, overlay)));
            Row { table: OVERLAYS, key: place_key(service, place), value }
        }
        Change::DropOverlay(service, place) => {
            Row { table: OVERLAYS, key: place_key(service, place), value: None }
        }
        Change::PutSwitches(switches) => {
            Row { table: SWITCHES, key: Vec::new(), value: Some(encoded(switches)) }
        }
        Change::PutCluster(service, cluster_name, settings) => {
            let value = Some(encoded(&(service, cluster_name, settings)));
            Row { table: CLUSTERS, key: cluster_key(service, cluster_name), value }
        }
        Change::DropCluster(service, cluster_name) => {
            Row { table: CLUSTERS, key: cluster_key(service, cluster_name), value: None }
        }
    }
}

/// The change that a row of the tables stands for.
pub(crate) fn read(row: &Row) -> Result<Change, String> {
    let unreadable = |why: &str| {
        format!(
            "naming table {}, row {}: {why}; restore this node from its peers or a backup",
            row.table,
            row.key.escape_ascii()
        )
    };
    let Some(value) = &row.value else { return Err(unreadable("deleted in a snapshot")) };
    let change = match row.table {
        METADATA => {
            decoded(value).map(|(service, metadata)| Change::PutMetadata(service, metadata))
        }
        INSTANCES => decoded::<(ServiceKey, Arc<Instance>)>(value)
            .map(|(service, instance)| Change::PutInstance(service, instance)),
        OVERLAYS => decoded(value)
            .map(|(service, place, overlay)| Change::PutOverlay(service, place, overlay)),
        SWITCHES => decoded(value).map(Change::PutSwitches),
        CLUSTERS => decoded(value)
            .map(|(service, name, settings)| Change::PutCluster(service, name, settings)),
        table => {
            return Err(format!(
                "naming has no table {table}: the data is of a newer version; update this node"
            ));
        }
    };
    let change = change.map_err(|why| unreadable(&why))?;
    if self::row(&change).key != row.key {
        return Err(unreadable("it holds another key"));
    }
    Ok(change)
}

fn service_key(service: &ServiceKey) -> Vec<u8> {
    let ServiceKey { namespace, group, name } = service;
    let mut key = Vec::with_capacity(namespace.len() + group.len() + name.len() + 6);
    for part in [namespace, group, name] {
        push_part(&mut key, part);
    }
    key
}

fn place_key(service: &ServiceKey, place: &Place) -> Vec<u8> {
    let mut key = service_key(service);
    push_part(&mut key, &place.ip);
    key.extend_from_slice(&place.port.to_be_bytes());
    push_part(&mut key, &place.cluster_name);
    key
}

fn cluster_key(service: &ServiceKey, cluster_name: &str) -> Vec<u8> {
    let mut key = service_key(service);
    push_part(&mut key, cluster_name);
    key
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("a Vec takes any number of bytes")
}

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let Some((&version, bytes)) = bytes.split_first() else {
        return Err("the value is empty".into());
    };
    if version != VERSION {
        return Err(format!("its format is version {version}, this program reads {VERSION}"));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(format!("{} bytes follow the value", rest.len())),
        Err(error) => Err(error.to_string()),
    }
}
