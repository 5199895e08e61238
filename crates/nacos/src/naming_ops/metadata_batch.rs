//! An operator adds metadata to many instances of a service, or takes it away:
//! `PUT` and `DELETE /v1/ns/instance/metadata/batch`.
//!
//! `instances` names them; without it all are meant. Where official 2.5.1 takes an `instances` that does not read for
//! "all", we refuse it. `consistencyType` says what the service says already and is not looked at, as officially.

use super::instance::{InstanceFields, resource, settled};
use crate::{
    Answer, Ask,
    fault::Fault,
    form::{self, Form},
    json,
    operation::{Context, Event, Need, Next, Operate, Operation},
    reply::Rendered,
};
use naming::{Edit, Outcome, Place, Reply, Request, ServiceKey};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Debug)]
pub(crate) struct EditMetadata {
    service: ServiceKey,
    /// Empty means all.
    places: BTreeSet<Place>,
    edit: Edit,
    /// What the answer may name: place, and the words for it.
    meant: Vec<(Place, String)>,
}

#[derive(Serialize)]
struct Updated {
    updated: Vec<String>,
}

impl EditMetadata {
    pub(crate) fn add(form: &Form) -> Result<Operation, Fault> {
        Self::read(form, Edit::AddMetadata)
    }

    pub(crate) fn remove(form: &Form) -> Result<Operation, Fault> {
        Self::read(form, |metadata| Edit::RemoveMetadata(metadata.into_keys().collect()))
    }

    fn read(
        form: &Form,
        edit: impl FnOnce(std::collections::BTreeMap<std::sync::Arc<str>, std::sync::Arc<str>>) -> Edit,
    ) -> Result<Operation, Fault> {
        let service = form.service()?;
        let metadata = form.some("metadata").ok_or_else(|| Fault::required("metadata"))?;
        let edit = edit(form::metadata(metadata)?);
        let given = form.some("instances").map(|text| json::read(text.as_bytes())).transpose();
        let given: Vec<InstanceFields> = given
            .map_err(|error| Fault::plain(format!("Param 'instances' is illegal: {error}")))?
            .unwrap_or_default();
        let places: Result<BTreeSet<Place>, Fault> =
            given.into_iter().map(|fields| Ok(Place::of(&fields.read()?))).collect();
        Ok(Self { service, places: places?, edit, meant: Vec::new() }.into())
    }
}

impl Operate for EditMetadata {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        let view = context.views.service(&self.service);
        let instances = view.iter().flat_map(|view| view.instances.iter());
        self.meant = instances
            .map(|instance| (Place::of(instance), instance.ephemeral))
            .filter(|(place, _)| self.places.is_empty() || self.places.contains(place))
            .map(|(place, ephemeral)| {
                let kind = if ephemeral { "ephemeral" } else { "persist" };
                let Place { ip, port, cluster_name } = &place;
                let words = format!("{ip}:{port}:unknown:{cluster_name}:{kind}");
                (place, words)
            })
            .collect();
        if self.meant.is_empty() {
            return Next::Reply(Rendered::json(&Updated { updated: Vec::new() }));
        }
        Next::Ask(Ask::Naming(Request::EditInstances {
            service: self.service.clone(),
            places: self.meant.iter().map(|(place, _)| place.clone()).collect(),
            edit: self.edit.clone(),
        }))
    }

    fn resume(&mut self, _: &mut Context<'_>, event: Event) -> Next {
        if let Event::Answer(Answer::Naming(Reply::Outcome(Outcome::Edited(places)))) = &event {
            let edited: BTreeSet<&Place> = places.iter().collect();
            let meant = std::mem::take(&mut self.meant).into_iter();
            let updated =
                meant.filter(|(place, _)| edited.contains(place)).map(|(_, words)| words).collect();
            return Next::Reply(Rendered::json(&Updated { updated }));
        }
        match settled(event) {
            Ok(()) => Next::Reply(Rendered::json(&Updated { updated: Vec::new() })),
            Err(refused) => Next::Fault(refused),
        }
    }
}
