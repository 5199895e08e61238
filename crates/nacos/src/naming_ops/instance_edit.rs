//! An operator changes what is shown of an instance: `PUT` and `PATCH /v1/ns/instance`.
//!
//! `PUT` sets weight, metadata and whether it is enabled, with their defaults when they are not given; the instance need
//! not be there. `PATCH` sets what is given. Official 2.5.1 resets the weight to 1.0 at the first `PATCH` without one; we do
//! not.

use super::{
    instance::{changed, of_form, resource, settled},
    instance_detail,
};
use crate::{
    Ask, check,
    fault::Fault,
    form::{self, Form},
    operation::{Context, Event, Need, Next, Operate, Operation},
};
use naming::{Edit, Place, Request, ServiceKey};

#[derive(Debug)]
pub(crate) struct EditInstance {
    service: ServiceKey,
    place: Place,
    edit: Edit,
}

impl EditInstance {
    pub(crate) fn replace(form: &Form) -> Result<Operation, Fault> {
        let (service, instance) = (form.service()?, of_form(form)?);
        let place = Place::of(&instance);
        let edit = Edit::Replace {
            enabled: instance.enabled,
            weight: instance.weight,
            metadata: instance.metadata,
        };
        Ok(Self { service, place, edit }.into())
    }

    pub(crate) fn patch(form: &Form) -> Result<Operation, Fault> {
        let service = form.service()?;
        let (ip, port) = form.address()?;
        let place = Place { ip, port, cluster_name: form.cluster_name() };
        let weight = form.some("weight").map(|text| text.parse().unwrap_or(f64::NAN));
        let enabled = form.some("enabled").or_else(|| form.some("enable"));
        let edit = Edit::Patch {
            enabled: enabled.map(|text| text.eq_ignore_ascii_case("true")),
            weight: weight.map(check::weight).transpose()?,
            metadata: form.some("metadata").map(form::metadata).transpose()?,
        };
        Ok(Self { service, place, edit }.into())
    }
}

impl Operate for EditInstance {
    fn need(&self) -> Need {
        Need::write(resource(&self.service))
    }

    fn run(&mut self, context: &mut Context<'_>) -> Next {
        if let Edit::Patch { .. } = &self.edit
            && let Err(missing) = instance_detail::find(context.views, &self.service, &self.place)
        {
            return Next::Fault(missing);
        }
        Next::Ask(Ask::Naming(Request::EditInstances {
            service: self.service.clone(),
            places: vec![self.place.clone()],
            edit: self.edit.clone(),
        }))
    }

    fn resume(&mut self, context: &mut Context<'_>, event: Event) -> Next {
        match settled(event) {
            Ok(()) => Next::Reply(changed(context.door, "")),
            Err(refused) => Next::Fault(refused),
        }
    }
}
