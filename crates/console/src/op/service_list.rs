//! GET /v1/services: the services of a namespace.

use crate::{
    Answer, Filter,
    operation::{Asked, Context, Next, Operation, Plan, Reply, Right},
    problem::Problem,
    shape::{List, ServiceLine},
};
use access::{Action, Resource};
use base::Consistency;
use std::sync::Arc;

pub(crate) fn parse(asked: &mut Asked) -> Result<Plan, Problem> {
    let params = &mut asked.params;
    let (namespace, filter, page) = (params.namespace()?, params.filter()?, params.page()?);
    let wanted = params.consistency(Consistency::Stale)?;
    let resource = Resource::Service {
        namespace: Arc::clone(&namespace),
        group: filter.group.clone().unwrap_or_else(|| "*".into()),
        name: "*".into(),
    };
    let list = ServiceList { namespace, filter, page };
    Ok(Plan::new(Right::To(Action::Read, resource), list).fresh(wanted))
}

#[derive(Debug)]
struct ServiceList {
    namespace: Arc<str>,
    filter: Filter,
    page: (usize, usize),
}

impl Operation for ServiceList {
    fn go(&mut self, cx: &Context<'_>, _answer: Option<Answer>) -> Result<Next, Problem> {
        let (offset, limit) = self.page;
        let page = cx.views.services(&self.namespace, &self.filter, offset, limit);
        let items = page.items.iter().map(|view| ServiceLine::from(&**view)).collect();
        Ok(Reply::json(&List { count: page.count, offset, items }))
    }
}
