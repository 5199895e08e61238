//! GET /v1/services/{name}/instances/{ip:port}: one instance.

use super::service_right;
use crate::{
    Answer, Views, names,
    operation::{Asked, Context, Next, Operation, Plan, Reply},
    problem::Problem,
    shape,
};
use access::Action;
use base::Consistency;
use naming::{Instance, ServiceKey};
use std::sync::Arc;

/// An instance as a path names it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) service: ServiceKey,
    pub(super) ip: Arc<str>,
    pub(super) port: u16,
    pub(super) cluster: Arc<str>,
}

impl Place {
    /// From the path, `namespace`, `group` and `cluster`.
    pub(super) fn parse(asked: &mut Asked) -> Result<Self, Problem> {
        let (name, address) = (asked.segment(0).to_owned(), asked.segment(1).to_owned());
        let service = asked.params.service(&name)?;
        let (ip, port) = names::address(&address)?;
        let cluster = asked.params.take("cluster");
        let cluster = names::cluster(cluster.as_deref().unwrap_or(names::DEFAULT_CLUSTER))?;
        Ok(Self { service, ip, port, cluster })
    }

    /// The instance in the newest view.
    pub(super) fn listed(&self, views: &dyn Views) -> Option<Arc<Instance>> {
        let view = views.service(&self.service)?;
        let found = view.instances.iter().find(|one| {
            one.ip == self.ip && one.port == self.port && one.cluster_name == self.cluster
        });
        found.map(Arc::clone)
    }

    pub(super) fn missing(&self) -> Problem {
        Problem::not_found(
            format!(
                "{} has no instance {}:{} in cluster {}",
                self.service, self.ip, self.port, self.cluster
            ),
            format!(
                "`trine instance list {}` shows what there is; \
                 `trine explain instance {} {}:{}` says why",
                self.service.name, self.service.name, self.ip, self.port
            ),
        )
    }
}

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let place = Place::parse(asked)?;
    let wanted = asked.params.consistency(Consistency::Stale)?;
    let right = service_right(Action::Read, &place.service);
    Ok(Plan::new(right, InstanceGet { place }).fresh(wanted))
}

#[derive(Debug)]
struct InstanceGet {
    place: Place,
}

impl Operation for InstanceGet {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        let instance = self.place.listed(cx.views).ok_or_else(|| self.place.missing())?;
        Ok(Reply::json(&shape::Instance::from(&*instance)))
    }
}
